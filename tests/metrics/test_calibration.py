"""Predicted against realised spread, where the truth is simulated."""

import numpy as np
import pytest
import scipy.stats
import torch

from cinecortex.metrics.calibration import calibration

FRAMES = 30_000
DISPERSION = torch.tensor([1.0, 0.4, 3.0])


def scaled_counts(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rates, and Poisson counts times the dispersion."""
    random = np.random.default_rng(seed)
    rate = random.uniform(0.2, 3.0, (FRAMES, 3))
    scale = DISPERSION.double().numpy()
    return torch.from_numpy(rate), torch.from_numpy(random.poisson(rate / scale) * scale)


def test_the_right_model_is_found_right() -> None:
    rate, response = scaled_counts()
    found = calibration(rate, response, DISPERSION, torch.ones(3), burn_in=0)
    np.testing.assert_allclose(found.spread_ratio, 1, atol=0.05)
    np.testing.assert_allclose(found.score_spread, 1, atol=0.03)
    np.testing.assert_allclose(found.coverage, 0.9, atol=0.01)
    np.testing.assert_allclose(found.block_ratio, 1, atol=0.2)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_dispersion_is_found_wrong_by_as_much(factor: float) -> None:
    rate, response = scaled_counts()
    right = calibration(rate, response, DISPERSION, torch.ones(3), burn_in=0)
    wrong = calibration(rate, response, DISPERSION * factor, torch.ones(3), burn_in=0)
    torch.testing.assert_close(wrong.spread_ratio, right.spread_ratio / factor)
    torch.testing.assert_close(wrong.score_spread, right.score_spread / factor**0.5)
    assert ((wrong.coverage < 0.87) if factor < 1 else (wrong.coverage > 0.93)).all()


def test_a_biased_rate_is_found_too_sure() -> None:
    rate, response = scaled_counts()
    found = calibration(rate, response + 2, DISPERSION, torch.ones(3), burn_in=0)
    assert (found.spread_ratio > 1.5).all()
    assert (found.coverage < 0.86).all()


def test_noise_that_lasts_needs_its_correlation_time() -> None:
    random = np.random.default_rng(1)
    rate = torch.full((FRAMES, 3), 50.0, dtype=torch.float64)
    noise = random.standard_normal((FRAMES // 5, 3)).repeat(5, axis=0) * np.sqrt(50 * DISPERSION.numpy())
    response = rate + torch.from_numpy(noise)
    # Blocks of five equal residuals: the sum over a block of frames has five times the variance of independent ones.
    right = calibration(rate, response, DISPERSION, torch.full((3,), 5.0), burn_in=0)
    wrong = calibration(rate, response, DISPERSION, torch.ones(3), burn_in=0)
    np.testing.assert_allclose(right.block_ratio, 1, atol=0.2)
    torch.testing.assert_close(wrong.block_ratio, 5 * right.block_ratio)
    torch.testing.assert_close(wrong.spread_ratio, right.spread_ratio)


def test_coverage_of_counts_against_the_distribution_itself() -> None:
    """One rate, every count weighted by its probability: the coverage is 0.9 to rounding."""
    mean = 1.7
    counts = np.arange(40)
    inside = [
        float(
            calibration(
                torch.full((1, 1), mean).double(), torch.full((1, 1), float(k)).double(), torch.ones(1), torch.ones(1),
                burn_in=0,
            ).coverage
        )
        for k in counts
    ]  # fmt: skip
    assert float(np.dot(scipy.stats.poisson.pmf(counts, mean), inside)) == pytest.approx(0.9, abs=1e-7)


def test_frames_without_a_recording_are_left_out() -> None:
    rate, response = (side[:600] for side in scaled_counts())
    holed = response.clone()
    holed[300:, 1] = torch.nan
    holed[:, 2] = torch.nan
    found = calibration(rate, holed, DISPERSION, torch.ones(3), burn_in=0)
    half = calibration(rate[:300], response[:300], DISPERSION, torch.ones(3), burn_in=0)
    for name in ("spread_ratio", "score_spread", "coverage", "block_ratio"):
        assert float(getattr(found, name)[1]) == pytest.approx(float(getattr(half, name)[1]))
        assert bool(getattr(found, name)[2].isnan())


def test_the_burn_in_is_left_out_of_every_clip() -> None:
    rate, response = (side[:300] for side in scaled_counts())
    spoiled = response.clone()
    spoiled[:50] += 100
    found = calibration([rate, rate], [spoiled, spoiled], DISPERSION, torch.ones(3))
    right = calibration(rate[50:], response[50:], DISPERSION, torch.ones(3), burn_in=0)
    torch.testing.assert_close(found.spread_ratio, right.spread_ratio)
