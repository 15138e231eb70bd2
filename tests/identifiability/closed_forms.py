"""What a linear-Gaussian world says of itself, by dense NumPy of low rank: frequencies by responses, never squared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import dctn, idctn
from tests.worlds import LinearWorld

from cinecortex.inversion.linearised import Linearised
from cinecortex.seeds import Seed

SMALL, LARGE = "8x8 px, 12 frames", "12x16 px, 60 frames"


def world(name: str) -> LinearWorld:
    """The test world, or the larger one of issue's size, of fewer neurons."""
    if name == SMALL:
        return LinearWorld.make(Seed(1))
    return LinearWorld.make(Seed(2), frames=60, size=(12, 16), neurons=10)


def linearised(of: LinearWorld) -> Linearised:
    """Around gray; rates are linear, and anywhere would do."""
    shape = (of.observation.frames, *of.observation.frame_size)
    z = torch.zeros(shape, dtype=torch.float64)
    return Linearised(of.encoder, of.likelihood, of.prior, of.observation, z)


@dataclass(frozen=True)
class ClosedForm:
    """Everything exact.

    Attributes:
        values: Eigenvalues of the whitened Fisher information that are not 0.
        prior, taken: Variance of every pixel, and how much of it the data take.
        prior_in_bands, taken_in_bands: The same of every DCT coefficient.
    """

    values: np.ndarray
    prior: np.ndarray
    taken: np.ndarray
    prior_in_bands: np.ndarray
    taken_in_bands: np.ndarray

    @staticmethod
    def of(made: LinearWorld) -> ClosedForm:
        shape = (made.observation.frames, *made.observation.frame_size)
        matrix, _ = made.design()
        heard = np.zeros((shape[0], made.encoder.neurons), bool)
        heard[made.encoder.memory - 1 :] = made.observation.heard.numpy()
        rows = heard.ravel()
        precision = 1 / np.tile(made.likelihood.variance.numpy(), shape[0])[rows]
        amplitude = made.prior.amplitude(torch.zeros(shape, dtype=torch.float64)).numpy()
        pixels = np.sqrt(precision)[:, None] * matrix[rows]
        whitened = amplitude * dctn(pixels.reshape(-1, *shape), axes=(1, 2, 3), norm="ortho")
        flat = whitened.reshape(len(whitened), -1)
        gram = flat @ flat.T
        inverse = np.linalg.inv(np.eye(len(gram)) + gram)
        coefficients = (amplitude * whitened).reshape(len(whitened), -1)
        movies = idctn(amplitude * whitened, axes=(1, 2, 3), norm="ortho").reshape(len(whitened), -1)
        squares = [np.square(_basis(size)) for size in shape]
        return ClosedForm(
            values=np.linalg.eigvalsh(gram).clip(0),
            prior=np.einsum("ijk,ix,jy,kz->xyz", amplitude**2, *squares, optimize=True),
            taken=(movies * (inverse @ movies)).sum(0).reshape(shape),
            prior_in_bands=amplitude**2,
            taken_in_bands=(coefficients * (inverse @ coefficients)).sum(0).reshape(shape),
        )

    @property
    def bits(self) -> float:
        return float(np.log2(1 + self.values).sum() / 2)

    @property
    def dimensions(self) -> float:
        return float((self.values / (1 + self.values)).sum())

    @property
    def share(self) -> np.ndarray:
        return self.taken / self.prior

    @property
    def whole_share(self) -> float:
        return float(self.taken.sum() / self.prior.sum())


def _basis(size: int) -> np.ndarray:
    """The orthonormal DCT-II, ``frequency sample``."""
    return np.asarray(dctn(np.eye(size), axes=(0,), norm="ortho"))
