"""Probability integral transforms: where in what was predicted for it did the truth fall?

Where predictions are right, ``F(truth)`` is uniform on 0..1 (Dawid 1984, J R Stat Soc A 147:278). A histogram with
raised ends tells of predictions too sure of themselves, one with a hump of predictions not sure enough, a slope of
predictions beside the truth (Gneiting, Balabdaoui & Raftery 2007, J R Stat Soc B 69:243).

A prediction that gives a single luminance some weight, such as that of draws, says of a truth there only that its
transform lies in a stretch. Its share is then spread evenly over the stretch, which needs no random number and makes
the histogram of right predictions flat on average (Czado, Gneiting & Held 2009, Biometrics 65:1254).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.intervals import Counted, Samples, counted
from cinecortex.tensors import Mask, Movie

BINS = 20


@dataclass(frozen=True, eq=False)
class Transform:
    """For every entry that counts, the stretch of 0..1 that its transform lies in.

    Attributes:
        low: Probability that was given to less than the truth.
        high: The same with the probability of the truth itself; equal to ``low`` where luminance was continuous.
    """

    low: Counted
    high: Counted

    @property
    def middle(self) -> Counted:
        """Middle of the stretch: the transform itself where luminance was continuous."""
        return 0.5 * (self.low + self.high)


def gaussian_pit(
    truth: Movie, mean: Movie, std: Movie, mask: Mask | None = None, *, threshold: float = 0.5
) -> Transform:
    """``Phi((truth - mean) / std)``. With ``std`` 0 all probability lies on the mean.

    Entries where any of the movies is NaN do not count, nor do pixels outside the mask.

    Raises:
        WrongUse: no pixel of the mask counts.
    """
    true, middle, spread = counted(mask, threshold, truth, mean, std)
    error = true - middle
    sure = spread == 0
    below = 0.5 * torch.special.erfc(-error / (spread.masked_fill(sure, 1.0) * math.sqrt(2)))
    return Transform(
        low=torch.where(sure, (error > 0).double(), below), high=torch.where(sure, (error >= 0).double(), below)
    )


def sample_pit(truth: Movie, samples: Samples, mask: Mask | None = None, *, threshold: float = 0.5) -> Transform:
    """Where the truth stands among draws, as the stretches between K draws that it may fall into, each ``1 / (K + 1)``.

    A truth that equals t of the draws could stand before, after or between them: it has ``t + 1`` stretches.

    Raises:
        WrongUse: there is no draw, or no pixel of the mask counts.
    """
    if not len(samples):
        raise WrongUse("there is no draw to rank the truth among; ask for draws.")
    true, *draws = counted(mask, threshold, truth, *samples)
    below = sum(((draw < true).double() for draw in draws), torch.zeros_like(true))
    equal = sum(((draw == true).double() for draw in draws), torch.zeros_like(true))
    return Transform(low=below / (len(samples) + 1), high=(below + equal + 1) / (len(samples) + 1))


def pit_histogram(transform: Transform, *, bins: int = BINS) -> Float[Tensor, "bins"]:
    """Share of the truths in each of so many equal parts of 0..1; all are ``1 / bins`` where predictions are right.

    Args:
        transform: Of the entries that count.
        bins: How many parts.

    Returns:
        Shares that sum to 1; NaN where nothing counts.

    Raises:
        WrongUse: there is no bin.
    """
    if bins < 1:
        raise WrongUse(f"a histogram of {bins} bins holds nothing; ask for at least 1.")
    edges = torch.arange(bins + 1, dtype=torch.float64, device=transform.low.device) / bins
    whole = len(transform.low)
    if not whole:
        return torch.full((bins,), torch.nan, dtype=torch.float64, device=edges.device)
    return (_below(transform, edges[1:]) - _below(transform, edges[:-1])) / whole


def _below(transform: Transform, edges: Counted) -> Counted:
    """How much of all stretches lies below each edge; a point at 1 lies below the last."""
    reached = []
    for edge in edges.tolist():
        width = transform.high - transform.low
        part = ((edge - transform.low) / width.clamp_min(1e-300)).clamp(0, 1)
        point = (transform.low < edge) | (edge == 1)
        reached.append(torch.where(width > 0, part, point.double()).sum())
    return torch.stack(reached)
