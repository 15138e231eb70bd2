import numpy as np
import pytest
import torch
from torch.nn import functional

from cinecortex.encoders.linear_nonlinear import LinearNonlinear

NONLINEARITIES = {"identity": lambda x: x, "softplus": functional.softplus, "exponential": torch.exp}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def still(movies: torch.Tensor) -> torch.Tensor:
    return torch.zeros(*movies.shape[:2], 0, dtype=movies.dtype)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize(("lags", "frames"), [(4, 9), (1, 5), (6, 3)])
def test_rates_are_a_3d_convolution_and_a_nonlinearity(nonlinearity, lags, frames):
    filters, offset = random(5, lags, 4, 6), random(5, seed=1)
    movies = 0.5 + 0.2 * random(2, frames, 4, 6, seed=2)
    encoder = LinearNonlinear(filters, offset, nonlinearity=nonlinearity)
    padded = functional.pad(movies[:, None] - 0.5, (0, 0, 0, 0, lags - 1, 0))
    drive = functional.conv3d(padded, filters.flip(1)[:, None], offset)[..., 0, 0]
    expected = NONLINEARITIES[nonlinearity](drive).transpose(1, 2)
    torch.testing.assert_close(encoder(movies, still(movies)), expected, rtol=1e-10, atol=1e-10)


def test_it_says_what_it_is():
    encoder = LinearNonlinear(random(5, 4, 3, 6).float(), torch.zeros(5), frame_rate_hz=25.0)
    assert (encoder.neurons, encoder.frame_size, encoder.memory, encoder.frame_rate_hz) == (5, (3, 6), 4, 25.0)
    assert encoder.dtype == torch.float32
    assert encoder.behavior_at_rest.shape == (0,)
    assert encoder.settled(10) == slice(3, 10)
    # Of a movie shorter than the memory one frame is left.
    assert encoder.settled(2) == slice(1, 2)


def test_a_settled_rate_does_not_rest_on_frames_before_the_movie():
    encoder = LinearNonlinear(random(5, 4, 3, 6), torch.zeros(5))
    movies = 0.5 + 0.2 * random(1, 20, 3, 6, seed=3)
    whole = encoder(movies, still(movies))[:, 8:]
    later = encoder(movies[:, 8:], still(movies[:, 8:]))
    settled = encoder.settled(12)
    torch.testing.assert_close(later[:, settled], whole[:, settled])
    assert not torch.allclose(later[:, : settled.start], whole[:, : settled.start])
