"""What is said of a clip's error bars, and of raw and recalibrated ones side by side."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.coverage_curve import CURVE_LEVELS
from cinecortex.metrics.error_bars import Row, error_bars, over_clips, side_by_side
from cinecortex.metrics.recalibration import fit_calibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed

SHAPE = (20, 12, 15)
SPREAD, NOISE = 0.1, 0.05


def clip(number: int, *, gain: float = 1.0, factor: float = 1.0, stated: str = "std") -> tuple:
    """A movie, and what was made of it: off by Gaussian noise, its contrast shrunk by ``gain``."""
    random = np.random.default_rng(number)
    truth = 0.5 + SPREAD * random.standard_normal(SHAPE)
    # The mean and the spread of a Gaussian movie seen through Gaussian noise.
    share = SPREAD**2 / (SPREAD**2 + NOISE**2)
    mean = 0.5 + share * (truth - 0.5 + NOISE * random.standard_normal(SHAPE))
    movie = torch.from_numpy(0.5 + gain * (mean - 0.5))
    std = torch.full(SHAPE, factor * NOISE * math.sqrt(share), dtype=torch.float64)
    draws = movie + std * torch.from_numpy(random.standard_normal((19, *SHAPE)))
    half = scipy.stats.norm.ppf(0.95) * std
    fields = {
        "std": {"std": std},
        "samples": {"samples": draws},
        "interval": {"lower": movie - half, "upper": movie + half},
    }
    return torch.from_numpy(truth), Reconstruction(movie, ended="tested", **fields[stated])


def silent() -> Reconstruction:
    """What is known without neurons."""
    return Reconstruction(
        torch.full(SHAPE, 0.5, dtype=torch.float64), "tested", std=torch.full(SHAPE, SPREAD, dtype=torch.float64)
    )


@pytest.mark.parametrize("stated", ["std", "samples"])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_known_miscalibration_is_measured_however_it_was_stated(stated: str, factor: float) -> None:
    found = error_bars(*clip(1, factor=factor, stated=stated))
    quantile = scipy.stats.norm.ppf((1 + np.array(CURVE_LEVELS)) / 2)
    expected = 2 * scipy.stats.norm.cdf(factor * quantile) - 1
    error = 4 * 0.5 / math.sqrt(math.prod(SHAPE))
    if stated == "std":
        np.testing.assert_allclose(found.curve, expected, atol=error)
    elif factor == 1:
        # Up to 0.9 the ends are draws; the widest levels lie beyond all nineteen.
        np.testing.assert_allclose(found.curve[:18], CURVE_LEVELS[:18], atol=error)
    assert found.coverage == pytest.approx(found.curve[17])
    assert (found.calibration_error < 0.02) == (factor == 1)
    assert sum(found.pit) == pytest.approx(1)
    assert (found.pit[0] > 0.1) == (factor == 0.5)
    # The closed-form score of a Gaussian with a Gaussian truth: Gneiting & Raftery 2007, equation 21, integrated.
    right = NOISE * math.sqrt(SPREAD**2 / (SPREAD**2 + NOISE**2))
    score = right * (math.sqrt(2 * (1 + factor**2)) - factor) / math.sqrt(math.pi)
    assert found.crps == pytest.approx(score, rel=0.05)


def test_an_interval_alone_says_nothing_of_other_levels() -> None:
    found = error_bars(*clip(2, stated="interval"))
    assert found.coverage == pytest.approx(error_bars(*clip(2)).coverage)
    assert found.sharpness == pytest.approx(error_bars(*clip(2)).sharpness)
    assert all(map(math.isnan, (found.crps, found.calibration_error, *found.curve, *found.pit)))


def test_the_mask_and_the_burn_in_are_heeded() -> None:
    truth, answer = clip(3)
    mask = torch.zeros(SHAPE[1:])
    mask[:6] = 0.5
    cut = replace(answer, movie=answer.movie[5:, :6], std=answer.std[5:, :6])
    assert error_bars(truth, answer, mask, burn_in=5) == error_bars(truth[5:, :6], cut)


def test_what_states_no_error_is_refused() -> None:
    truth, answer = clip(4)
    with pytest.raises(WrongUse, match="states no error"):
        error_bars(truth, replace(answer, std=None))
    with pytest.raises(WrongUse, match="use one size"):
        error_bars(truth[1:], answer)


@pytest.fixture(scope="module")
def table() -> dict[str, Row]:
    """Contrast shrunk and spread half as wide as right; recalibrated on other clips."""
    select = [clip(number, gain=0.6, factor=0.5) for number in range(100, 110)]
    fit = fit_calibration(
        [truth - answer.movie for truth, answer in select],
        [answer.std for _, answer in select],
        movies=[answer.movie for _, answer in select],
    )
    truths, raw = zip(*(clip(number, gain=0.6, factor=0.5) for number in range(6)), strict=True)
    answers = {"raw": raw, "recalibrated": [fit.apply(answer) for answer in raw]}
    return side_by_side(truths, answers, seed=Seed(1), prior_only=[silent()] * 6)


def test_raw_and_recalibrated_stand_side_by_side(table: dict[str, Row]) -> None:
    raw, recalibrated = table["raw"], table["recalibrated"]
    error = 4 * 0.5 / math.sqrt(6 * math.prod(SHAPE))
    assert raw.coverage.value < 0.6
    assert recalibrated.coverage.value == pytest.approx(0.9, abs=error)
    assert recalibrated.curve_error < 0.01 < 0.1 < raw.curve_error
    assert raw.crps.value > recalibrated.crps.value
    assert recalibrated.sharpness.value > raw.sharpness.value
    assert recalibrated.interval_score.value < raw.interval_score.value
    # With the right contrast and the right spread the score is known, and so is that of the prior.
    expected = 1 - NOISE / math.sqrt(SPREAD**2 + NOISE**2)
    assert recalibrated.skill is not None
    assert recalibrated.skill.value == pytest.approx(expected, abs=0.02)
    assert raw.skill is not None
    assert raw.skill.value < recalibrated.skill.value
    assert raw.least <= raw.coverage.value <= raw.most
    assert sum(raw.pit) == pytest.approx(1)


def test_clips_in_which_nothing_counts_are_left_out() -> None:
    truths, answers = zip(*(clip(number) for number in range(3)), strict=True)
    spoilt = (*truths[:2], truths[2] * torch.nan)
    found = side_by_side(spoilt, {"raw": answers}, seed=Seed(1))["raw"]
    assert (found.coverage.n, found.skill) == (2, None)
    assert found.curve == side_by_side(truths[:2], {"raw": answers[:2]}, seed=Seed(1))["raw"].curve
    assert all(map(math.isnan, over_clips([], seed=Seed(1)).pit))


def test_an_answer_is_needed_for_every_clip() -> None:
    truth, answer = clip(1)
    with pytest.raises(WrongUse, match="raw has 2 answers to 1 clips"):
        side_by_side([truth], {"raw": [answer, answer]}, seed=Seed(1))
    with pytest.raises(WrongUse, match="prior_only has 0"):
        side_by_side([truth], {"raw": [answer]}, prior_only=[], seed=Seed(1))
