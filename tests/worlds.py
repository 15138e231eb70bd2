"""Worlds with known answers.

`LinearWorld` is small enough to be solved by hand: the encoder is linear, the noise and the prior are Gaussian. Its
closed forms are written with explicit matrices in NumPy and SciPy, sharing no code with what they judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import idctn

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.priors import Spectral
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics


@dataclass(frozen=True, eq=False)
class LinearWorld:
    """8x8 px, 12 frames, 20 neurons; everything Gaussian."""

    encoder: LinearNonlinear
    likelihood: Gaussian
    prior: Spectral
    truth: torch.Tensor
    observation: Observation

    @staticmethod
    def make(seed: Seed, *, frames: int = 12, size: tuple[int, int] = (8, 8), neurons: int = 20) -> LinearWorld:
        random = (seed / "world").numpy()
        filters = torch.from_numpy(random.standard_normal((neurons, 3, *size)))
        encoder = LinearNonlinear(filters, torch.from_numpy(random.standard_normal(neurons)), nonlinearity="identity")
        fall = 1 / (1 + np.arange(15))
        statistics = MovieStatistics(0.5, torch.from_numpy(0.1 * np.outer(fall, fall)), frames, 0.3, 0.2, 1)
        prior = Spectral.of(statistics)
        variance = torch.from_numpy(random.uniform(0.05, 0.2, neurons))
        truth = prior.movie(torch.from_numpy(random.standard_normal((frames, *size))))
        noise = torch.from_numpy(random.standard_normal((frames, neurons))) * variance.sqrt()
        response = encoder(truth[None], torch.zeros(1, frames, 0, dtype=torch.float64))[0].detach() + noise
        observation = Observation(
            response=response,
            behavior=torch.zeros(frames, 0, dtype=torch.float64),
            behavior_channels=(),
            frame_rate_hz=30.0,
            frame_size=size,
            heard=torch.ones(neurons, dtype=torch.bool),
        )
        return LinearWorld(encoder, Gaussian(variance), prior, truth, observation)

    def design(self) -> tuple[np.ndarray, np.ndarray]:
        """``A`` and ``b`` of ``rate = A movie + b``, rows frame by frame then neuron, for every frame."""
        filters = self.encoder.filters.detach().numpy()
        neurons, lags, height, width = filters.shape
        frames = self.observation.frames
        matrix = np.zeros((frames, neurons, frames, height, width))
        for frame in range(frames):
            for lag in range(min(lags, frame + 1)):
                matrix[frame, :, frame - lag] = filters[:, lag]
        matrix = matrix.reshape(frames * neurons, -1)
        return matrix, np.tile(self.encoder.offset.detach().numpy(), frames) - 0.5 * matrix.sum(1)

    def prior_covariance(self) -> np.ndarray:
        """Covariance of the movie under the prior, pixels by pixels."""
        shape = (self.observation.frames, *self.observation.frame_size)
        amplitude = self.prior.amplitude(torch.zeros(shape, dtype=torch.float64)).numpy()
        columns = []
        for index in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[index] = amplitude[index]
            columns.append(idctn(unit, norm="ortho").ravel())
        basis = np.stack(columns, 1)
        return basis @ basis.T

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``time height width`` and covariance of the movie given the response (Bishop 2006, eq. 2.116)."""
        matrix, offset = self.design()
        observed = np.zeros((self.observation.frames, self.encoder.neurons), bool)
        observed[self.encoder.memory - 1 :] = True
        observed &= np.isfinite(self.observation.response.numpy()) & self.observation.heard.numpy()
        rows = observed.ravel()
        variance = np.tile(self.likelihood.variance.numpy(), self.observation.frames)[rows]
        matrix, offset = matrix[rows], offset[rows]
        covariance = self.prior_covariance()
        mean = np.full(matrix.shape[1], self.prior.statistics.mean)
        gain = covariance @ matrix.T @ np.linalg.inv(matrix @ covariance @ matrix.T + np.diag(variance))
        residual = self.observation.response.numpy().ravel()[rows] - matrix @ mean - offset
        shape = (self.observation.frames, *self.observation.frame_size)
        return (mean + gain @ residual).reshape(shape), covariance - gain @ matrix @ covariance
