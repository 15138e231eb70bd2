"""Spreads and contrasts that are wrong by a known factor."""

import json

import numpy as np
import pytest
import scipy.stats
import torch
from tests.metrics.gaussian_world import SHAPE, gaussian_world

from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.intervals import coverage
from cinecortex.metrics.recalibration import Recalibration, fit_calibration
from cinecortex.reconstruction import Reconstruction


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_multiplier_of_a_known_miscalibration_is_found(factor: float, level: float) -> None:
    worlds = [gaussian_world(seed) for seed in range(3)]
    errors = [truth - mean for truth, mean, _ in worlds]
    stds = [factor * std for _, _, std in worlds]
    found = fit_calibration(errors, stds, level=level)
    # Standard error of a sample quantile: 0.003 of its value at worst here.
    assert found.temperature == pytest.approx(1 / factor, rel=0.015)
    assert (found.gain, found.level, found.clips) == (1.0, level, 3)
    quantile = scipy.stats.norm.ppf((1 + level) / 2)
    assert found.raw == pytest.approx(2 * scipy.stats.norm.cdf(factor * quantile) - 1, abs=0.005)
    covered = [
        coverage(t, m - found.temperature * quantile * s, m + found.temperature * quantile * s)
        for (t, m, _), s in zip(worlds, stds, strict=True)
    ]
    assert np.mean(covered) == pytest.approx(level, abs=0.005)


def test_every_clip_weighs_the_same_whatever_its_length() -> None:
    # A long clip whose errors are all 1 and a short one whose errors are spread over 0 to 2, all of spread 1.
    errors = [torch.ones(10_000), torch.linspace(0, 2, 101)]
    found = fit_calibration(errors, [torch.ones_like(error) for error in errors], level=0.9)
    # Half of the weight is at 1; of the other half 80 % must be covered: up to 1.6.
    assert found.temperature == pytest.approx(1.6 / 1.6449, abs=0.02)


def test_a_shrunken_contrast_is_found_and_undone() -> None:
    random = np.random.default_rng(5)
    deviations = [torch.from_numpy(0.05 * random.standard_normal(SHAPE)) for _ in range(2)]
    stds = [torch.full(SHAPE, 0.02, dtype=torch.float64) for _ in range(2)]
    truths = [0.4 + 2 * d + 0.03 * torch.from_numpy(random.standard_normal(SHAPE)) for d in deviations]
    errors = [truth - (0.4 + d) for truth, d in zip(truths, deviations, strict=True)]
    found = fit_calibration(errors, stds, movies=[0.4 + d for d in deviations])
    assert found.gain == pytest.approx(2, abs=0.01)
    assert found.temperature == pytest.approx(1.5, abs=0.02)
    assert fit_calibration(errors, stds).temperature > 2.5
    # Applied to the reconstruction, the Gaussian interval covers what it promises.
    half = 1.6448536 * stds[0]
    movie = 0.4 + deviations[0]
    old = Reconstruction(
        movie=movie, ended="", std=stds[0], lower=movie - half, upper=movie + half, samples=movie[None] + 0.01
    )
    new = found.apply(old)
    assert new.lower is not None and new.upper is not None and new.std is not None and new.samples is not None  # noqa: PT018
    assert coverage(truths[0].clamp(0, 1), new.lower, new.upper) == pytest.approx(0.9, abs=0.005)
    torch.testing.assert_close(new.std, found.temperature * stds[0])
    line = found.target + found.gain * (movie - found.center)
    torch.testing.assert_close(new.movie, line.clamp(0, 1))
    torch.testing.assert_close(line, 0.4 + 2 * deviations[0], atol=0.005, rtol=0)
    torch.testing.assert_close(new.samples[0], line + found.temperature * 0.01)
    assert found.apply(Reconstruction(movie=movie, ended="")).std is None


def test_pixels_of_a_clip_err_together_and_the_next_clip_is_covered_all_the_same() -> None:
    random = np.random.default_rng(11)

    def clips(count: int) -> list[torch.Tensor]:
        scales = np.exp(0.5 * random.standard_normal(count))
        return [torch.from_numpy(scale * random.standard_normal(400)) for scale in scales]

    covered = []
    for _ in range(60):
        errors = clips(8)
        found = fit_calibration(errors, [torch.ones(400, dtype=torch.float64)] * 8)
        half = found.temperature * scipy.stats.norm.ppf(0.95)
        covered.append(np.mean([float((error.abs() <= half).double().mean()) for error in clips(40)]))
    # Chosen to cover the eight clips at hand it covers 0.886 here; the standard error of this mean is 0.006.
    assert np.mean(covered) == pytest.approx(0.9, abs=0.0125)


def test_what_is_not_a_number_is_left_out_of_the_fit() -> None:
    truth, mean, std = gaussian_world()
    error, spread = (truth - mean).clone(), std.clone()
    right = fit_calibration([error[10:]], [spread[10:]])
    error[:5], spread[5:10] = torch.nan, torch.nan
    assert fit_calibration([error], [spread]) == right
    assert fit_calibration([error, error * torch.nan], [spread, spread]).clips == 1
    nothing = torch.zeros(1000)
    assert fit_calibration([error, nothing], [spread, nothing]) == right


def test_a_fit_comes_back_from_json() -> None:
    found = Recalibration(temperature=1.4, gain=1.1, level=0.9, raw=0.72, clips=8)
    assert Recalibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    for spoilt in ({"gain": 1.0}, {**found.to_json(), "gain": "wide"}, {**found.to_json(), "more": 1.0}):
        with pytest.raises(BadData, match="cannot be read"):
            Recalibration.from_json(spoilt)


def test_nonsense_is_refused() -> None:
    error, std = torch.ones(5), torch.ones(5)
    with pytest.raises(WrongUse, match="no error"):
        fit_calibration([], [])
    with pytest.raises(WrongUse, match="same pixels"):
        fit_calibration([error], [std[:4]])
    with pytest.raises(WrongUse, match="between 0 and 1"):
        fit_calibration([error], [std], level=90.0)
    with pytest.raises(WrongUse, match="not to vary"):
        fit_calibration([error], [0 * std])
    with pytest.raises(WrongUse, match="no contrast"):
        fit_calibration([error], [std], movies=[0 * std])
