"""Coverage of known miscalibration, and scores against numerical integration."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from tests.metrics.gaussian_world import SHAPE, gaussian_world

from cinecortex.errors import WrongUse
from cinecortex.metrics.intervals import (
    LEVELS,
    coverage,
    gaussian_coverage,
    gaussian_crps,
    interval_score,
    sample_coverage,
    sample_crps,
    sample_interval,
)


def single(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1), value, dtype=torch.float64)


def test_coverage_counts_by_hand() -> None:
    truth = torch.tensor([[[0.1, 0.5, 0.9, 0.4]]])
    lower, upper = torch.tensor([[[0.1, 0.6, 0.0, torch.nan]]]), torch.tensor([[[0.2, 0.7, 1.0, 1.0]]])
    assert coverage(truth, lower, upper) == pytest.approx(2 / 3)
    mask = torch.tensor([[0.4, 0.5, 1.0, 1.0]])
    assert coverage(truth, lower, upper, mask) == pytest.approx(1 / 2)
    assert coverage(truth, lower, upper, mask, threshold=0.9) == 1.0
    assert math.isnan(coverage(truth * torch.nan, lower, upper))
    with pytest.raises(WrongUse, match="no pixel of the mask"):
        coverage(truth, lower, upper, torch.zeros(1, 4))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_the_coverage_of_gaussians_of_known_miscalibration(factor: float) -> None:
    truth, mean, std = gaussian_world()
    levels = np.array(LEVELS)
    expected = 2 * scipy.stats.norm.cdf(factor * scipy.stats.norm.ppf((1 + levels) / 2)) - 1
    found = gaussian_coverage(truth, mean, factor * std)
    np.testing.assert_allclose(found, expected, atol=4 * 0.5 / math.sqrt(truth.numel()))


def test_draws_from_the_truth_cover_as_promised_however_few() -> None:
    random = np.random.default_rng(1)
    truth = torch.from_numpy(random.standard_normal(SHAPE))
    samples = torch.from_numpy(random.standard_normal((19, *SHAPE)))
    levels = (0.1, 0.5, 0.9)  # whose ends are whole ranks of 19
    found = sample_coverage(truth, samples, levels=levels)
    np.testing.assert_allclose(found, levels, atol=4 * 0.5 / math.sqrt(truth.numel()))
    narrow = sample_coverage(truth, 0.5 * samples, levels=levels)
    assert narrow[2] < 0.65


def test_intervals_of_draws_are_the_quantiles_of_another_program() -> None:
    samples = torch.from_numpy(np.random.default_rng(2).standard_normal((12, 2, 3, 4)))
    for level in (0.3, 0.8, 0.95):
        expected = np.quantile(samples.numpy(), [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
        np.testing.assert_allclose(torch.stack(sample_interval(samples, level)), expected)
    holed = samples.clone()
    holed[3, 0, 1, 1] = torch.nan
    lower, upper = sample_interval(holed)
    assert lower.isnan().sum() == upper.isnan().sum() == 1
    assert torch.equal(sample_interval(samples[:1])[0], samples[0])


@pytest.mark.parametrize(("truth", "mean", "std"), [(0.3, 0.5, 0.2), (2.0, 0.0, 0.7), (0.5, 0.5, 0.1)])
def test_the_score_of_a_gaussian_is_the_integral_that_defines_it(truth: float, mean: float, std: float) -> None:
    def below(x: float) -> float:
        return float(scipy.stats.norm.cdf(x, mean, std)) ** 2

    def above(x: float) -> float:
        return float(scipy.stats.norm.sf(x, mean, std)) ** 2

    low, high = min(truth, mean) - 12 * std, max(truth, mean) + 12 * std
    expected = scipy.integrate.quad(below, low, truth)[0] + scipy.integrate.quad(above, truth, high)[0]
    assert gaussian_crps(single(truth), single(mean), single(std)) == pytest.approx(expected, rel=1e-7)
    # Many draws, and on average also few.
    draws = torch.from_numpy(np.random.default_rng(3).normal(mean, std, (40, 40, 40, 40)))
    everywhere = single(truth).expand(40, 40, 40)
    assert sample_crps(everywhere, draws) == pytest.approx(expected, rel=0.01)
    assert sample_crps(everywhere, draws[:2]) == pytest.approx(expected, rel=0.02)


def test_the_score_of_draws_is_its_definition_pair_by_pair() -> None:
    random = np.random.default_rng(4)
    truth, samples = random.standard_normal((2, 3, 4)), random.standard_normal((5, 2, 3, 4))
    apart = np.abs(samples[:, None] - samples[None]).sum((0, 1)) / (5 * 4)
    expected = (np.abs(samples - truth).mean(0) - 0.5 * apart).mean()
    assert sample_crps(torch.from_numpy(truth), torch.from_numpy(samples)) == pytest.approx(expected)
    with pytest.raises(WrongUse, match="at least 2"):
        sample_crps(torch.from_numpy(truth), torch.from_numpy(samples[:1]))


def test_without_a_spread_the_score_is_the_absolute_error() -> None:
    assert gaussian_crps(single(0.2), single(0.7), single(0.0)) == pytest.approx(0.5)
    assert gaussian_crps(single(0.7), single(0.7), single(0.0)) == 0.0


def test_the_interval_score_by_hand_and_at_its_best_for_the_true_quantiles() -> None:
    low, high = single(0.2), single(0.6)
    assert interval_score(single(0.5), low, high) == pytest.approx(0.4)
    assert interval_score(single(0.1), low, high) == pytest.approx(0.4 + 20 * 0.1)
    assert interval_score(single(0.7), low, high, level=0.5) == pytest.approx(0.4 + 4 * 0.1)
    truth, mean, std = gaussian_world()
    scores = [interval_score(truth, mean - k * std, mean + k * std) for k in (1.2, 1.645, 2.2)]
    assert scores[1] < min(scores[0], scores[2])


@pytest.mark.parametrize("score", [gaussian_crps, interval_score])
def test_scores_leave_out_what_is_outside_the_mask_or_not_a_number(score) -> None:  # type: ignore[no-untyped-def]
    truth, mean, std = (part.clone() for part in gaussian_world())
    mask = torch.zeros(SHAPE[1:])
    mask[:10] = 1.0
    expected = score(truth[:, :10], mean[:, :10], std[:, :10])
    mean[:, 10:] += 5
    assert score(truth, mean, std, mask) == pytest.approx(expected)
    truth[3, 2], mean[4, 1], std[7, 9] = torch.nan, torch.nan, torch.nan
    assert math.isfinite(score(truth, mean, std, mask))


def test_levels_that_are_no_shares_are_refused() -> None:
    with pytest.raises(WrongUse, match="between 0 and 1"):
        gaussian_coverage(single(0.0), single(0.0), single(1.0), levels=(1.0,))
    with pytest.raises(WrongUse, match="between 0 and 1"):
        sample_interval(torch.zeros(4, 1, 1, 1), 90.0)
