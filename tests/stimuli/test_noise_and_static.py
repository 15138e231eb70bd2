import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.stimuli.static import held_still


def test_the_autocorrelation_is_the_one_promised() -> None:
    noise = gaussian_noise(Seed(0), length_px=3.0, length_s=0.2, frames=900).double() - 0.5
    variance = (noise**2).mean()
    for lag in (2, 5):
        across = (noise[:, :, lag:] * noise[:, :, :-lag]).mean() / variance
        assert float(across) == pytest.approx(np.exp(-(lag**2) / (2 * 3**2)), abs=0.04)
        later = (noise[lag:] * noise[:-lag]).mean() / variance
        assert float(later) == pytest.approx(np.exp(-(lag**2) / (2 * 6**2)), abs=0.04)


@settings(max_examples=8, deadline=None)
@given(length_px=st.floats(0, 3), length_s=st.floats(0, 0.2))
def test_mean_and_spread_hold_at_every_length_and_at_the_border(length_px: float, length_s: float) -> None:
    noise = gaussian_noise(Seed(1), length_px=length_px, length_s=length_s, std=0.1, frames=600)
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(noise.std()) == pytest.approx(0.1, rel=0.1)
    border = torch.cat([noise[:, 0].flatten(), noise[:, -1].flatten()])
    assert float(border.std()) == pytest.approx(0.1, rel=0.25)


def test_lengths_of_zero_are_white() -> None:
    noise = gaussian_noise(Seed(2), length_px=0.0, length_s=0.0).double() - 0.5
    assert abs(float((noise[1:] * noise[:-1]).mean() / (noise**2).mean())) < 0.01


def test_a_seed_is_a_clip() -> None:
    assert torch.equal(gaussian_noise(Seed(5), frames=10), gaussian_noise(Seed(5), frames=10))
    assert not torch.equal(gaussian_noise(Seed(5), frames=10), gaussian_noise(Seed(6), frames=10))


@pytest.mark.parametrize("wrong", [{"length_px": -1.0}, {"std": -0.1}, {"frames": 0}])
def test_impossible_noise_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(WrongUse, match="noise needs"):
        gaussian_noise(Seed(0), **wrong)  # type: ignore[arg-type]


def test_a_still_picture_is_the_same_in_every_frame() -> None:
    picture = torch.rand(6, 8, generator=Seed(0).torch())
    movie = held_still(picture, frames=4)
    assert movie.shape == (4, 6, 8)
    assert torch.equal(movie, picture.expand(4, 6, 8))
    movie[0] = 0
    assert picture.sum() > 0


@pytest.mark.parametrize(("picture", "frames"), [(torch.zeros(2, 2), 0), (torch.full((2, 2), 255.0), 3)])
def test_no_frames_or_gray_levels_of_255_are_refused(picture: torch.Tensor, frames: int) -> None:
    with pytest.raises(WrongUse):
        held_still(picture, frames=frames)


def test_nan_is_not_a_luminance() -> None:
    with pytest.raises(WrongUse, match="luminance within 0 to 1"):
        held_still(torch.full((2, 2), float("nan")))
