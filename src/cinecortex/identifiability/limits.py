"""What counts as indistinguishable, and what as a typical movie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float, Int
from scipy.stats import chi2
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.inversion.priors import Prior, Spectral
from cinecortex.stimuli.spectrum import frequency_bins


@dataclass(frozen=True)
class Limits:
    """When two movies cannot be told apart, and when a movie is typical.

    Attributes:
        right: Told the responses to one of two movies, both known, the best observer names the right one in this share
            of cases; 0.5 is guessing.
        level: Share of what the prior draws that is typical.
    """

    right: float = 0.75
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 < self.right < 1 or not 0 < self.level < 1:
            raise WrongUse(
                f"an observer right in {self.right:g} of cases and a level of {self.level:g}: the first must lie "
                "between 0.5 and 1, the second between 0 and 1."
            )

    @property
    def discriminability(self) -> float:
        """The d' of that observer.

        The log-likelihood ratio is normal with means ``d'^2 / 2`` to either side of 0 and variance ``d'^2``, so that he
        is right in ``Phi(d' / 2)`` of cases (Green & Swets 1966, Signal Detection Theory and Psychophysics).
        """
        return 2 * NormalDist().inv_cdf(self.right)

    @property
    def ordinary(self) -> float:
        """Largest square of one standard normal coordinate that is typical."""
        return float(chi2.ppf(self.level, 1))

    @property
    def loss_nats(self) -> float:
        """How much log-likelihood noise alone takes from a movie at the limit, in `level` of cases."""
        limit = self.discriminability
        return limit**2 / 2 + NormalDist().inv_cdf(self.level) * limit

    def energies(self, bands: Int[Tensor, "time height width"]) -> Float[Tensor, " band"]:
        """Most ``|z|^2`` of every band: the upper end of the central interval of the chi-square distribution."""
        counts = torch.bincount(bands.flatten())
        ends = chi2.ppf((1 + self.level) / 2, counts.clamp_min(1).cpu().numpy())
        return torch.where(counts > 0, torch.from_numpy(ends).to(counts.device), 0.0)


def bands_of(prior: Prior, like: Tensor) -> Int[Tensor, "time height width"]:
    """The band of every whitened coordinate: bins of frequency under the spectral prior, all in one under others.

    ``|z|^2`` of all coordinates together would let a movie put what 200,000 of them have into one of them.
    """
    if not isinstance(prior, Spectral):
        return torch.zeros(like.shape, dtype=torch.long, device=like.device)
    bins = prior.statistics.power.shape[0]
    temporal, spatial = frequency_bins((like.shape[0], like.shape[1], like.shape[2]), bins)
    return (temporal[:, None, None] * bins + spatial[None]).to(like.device)


def energy_by_band(z: Tensor, bands: Int[Tensor, "time height width"]) -> Float[Tensor, " band"]:
    """``|z|^2`` of every band."""
    sums = torch.zeros(int(bands.max()) + 1, dtype=torch.float64, device=z.device)
    return sums.index_add_(0, bands.flatten(), z.flatten().double() ** 2)


def largest_step(
    z: Tensor, change: Tensor, most: Float[Tensor, " band"], bands: Int[Tensor, "time height width"]
) -> float:
    """How far along ``change``, at most all of it, every band stays within its energy; one that is above may stay."""
    own = energy_by_band(z, bands)
    room = (torch.maximum(most.to(own), own) - own).tolist()
    square, sums = energy_by_band(change, bands).tolist(), torch.zeros_like(own)
    cross = sums.index_add_(0, bands.flatten(), (z * change).flatten().double()).tolist()
    steps = [(-b + math.sqrt(b * b + a * c)) / a for a, b, c in zip(square, cross, room, strict=True) if a > 0]
    return float(min([1.0, *steps]))
