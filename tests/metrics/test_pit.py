"""Transforms and ranks against SciPy, against every possible tie-break, and for known miscalibration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.gaussian_world import SHAPE, gaussian_world

from cinecortex.errors import WrongUse
from cinecortex.metrics.pit import Transform, gaussian_pit, pit_histogram, sample_pit
from cinecortex.metrics.rank_histogram import rank_histogram


def test_the_transform_of_a_gaussian_is_that_of_another_program() -> None:
    truth, mean, std = gaussian_world()
    found = gaussian_pit(truth, mean, std)
    expected = scipy.stats.norm.cdf(truth.numpy(), mean.numpy(), std.numpy()).ravel()
    np.testing.assert_allclose(found.low, expected, rtol=1e-12)
    assert torch.equal(found.low, found.high)
    # Of right predictions it is uniform, of narrow ones it is not.
    assert scipy.stats.kstest(found.middle.numpy(), "uniform").pvalue > 1e-3
    assert scipy.stats.kstest(gaussian_pit(truth, mean, 0.8 * std).middle.numpy(), "uniform").pvalue < 1e-10


@pytest.mark.parametrize(("factor", "shift"), [(0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 1.0)])
def test_the_histogram_of_known_miscalibration_has_its_closed_form(factor: float, shift: float) -> None:
    truth, mean, std = gaussian_world()
    found = pit_histogram(gaussian_pit(truth, mean + shift * std, factor * std), bins=10)
    edges = scipy.stats.norm.ppf(np.arange(11) / 10)
    expected = np.diff(scipy.stats.norm.cdf(shift + factor * edges))
    np.testing.assert_allclose(found, expected, atol=4 * 0.5 / math.sqrt(truth.numel()))


def test_a_prediction_without_doubt_puts_all_probability_in_one_place() -> None:
    truth = torch.tensor([[[0.2, 0.5, 0.7]]])
    found = gaussian_pit(truth, torch.full_like(truth, 0.5), torch.zeros_like(truth))
    assert found.low.tolist() == [0, 0, 1]
    assert found.high.tolist() == [0, 1, 1]
    np.testing.assert_allclose(pit_histogram(found, bins=4), [5 / 12, 1 / 12, 1 / 12, 5 / 12])


def test_ties_count_as_every_order_that_they_could_have() -> None:
    draws, true = [0.1, 0.4, 0.4, 0.4, 0.9], 0.4
    samples = torch.tensor(draws).reshape(5, 1, 1, 1)
    counts = np.zeros(6)
    # Break ties by a tiny amount, in every order of the truth and the draws.
    for order in itertools.permutations(range(6)):
        moved = np.array([*draws, true]) + 1e-6 * np.array(order)
        counts[(moved[:5] < moved[5]).sum()] += 1
    found = rank_histogram(torch.full((1, 1, 1), true), samples)
    np.testing.assert_allclose(found, counts / counts.sum(), atol=1e-12)


def test_ranks_among_draws_of_the_same_distribution_are_level_and_others_are_not() -> None:
    random = np.random.default_rng(5)
    truth, draws = (
        torch.from_numpy(random.standard_normal(SHAPE)),
        torch.from_numpy(random.standard_normal((7, *SHAPE))),
    )
    error = 4 / math.sqrt(8 * truth.numel())
    np.testing.assert_allclose(rank_histogram(truth, draws), np.full(8, 1 / 8), atol=error)
    # With coarse luminance nearly all are ties, and nothing leans anywhere.
    coarse = rank_histogram(truth.round(), draws.round())
    np.testing.assert_allclose(coarse, np.full(8, 1 / 8), atol=error)
    narrow, wide = rank_histogram(truth, 0.5 * draws), rank_histogram(truth, 2 * draws)
    assert min(narrow[0], narrow[-1]) > 0.2 > max(narrow[1:-1])
    assert max(wide[0], wide[-1]) < 0.08 < min(wide[2:-2])
    low = rank_histogram(truth - 1, draws)
    assert bool((low.diff() < 0).all())


def test_bins_that_do_not_divide_the_ranks_stay_level() -> None:
    random = np.random.default_rng(6)
    truth, draws = (
        torch.from_numpy(random.standard_normal(SHAPE)),
        torch.from_numpy(random.standard_normal((4, *SHAPE))),
    )
    found = pit_histogram(sample_pit(truth, draws), bins=7)
    np.testing.assert_allclose(found, np.full(7, 1 / 7), atol=4 / math.sqrt(7 * truth.numel()))


@settings(max_examples=60, deadline=None)
@given(
    truth=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    draws=st.integers(1, 5),
    bins=st.integers(1, 9),
    seed=st.integers(0, 100),
)
def test_shares_sum_to_one_and_mirror_with_the_luminance(truth: list[int], draws: int, bins: int, seed: int) -> None:
    true = torch.tensor(truth, dtype=torch.float64).reshape(1, 1, -1)
    samples = torch.from_numpy(np.random.default_rng(seed).integers(0, 5, (draws, *true.shape)).astype(float))
    found = pit_histogram(sample_pit(true, samples), bins=bins)
    assert float(found.sum()) == pytest.approx(1)
    assert bool((found >= -1e-12).all())
    mirrored = pit_histogram(sample_pit(4 - true, 4 - samples), bins=bins)
    np.testing.assert_allclose(mirrored, found.flip(0), atol=1e-12)


def test_masks_and_holes_are_left_out_and_nothing_left_is_nan() -> None:
    truth, mean, std = (part.clone() for part in gaussian_world())
    mask = torch.zeros(SHAPE[1:])
    mask[:10] = 1.0
    expected = pit_histogram(gaussian_pit(truth[:, :10], mean[:, :10], std[:, :10]))
    truth[:, 10:] += 7
    torch.testing.assert_close(pit_histogram(gaussian_pit(truth, mean, std, mask)), expected)
    truth[0, 0, 0], std[3, 4, 5] = torch.nan, torch.nan
    assert len(gaussian_pit(truth, mean, std, mask).low) == int(mask.sum()) * SHAPE[0] - 2
    assert bool(pit_histogram(gaussian_pit(truth * torch.nan, mean, std)).isnan().all())
    with pytest.raises(WrongUse, match="no pixel of the mask"):
        gaussian_pit(truth, mean, std, torch.zeros(SHAPE[1:]))
    with pytest.raises(WrongUse, match="no draw"):
        sample_pit(truth, torch.zeros(0, *SHAPE))
    with pytest.raises(WrongUse, match="0 bins"):
        pit_histogram(Transform(truth.flatten(), truth.flatten()), bins=0)
