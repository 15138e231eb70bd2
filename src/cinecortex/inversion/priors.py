"""log p(movie): what the algorithm believes before it hears a neuron.

Everything else knows a prior by the `Prior` protocol only. A descent asks for `movie`, `whiten` and `energy`; "what
would you say with no data?" is answered by `draw`; movies are compared by `log_density`. Whether the coordinates are
standard normal under the prior, which randomised draws and the preconditioner count on, is said by `whitened`.

A learned prior that has no density but a denoiser ``D`` (the mean of clean movies given one with noise of standard
deviation ``sigma``) comes in by the same door. Its coordinates are the pixels around gray and ``whitened`` is False.
Its score is ``(D(movie) - movie) / sigma^2`` (Miyasawa 1961; Efron 2011, J Am Stat Assoc 106:1602), its energy minus
the integral of the score along the straight line from gray to the movie, by a few Gauss-Legendre points, with minus
the score at the movie handed to autograd as the gradient. Wherever the score is the gradient of anything that is
minus the log density up to a constant, which is all that a line search compares; `draw` runs the chain of
`prior_draws` on it. A test does exactly this with a denoiser of its own, and `MAP` takes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.inversion.power_laws import fit_power_laws
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, dct, inverse_dct, variance_of_inverse_dct
from cinecortex.tensors import Movie, Scalar

Whitened = Float[Tensor, "time height width"]
"""Coordinates of a movie in which its prior is simple: standard normal where the prior says that it is `whitened`."""


@runtime_checkable
class Prior(Protocol):
    """A distribution over movies that can be drawn from, with coordinates that suit a descent."""

    @property
    def whitened(self) -> bool:
        """Whether the coordinates are independent and of unit variance under the prior: ``z ~ N(0, I)``."""
        ...

    def movie(self, z: Whitened) -> Movie:
        """The movie at coordinates ``z``; linear in ``z`` up to an offset."""
        ...

    def whiten(self, gradient: Movie) -> Whitened:
        """The transpose of the linear part of `movie`: turns a gradient over pixels into one over ``z``."""
        ...

    def energy(self, z: Whitened) -> Scalar:
        """Minus log density of ``z`` in nats, up to a constant."""
        ...

    def log_density(self, movie: Movie) -> Scalar:
        """Log density of a movie in nats, up to a constant; finite for every finite movie.

        A prior that is improper, or one that is not spread over every direction, says what it leaves out.
        """
        ...

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A movie from the prior; it may leave 0..1 unless the prior is bounded."""
        ...


