from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import kstest
from tests.worlds import LinearWorld

from cinecortex.inversion.map import MAP
from cinecortex.inversion.prior_draws import hamiltonian_draw
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.smooth import Smooth
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics

FALL = 1 / (1 + torch.arange(15.0)) ** 1.5
STATISTICS = MovieStatistics(0.45, 2 * torch.outer(FALL, FALL), 12, 0.1, 0.4, 10)


def density_by_hand(prior: Smooth, movie: np.ndarray) -> float:
    total = 0.5 * ((movie - prior.mean) ** 2).sum() / prior.luminance_std**2
    for axis, weight in ((0, prior.temporal_weight), (1, prior.spatial_weight), (2, prior.spatial_weight)):
        total += weight * (np.sqrt(np.diff(movie, axis=axis) ** 2 + prior.smoothing**2) - prior.smoothing).sum()
    return -total


def test_the_density_is_that_of_the_formula():
    prior, movie = Smooth(7.0, 3.0, mean=0.4, luminance_std=0.3), np.random.default_rng(0).uniform(size=(4, 5, 6))
    assert float(prior.log_density(torch.from_numpy(movie))) == pytest.approx(density_by_hand(prior, movie))
    sharp = replace(prior, smoothing=1e-9)
    step = torch.zeros(1, 1, 8)
    step[..., 4:] = 0.5
    flat = -0.5 * ((step - 0.4) ** 2).sum() / 0.3**2
    assert float(sharp.log_density(step) - flat) == pytest.approx(-3.0 * 0.5, rel=1e-5)


@pytest.mark.parametrize("shape", [(12, 9, 7), (1, 9, 7), (5, 9, 7)])
def test_the_weights_are_the_most_likely_ones_by_the_differences_of_movies(shape):
    prior = Smooth.of(STATISTICS, shape)
    source = Spectral(STATISTICS)
    random = np.random.default_rng(1)
    absolute = np.zeros(3)
    for i in range(300):
        movie = source.draw(*shape[:1], shape[1:], Seed(0) / i).numpy() * np.exp(random.normal(0.1, 0.4))
        # Of the Laplace distribution with the variance of these normal differences.
        ratio = np.sqrt(1 / 2) / np.sqrt(2 / np.pi)
        absolute += [ratio * np.abs(np.diff(movie, axis=axis)).sum() / 300 for axis in range(3)]
    price = np.array([prior.temporal_weight, prior.spatial_weight, prior.spatial_weight]) * absolute
    # Of the expected energy, one nat for every pixel but one, each axis has its part.
    assert price.sum() == pytest.approx(np.prod(shape) - 1, rel=0.1)
    if shape[0] > 1:
        assert price[0] == pytest.approx(price.sum() / 3, rel=0.1)
    else:
        assert prior.temporal_weight == 0


def test_without_differences_draws_are_independent_and_normal():
    pixels = Smooth(0.0, 0.0, mean=0.4, luminance_std=0.2).draw(8, (20, 20), Seed(0)).double().numpy()
    assert kstest(pixels.ravel(), "norm", (0.4, 0.2)).pvalue > 1e-3
    for axis in range(3):
        neighbours = np.corrcoef(np.take(pixels, range(7), axis).ravel(), np.take(pixels, range(1, 8), axis).ravel())
        assert abs(neighbours[0, 1]) < 4 / np.sqrt(3200 * 7 / 8)


