"""`sample` against the closed form, and the curvature of every likelihood against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from tests.encoders.dwiseneuro_small import small_network
from tests.worlds import LinearWorld

from cinecortex.encoders.base import SharedGain
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.errors import WrongUse
from cinecortex.inversion.likelihoods import Gaussian, Poisson, SharedGainPoisson, _precision_bands
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat
from cinecortex.inversion.sample import Sample, _variance
from cinecortex.inversion.sensitivity import muted
from cinecortex.seeds import Seed

DRAWS = 2000


def sample(world: LinearWorld, **options):
    sampler = Sample(
        encoder=world.encoder,
        likelihood=world.likelihood,
        prior=world.prior,
        **{
            "draws": DRAWS,
            # Far below what a draw scatters by: nothing that is checked on draws sees these.
            "iterations": 100,
            "tolerance": 1e-6,
            "tolerance_nats": 1e-10,
            "evaluations": 3000,
            "keep": True,
        }
        | options,
    )
    return sampler(world.observation, Seed(8))


def whitened(world: LinearWorld, samples: torch.Tensor) -> np.ndarray:
    """Draws minus the posterior mean, in coordinates where the posterior is white; the covariance has full rank."""
    mean, covariance = world.posterior()
    values, vectors = np.linalg.eigh(covariance)
    assert values.min() > 1e-10
    flat = samples.numpy().reshape(len(samples), -1) - mean.ravel()
    return flat @ vectors / np.sqrt(values)


@pytest.mark.parametrize("linear", [True, False])
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(linear: bool) -> None:
    # Draws that are descended to one by one take longer: fewer of them, in a smaller world.
    draws, frames, side, neurons = (DRAWS, 8, 5, 10) if linear else (100, 6, 3, 4)
    world = LinearWorld.make(Seed(4), frames=frames, size=(side, side), neurons=neurons)
    answer = sample(world, linear=linear, draws=draws)
    scores = whitened(world, answer.samples)
    dimensions = scores.shape[1]

    # Sums of squares of independent unit Gaussians, each with its exact distribution.
    of_mean = draws * (scores.mean(0) ** 2).sum()
    assert 1e-4 < chi2.sf(of_mean, dimensions) < 1 - 1e-4
    # Directions of the posterior that the data narrow most and least: a wrong temperature shows in either.
    for part in (scores[:, : dimensions // 4], scores[:, -dimensions // 4 :], scores):
        assert 1e-4 < chi2.sf((part**2).sum(), part.size) < 1 - 1e-4
    # Off the diagonal nothing is left: sum of squared correlations of independent columns.
    random = np.random.default_rng(0).standard_normal((dimensions, 2, 40))
    for left, right in random.transpose(2, 1, 0):
        right = right - left * (left @ right) / (left @ left)
        product = (scores @ left) * (scores @ right) / np.linalg.norm(left) / np.linalg.norm(right)
        assert abs(product.mean()) < 4.5 / np.sqrt(draws)


def test_draws_of_another_temperature_are_found_out() -> None:
    world = LinearWorld.make(Seed(4), frames=8, size=(5, 5), neurons=10)
    hot = replace(world, likelihood=Gaussian(world.likelihood.variance * 1.3))
    scores = whitened(world, sample(hot).samples)
    assert chi2.sf((scores**2).sum(), scores.size) < 1e-6


def test_movie_is_the_posterior_mean_and_std_its_spread() -> None:
    world = LinearWorld.make(Seed(6), frames=8, size=(5, 5), neurons=10)
    mean, covariance = world.posterior()
    answer = sample(world, draws=DRAWS, keep=False)
    assert answer.samples is None
    np.testing.assert_allclose(answer.movie.numpy(), np.clip(mean, 0, 1), atol=2e-5)
    relative = answer.std.numpy().ravel() / np.sqrt(np.diag(covariance)) - 1
    # A standard deviation from K draws is off by 1 / sqrt(2 K); the control variate only makes it better.
    assert np.sqrt(np.mean(relative**2)) < 1.05 / np.sqrt(2 * DRAWS)
    inside = (answer.upper < 1) & (answer.lower > 0)
    half = (answer.upper - answer.lower)[inside] / 2
    torch.testing.assert_close(half, 1.6448536 * answer.std[inside], rtol=1e-5, atol=1e-6)
    assert answer.model_std is None


def test_control_variate_sharpens_and_does_not_shift_the_variance() -> None:
    world = LinearWorld.make(Seed(9))
    _, covariance = world.posterior()
    true = np.diag(covariance)
    error, plain, shift = [], [], []
    variance = world.prior.pixel_variance(torch.zeros(world.truth.shape, dtype=torch.float64))
    np.testing.assert_allclose(variance.numpy().ravel(), np.diag(world.prior_covariance()), rtol=1e-9)
    # A posterior draw is G times the prior draw plus independent noise of covariance (I - G) posterior.
    prior = world.prior_covariance()
    gain = covariance @ np.linalg.inv(prior)
    rest = covariance - gain @ prior @ gain.T
    values, vectors = np.linalg.eigh((rest + rest.T) / 2)
    root, rest_root = np.linalg.cholesky(prior), np.sqrt(values.clip(0))[:, None] * vectors.T
    for number in range(60):
        random = np.random.default_rng(number)
        noise = random.standard_normal((16, len(true))) @ root.T
        deviations = noise @ gain.T + random.standard_normal(noise.shape) @ rest_root
        shape = (16, *world.truth.shape)
        found = _variance(torch.from_numpy(deviations.reshape(shape)), torch.from_numpy(noise.reshape(shape)), variance)
        error.append(np.mean((found.numpy().ravel() / true - 1) ** 2))
        plain.append(np.mean(((deviations**2).mean(0) / true - 1) ** 2))
        shift.append(np.mean(found.numpy().ravel() / true - 1))
    assert np.sqrt(np.mean(error)) < 0.8 * np.sqrt(np.mean(plain))
    assert abs(np.mean(shift)) < 0.03


def test_with_no_neuron_heard_draws_are_the_prior() -> None:
    world = LinearWorld.make(Seed(2))
    answer = sample(replace(world, observation=muted(world.observation)), draws=64)
    prior = np.sqrt(np.diag(world.prior_covariance())).reshape(world.truth.shape)
    np.testing.assert_allclose(answer.std.numpy(), prior, rtol=1e-6)
    np.testing.assert_allclose(answer.movie.numpy(), 0.5, atol=1e-9)


def test_ensemble_keeps_what_the_data_and_what_the_fit_leave_open_apart() -> None:
    small = {"frames": 8, "size": (5, 5), "neurons": 10}
    world, other = LinearWorld.make(Seed(3), **small), LinearWorld.make(Seed(13), **small)
    ensemble = Ensemble([world.encoder, other.encoder])
    answer = Sample(
        encoder=ensemble,
        likelihood=world.likelihood,
        prior=world.prior,
        draws=400,
        iterations=200,
        tolerance=1e-6,
        tolerance_nats=1e-12,
        evaluations=3000,
    )(world.observation, Seed(1))
    parts = [world, replace(other, observation=world.observation, likelihood=world.likelihood, prior=world.prior)]
    means, covariances = zip(*(part.posterior() for part in parts), strict=True)
    data = np.sqrt(np.mean([np.diag(c) for c in covariances], axis=0)).reshape(world.truth.shape)
    model = np.std(means, axis=0, ddof=1)
    assert np.mean((answer.data_std.numpy() / data - 1) ** 2) < 0.06**2
    np.testing.assert_allclose(answer.model_std.numpy(), model, atol=2e-3)
    torch.testing.assert_close(answer.std**2, answer.data_std**2 + answer.model_std**2)
    np.testing.assert_allclose(answer.movie.numpy(), np.clip(np.mean(means, axis=0), 0, 1), atol=2e-3)


def test_same_seed_same_bits() -> None:
    world = LinearWorld.make(Seed(3), frames=8, size=(5, 5), neurons=10)
    first, second = (sample(world, draws=4) for _ in range(2))
    assert torch.equal(first.samples, second.samples)
    assert torch.equal(first.std, second.std)


def test_too_few_draws_and_priors_without_white_coordinates_are_refused() -> None:
    world = LinearWorld.make(Seed(3))
    with pytest.raises(WrongUse, match="too few"):
        Sample(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, draws=1)
    with pytest.raises(WrongUse, match="white"):
        Sample(encoder=world.encoder, likelihood=world.likelihood, prior=Flat())


def gain_case(
    frames: int = 7, neurons: int = 6, factors: int = 2
) -> tuple[SharedGainPoisson, torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    gain = SharedGain(
        0.5 * torch.randn(neurons, factors, generator=random, dtype=torch.float64),
        torch.tensor([5.0, 9.0, 2.0][:factors], dtype=torch.float64),
    )
    temper = 0.2 + torch.rand(neurons, generator=random, dtype=torch.float64)
    rate = 0.5 + torch.rand(frames, neurons, generator=random, dtype=torch.float64)
    response = torch.poisson(rate, generator=random)
    response[-1, 1] = torch.nan
    heard = torch.ones(neurons, dtype=torch.bool)
    heard[4] = False
    return SharedGainPoisson(temper, gain), response, rate, heard


def factor_covariance(likelihood: SharedGainPoisson, frames: int) -> np.ndarray:
    """Covariance of the gain factors under their prior, factors running fastest."""
    times = likelihood.shared_gain.correlation_time.tolist()
    covariance = np.zeros((frames, len(times), frames, len(times)))
    for factor, lasting in enumerate(times):
        rho = (lasting - 1) / (lasting + 1)
        covariance[:, factor, :, factor] = rho ** np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    return covariance.reshape(frames * len(times), -1)


def dense_curvature(likelihood: SharedGainPoisson, response, rate, heard) -> np.ndarray:
    """``(W^-1 + R P^-1 R^T)^-1`` over the known responses, zero elsewhere, with explicit matrices."""
    frames, neurons = rate.shape
    known = (response.isfinite() & heard).numpy().ravel()
    temper = torch.where(response.isfinite() & heard, likelihood.temper, 0.0)
    factors = likelihood.factors(response.nan_to_num(), rate, temper)
    loading = likelihood.shared_gain.loading.numpy()
    gain = np.exp(factors.numpy() @ loading.T)
    own = (likelihood.temper.numpy() * gain / rate.numpy()).ravel()
    spread = np.zeros((frames, neurons, frames, loading.shape[1]))
    for frame in range(frames):
        spread[frame, :, frame] = rate.numpy()[frame][:, None] * loading
    spread = spread.reshape(frames * neurons, -1)[known]
    prior = factor_covariance(likelihood, frames)
    whole = np.zeros((frames * neurons,) * 2)
    whole[np.ix_(known, known)] = np.linalg.inv(np.diag(1 / own[known]) + spread @ prior @ spread.T)
    return whole


@pytest.mark.parametrize("factors", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_curvature_with_shared_gains_is_the_dense_one(frames: int, factors: int) -> None:
    likelihood, response, rate, heard = gain_case(frames, factors=factors)
    dense = dense_curvature(likelihood, response, rate, heard)
    curvature = likelihood.curvature(response, rate, heard)
    vectors = torch.randn(3, *rate.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = vectors.numpy().reshape(3, -1) @ dense
    np.testing.assert_allclose(curvature(vectors).numpy().reshape(3, -1), expected, atol=1e-10)
    draws = curvature.draw(20_000, Seed(5)).numpy().reshape(20_000, -1)
    # Entries of a sample covariance scatter by sqrt((c_ii c_jj + c_ij^2) / K).
    scatter = np.sqrt((np.outer(np.diag(dense), np.diag(dense)) + dense**2) / 20_000)
    assert np.abs(draws.T @ draws / 20_000 - dense).max() < 5.5 * scatter.max()
    unknown = ~(response.isfinite() & heard).numpy().ravel()
    assert np.abs(draws[:, unknown]).max() == 0.0


@pytest.mark.parametrize("factors", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_bands_of_the_factors_are_those_of_the_dense_precision(frames: int, factors: int) -> None:
    likelihood, *_ = gain_case(frames, factors=factors)
    bands = _precision_bands(frames, tuple(likelihood.shared_gain.correlation_time.tolist()))
    assert bands.shape == (min(factors + 1, frames * factors), frames * factors)
    precision = np.linalg.inv(factor_covariance(likelihood, frames))
    for offset in range(len(bands)):
        np.testing.assert_allclose(bands[-1 - offset, offset:], np.diag(precision, offset), atol=1e-12)
    np.testing.assert_allclose(np.triu(precision, len(bands)), 0, atol=1e-12)


@pytest.mark.parametrize(
    "likelihood",
    [
        Poisson(torch.full((6,), 0.7, dtype=torch.float64)),
        Gaussian(torch.full((6,), 0.3, dtype=torch.float64)),
        gain_case()[0],
    ],
)
def test_tilt_has_the_slope_that_it_is_given(likelihood) -> None:
    _, _, at, _ = gain_case()
    slope = torch.randn(at.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rate = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(likelihood.tilt(rate, at, slope), rate)
    torch.testing.assert_close(gradient, slope)


def test_solves_are_those_of_the_dense_fisher_information(monkeypatch) -> None:
    world = LinearWorld.make(Seed(7), frames=8, size=(4, 4), neurons=6)
    z = torch.zeros(world.truth.shape, dtype=torch.float64)
    around = Linearised(world.encoder, world.likelihood, world.prior, world.observation, z, at_once=3)
    matrix, _ = world.design()
    rows = np.arange(len(matrix)) >= (world.encoder.memory - 1) * world.encoder.neurons
    columns = []
    for index in np.ndindex(z.shape):
        unit = torch.zeros_like(z)
        unit[index] = 1
        columns.append((world.prior.movie(unit) - 0.5).numpy().ravel())
    whitened_design = matrix[rows] @ np.stack(columns, 1)
    weight = 1 / np.tile(world.likelihood.variance.numpy(), world.observation.frames)[rows]
    fisher = whitened_design.T @ (weight[:, None] * whitened_design)
    right = torch.randn(5, *z.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = around.solve(right, iterations=400, tolerance=1e-12)
    expected = np.linalg.solve(np.eye(len(fisher)) + fisher, right.numpy().reshape(5, -1).T).T
    np.testing.assert_allclose(found.vectors.numpy().reshape(5, -1), expected, atol=1e-9)
    assert found.residual < 1e-12
    # Without forward-mode derivatives the same by differences, as accurate as those are.
    monkeypatch.setattr(around, "_forward", ())
    assert not around.forward_mode
    again = around.solve(right, iterations=400, tolerance=1e-8)
    np.testing.assert_allclose(again.vectors.numpy().reshape(5, -1), expected, atol=1e-6)


def test_an_encoder_without_forward_derivatives_is_sampled_by_differences() -> None:
    encoder = DwiseNeuroEncoder(small_network(), 0, frame_size=(8, 8), padded_size=(8, 8)).double().eval()
    world = LinearWorld.make(Seed(3), frames=36)
    random = torch.Generator().manual_seed(4)
    behavior = torch.randn(36, 4, generator=random, dtype=torch.float64)
    with torch.no_grad():
        response = torch.poisson(encoder(world.truth[None], behavior[None])[0], generator=random)
    observation = replace(
        world.observation,
        response=response,
        behavior=behavior,
        behavior_channels=encoder.behavior_channels,
        heard=torch.ones(encoder.neurons, dtype=torch.bool),
    )
    likelihood = Poisson(torch.ones(encoder.neurons, dtype=torch.float64))
    z = 0.5 * torch.randn(world.truth.shape, generator=random, dtype=torch.float64)
    around = Linearised(encoder, likelihood, world.prior, observation, z)
    right = torch.randn(2, *z.shape, generator=random, dtype=torch.float64)
    slope = torch.randn(2, *around.rate[around.settled].shape, generator=random, dtype=torch.float64)
    # The derivative that was taken by differences is the transpose of the one that was taken backward, but for what
    # the network curves within a thousandth of the luminance range.
    moved = (around.changes(right) * slope).sum()
    assert not around.forward_mode
    torch.testing.assert_close(moved, (around.pulled_back(slope) * right).sum(), rtol=2e-3, atol=0)

    answer = Sample(encoder=encoder, likelihood=likelihood, prior=world.prior, draws=4, evaluations=5)(
        observation, Seed(1)
    )
    assert answer.std is not None
    assert bool(torch.isfinite(answer.std).all())
    assert float(answer.std.min()) > 0
    assert answer.ended.endswith(", derivatives by central differences")


def test_with_forward_derivatives_nothing_is_said_of_differences() -> None:
    answer = sample(LinearWorld.make(Seed(3), frames=8, size=(5, 5), neurons=10), draws=4)
    assert "differences" not in answer.ended


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["accelerator", "processor"],
)
def test_memory_that_runs_out_is_no_missing_derivative(monkeypatch, error: RuntimeError) -> None:
    world = LinearWorld.make(Seed(3), frames=8, size=(5, 5), neurons=10)
    z = torch.zeros(world.truth.shape, dtype=torch.float64)
    around = Linearised(world.encoder, world.likelihood, world.prior, world.observation, z)

    def full(movies: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(around, "_rates", full)
    with pytest.raises(type(error), match="memory"):
        around.changes(z[None] + 1)
    assert around.forward_mode
