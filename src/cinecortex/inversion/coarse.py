"""The spectral prior of what an encoder resolves: a descent need not look for what no neuron can tell.

An encoder that takes a frame apart into its coarsest DCT coefficients is blind to the finer ones, and those are
coordinates of the spectral prior. The most probable movie has zero there, whatever was recorded. A descent among the
others ends at the same movie, and every evaluation of the energy costs less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.inversion.priors import Prior, Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import dct, inverse_dct
from cinecortex.tensors import Movie, Scalar

Coarsest = Float[Tensor, "*batch time row column"]
"""Whitened coordinates, but for those of finer coefficients."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """The spectral prior, of movies that have nothing finer than ``resolution``.

    Its coordinates are those of the base with the finer ones cut off: ``time row column``.

    Attributes:
        base: The prior of movies with everything.
        frame_size: Height and width of a movie, in pixels.
        resolution: Coefficients along height and along width.
    """

    base: Spectral
    frame_size: tuple[int, int]
    resolution: tuple[int, int]

    @staticmethod
    def of(prior: Prior, encoder: Encoder) -> Coarse | None:
        """For what this encoder resolves; None where that is everything, or the prior is not the spectral one."""
        if not isinstance(prior, Spectral) or encoder.resolution == encoder.frame_size:
            return None
        return Coarse(prior, encoder.frame_size, encoder.resolution)

    @property
    def whitened(self) -> bool:
        """True."""
        return True

    def cut(self, z: Float[Tensor, "*batch time height width"]) -> Coarsest:
        """Coordinates of the base without the finer ones."""
        rows, columns = self.resolution
        return z[..., :rows, :columns]

    def whole(self, z: Coarsest) -> Float[Tensor, "*batch time height width"]:
        """Coordinates of the base, the finer ones zero."""
        (height, width), (rows, columns) = self.frame_size, self.resolution
        return functional.pad(z, (0, width - columns, 0, height - rows))

    def _amplitude(self, like: Tensor) -> Coarsest:
        # The base remembers it, so that nothing is made anew in every evaluation.
        return self.cut(self.base.amplitude(like.new_empty(()).expand(like.shape[-3], *self.frame_size)))

    def movie(self, z: Coarsest) -> Movie:
        """The base's movie of these coordinates and zeros."""
        return self.base.statistics.mean + inverse_dct(self._amplitude(z) * z, frame_size=self.frame_size)

    def whiten(self, gradient: Movie) -> Coarsest:
        """The base's, cut."""
        return self._amplitude(gradient) * dct(gradient, coarsest=self.resolution)

    def energy(self, z: Coarsest) -> Scalar:
        """``|z|^2 / 2``."""
        return self.base.energy(z)

    def log_density(self, movie: Movie) -> Scalar:
        """Log density in nats of the coefficients that it has; finer ones are left out."""
        coefficient = dct(movie - self.base.statistics.mean, coarsest=self.resolution)
        amplitude = self._amplitude(movie)
        moves = amplitude > 0
        scale = torch.where(moves, amplitude, torch.ones_like(amplitude))
        square = torch.where(moves, coefficient / scale, torch.zeros_like(scale)).square().sum()
        constant = 0.5 * int(moves.sum()) * math.log(2 * math.pi) + torch.log(scale).sum()
        return -0.5 * square - constant

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A Gaussian movie with the base's spectrum and contrast and nothing finer.

        Raises:
            WrongUse: it is asked for another frame size than its own.
        """
        if frame_size != self.frame_size:
            raise WrongUse(f"this prior is of movies of {self.frame_size} px, not {frame_size} px.")
        return self.movie(torch.randn(frames, *self.resolution, generator=seed.torch()))