@dataclass(frozen=True, eq=False)
class Spectral:
    """A Gaussian with the spectrum and the contrast of the training clips.

    ``movie = mean + exp(contrast) * C^T (s * z)``, ``C`` the orthonormal 3-D DCT-II, ``s`` the amplitude per
    frequency, ``z ~ N(0, I)``.

    Attributes:
        statistics: Measured on training clips.
        contrast: Log-contrast relative to the median clip.
        contrast_spread: Whether `draw` and `log_density` speak for clips of every contrast, as the training clips
            have them, rather than for ``contrast`` alone. The coordinates stay those at ``contrast``.
    """

    statistics: MovieStatistics
    contrast: float = 0.0
    contrast_spread: bool = False

    @staticmethod
    def of(statistics: MovieStatistics) -> Spectral:
        """The prior at the mean log-contrast of the training clips."""
        return Spectral(statistics, statistics.contrast_mean)

    @staticmethod
    def parametric(statistics: MovieStatistics) -> Spectral:
        """The same with power laws of temporal and spatial frequency in place of the measured bins.

        For spectra measured on too few clips to be taken bin by bin.
        """
        return Spectral.of(fit_power_laws(statistics).statistics)

    @property
    def whitened(self) -> bool:
        """True."""
        return True

    def at_contrast(self, contrast: float) -> Spectral:
        """The same prior for a clip of another log-contrast."""
        return replace(self, contrast=contrast)

    def contrast_density(self, contrast: Scalar | float) -> Scalar:
        """Log density of a clip's log-contrast, in nats: normal, with the training clips' mean and spread.

        A spread below 0.01, which no contrast could be told apart by, is taken as 0.01.
        """
        value = torch.as_tensor(contrast)
        spread = max(self.statistics.contrast_std, 0.01)
        deviation = (value - self.statistics.contrast_mean) / spread
        return -0.5 * deviation**2 - math.log(spread * math.sqrt(2 * math.pi))

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

    def pixel_variance(self, like: Tensor) -> Movie:
        """Variance of every pixel under the prior at ``contrast``, for a movie shaped as ``like``."""
        return variance_of_inverse_dct(self.amplitude(like) ** 2)

    def movie(self, z: Whitened) -> Movie:
        """``mean + exp(contrast) * C^T (s * z)``."""
        return self.statistics.mean + inverse_dct(self.amplitude(z) * z)

    def whiten(self, gradient: Movie) -> Whitened:
        """``exp(contrast) * s * C gradient``."""
        return self.amplitude(gradient) * dct(gradient)

    def energy(self, z: Whitened) -> Scalar:
        """``|z|^2 / 2``, at the log-contrast ``contrast``."""
        return 0.5 * (z**2).sum()

    def log_density(self, movie: Movie) -> Scalar:
        """Log density in nats, with its constant, so that densities at different contrasts compare.

        Frequencies of which the training clips had none (amplitude zero) are left out: what a movie has there changes
        nothing. With ``contrast_spread`` the density is averaged over log-contrasts.
        """
        amplitude = self.amplitude(movie)
        moves = amplitude > 0
        coefficient = torch.where(moves, dct(movie - self.statistics.mean), torch.zeros_like(movie))
        scale = torch.where(moves, amplitude, torch.ones_like(amplitude))
        square = ((coefficient / scale) ** 2).sum()
        count = int(moves.sum())
        at_contrast = -0.5 * count * math.log(2 * math.pi) - torch.log(scale).sum()
        if not self.contrast_spread:
            return at_contrast - 0.5 * square
        return at_contrast + self._over_contrasts(square, count)

    def _over_contrasts(self, square: Scalar, count: int) -> Scalar:
        """Log of the mean over contrasts of ``exp(-count * d - exp(-2 d) * square / 2)``, d relative to ``contrast``.

        By the trapezoidal rule, 12 standard deviations to either side of the peak.
        """
        spread, centre = max(self.statistics.contrast_std, 0.01), self.statistics.contrast_mean - self.contrast
        peak, half = centre, 0.5 * float(square.detach())
        for _ in range(100):  # Newton's method; the log integrand is concave
            pull = 2 * half * math.exp(-2 * peak)
            step = (pull - count - (peak - centre) / spread**2) / (2 * pull + 1 / spread**2)
            peak += min(max(step, -1.0), 1.0)
            if abs(step) < 1e-9:
                break
        width = 1 / math.sqrt(4 * half * math.exp(-2 * peak) + 1 / spread**2)
        grid = peak + width * torch.linspace(-12, 12, 481, dtype=torch.float64, device=square.device)
        # Sums of the order of the number of pixels: in single precision nothing would be left of their differences.
        terms = -count * grid - 0.5 * square.double() * torch.exp(-2 * grid)
        terms = terms - 0.5 * ((grid - centre) / spread) ** 2 - math.log(spread * math.sqrt(2 * math.pi))
        return (torch.logsumexp(terms, 0) + math.log(width * 24 / 480)).to(square.dtype)

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A Gaussian movie with this spectrum and contrast; of a contrast drawn as well under ``contrast_spread``."""
        z = torch.randn(frames, *frame_size, generator=seed.torch())
        if not self.contrast_spread:
            return self.movie(z)
        drawn = (seed / "contrast").numpy().normal(self.statistics.contrast_mean, self.statistics.contrast_std)
        return self.at_contrast(float(drawn)).movie(z)


@dataclass(frozen=True)
class Flat:
    """No preference among movies: the published method's prior. Its coordinates are the pixels, around gray.

    It is improper, so a draw is taken from the uniform distribution over the luminance range, which is what "every
    movie alike" means within what a screen can show.
    """

    mean: float = 0.5

    @property
    def whitened(self) -> bool:
        """False."""
        return False

    def movie(self, z: Whitened) -> Movie:
        """``mean + z``."""
        return self.mean + z

    def whiten(self, gradient: Movie) -> Whitened:
        """The gradient itself."""
        return gradient

    def energy(self, z: Whitened) -> Scalar:
        """Zero."""
        return z.new_zeros(())

    def log_density(self, movie: Movie) -> Scalar:
        """Zero, for movies within the luminance range and beyond it alike."""
        return movie.new_zeros(())

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """Independent uniform pixels."""
        return torch.rand(frames, *frame_size, generator=seed.torch())
