"""log p(movie): what the algorithm believes before it hears a neuron."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, dct, inverse_dct
from cinecortex.tensors import Movie, Scalar

Whitened = Float[Tensor, "time height width"]
"""Whitened coordinates of a movie: independent, of unit variance under the prior."""


@runtime_checkable
class Prior(Protocol):
    """A distribution over movies that can be drawn from and that has whitened coordinates."""

    def movie(self, z: Whitened) -> Movie:
        """The movie at whitened coordinates ``z``; linear in ``z`` up to an offset."""
        ...

    def whiten(self, gradient: Movie) -> Whitened:
        """The transpose of the linear part of `movie`: turns a gradient over pixels into one over ``z``."""
        ...

    def energy(self, z: Whitened) -> Scalar:
        """Minus log density of ``z`` in nats, up to a constant."""
        ...

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A movie from the prior; it may leave 0..1, as the prior is not bounded."""
        ...


@dataclass(frozen=True, eq=False)
class Spectral:
    """A Gaussian with the spectrum and the contrast of the training clips.

    ``movie = mean + exp(contrast) * C^T (s * z)``, ``C`` the orthonormal 3-D DCT-II, ``s`` the amplitude per
    frequency, ``z ~ N(0, I)``.

    Attributes:
        statistics: Measured on training clips.
        contrast: Log-contrast relative to the median clip.
    """

    statistics: MovieStatistics
    contrast: float = 0.0

    @staticmethod
    def of(statistics: MovieStatistics) -> Spectral:
        """The prior at the mean log-contrast of the training clips."""
        return Spectral(statistics, statistics.contrast_mean)

    def at_contrast(self, contrast: float) -> Spectral:
        """The same prior for a clip of another log-contrast."""
        return replace(self, contrast=contrast)

    def amplitude(self, like: Tensor) -> Float[Tensor, "time height width"]:
        """Standard deviation of every DCT coefficient, for a movie shaped as ``like``."""
        shape = (like.shape[-3], like.shape[-2], like.shape[-1])
        key = (shape, like.dtype, like.device)
        if key not in self._amplitudes:
            self._amplitudes[key] = self.statistics.amplitude(shape).to(like) * math.exp(self.contrast)
        return self._amplitudes[key]

    @cached_property
    def _amplitudes(self) -> dict[tuple[tuple[int, int, int], torch.dtype, torch.device], Tensor]:
        # A descent asks for the same amplitudes twice in every evaluation.
        return {}

    def movie(self, z: Whitened) -> Movie:
        """``mean + exp(contrast) * C^T (s * z)``."""
        return self.statistics.mean + inverse_dct(self.amplitude(z) * z)

    def whiten(self, gradient: Movie) -> Whitened:
        """``exp(contrast) * s * C gradient``."""
        return self.amplitude(gradient) * dct(gradient)

    def energy(self, z: Whitened) -> Scalar:
        """``|z|^2 / 2``."""
        return 0.5 * (z**2).sum()

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A Gaussian movie with this spectrum and contrast."""
        return self.movie(torch.randn(frames, *frame_size, generator=seed.torch()))


@dataclass(frozen=True)
class Flat:
    """No preference among movies: the published method's prior. Its coordinates are the pixels, around gray.

    It is improper, so a draw is taken from the uniform distribution over the luminance range, which is what "every
    movie alike" means within what a screen can show.
    """

    mean: float = 0.5

    def movie(self, z: Whitened) -> Movie:
        """``mean + z``."""
        return self.mean + z

    def whiten(self, gradient: Movie) -> Whitened:
        """The gradient itself."""
        return gradient

    def energy(self, z: Whitened) -> Scalar:
        """Zero."""
        return z.new_zeros(())

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """Independent uniform pixels."""
        return torch.rand(frames, *frame_size, generator=seed.torch())