def test_draws_of_a_short_chain_have_the_moments_of_numerical_integration():
    # Without a spatial weight every pixel is a chain of its own: three frames, 1,600 of them in one draw.
    prior = Smooth(8.0, 0.0, mean=0.5, luminance_std=0.3, smoothing=0.02)
    drawn = prior.draw(3, (40, 40), Seed(5)).double().numpy().reshape(3, -1).T - 0.5
    grid = np.linspace(-1.5, 1.5, 121)
    chains = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    size = np.sqrt(np.diff(chains, axis=1) ** 2 + 0.02**2) - 0.02
    density = np.exp(-8.0 * size.sum(1) - 0.5 * (chains**2).sum(1) / 0.3**2)
    density /= density.sum()

    def agree(statistic):
        measured, exact = statistic(drawn), statistic(chains)
        mean, spread = (exact.T * density).sum(1), ((exact**2).T * density).sum(1)
        error = np.sqrt((spread - mean**2) / len(drawn))
        np.testing.assert_array_less(np.abs(measured.mean(0) - mean), 4 * error)

    agree(lambda x: x)
    agree(lambda x: x**2)
    agree(lambda x: np.abs(np.diff(x, axis=1)))
    agree(lambda x: x[:, :2] * x[:, 1:])


def test_draws_of_whole_movies_carry_as_much_energy_as_they_must():
    # For any density, the mean of (x - mean) . grad energy(x) is the number of pixels (integration by parts).
    prior = Smooth.of(STATISTICS, (12, 10, 10))
    found = []
    for i in range(3):
        movie = prior.draw(12, (10, 10), Seed(7) / i).double().requires_grad_()
        (slope,) = torch.autograd.grad(-prior.log_density(movie), movie)
        found.append(float(((movie - prior.mean) * slope).sum().detach()))
    assert np.mean(found) == pytest.approx(1200, abs=4 * np.sqrt(2 * 1200 / 3))


def test_a_chain_that_is_too_short_is_noticed_by_its_distribution():
    # The planted fault of the tests above: no trajectory at all leaves the draw where it began.
    prior = Smooth(8.0, 0.0, mean=0.5, luminance_std=0.3, smoothing=0.02)
    start = torch.zeros(3, 10, 10)
    assert torch.equal(hamiltonian_draw(prior.energy, start, Seed(0), trajectories=0), start)
    assert float(hamiltonian_draw(prior.energy, start, Seed(0)).std()) > 0.5


def test_map_is_the_minimum_that_an_independent_solver_finds():
    world = LinearWorld.make(Seed(2), frames=8, size=(5, 5), neurons=12)
    world.encoder.movie_statistics = world.prior.statistics
    prior = Smooth(1.5, 1.0, mean=0.45, luminance_std=0.4)
    found = MAP(
        encoder=world.encoder, likelihood=world.likelihood, prior=prior, evaluations=4000, tolerance_nats=1e-10
    )(world.observation, Seed(0))
    matrix, offset = world.design()
    rows = slice((world.encoder.memory - 1) * 12, None)
    variance = np.tile(world.likelihood.variance.numpy(), 8)[rows]
    response = world.observation.response.numpy().ravel()[rows]

    def energy(pixels: np.ndarray) -> tuple[float, np.ndarray]:
        movie = pixels.reshape(8, 5, 5)
        residual = matrix[rows] @ pixels + offset[rows] - response
        gradient = (movie - prior.mean) / prior.luminance_std**2
        for axis, weight in ((0, prior.temporal_weight), (1, prior.spatial_weight), (2, prior.spatial_weight)):
            step = np.diff(movie, axis=axis)
            slope = weight * step / np.sqrt(step**2 + prior.smoothing**2)
            edge = [(1, 1) if i == axis else (0, 0) for i in range(3)]
            gradient -= np.diff(np.pad(slope, edge), axis=axis)
        value = 0.5 * (residual**2 / variance).sum() - density_by_hand(prior, movie)
        return value, gradient.ravel() + matrix[rows].T @ (residual / variance)

    solved = minimize(
        energy,
        np.full(200, 0.5),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-8},
    )
    assert found.energy == pytest.approx(solved.fun, abs=1e-4)
    inside = (solved.x > 0) & (solved.x < 1)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(found.movie.numpy().ravel(), solved.x.clip(0, 1), atol=2e-4)
    # What is compared is no flat movie: it varies by 200 times the tolerance.
    assert solved.x.std() > 0.04
