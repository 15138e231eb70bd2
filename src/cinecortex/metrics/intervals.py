"""Do intervals hold the truth as often as they promise, and how good are they for their width?

Every function takes movies, ``time height width``. Entries where any of them is NaN do not count, nor do pixels
outside the mask; frames of a burn-in are left out by the caller. Where nothing counts the answer is NaN.

Source of the scores: Gneiting & Raftery 2007, JASA 102:359.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.tensors import Mask, Movie

Samples = Float[Tensor, "sample time height width"]
Counted = Float[Tensor, " counted"]
"""The entries that count, one after another, in double precision."""

LEVEL = 0.9
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Levels of a coverage curve."""


def coverage(truth: Movie, lower: Movie, upper: Movie, mask: Mask | None = None, *, threshold: float = 0.5) -> float:
    """Share of the pixels whose true luminance lies from ``lower`` to ``upper``, the ends included.

    Args:
        truth: The movie that was shown.
        lower: Lower ends of the intervals.
        upper: Upper ends.
        mask: Pixels with at least ``threshold`` count; None counts the full field.
        threshold: Least weight of a pixel that counts.

    Returns:
        0 to 1.

    Raises:
        WrongUse: no pixel of the mask counts.
    """
    true, low, high = counted(mask, threshold, truth, lower, upper)
    return mean_of(((true >= low) & (true <= high)).double())


def gaussian_coverage(
    truth: Movie,
    mean: Movie,
    std: Movie,
    mask: Mask | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    threshold: float = 0.5,
) -> tuple[float, ...]:
    """Coverage of the central intervals of a Gaussian in every pixel, one number per level; the level is right.

    Raises:
        WrongUse: a level is not between 0 and 1, or no pixel of the mask counts.
    """
    true, middle, spread = counted(mask, threshold, truth, mean, std)
    error = (true - middle).abs()
    return tuple(mean_of((error <= half_width(level) * spread).double()) for level in levels)


def sample_coverage(
    truth: Movie,
    samples: Samples,
    mask: Mask | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    threshold: float = 0.5,
) -> tuple[float, ...]:
    """Coverage of the central intervals of the draws in every pixel, one number per level (see `sample_interval`).

    Raises:
        WrongUse: a level is not between 0 and 1, or no pixel of the mask counts.
    """
    bounds = (sample_interval(samples, level) for level in levels)
    return tuple(coverage(truth, lower, upper, mask, threshold=threshold) for lower, upper in bounds)


def sample_interval(samples: Samples, level: float = LEVEL) -> tuple[Movie, Movie]:
    """Central interval of draws: ``lower`` and ``upper``; NaN where a draw is.

    The k-th smallest of K draws stands for the quantile k / (K + 1), its mean for a further draw from the same
    distribution, so that intervals of few draws are not too narrow (Hyndman & Fan 1996, type 6). Levels above
    (K - 1) / (K + 1) are beyond the draws: the smallest and the largest are given.

    Raises:
        WrongUse: the level is not between 0 and 1.
    """
    half_width(level)
    ordered = samples.double().sort(0).values  # NaN is sorted last
    spoilt = ordered[-1].isnan()
    count = len(ordered)
    bounds = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        rank = min(max(tail * (count + 1) - 1, 0.0), count - 1.0)
        below = min(int(rank), max(count - 2, 0))
        bound = torch.lerp(ordered[below], ordered[min(below + 1, count - 1)], rank - below)
        bounds.append(bound.masked_fill(spoilt, torch.nan).to(samples.dtype))
    return bounds[0], bounds[1]


def interval_score(
    truth: Movie,
    lower: Movie,
    upper: Movie,
    mask: Mask | None = None,
    *,
    level: float = LEVEL,
    threshold: float = 0.5,
) -> float:
    """Mean width of the intervals, plus ``2 / (1 - level)`` times how far the truth lies outside; smaller is better.

    Best, on average, for the true quantiles; in units of luminance (equation 43).

    Raises:
        WrongUse: the level is not between 0 and 1, or no pixel of the mask counts.
    """
    half_width(level)
    true, low, high = counted(mask, threshold, truth, lower, upper)
    outside = (low - true).clamp_min(0) + (true - high).clamp_min(0)
    return mean_of(high - low + 2 / (1 - level) * outside)


def gaussian_crps(truth: Movie, mean: Movie, std: Movie, mask: Mask | None = None, *, threshold: float = 0.5) -> float:
    """Mean continuous ranked probability score of a Gaussian in every pixel, in units of luminance (equation 21).

    Smaller is better, best on average for the true distribution; with ``std`` 0 it is the absolute error.

    Raises:
        WrongUse: no pixel of the mask counts.
    """
    true, middle, spread = counted(mask, threshold, truth, mean, std)
    error = true - middle
    z = error / spread.clamp_min(1e-300)
    density = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    score = error * torch.special.erf(z / math.sqrt(2)) + spread * (2 * density - 1 / math.sqrt(math.pi))
    return mean_of(torch.where(spread > 0, score, error.abs()))


def sample_crps(truth: Movie, samples: Samples, mask: Mask | None = None, *, threshold: float = 0.5) -> float:
    """Mean continuous ranked probability score of draws: ``E |draw - truth| - E |draw - another draw| / 2``.

    Pairs of a draw with itself are left out, so that the expected score does not depend on the number of draws
    (Ferro 2014, QJRMS 140:1917): few draws are not punished for being few.

    Raises:
        WrongUse: there are fewer than two draws, or no pixel of the mask counts.
    """
    count = len(samples)
    if count < 2:
        raise WrongUse("a score of draws needs at least 2 of them; draw more.")
    true, *draws = counted(mask, threshold, truth, *samples)
    ordered = torch.stack(draws).sort(0).values
    # Of the k-th smallest, k are smaller and count - 1 - k larger: the sum over pairs of their distances.
    rank = 2.0 * torch.arange(count, dtype=torch.float64, device=ordered.device) - (count - 1)
    between = (rank[:, None] * ordered).sum(0) / (count * (count - 1))
    return mean_of((ordered - true).abs().mean(0) - between)


def half_width(level: float) -> float:
    """Half the width of the central interval of a unit Gaussian.

    Raises:
        WrongUse: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise WrongUse(f"level is {level:g}; a coverage lies between 0 and 1.")
    return float(ndtri((1 + level) / 2))


def counted(mask: Mask | None, threshold: float, *movies: Movie) -> list[Counted]:
    """The entries that count, of every movie, in double precision: known in all of them and inside the mask.

    Raises:
        WrongUse: no pixel of the mask counts.
    """
    known = torch.stack([~movie.isnan() for movie in movies]).all(0)
    if mask is not None:
        pixels = mask >= threshold
        if not bool(pixels.any()):
            raise WrongUse(f"no pixel of the mask reaches {threshold:g} (its largest weight is {float(mask.max()):g}).")
        known = known & pixels
    return [movie[known].double() for movie in movies]


def mean_of(values: Counted) -> float:
    """Their mean; NaN of none."""
    return float(values.mean()) if len(values) else float("nan")
