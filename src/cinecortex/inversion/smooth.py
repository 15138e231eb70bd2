"""The smooth prior: total variation in space and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.inversion.prior_draws import hamiltonian_draw
from cinecortex.inversion.priors import Whitened
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, dct, inverse_dct
from cinecortex.tensors import Movie, Scalar


@dataclass(frozen=True, eq=False)
class Smooth:
    """Few and sharp changes from pixel to pixel and from frame to frame.

    ``-log p(movie) = temporal_weight * sum |d_t| + spatial_weight * sum (|d_y| + |d_x|)
    + sum (movie - mean)^2 / (2 luminance_std^2)``, each ``d`` the difference of two neighbours along one axis and each
    ``|d|`` smoothed to ``sqrt(d^2 + smoothing^2) - smoothing``. Differences alone say nothing about the level of
    luminance; the last term makes the density proper.

    The coordinates, ``movie = mean + C^T (s * z)`` with ``C`` the orthonormal 3-D DCT-II, are those of the Gaussian
    that prices a difference of ``1 / weight`` as its curvature there would. The prior is not standard normal in them,
    but near enough for a descent and for draws to make quick progress.

    Attributes:
        temporal_weight: Nats per unit of luminance that changes between frames.
        spatial_weight: Nats per unit of luminance that changes between pixels.
        mean: Mean luminance.
        luminance_std: Standard deviation of a single pixel were there no neighbours.
        smoothing: Differences below it, in units of luminance, count by their square.

    Source: Rudin, Osher & Fatemi 1992, Physica D 60:259, in the anisotropic form and with time as a third axis.
    """

    temporal_weight: float
    spatial_weight: float
    mean: float = 0.5
    luminance_std: float = 0.5
    smoothing: float = 0.01

    @staticmethod
    def of(statistics: MovieStatistics, shape: tuple[int, int, int]) -> Smooth:
        """The prior whose weights are the most likely ones for the training clips, from their spectrum.

        The mean square difference along an axis of ``n`` samples follows from the amplitudes ``s_k``:
        ``E d^2 = sum_k s_k^2 (2 - 2 cos(pi k / n)) / number of differences``, ``k`` the frequency along that axis. For
        Laplacian differences ``E |d| = sqrt(E d^2 / 2)``; over clips, whose contrasts are log-normal, it is
        ``exp(contrast_mean + contrast_std^2 / 2)`` times as much.

        A movie of ``N`` pixels has nearly three times as many differences, and they are not free of each other: the
        product of their Laplace densities is no density of movies. What is: ``exp(-c V(movie))`` with
        ``V = sum over axes of w_a sum |d_a|``, whose integral over movies goes with ``c^-(N - 1)``. The likelihood of
        ``c`` is largest where ``c E V = N - 1``. The ratio of the weights is set by giving each axis the same part of
        that: ``w_a = (N - 1) / (axes * E sum |d_a|)``. The absolute value is smoothed below a tenth of the typical
        difference, too little to matter in this.

        Args:
            statistics: Of the training clips.
            shape: Frames, height and width of the movies meant. Axes of one sample have no differences.
        """
        power = statistics.amplitude(shape).double() ** 2
        over_clips = math.exp(statistics.contrast_mean + 0.5 * statistics.contrast_std**2)
        pixels, axes = math.prod(shape), sum(length > 1 for length in shape)

        def fit(*along: int) -> tuple[float, float]:
            """Weight, and mean absolute difference; zero and infinity where there is nothing to go by."""
            along = tuple(axis for axis in along if shape[axis] > 1)
            count = sum(pixels // shape[axis] * (shape[axis] - 1) for axis in along)
            square = float(sum((power * _stiffness(shape, axis, power)).sum() for axis in along))
            if square == 0:
                return 0.0, math.inf
            difference = math.sqrt(0.5 * square / count) * over_clips
            return (pixels - 1) * len(along) / (axes * count * difference), difference

        (temporal, frame_step), (spatial, pixel_step) = fit(0), fit(1, 2)
        return Smooth(temporal, spatial, statistics.mean, smoothing=min(0.1 * min(frame_step, pixel_step), 0.01))

    @property
    def whitened(self) -> bool:
        """False."""
        return False

    def amplitude(self, like: Tensor) -> Float[Tensor, "time height width"]:
        """Scale of every DCT coefficient per unit of ``z``, for a movie shaped as ``like``."""
        shape = (like.shape[-3], like.shape[-2], like.shape[-1])
        key = (shape, like.dtype, like.device)
        if key not in self._amplitudes:
            precision = like.new_full(shape, self.luminance_std**-2, dtype=torch.float64)
            for axis, weight in enumerate((self.temporal_weight, self.spatial_weight, self.spatial_weight)):
                precision = precision + weight**2 * _stiffness(shape, axis, precision)
            self._amplitudes[key] = precision.rsqrt().to(like)
        return self._amplitudes[key]

    @cached_property
    def _amplitudes(self) -> dict[tuple[tuple[int, int, int], torch.dtype, torch.device], Tensor]:
        return {}

    def movie(self, z: Whitened) -> Movie:
        """``mean + C^T (s * z)``."""
        return self.mean + inverse_dct(self.amplitude(z) * z)

    def whiten(self, gradient: Movie) -> Whitened:
        """``s * C gradient``."""
        return self.amplitude(gradient) * dct(gradient)

    def energy(self, z: Whitened) -> Scalar:
        """Minus the log density of the movie at ``z``."""
        return -self.log_density(self.movie(z))

    def log_density(self, movie: Movie) -> Scalar:
        """Log density in nats, up to a constant that depends on the weights and on the shape of the movie."""
        total = 0.5 * ((movie - self.mean) ** 2).sum() / self.luminance_std**2
        for axis, weight in enumerate((self.temporal_weight, self.spatial_weight, self.spatial_weight)):
            size = torch.sqrt(movie.diff(dim=axis) ** 2 + self.smoothing**2) - self.smoothing
            total = total + weight * size.sum()
        return -total

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A movie from the prior, by a Hamiltonian chain (`hamiltonian_draw`) from a similar Gaussian."""
        start = torch.randn(frames, *frame_size, generator=(seed / "start").torch())
        return self.movie(hamiltonian_draw(self.energy, start, seed / "chain"))


def _stiffness(shape: tuple[int, int, int], axis: int, like: Tensor) -> Tensor:
    """Sum of squared differences along ``axis`` per squared DCT coefficient, to be broadcast over the others."""
    frequency = torch.arange(shape[axis], dtype=like.dtype, device=like.device)
    stiffness = 2 - 2 * torch.cos(math.pi * frequency / shape[axis])
    return stiffness.view([-1 if i == axis else 1 for i in range(3)])
