"""The animal's noise has the mean, the variance and the correlations that its encoder measured, in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.validation.methods import SIZE, trials
from torch import Tensor, nn

from cinecortex.encoders.base import Encoder, ObservationModel, SharedGain
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.seeds import Seed
from cinecortex.tensors import Behaviors, Movies, Rates
from cinecortex.validation.animal import Animal, shown_to
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder, noisy

SEED = Seed(3)
NEURONS = 6
DISPERSION = torch.tensor([0.3, 0.6, 1.0, 2.0, 5.0, 10.0])
CORRELATION_TIME = torch.tensor([1.0, 3.0, 5.0, 7.0, 10.0, 20.0])


class Pixels(Encoder):
    """The rate is a pixel's luminance; in training it is another one."""

    kind, frame_size, frame_rate_hz, memory = "pixels", SIZE, 30.0, 1

    def __init__(self, model: ObservationModel | None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.dropout = nn.Dropout(0.5)
        self.observation_model = model

    @property
    def neurons(self) -> int:
        return math.prod(SIZE)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        seen: Tensor = self.dropout(self.scale * movies.flatten(2))
        return seen


def drawn(rate: np.ndarray, model: ObservationModel, copies: int) -> np.ndarray:
    """Responses of ``copies`` populations at once, ``copy time neuron``; shared gains are shared by all of them."""
    shared = model.shared_gain and replace(model.shared_gain, loading=model.shared_gain.loading.repeat(copies, 1))
    many = ObservationModel(model.dispersion.repeat(copies), model.correlation_time.repeat(copies), shared)
    responses = noisy(np.tile(rate, (1, copies)), many, SEED)
    return responses.reshape(len(rate), copies, -1).swapaxes(0, 1)


def wave(frames: int) -> np.ndarray:
    """A rate that changes severalfold, and slowly."""
    phase = np.arange(frames)[:, None] / 20 + np.arange(NEURONS)
    return np.exp(np.sin(phase))


def test_mean_and_variance_are_those_of_the_model_at_every_frame():
    rate, copies = wave(120), 3000
    responses = drawn(rate, ObservationModel(DISPERSION, CORRELATION_TIME), copies)
    assert (responses >= 0).all()
    variance = DISPERSION.numpy() * rate
    error = np.sqrt(variance / copies)
    assert np.abs((responses.mean(0) - rate) / error).max() < 5
    # A gamma variable of shape k has an excess kurtosis of 6 / k.
    relative = np.sqrt((2 + 6 * DISPERSION.numpy() / rate) / copies)
    assert np.abs((responses.var(0) / variance - 1) / relative).max() < 6.5
    # Its third cumulant is 2 k, and by its sixth moment that is known as well as this from what is independent.
    third = ((responses - rate) ** 3).mean((0, 1)) / (2 * DISPERSION.numpy() ** 2 * rate.mean(0))
    k = (rate / DISPERSION.numpy()).mean(0)
    independent = copies * 120 / CORRELATION_TIME.numpy()
    known = np.sqrt((120 * k + 130 * k**2 + 15 * k**3) / independent) / (2 * k)
    assert np.abs((third - 1) / known).max() < 4
    assert known.max() < 0.2


def test_residuals_are_correlated_as_long_as_was_measured():
    rate, copies = wave(600), 400
    responses = drawn(rate, ObservationModel(DISPERSION, CORRELATION_TIME), copies)
    residual = (responses - rate) / np.sqrt(DISPERSION.numpy() * rate)
    rho = ((CORRELATION_TIME - 1) / (CORRELATION_TIME + 1)).numpy()
    for lag in (1, 2, 5, 12):
        correlation = (residual[:, lag:] * residual[:, :-lag]).mean((0, 1))
        assert correlation == pytest.approx(rho**lag, abs=0.06)
    rates = [torch.from_numpy(rate)] * copies
    told = [torch.from_numpy(one) for one in responses]
    assert dispersion(rates, told, burn_in=0).tolist() == pytest.approx(DISPERSION.tolist(), rel=0.06)
    assert correlation_time(rates, told, burn_in=0).tolist() == pytest.approx(CORRELATION_TIME.tolist(), rel=0.1)


def test_a_jump_in_the_rate_keeps_the_marginals():
    rate = np.where(np.arange(40)[:, None] % 20 < 10, 0.05, 4.0) * np.ones((1, NEURONS))
    model = ObservationModel(torch.full((NEURONS,), 2.0), torch.full((NEURONS,), 30.0))
    responses = drawn(rate, model, 5000)
    assert responses.mean((0, 2)) == pytest.approx(rate[:, 0], rel=0.15)
    assert responses.var((0, 2)) == pytest.approx(2 * rate[:, 0], rel=0.3)


def test_shared_gains_multiply_with_the_covariance_of_their_loadings():
    loading = torch.tensor([[0.3, 0.0], [0.3, 0.0], [-0.3, 0.2], [0.0, 0.4], [0.0, 0.0], [0.6, 0.1]])
    model = ObservationModel(
        torch.full((NEURONS,), 0.2), torch.full((NEURONS,), 2.0), SharedGain(loading, torch.tensor([3.0, 9.0]))
    )
    rate = np.ones((40_000, NEURONS)) * np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    responses = drawn(rate, model, 1)
    assert responses.mean((0, 1)) == pytest.approx(rate[0], rel=0.03)
    residual = (responses / rate - 1)[0]
    measured = residual.T @ residual / len(residual)
    expected = np.exp((loading @ loading.T).numpy()) - 1 + np.diag(0.2 / rate[0])
    assert measured == pytest.approx(expected, abs=0.03)
    # Across lags two neurons are correlated as the factor that they share.
    lagged = (residual[4:, 0] * residual[:-4, 1]).mean()
    assert lagged == pytest.approx(math.exp(0.09 * 0.5**4) - 1, abs=0.01)


def test_without_an_observation_model_the_noise_is_poisson():
    rate = np.array([[0.0, 0.5, 3.0]]).repeat(20000, 0)
    responses = noisy(rate, None, SEED)
    assert (responses == responses.round()).all()
    assert responses.mean(0) == pytest.approx(rate[0], abs=0.05)
    assert responses.var(0) == pytest.approx(rate[0], abs=0.12)


@pytest.mark.parametrize("level", [0.0, 1e-12, 1e-4, 1e6])
def test_rates_of_nothing_and_of_a_lot_stay_numbers(level):
    model = ObservationModel(torch.tensor([1e-3, 1.0, 60.0]), torch.tensor([1.0, 6.0, 500.0]))
    responses = noisy(np.full((500, 3), level), model, SEED)
    assert np.isfinite(responses).all()
    assert (responses >= 0).all()
    assert responses.mean() < 10 * level + 0.1
    noisy(np.array([[0.0] * 3, [1e6] * 3] * 20), model, SEED)


def test_it_watches_in_evaluation_and_answers_the_same_seed_alike():
    pixels = math.prod(SIZE)
    model = ObservationModel(torch.full((pixels,), 1e-6), torch.ones(pixels))
    encoder = Pixels(model).train()
    animal = NoisyEncoder(encoder)
    assert isinstance(animal, Animal)
    movie = torch.rand(12, *SIZE, generator=SEED.torch())
    response = animal.watch(movie, torch.zeros(12, 1), SEED)
    torch.testing.assert_close(response, movie.flatten(1), atol=0.02, rtol=0)
    assert encoder.training, "left as it was found"
    assert torch.equal(response, animal.watch(movie, torch.zeros(12, 1), SEED))
    assert not torch.equal(response, animal.watch(movie, torch.zeros(12, 1), SEED / "other"))
    (trial,) = trials(1)
    seen = shown_to(animal, trial, movie, name="noise", seed=SEED).observe()
    assert (seen.frames, len(seen.heard), seen.response.dtype) == (12, pixels, torch.float32)


def test_without_noise_it_says_what_its_encoder_expects():
    """Whatever the observation model, the seed, and whether the encoder was left in training."""
    encoder = Pixels(ObservationModel(torch.ones(math.prod(SIZE)), torch.ones(math.prod(SIZE)))).train()
    animal = NoiselessEncoder(encoder)
    assert isinstance(animal, Animal)
    movie = torch.rand(7, *SIZE, generator=SEED.torch())
    for seed in (SEED, Seed(8)):
        torch.testing.assert_close(animal.watch(movie, torch.zeros(7, 1), seed), movie.flatten(1))


def test_without_noise_it_answers_with_the_rate_whatever_the_seed():
    encoder = Pixels(None).train()
    animal = NoiselessEncoder(encoder)
    assert isinstance(animal, Animal)
    movie = torch.rand(12, *SIZE, generator=SEED.torch())
    response = animal.watch(movie, torch.zeros(12, 1), SEED)
    torch.testing.assert_close(response, movie.flatten(1), atol=1e-6, rtol=0)
    assert encoder.training, "left as it was found"
    assert torch.equal(response, animal.watch(movie, torch.zeros(12, 1), SEED / "other"))
