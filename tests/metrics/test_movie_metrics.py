"""Movie against movie: identities, independent references, and everything that does not vary."""

import math

import numpy as np
import pytest
import skimage.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.metrics import (
    frame_correlation,
    motion_energy,
    motion_energy_correlation,
    movie_correlation,
    scores_over_masks,
    structural_similarity,
)

EVERY_SCORE = (movie_correlation, motion_energy_correlation, structural_similarity)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape or (40, 9, 11), generator=torch.Generator().manual_seed(seed))


def test_movie_correlation_is_pearson_over_masked_pixels_after_the_burn_in() -> None:
    a, b, weights = noise(1), noise(2), noise(3, 9, 11)
    a = 0.5 * a + 0.5 * b
    inside = weights.numpy() >= 0.7
    expected = np.corrcoef(a[12:, inside].double().flatten(), b[12:, inside].double().flatten())[0, 1]
    assert movie_correlation(a, b, mask=weights, threshold=0.7, burn_in=12) == pytest.approx(expected, abs=1e-12)
    assert movie_correlation(a, b, mask=weights >= 0.7, burn_in=12) == pytest.approx(expected, abs=1e-12)
    assert movie_correlation(a, b, burn_in=12) != pytest.approx(expected, abs=1e-3)


def test_what_lies_outside_the_mask_or_inside_the_burn_in_changes_nothing() -> None:
    a, b = noise(1), noise(2)
    mask = noise(3, 9, 11) > 0.5
    planted = a.clone()
    planted[:30] = 0.3
    planted[:, ~mask] = 0.9
    for score in (movie_correlation, motion_energy_correlation):
        assert score(planted, b, mask=mask) == score(a, b, mask=mask)
    assert movie_correlation(planted, b) != movie_correlation(a, b)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), gain=st.floats(0.05, 20), offset=st.floats(-3, 3))
def test_correlation_is_symmetric_and_knows_neither_contrast_nor_brightness(
    seed: int, gain: float, offset: float
) -> None:
    a, b = noise(seed).double(), noise(seed + 1).double()
    r = movie_correlation(a, b)
    assert -1 <= r <= 1
    assert movie_correlation(b, a) == pytest.approx(r, abs=1e-12)
    assert movie_correlation(gain * a + offset, b) == pytest.approx(r, abs=1e-9)
    assert movie_correlation(-a, b) == pytest.approx(-r, abs=1e-12)
    assert movie_correlation(a, a) == pytest.approx(1)
    assert frame_correlation(gain * a + offset, b).mean == pytest.approx(frame_correlation(a, b).mean, abs=1e-9)


def test_tiny_contrast_does_not_underflow() -> None:
    a = noise(4)
    assert movie_correlation(a * 1e-20, a) == pytest.approx(1, abs=1e-5)


def test_frame_correlation_ignores_what_changes_between_frames_only() -> None:
    truth = noise(5)
    flicker = truth * torch.linspace(0.1, 2, 40)[:, None, None] + noise(6, 40)[:, None, None]
    result = frame_correlation(flicker, truth)
    assert result.frames.shape == (10,)
    assert result.mean == pytest.approx(1, abs=1e-6)
    assert movie_correlation(flicker, truth) < 0.9
    one = np.corrcoef(noise(7)[33].flatten(), truth[33].flatten())[0, 1]
    assert float(frame_correlation(noise(7), truth).frames[3]) == pytest.approx(one, abs=1e-6)


def test_a_guess_that_does_not_vary_scores_nothing_and_a_constant_truth_cannot_be_scored() -> None:
    varied, gray = noise(8), torch.full((40, 9, 11), 0.1)
    assert movie_correlation(gray, varied) == 0
    assert math.isnan(movie_correlation(varied, gray))
    assert frame_correlation(gray, varied).mean == 0
    assert math.isnan(frame_correlation(varied, gray).mean)
    static = varied[:1].expand(40, -1, -1).contiguous()
    assert motion_energy_correlation(static, varied) == 0
    assert math.isnan(motion_energy_correlation(varied, static))
    half = varied.clone()
    half[35:] = 0.5
    frames = frame_correlation(varied, half).frames
    torch.testing.assert_close(frames[:5], torch.ones(5))
    assert frames[5:].isnan().all()
    assert frame_correlation(varied, half).mean == pytest.approx(1)


