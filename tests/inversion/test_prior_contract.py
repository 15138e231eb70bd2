"""Every prior goes through every test of the table; so must one that is added."""

import numpy as np
import pytest
import torch
from scipy.fft import idctn

from cinecortex.inversion.coarse import Coarse
from cinecortex.inversion.priors import Flat, Prior, Spectral
from cinecortex.inversion.restricted import Bounded, Masked
from cinecortex.inversion.smooth import Smooth
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics

SHAPE = (5, 4, 6)
FALL = 1 / (1 + torch.arange(15.0))
STATISTICS = MovieStatistics(0.45, 0.02 * torch.outer(FALL, FALL), SHAPE[0], 0.2, 0.3, 10)
MASK = torch.linspace(0.2, 1.0, 24).view(4, 6)

PRIORS = {
    "spectral": Spectral(STATISTICS, -0.3),
    "spectral, parametric": Spectral.parametric(STATISTICS),
    "coarse": Coarse(Spectral(STATISTICS, -0.3), SHAPE[1:], (2, 5)),
    "flat": Flat(),
    "smooth": Smooth.of(STATISTICS, SHAPE),
    "bounded": Bounded(Spectral(STATISTICS, 2.5)),
    "masked": Masked(Spectral(STATISTICS), MASK),
    "smooth, bounded and masked": Masked(Bounded(Smooth.of(STATISTICS, SHAPE)), MASK),
}
WHITENED = {"spectral", "spectral, parametric", "coarse", "masked"}


@pytest.fixture(params=PRIORS)
def prior(request) -> Prior:
    return PRIORS[request.param]


