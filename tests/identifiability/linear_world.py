"""Closed forms of one Gaussian world in whitened coordinates, as explicit matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.fft import dct, dctn, idctn
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.problem import Problem
from cinecortex.seeds import Seed


@dataclass(frozen=True, eq=False)
class Dense:
    """``G``, heard settled rates by coordinates in units of their noise, so that ``F = G^T G``; and ``S`` by SciPy."""

    amplitude: np.ndarray
    rates: np.ndarray

    @staticmethod
    def of(world: LinearWorld) -> Dense:
        shape = (world.observation.frames, *world.observation.frame_size)
        amplitude = world.prior.amplitude(torch.zeros(shape, dtype=torch.float64)).numpy()
        matrix, _ = world.design()
        known = np.zeros((shape[0], world.encoder.neurons), bool)
        known[world.encoder.memory - 1 :] = world.observation.heard.numpy()
        noise = np.tile(world.likelihood.variance.numpy(), shape[0])
        rows = (matrix / np.sqrt(noise)[:, None])[known.ravel()].reshape(-1, *shape)
        return Dense(
            amplitude, (dctn(rows, axes=(1, 2, 3), norm="ortho") * amplitude).reshape(len(rows), amplitude.size)
        )

    def pixels(self, coordinates: np.ndarray) -> np.ndarray:
        """``S`` times columns."""
        movies = (coordinates.T.reshape(-1, *self.amplitude.shape) * self.amplitude).astype(float)
        return idctn(movies, axes=(1, 2, 3), norm="ortho").reshape(len(movies), -1).T

    def whitened(self, pixels: np.ndarray) -> np.ndarray:
        """``S^T`` times columns."""
        movies = dctn(pixels.T.reshape(-1, *self.amplitude.shape), axes=(1, 2, 3), norm="ortho") * self.amplitude
        return movies.reshape(len(movies), -1).T

    def variances_left(self, weights: Sequence[float]) -> np.ndarray:
        """Posterior variance of every pixel where the data weigh so much, ``weight pixel`` (Woodbury)."""
        bases = [dct(np.eye(size), axis=0, norm="ortho") ** 2 for size in self.amplitude.shape]
        prior = np.einsum("abc,at,bh,cw->thw", self.amplitude**2, *bases, optimize=True).ravel()
        values, vectors = np.linalg.eigh(self.rates @ self.rates.T)
        taken = (vectors.T @ self.pixels(self.rates.T).T) ** 2
        scaled = np.array(weights)[:, None]
        return prior - (scaled / (1 + scaled * values.clip(0))) @ taken


def position(world: LinearWorld) -> torch.Tensor:
    """The most probable movie in whitened coordinates, in closed form."""
    dense = Dense.of(world)
    matrix, offset = world.design()
    mean = np.full(matrix.shape[1], world.prior.statistics.mean)
    known = np.zeros((world.observation.frames, world.encoder.neurons), bool)
    known[world.encoder.memory - 1 :] = world.observation.heard.numpy()
    noise = np.sqrt(np.tile(world.likelihood.variance.numpy(), world.observation.frames))
    residual = ((world.observation.response.numpy().ravel() - matrix @ mean - offset) / noise)[known.ravel()]
    found = dense.rates.T @ np.linalg.solve(np.eye(len(dense.rates)) + dense.rates @ dense.rates.T, residual)
    return torch.from_numpy(found).reshape(world.observation.frames, *world.observation.frame_size)


def around(world: LinearWorld, z: torch.Tensor) -> Linearised:
    return Linearised(world.encoder, world.likelihood, world.prior, world.observation, z)


def problem(world: LinearWorld) -> Problem:
    return Problem(world.encoder, world.likelihood, world.prior, world.observation)


def local(seed: Seed, *, frames: int, size: tuple[int, int], neurons: int, noise: float = 0.05) -> LinearWorld:
    """A world of smooth movies, whose neurons see a blob each in one half of the screen, with little noise."""
    world = LinearWorld.make(seed, frames=frames, size=size, neurons=neurons)
    fall = (1 + np.arange(15.0)) ** -2
    prior = Spectral.of(replace(world.prior.statistics, power=torch.from_numpy(5 * np.outer(fall, fall))))
    z = (seed / "truth").numpy().standard_normal((frames, *size))
    truth = prior.movie(torch.from_numpy(z))
    random = (seed / "blobs").numpy()
    rows, columns = np.indices(size)
    centres = random.uniform((0, 0), (size[0], size[1] / 2), (neurons, 2))
    far = (rows - centres[:, 0, None, None]) ** 2 + (columns - centres[:, 1, None, None]) ** 2
    blobs = np.exp(-far / 2)[:, None] * np.array([0.5, 1.0, 0.4])[:, None, None]
    encoder = LinearNonlinear(torch.from_numpy(blobs), torch.zeros(neurons).double(), nonlinearity="identity")
    scatter = noise * torch.from_numpy(random.standard_normal((frames, neurons)))
    rates = encoder(truth[None], torch.zeros(1, frames, 0, dtype=torch.float64))[0].detach()
    return replace(
        world,
        encoder=encoder,
        prior=prior,
        truth=truth,
        likelihood=Gaussian(torch.full((neurons,), noise**2, dtype=torch.float64)),
        observation=replace(world.observation, response=rates + scatter),
    )


def small() -> LinearWorld:
    """8x8 px, 12 frames."""
    return local(Seed(4), frames=12, size=(8, 8), neurons=12)


def large() -> LinearWorld:
    """12x16 px, 60 frames."""
    return local(Seed(6), frames=60, size=(12, 16), neurons=8)
