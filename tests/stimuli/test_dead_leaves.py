from itertools import pairwise

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.dead_leaves import _cover, _radii, dead_leaves


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return torch.stack([dead_leaves(Seed(3) / i, frames=240) for i in range(6)]).numpy()


def _slope(frequency: np.ndarray, power: np.ndarray, low: float, high: float) -> float:
    """Log-log slope of amplitude against frequency, from means in log-spaced bins."""
    edges = np.geomspace(low, high, 9)
    bins = [(frequency >= a) & (frequency < b) for a, b in pairwise(edges)]
    amplitude = [0.5 * np.log(power[inside].mean()) for inside in bins]
    return float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), amplitude, 1)[0])


def test_the_spatial_spectrum_is_natural(clips: np.ndarray) -> None:
    window = np.hanning(36)[:, None] * np.hanning(64)
    power = (np.abs(np.fft.fft2((clips - clips.mean((2, 3), keepdims=True)) * window)) ** 2).mean((0, 1))
    frequency = np.hypot(np.fft.fftfreq(36)[:, None], np.fft.fftfreq(64))
    assert _slope(frequency, power, 0.04, 0.4) == pytest.approx(-1.0, abs=0.4)


def test_power_falls_with_temporal_frequency(clips: np.ndarray) -> None:
    still = clips - clips.mean(1, keepdims=True)
    power = (np.abs(np.fft.rfft(still * np.hanning(240)[:, None, None], axis=1)) ** 2).mean((0, 2, 3))
    frequency = np.fft.rfftfreq(240, 1 / 30)
    assert -2.2 < _slope(frequency, power, 0.4, 12.0) < -0.5


def test_things_move_rather_than_flicker(clips: np.ndarray) -> None:
    """Some shift of the whole frame explains the next third of a second far better than standing still does."""
    explained = []
    for clip in clips:
        before, after = clip[60, 8:-8, 8:-8], clip[70]
        errors = {
            (dy, dx): ((after[8 + dy : 28 + dy, 8 + dx : 56 + dx] - before) ** 2).mean()
            for dy in range(-8, 9)
            for dx in range(-8, 9)
        }
        explained.append(min(errors.values()) / errors[0, 0])
    assert np.median(explained) < 0.85
    assert (np.abs(np.diff(clips, axis=1)).mean((1, 2, 3)) > 1e-3).all()


def test_clips_differ_in_contrast_and_mean(clips: np.ndarray) -> None:
    contrast, mean = clips.std((1, 2, 3)), clips.mean((1, 2, 3))
    assert contrast.max() > 1.5 * contrast.min()
    assert np.ptp(mean) > 0.1


def test_luminance_stays_on_the_screen(clips: np.ndarray) -> None:
    assert clips.min() >= 0
    assert clips.max() <= 1
    assert clips.dtype == np.float32


def test_a_seed_is_a_clip() -> None:
    first, again, other = (dead_leaves(seed, frames=20) for seed in (Seed(1), Seed(1), Seed(2)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_any_size_of_frame() -> None:
    assert dead_leaves(Seed(0), frames=1, frame_size=(5, 7), leaves=3).shape == (1, 5, 7)


@pytest.mark.parametrize(("boxy", "area"), [(False, np.pi * 9.3 * 5.2), (True, 4 * 9.3 * 5.2)])
def test_an_antialiased_leaf_covers_its_area(boxy: bool, area: float) -> None:
    angle = np.float32(0.4)
    y, x = np.mgrid[-20:21, -20:21].astype(np.float32) + np.float32(0.3)
    along, beside = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    cover = _cover(along[None], beside[None], (9.3, 5.2), boxy=boxy)
    assert cover.sum() == pytest.approx(area, rel=0.02)
    assert ((cover > 0.05) & (cover < 0.95)).any()


def test_radii_follow_the_power_law() -> None:
    """On a frame far larger than the leaves, the share of radii above 2r is a quarter of that above r."""
    radii = _radii(np.random.default_rng(0), 200_000, (1.0, 1000.0), (10**7, 10**7))
    assert (radii > 4).sum() / (radii > 2).sum() == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"leaves": 0}, {"radius_px": (3.0, 2.0)}, {"frame_size": (0, 3)}])
def test_nothing_to_paint_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongUse, match="dead leaves need"):
        dead_leaves(Seed(0), **wrong)  # type: ignore[arg-type]