def normal(*names: str, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    seed = Seed(0)
    for name in names:
        seed = seed / name
    return torch.from_numpy(seed.numpy().standard_normal(shape))


def coordinates(prior: Prior, name: str, frames: int = SHAPE[0]) -> torch.Tensor:
    """Some of this prior; those of a movie are shaped like it, but where the prior leaves some out."""
    return normal(name, shape=(frames, *(prior.resolution if isinstance(prior, Coarse) else SHAPE[1:])))


def test_a_prior_is_one(prior):
    assert isinstance(prior, Prior)


def test_whiten_is_the_transpose_of_the_linear_part_of_movie(prior):
    z, gradient = coordinates(prior, "z"), normal("gradient")
    offset = prior.movie(torch.zeros_like(z))
    inner = ((prior.movie(z) - offset) * gradient).sum()
    torch.testing.assert_close(inner, (z * prior.whiten(gradient)).sum(), atol=1e-10, rtol=0)


def test_movie_is_linear_up_to_an_offset(prior):
    a, b = coordinates(prior, "a"), coordinates(prior, "b")
    offset = prior.movie(torch.zeros_like(a))
    combined = prior.movie(2 * a - 3 * b) - offset
    torch.testing.assert_close(combined, 2 * (prior.movie(a) - offset) - 3 * (prior.movie(b) - offset))


def test_autograd_through_movie_agrees_with_whiten(prior):
    z, weight = coordinates(prior, "z").requires_grad_(), normal("weight")
    (by_autograd,) = torch.autograd.grad((prior.movie(z) * weight).sum(), z)
    torch.testing.assert_close(by_autograd, prior.whiten(weight))


def test_the_gradient_of_the_energy_is_that_of_finite_differences(prior):
    z, direction = coordinates(prior, "z").requires_grad_(), coordinates(prior, "direction")
    (gradient,) = torch.autograd.grad(prior.energy(z) + 0 * z.sum(), z)
    step = 1e-5
    with torch.no_grad():
        rise = prior.energy(z + step * direction) - prior.energy(z - step * direction)
    torch.testing.assert_close((gradient * direction).sum(), rise / (2 * step), rtol=1e-6, atol=1e-6)


def test_a_movie_is_as_likely_as_its_coordinates(prior):
    # The linear map between them takes the same number of nats from every movie.
    a, b = 2 * coordinates(prior, "a"), coordinates(prior, "b")
    by_movie = prior.log_density(prior.movie(a)) - prior.log_density(prior.movie(b))
    assert abs(float(by_movie)) > 1 or isinstance(prior, Flat)
    torch.testing.assert_close(by_movie, prior.energy(b) - prior.energy(a), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PRIORS)
def test_whitened_coordinates_are_standard_normal_and_say_so(name):
    prior = PRIORS[name]
    z = coordinates(prior, "z")
    assert prior.whitened == (name in WHITENED)
    standard = float(0.5 * (z**2).sum()), float(0.5 * ((2 * z) ** 2).sum())
    same = np.allclose([float(prior.energy(z)), float(prior.energy(2 * z))], standard)
    assert same == prior.whitened


def test_no_movie_is_impossible(prior):
    assert bool(torch.isfinite(prior.log_density(10 * normal("wild"))))
    assert bool(torch.isfinite(prior.energy(100 * coordinates(prior, "wild"))))


def test_draws_have_the_shape_asked_for_and_follow_their_seed(prior):
    first, again, other = (prior.draw(*SHAPE[:1], SHAPE[1:], Seed(s) / "draw") for s in (0, 0, 1))
    assert first.shape == SHAPE
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_movie_of_one_frame_is_a_movie(prior):
    drawn = prior.draw(1, SHAPE[1:], Seed(4))
    assert drawn.shape == (1, *SHAPE[1:])
    assert float(drawn.std()) > 0
    z = coordinates(prior, "z", frames=1).requires_grad_()
    (gradient,) = torch.autograd.grad(prior.energy(z) - prior.log_density(prior.movie(z)) + 0 * z.sum(), z)
    assert bool(torch.isfinite(gradient).all())
    assert bool(torch.isfinite(prior.whiten(drawn)).all())


def test_movies_keep_the_number_format_of_their_coordinates(prior):
    for dtype in (torch.float32, torch.float64):
        z = coordinates(prior, "z").to(dtype)
        assert prior.movie(z).dtype == prior.whiten(prior.movie(z)).dtype == prior.energy(z).dtype == dtype
        assert prior.log_density(prior.movie(z)).dtype == dtype


# Of these the covariance of movies is known in closed form; the others' draws are judged beside their own tests.
GAUSSIAN = {
    "spectral": (Spectral(STATISTICS, -0.3), torch.ones(4, 6)),
    "masked": (Masked(Spectral(STATISTICS, -0.3), MASK), MASK),
}


@pytest.mark.parametrize("name", GAUSSIAN)
def test_draws_have_the_stated_mean_and_covariance(name):
    prior, mask = GAUSSIAN[name]
    count = 400
    draws = torch.stack([prior.draw(5, (4, 6), Seed(9) / i) for i in range(count)]).double().numpy()
    base = getattr(prior, "base", prior)
    amplitude = base.amplitude(torch.zeros(SHAPE, dtype=torch.float64)).numpy()
    basis = idctn(np.eye(120).reshape(-1, *SHAPE) * amplitude.reshape(-1, 1, 1, 1), axes=(1, 2, 3), norm="ortho")
    basis = (basis * mask.numpy()).reshape(120, 120)
    covariance = basis.T @ basis
    # Whitened by the closed form, every draw is 120 independent standard normal numbers.
    whitened = (draws.reshape(count, 120) - 0.45) @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    assert np.abs(whitened.mean(0)).max() < 4.5 / np.sqrt(count)
    assert np.abs(whitened.var(0) - 1).max() < 4.5 * np.sqrt(2 / count)
    assert abs(whitened.var() - 1) < 4.5 * np.sqrt(2 / whitened.size)
    between = np.corrcoef(whitened.T) - np.eye(120)
    assert np.abs(between).max() < 5.5 / np.sqrt(count)