def test_a_missing_pixel_is_not_scored_silently() -> None:
    broken = noise(9)
    broken[35, 2, 2] = torch.nan
    assert math.isnan(movie_correlation(broken, noise(10)))
    assert math.isnan(movie_correlation(noise(10), broken))


def test_motion_energy_in_closed_form_and_its_correlation() -> None:
    speed = torch.rand(39, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    movie = torch.cat([torch.zeros(1), speed.cumsum(0)])[:, None, None] * torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(motion_energy(movie), speed.square() * 2.5)
    assert motion_energy_correlation(-movie, movie) == pytest.approx(1)
    other = motion_energy(noise(1)[30:].double())
    expected = np.corrcoef(other, motion_energy(noise(2)[30:].double()))[0, 1]
    assert motion_energy_correlation(noise(1), noise(2)) == pytest.approx(expected, abs=1e-6)


def test_structural_similarity_is_scikit_images_and_averages_its_map_inside_the_mask() -> None:
    a, b = noise(1), noise(2)
    interior = torch.zeros(9, 11, dtype=torch.bool)
    interior[3:-3, 3:-3] = True  # what scikit-image averages over
    expected = np.mean(
        [
            skimage.metrics.structural_similarity(x, y, data_range=1.0)
            for x, y in zip(a[30:].numpy(), b[30:].numpy(), strict=True)
        ]
    )
    assert structural_similarity(a, b, mask=interior) == pytest.approx(expected, abs=1e-5)
    assert structural_similarity(a, a) == pytest.approx(1)
    assert structural_similarity(a, 1 - a) < 0


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (4, 9), (6, 6), (7, 7)])
def test_structural_similarity_takes_frames_smaller_than_its_window(size: tuple[int, int]) -> None:
    a, b = noise(1, 3, *size), noise(2, 3, *size)
    assert structural_similarity(a, a, burn_in=0) == pytest.approx(1)
    assert -1 <= structural_similarity(a, b, burn_in=0) < 1


def test_scores_over_masks_are_the_single_scores() -> None:
    a, b, mask = noise(1), noise(2), noise(3, 9, 11).clamp(max=0.95)
    rows = scores_over_masks(a, b, mask)
    assert [row.threshold for row in rows] == [0, 0.25, 0.5, 0.75, 0.9, 1.0]
    assert rows[0].pixels == 99
    assert rows[0].movie_correlation == movie_correlation(a, b)
    for row in rows[:-1]:
        assert row.pixels == int((mask >= row.threshold).sum())
        kept = {"mask": mask, "threshold": row.threshold}
        assert row.movie_correlation == movie_correlation(a, b, **kept)
        assert row.frame_correlation == frame_correlation(a, b, **kept).mean
        assert row.structural_similarity == pytest.approx(structural_similarity(a, b, **kept))
    assert rows[-1].pixels == 0
    assert math.isnan(rows[-1].movie_correlation)


@pytest.mark.parametrize("score", EVERY_SCORE)
def test_what_does_not_fit_together_is_refused(score) -> None:
    a = noise(1)
    with pytest.raises(WrongUse, match="40x9x11 and truth is 40x9x10"):
        score(a, noise(2, 40, 9, 10))
    with pytest.raises(WrongUse, match="mask is 11x9"):
        score(a, a, mask=torch.ones(11, 9))
    with pytest.raises(WrongUse, match=r"no pixel of the mask reaches 0\.5"):
        score(a, a, mask=torch.zeros(9, 11))
    with pytest.raises(WrongUse, match="burn_in is 40"):
        score(a, a, burn_in=40)
