from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Flat, Prior, Spectral
from cinecortex.inversion.problem import Problem
from cinecortex.inversion.restricted import Bounded, Masked
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics


def white(std: float, frames: int) -> Spectral:
    """Every pixel independent, of this standard deviation."""
    return Spectral(MovieStatistics(0.4, torch.full((15, 15), std**2), frames, 0.0, 0.3, 10))


def test_the_price_of_leaving_the_range_is_in_nats():
    prior = Bounded(Flat(), softness=0.1)
    movie = torch.tensor([[[0.0, 0.5, 1.0, 1.1, -0.2]]])
    torch.testing.assert_close(prior.log_density(movie), torch.tensor(-0.5 - 2.0))
    inside = torch.rand(2, 3, 4)
    assert float(prior.penalty(inside)) == 0


def test_draws_of_a_bounded_prior_follow_its_density():
    softness, std = 0.05, 0.4
    pixels = Bounded(white(std, 6), softness).draw(6, (20, 20), Seed(0)).double().numpy().ravel()

    def density(x: float) -> float:
        excess = max(-x, 0.0) + max(x - 1, 0.0)
        return float(np.exp(-0.5 * ((x - 0.4) / std) ** 2 - 0.5 * (excess / softness) ** 2))

    grid = np.linspace(-0.5, 1.5, 2001)
    cumulative = np.cumsum([density(x) for x in grid])
    total = quad(density, -0.5, 1.5, points=[0, 1])[0]
    assert cumulative[-1] * 0.001 == pytest.approx(total, rel=1e-3)
    assert kstest(pixels, lambda x: np.interp(x, grid, cumulative / cumulative[-1])).pvalue > 1e-3
    # What clamping or the base alone would give is told apart.
    base = white(std, 6).draw(6, (20, 20), Seed(0)).double().numpy().ravel()
    for other in (base, base.clip(0, 1)):
        assert kstest(other, lambda x: np.interp(x, grid, cumulative / cumulative[-1])).pvalue < 1e-6


def test_a_softness_that_is_none_is_refused():
    with pytest.raises(WrongUse, match="softness"):
        Bounded(Flat(), softness=0.0)


def test_the_most_probable_movie_of_a_bounded_prior_keeps_to_the_range():
    world = LinearWorld.make(Seed(0), frames=6, size=(5, 5), neurons=15)
    loud = world.prior.at_contrast(2.0)
    # The response to a movie that is far too bright.
    bright = world.encoder(world.truth[None] + 0.8, world.observation.behavior[None])[0].detach()
    observation = replace(world.observation, response=bright)

    def excess(prior: Prior) -> float:
        problem = Problem(world.encoder, world.likelihood, prior, observation)
        start = torch.zeros(problem.shape, dtype=torch.float64)
        found = minimise(problem.energy, start, evaluations=3000, tolerance_nats=1e-9)
        movie = prior.movie(found.position)
        return float((movie - movie.clamp(0, 1)).abs().max())

    assert excess(loud) > 0.3
    assert excess(Bounded(loud, 0.02)) < 0.1
    # Where nobody leaves the range it changes nothing.
    z = 0.1 * torch.randn(6, 5, 5, dtype=torch.float64)
    assert float(Bounded(world.prior).energy(z)) == float(world.prior.energy(z))


def test_behind_the_mask_nothing_ever_changes_and_before_it_all_is_as_it_was():
    mask = torch.zeros(4, 6)
    mask[:, 3:], mask[0, 2] = 1.0, 0.5
    base = white(0.3, 5)
    prior = Masked(base, mask)
    drawn, without = prior.draw(5, (4, 6), Seed(1)), base.draw(5, (4, 6), Seed(1))
    torch.testing.assert_close(drawn[:, :, :2], torch.full((5, 4, 2), 0.4), rtol=0, atol=1e-6)
    torch.testing.assert_close(drawn[:, :, 3:], without[:, :, 3:])
    torch.testing.assert_close(drawn[:, 0, 2] - 0.4, 0.5 * (without[:, 0, 2] - 0.4), rtol=1e-4, atol=1e-6)
    gradient = torch.randn(5, 4, 6)
    hidden = gradient.clone()
    hidden[:, :, :2] = 7.0
    torch.testing.assert_close(prior.whiten(gradient), prior.whiten(hidden))
    assert not torch.allclose(base.whiten(gradient), base.whiten(hidden))


def test_the_density_of_a_masked_movie_allows_for_what_the_mask_squeezes():
    mask = torch.tensor([[0.5, 1.0], [0.25, 0.8]], dtype=torch.float64)
    movie = torch.rand(3, 2, 2, dtype=torch.float64)
    found = Masked(white(0.3, 3), mask).log_density(movie)
    expected = torch.distributions.Normal(0.4, 0.3 * mask).log_prob(movie).sum()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_density_behind_a_closed_mask_is_refused():
    with pytest.raises(WrongUse, match="mask with zeros"):
        Masked(Flat(), torch.zeros(2, 2)).log_density(torch.rand(3, 2, 2))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(WrongUse, match="mask is of 2x3 px, but the movie of 4x4 px"):
        Masked(Flat(), torch.ones(2, 3)).draw(3, (4, 4), Seed(0))


def test_map_changes_pixels_within_the_mask_only():
    world = LinearWorld.make(Seed(1), frames=6, size=(4, 6), neurons=15)
    mask = torch.zeros(4, 6, dtype=torch.float64)
    mask[:, :3] = 1.0
    found = MAP(
        encoder=world.encoder,
        likelihood=world.likelihood,
        prior=Masked(world.prior, mask),
        evaluations=3000,
        tolerance_nats=1e-12,
    )(world.observation, Seed(0))
    # The closed form, with the hidden pixels out of the encoder and out of the prior.
    matrix, offset = world.design()
    rows = slice((world.encoder.memory - 1) * 15, None)
    seen = mask.bool().expand(6, -1, -1).numpy().ravel()
    covariance = world.prior_covariance()[np.ix_(seen, seen)]
    residual = world.observation.response.numpy().ravel() - offset - 0.5 * matrix.sum(1)
    matrix = matrix[rows][:, seen]
    variance = np.diag(np.tile(world.likelihood.variance.numpy(), 6)[rows])
    gain = covariance @ matrix.T @ np.linalg.inv(matrix @ covariance @ matrix.T + variance)
    expected = np.full(144, 0.5)
    expected[seen] += gain @ residual[rows]
    np.testing.assert_allclose(found.movie.numpy().ravel(), expected.clip(0, 1), atol=1e-4)
    assert np.ptp(expected) > 0.2
