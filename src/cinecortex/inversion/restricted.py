"""Priors restricted: to a luminance range, and to the pixels that may change."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cinecortex.errors import WrongUse
from cinecortex.inversion.prior_draws import hamiltonian_draw
from cinecortex.inversion.priors import Prior, Whitened
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie, Scalar


@dataclass(frozen=True, eq=False)
class Bounded:
    """Another prior, with a price on every pixel that leaves the luminance range 0..1.

    ``log p(movie) = log p_base(movie) - sum over pixels of (excess / softness)^2 / 2``, ``excess`` being how far the
    pixel lies outside. The coordinates are the base's; they are not standard normal any more.

    Attributes:
        base: The prior without the range.
        softness: Luminance beyond the range that costs half a nat.
    """

    base: Prior
    softness: float = 0.05

    def __post_init__(self) -> None:
        if self.softness <= 0:
            raise WrongUse(f"the softness of a luminance range must be above 0, not {self.softness:g}.")

    @property
    def whitened(self) -> bool:
        """False."""
        return False

    def movie(self, z: Whitened) -> Movie:
        """The base's."""
        return self.base.movie(z)

    def whiten(self, gradient: Movie) -> Whitened:
        """The base's."""
        return self.base.whiten(gradient)

    def penalty(self, movie: Movie) -> Scalar:
        """What the range costs this movie, in nats; zero within 0..1."""
        excess = torch.relu(-movie) + torch.relu(movie - 1)
        return 0.5 * ((excess / self.softness) ** 2).sum()

    def energy(self, z: Whitened) -> Scalar:
        """The base's energy and the penalty."""
        return self.base.energy(z) + self.penalty(self.base.movie(z))

    def log_density(self, movie: Movie) -> Scalar:
        """The base's log density less the penalty.

        What the range takes from the whole of the density is not given back: between bases of different contrast
        the values compare too high for the louder one.
        """
        return self.base.log_density(movie) - self.penalty(movie)

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A movie from the bounded density, by a Hamiltonian chain (`hamiltonian_draw`) in the base's coordinates.

        The chain starts at a standard normal ``z``, which is a draw of a whitened base. Clamping a draw of the base
        would pile up pixels at black and white, and dropping draws that leave the range would leave none.
        """
        start = torch.randn(frames, *frame_size, generator=(seed / "start").torch())
        scale = self._spread(start, seed / "spread")
        return self.movie(hamiltonian_draw(self.energy, start, seed / "chain", scale=scale))

    def _spread(self, z: Whitened, seed: Seed) -> Whitened:
        """About how far each coordinate can move: slow and coarse patterns push many pixels out of the range at once.

        The range adds ``B^T K B`` to the curvature, ``B`` the linear part of `movie` and ``K`` the price's curvature at
        the pixels just outside. Its diagonal is estimated from eight random fields of signs.
        """
        movie = self.base.movie(z)
        excess = torch.relu(-movie) + torch.relu(movie - 1)
        outside = ((excess > 0) & (excess < self.softness)).to(z).mean()
        random, square = seed.torch(), torch.zeros_like(z)
        for _ in range(8):
            signs = torch.randint(0, 2, z.shape, generator=random).to(z) * 2 - 1
            square += self.base.whiten(signs) ** 2 / 8
        return torch.rsqrt(1 + square * outside / self.softness**2)


@dataclass(frozen=True, eq=False)
class Masked:
    """Another prior, whose movies are seen through a mask: ``movie = gray + mask * (base movie - gray)``.

    ``gray`` is the base's movie at the origin of its coordinates, its mean. Where the mask is 0 nothing ever changes.

    Attributes:
        base: The prior without the mask.
        mask: Where pixels may change, 0..1.
    """

    base: Prior
    mask: Mask

    @property
    def whitened(self) -> bool:
        """As the base: the coordinates and their distribution are its own."""
        return self.base.whitened

    def movie(self, z: Whitened) -> Movie:
        """The base's movie, seen through the mask."""
        gray = self.base.movie(torch.zeros_like(z))
        return gray + self._mask(z) * (self.base.movie(z) - gray)

    def whiten(self, gradient: Movie) -> Whitened:
        """The base's, of the gradient seen through the mask."""
        return self.base.whiten(self._mask(gradient) * gradient)

    def energy(self, z: Whitened) -> Scalar:
        """The base's."""
        return self.base.energy(z)

    def log_density(self, movie: Movie) -> Scalar:
        """The base's log density of the movie with the mask taken off, and the logarithm of what the mask squeezes.

        Raises:
            WrongUse: the mask is 0 somewhere, so that what lies behind it cannot be told.
        """
        mask = self._mask(movie)
        if bool((mask == 0).any()):
            raise WrongUse(
                "a prior under a mask with zeros has no density over movies, as movies that differ where the mask is "
                "zero look alike: compare energies of coordinates, or densities of the prior without the mask."
            )
        gray = self.base.movie(torch.zeros_like(movie))
        return self.base.log_density(gray + (movie - gray) / mask) - len(movie) * torch.log(mask).sum()

    def draw(self, frames: int, frame_size: tuple[int, int], seed: Seed) -> Movie:
        """A draw of the base, seen through the mask."""
        drawn = self.base.draw(frames, frame_size, seed)
        gray = self.base.movie(torch.zeros_like(drawn))
        return gray + self._mask(drawn) * (drawn - gray)

    def _mask(self, like: Movie) -> Mask:
        if self.mask.shape != like.shape[1:]:
            (height, width), (rows, columns) = self.mask.shape, like.shape[1:]
            raise WrongUse(f"the mask is of {height}x{width} px, but the movie of {rows}x{columns} px.")
        return self.mask.to(like)
