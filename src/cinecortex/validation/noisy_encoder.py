"""An animal in silico: what a held-out encoder expects, with noise like that of the neurons it was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.encoders.base import Encoder, ObservationModel, SharedGain, evaluating
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Rates, Response

Rate = Float[np.ndarray, "time neuron"]

LEAST_RATE = 1e-6
"""No encoder promises to expect nothing at all; below this a neuron is silent anyway."""
LEAST_SHAPE = 1e-9
"""Of the beta distributions, whose parameters must be above 0."""


@dataclass(frozen=True, eq=False)
class NoisyEncoder:
    """Watches as its encoder would, and answers with the noise of the encoder's fitted observation model.

    Responses are drawn around ``rate * gain``, never negative. A neuron's own noise is a gamma process: at every frame
    a gamma variable of mean ``rate * gain`` and variance ``dispersion * rate * gain``, whose standardised residuals
    have the autocorrelation ``rho ** lag`` that makes up the neuron's correlation time, ``rho = (T - 1) / (T + 1)``.
    From frame to frame a beta-distributed part of it stays and a gamma-distributed part is new, the first order
    autoregression of Lewis, McKenzie & Hugus 1989 (Stochastic Models 5:1) with a rate that may change. Where a rate
    changes by more than ``1 / rho ** 2`` within a frame no more than all of it can stay, and the correlation across
    that step is lower.

    The shared gain is ``exp(loading @ factors - |loading|^2 / 2)``, of mean 1, each factor a stationary Gaussian
    autoregression of first order, unit variance and its own correlation time: see `SharedGain`.

    An encoder without an observation model gets Poisson noise, which is less than recorded neurons have.

    Attributes:
        encoder: Fitted to the same population as the one that is inverted, and not the same encoder.
    """

    encoder: Encoder

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """What its neurons do, ``time neuron``, in the unit of the recording; the seed is for their noise."""
        rate = _expected(self.encoder, movie, behavior).double().numpy()
        return torch.from_numpy(noisy(rate, self.encoder.observation_model, seed)).to(movie)


@dataclass(frozen=True, eq=False)
class NoiselessEncoder:
    """Answers with what its encoder expects and nothing else: the animal in silico beside which noise is judged.

    Attributes:
        encoder: Fitted to the same population as the one that is inverted, and not the same encoder.
    """

    encoder: Encoder

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """What its neurons do on average, ``time neuron``; the seed is not used."""
        return _expected(self.encoder, movie, behavior).to(movie)


def _expected(encoder: Encoder, movie: Movie, behavior: Behavior) -> Response:
    with torch.no_grad(), evaluating(encoder):
        seen, told = (one[None].to(encoder.device, encoder.dtype) for one in (movie, behavior))
        rates: Rates = encoder(seen, told)
    return rates[0].cpu()


def noisy(rate: Rate, model: ObservationModel | None, seed: Seed) -> Rate:
    """Responses around a rate, by the observation model; see `NoisyEncoder`."""
    rate = np.maximum(rate, LEAST_RATE)
    if model is None:
        return seed.numpy().poisson(rate).astype(np.float64)
    if model.shared_gain is not None:
        rate = rate * _gain(model.shared_gain, len(rate), (seed / "shared gain").numpy())
    dispersion = model.dispersion.cpu().double().numpy()
    lasting = _coefficient(model.correlation_time.cpu().double().numpy())
    responses: Rate = dispersion * _gamma_process(rate / dispersion, lasting, (seed / "own noise").numpy())
    return responses


def _gain(shared: SharedGain, frames: int, random: np.random.Generator) -> Rate:
    loading = shared.loading.cpu().double().numpy()
    lasting = _coefficient(shared.correlation_time.cpu().double().numpy())
    course = random.standard_normal((frames, len(lasting)))
    for frame in range(1, frames):
        course[frame] = lasting * course[frame - 1] + np.sqrt(1 - lasting**2) * course[frame]
    gain: Rate = np.exp(course @ loading.T - (loading**2).sum(1) / 2)
    return gain


def _coefficient(correlation_time: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    """The coefficient of a first-order autoregression with this ``1 + 2 * sum of the autocorrelation``."""
    time = np.maximum(correlation_time, 1.0)
    coefficient: Float[np.ndarray, "_"] = (time - 1) / (time + 1)
    return coefficient


def _gamma_process(shape: Rate, lasting: Float[np.ndarray, "neuron"], random: np.random.Generator) -> Rate:
    """Gamma variables of these shapes and scale 1, of which ``lasting`` is the correlation from frame to frame."""
    drawn = np.empty_like(shape)
    drawn[0] = random.gamma(shape[0])
    for frame in range(1, len(shape)):
        before, now = shape[frame - 1], shape[frame]
        # The part of this shape that is common to both frames is gamma again, and so is what is added to it.
        common = np.minimum(lasting * np.sqrt(before * now), np.minimum(before, now))
        stays = random.beta(np.maximum(common, LEAST_SHAPE), np.maximum(before - common, LEAST_SHAPE))
        drawn[frame] = stays * drawn[frame - 1] + random.gamma(now - common)
    return drawn
