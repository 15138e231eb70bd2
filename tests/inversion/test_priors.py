import numpy as np
import pytest
import torch
from scipy.fft import dctn

from cinecortex.inversion.priors import Flat, Prior, Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics

SHAPE = (5, 4, 6)


def spectral(contrast: float = -0.3) -> Spectral:
    fall = 1 / (1 + torch.arange(15.0))
    return Spectral(MovieStatistics(0.45, 0.02 * torch.outer(fall, fall), SHAPE[0], 0.2, 0.3, 10), contrast)


# Every prior goes through every test of this table: the prior, and its density over one whitened coordinate.
PRIORS = {
    "spectral": (spectral(), lambda z: torch.distributions.Normal(0.0, 1.0).log_prob(z).sum()),
    "flat": (Flat(), lambda z: 0.0 * z.sum()),
}


@pytest.fixture(params=PRIORS)
def prior(request) -> Prior:
    return PRIORS[request.param][0]


def normal(*names: str) -> torch.Tensor:
    seed = Seed(0)
    for name in names:
        seed = seed / name
    return torch.from_numpy(seed.numpy().standard_normal(SHAPE))


def test_a_prior_is_one(prior):
    assert isinstance(prior, Prior)


def test_whiten_is_the_transpose_of_the_linear_part_of_movie(prior):
    z, gradient = normal("z"), normal("gradient")
    offset = prior.movie(torch.zeros_like(z))
    inner = ((prior.movie(z) - offset) * gradient).sum()
    torch.testing.assert_close(inner, (z * prior.whiten(gradient)).sum(), atol=1e-10, rtol=0)


def test_movie_is_linear_up_to_an_offset(prior):
    a, b = normal("a"), normal("b")
    offset = prior.movie(torch.zeros_like(a))
    combined = prior.movie(2 * a - 3 * b) - offset
    torch.testing.assert_close(combined, 2 * (prior.movie(a) - offset) - 3 * (prior.movie(b) - offset))


def test_autograd_through_movie_agrees_with_whiten(prior):
    z, weight = normal("z").requires_grad_(), normal("weight")
    (by_autograd,) = torch.autograd.grad((prior.movie(z) * weight).sum(), z)
    torch.testing.assert_close(by_autograd, prior.whiten(weight))


@pytest.mark.parametrize("name", PRIORS)
def test_energy_is_minus_the_log_density_of_the_whitened_coordinates(name):
    prior, log_density = PRIORS[name]
    z, other = normal("z").requires_grad_(), normal("other")
    difference = prior.energy(z) - prior.energy(other)
    torch.testing.assert_close(difference, log_density(other) - log_density(z))
    (gradient,) = torch.autograd.grad(prior.energy(z) + 0 * z.sum(), z)
    (expected,) = torch.autograd.grad(-log_density(z), z)
    torch.testing.assert_close(gradient, expected)


def test_draws_have_the_shape_asked_for_and_follow_their_seed(prior):
    first, again, other = (prior.draw(7, (3, 8), Seed(s) / "draw") for s in (0, 0, 1))
    assert first.shape == (7, 3, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_movies_keep_the_number_format_of_their_coordinates(prior):
    for dtype in (torch.float32, torch.float64):
        z = normal("z").to(dtype)
        assert prior.movie(z).dtype == prior.whiten(z).dtype == dtype


def test_draws_from_the_spectral_prior_have_its_mean_and_its_spectrum():
    prior, draws = spectral(), 1000
    movies = torch.stack([prior.draw(SHAPE[0], SHAPE[1:], Seed(9) / i) for i in range(draws)]).double().numpy()
    expected = prior.amplitude(torch.zeros(SHAPE, dtype=torch.float64)).numpy()
    coefficients = dctn(movies - 0.45, axes=(1, 2, 3), norm="ortho") / expected
    # Of 120 means and variances none strays further than 4.5 standard errors.
    assert np.abs(coefficients.mean(0)).max() < 4.5 / np.sqrt(draws)
    assert np.abs(coefficients.var(0) - 1).max() < 4.5 * np.sqrt(2 / draws)
    # ... and the coefficients are independent.
    between = np.corrcoef(coefficients.reshape(draws, -1).T) - np.eye(120)
    assert np.abs(between).max() < 5.5 / np.sqrt(draws)


def test_the_spectral_prior_stands_at_the_mean_contrast_and_moves_with_it():
    z = normal("z")
    prior = Spectral.of(spectral().statistics)
    assert prior.contrast == 0.2
    louder = prior.at_contrast(0.2 + np.log(3.0))
    torch.testing.assert_close(louder.movie(z) - 0.45, 3 * (prior.movie(z) - 0.45), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(louder.whiten(z), 3 * prior.whiten(z), rtol=1e-6, atol=1e-9)


def test_draws_from_the_flat_prior_fill_the_luminance_range_evenly():
    pixels = Flat().draw(50, (10, 10), Seed(0)).flatten()
    counts = torch.histc(pixels, 5, 0, 1)
    assert counts.sum() == 5000
    # Five counts of 1000 scatter by 28.
    assert float((counts - 1000).abs().max()) < 130
