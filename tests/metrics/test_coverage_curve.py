"""Calibration error and skill against closed forms, and clips as the unit."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.gaussian_world import SHAPE, gaussian_world

from cinecortex.errors import WrongUse
from cinecortex.metrics import bootstrap_mean
from cinecortex.metrics.coverage_curve import CURVE_LEVELS, CoverageCurve
from cinecortex.metrics.expected_calibration_error import expected_calibration_error
from cinecortex.metrics.sharpness import sharpness
from cinecortex.metrics.skill import skill
from cinecortex.seeds import Seed


def curve_of(factor: float, levels: np.ndarray) -> np.ndarray:
    return 2 * scipy.stats.norm.cdf(factor * scipy.stats.norm.ppf((1 + levels) / 2)) - 1


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_the_error_of_a_gaussian_of_the_wrong_width_is_an_angle(factor: float) -> None:
    expected = abs(2 * math.atan(factor) / math.pi - 0.5)
    fine = np.linspace(0, 1, 2001)[1:-1]
    assert expected_calibration_error(fine.tolist(), curve_of(factor, fine).tolist()) == pytest.approx(
        expected, abs=1e-4
    )
    # The levels that curves are shown at are fine enough.
    coarse = np.array(CURVE_LEVELS)
    assert expected_calibration_error(CURVE_LEVELS, curve_of(factor, coarse).tolist()) == pytest.approx(
        expected, abs=0.006
    )


def test_areas_on_both_sides_of_the_diagonal_do_not_cancel() -> None:
    # From 0 up to 0.3 at 0.2, down through the diagonal at 0.5 to 0.7 at 0.8, up to 1: four triangles.
    assert expected_calibration_error((0.2, 0.8), (0.3, 0.7)) == pytest.approx(2 * (0.5 * 0.2 * 0.1 + 0.5 * 0.3 * 0.1))
    assert expected_calibration_error(CURVE_LEVELS, (0.0,) * 20) == pytest.approx(0.5, abs=0.01)
    assert math.isnan(expected_calibration_error((0.5,), (math.nan,)))


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_the_error_is_a_distance_of_the_curve_from_the_diagonal(values: list[float]) -> None:
    error = expected_calibration_error(CURVE_LEVELS, values)
    # By brute force on a fine grid, the curve taken as straight in between.
    grid = np.linspace(0, 1, 20_001)
    straight = np.interp(grid, [0, *CURVE_LEVELS, 1], [0, *values, 1])
    assert error == pytest.approx(np.trapezoid(np.abs(straight - grid), grid), abs=1e-4)
    # Going over to the other side of the diagonal changes nothing.
    mirrored = [2 * level - value for level, value in zip(CURVE_LEVELS, values, strict=True)]
    assert expected_calibration_error(CURVE_LEVELS, mirrored) == pytest.approx(error)


def test_levels_that_make_no_curve_are_refused() -> None:
    with pytest.raises(WrongUse, match="2 levels and 1"):
        expected_calibration_error((0.1, 0.2), (0.1,))
    for levels in ((0.5, 0.4), (0.0, 0.5), (0.5, 1.0)):
        with pytest.raises(WrongUse, match="rise"):
            expected_calibration_error(levels, (0.1, 0.2))
    with pytest.raises(WrongUse, match="1 coverages of 2"):
        CoverageCurve((0.1, 0.2), ((0.1,),))


def test_clips_are_the_unit_of_a_curve() -> None:
    curve = CoverageCurve((0.5, 0.9), ((0.4, 0.8), (0.6, 1.0), (0.8, 0.9), (math.nan, math.nan)))
    assert curve.mean == pytest.approx((0.6, 0.9))
    found = curve.intervals(seed=Seed(1))
    assert found[0] == bootstrap_mean([0.4, 0.6, 0.8], seed=Seed(1) / "0.5")
    assert [one.n for one in found] == [3, 3]
    # The first two clips are wrong in opposite ways: the mean curve hides it, the clips do not.
    assert CoverageCurve(curve.levels, curve.clips[:2]).error == pytest.approx(0)
    assert statistics.fmean(curve.errors[:2]) > 0.05
    assert math.isnan(curve.errors[3])
    empty = CoverageCurve((0.5, 0.9), ())
    assert all(map(math.isnan, empty.mean))
    assert [one.n for one in empty.intervals(seed=Seed(1))] == [0, 0]


def test_sharpness_is_the_mean_width_where_it_counts() -> None:
    _, mean, std = gaussian_world()
    mask = torch.zeros(SHAPE[1:])
    mask[3] = 0.7
    expected = float((2 * std[:, 3]).mean())
    assert sharpness(mean - std, mean + std, mask) == pytest.approx(expected)
    assert sharpness(mean - 3 * std, mean + 3 * std, mask) == pytest.approx(3 * expected)
    assert math.isnan(sharpness(mean * torch.nan, mean))


def test_skill_is_what_part_of_the_reference_is_saved() -> None:
    scores, reference = [0.1, 0.2, 0.3, math.nan], [0.4, 0.4, 0.8, 0.5]
    found = skill(scores, reference, seed=Seed(2))
    assert (found.value, found.n) == (pytest.approx(1 - 0.6 / 1.6), 3)
    assert found.low < found.value < found.high
    assert skill(reference, reference, seed=Seed(2)).value == 0
    assert skill([0.0] * 4, reference, seed=Seed(2)).value == 1
    assert math.isnan(skill([], [], seed=Seed(2)).value)
    for wrong, words in (((scores, reference[:2]), "score the same clips"), (([0.1], [0.0]), "not perfect")):
        with pytest.raises(WrongUse, match=words):
            skill(*wrong, seed=Seed(2))


def test_the_interval_of_a_skill_covers_nearly_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    held = 0
    for repeat in range(300):
        reference = random.gamma(4, 0.05, 12)
        scores = 0.6 * reference * random.gamma(20, 1 / 20, 12)
        found = skill(scores.tolist(), reference.tolist(), seed=Seed(repeat))
        held += found.low <= 0.4 <= found.high
    # In 3,000 repeats it covered 92 %, since the reference is estimated too; four Monte-Carlo errors around that.
    assert abs(held / 300 - 0.92) < 4 * math.sqrt(0.92 * 0.08 / 300)
