"""Are ranks uniform? Two tests: one for any shape of the histogram, one for the whole distribution function.

A rank is that of a truth among L draws, 0 to L, and there is one for each independent simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.stats
from jaxtyping import Float, Int

from cinecortex.errors import WrongUse

LEAST_EXPECTED = 5
"""Ranks that a bin of the chi-square test must expect, for the test to be what it says."""

Table = Float[np.ndarray, "point count"]


def chi_square(ranks: Sequence[int], *, draws: int) -> float:
    """p-value of the chi-square test, over as many bins of equally many ranks as expect at least five each.

    1 where not even two such bins can be made.

    Args:
        ranks: One for each simulation, 0 to ``draws``.
        draws: How many draws the truth was ranked among.

    Raises:
        WrongUse: a rank is out of range.
    """
    _check(ranks, draws)
    most = min(20, len(ranks) // LEAST_EXPECTED)
    bins = max((b for b in range(1, most + 1) if (draws + 1) % b == 0), default=1)
    if bins < 2:
        return 1.0
    counts = np.bincount(np.asarray(ranks) // ((draws + 1) // bins), minlength=bins)
    return float(scipy.stats.chisquare(counts).pvalue)


@dataclass(frozen=True)
class Band:
    """Where the distribution function of uniform ranks lies, at all ranks at once.

    Attributes:
        points: Shares of the ranks, ``(r + 1) / (draws + 1)`` for r from 0 to ``draws - 1``.
        lower, upper: Least and largest share of the simulations whose rank is at most r.
        level: With what probability all of it lies inside; never less than was asked for.
    """

    points: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    level: float


def ecdf_band(simulations: int, *, draws: int, level: float = 0.95) -> Band:
    """Simultaneous band of the empirical distribution function of uniform ranks.

    At every rank it is the central interval of a binomial distribution, all of the same level of their own, which is
    found such that the whole function stays inside with probability ``level``. That probability is computed exactly,
    rank by rank, since how many ranks lie below one point tells all about how many lie below the next.

    Args:
        simulations: Number of ranks.
        draws: How many draws each truth is ranked among.
        level: Probability that the whole function lies inside.

    Raises:
        WrongUse: there is no simulation or no draw, or the level is not between 0 and 1.

    Source: Säilynoja, Bürkner & Vehtari 2022, Stat Comput 32:32, sections 2.1 and 2.2.
    """
    if simulations < 1 or draws < 1 or not 0 < level < 1:
        raise WrongUse(
            f"{simulations} simulations of {draws} draws at level {level:g}; there must be at least one of each, and "
            "a level between 0 and 1."
        )
    tails = _tails(simulations, draws)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _inside(tails >= middle, simulations, draws) >= level else (low, middle)
    allowed = tails >= low
    counts = np.arange(simulations + 1)
    return Band(
        points=tuple((np.arange(1, draws + 1) / (draws + 1)).tolist()),
        lower=tuple((counts[row].min() / simulations).item() for row in allowed),
        upper=tuple((counts[row].max() / simulations).item() for row in allowed),
        level=_inside(allowed, simulations, draws),
    )


def ecdf_test(ranks: Sequence[int], *, draws: int) -> float:
    """p-value of the distribution function against its simultaneous band: 1 minus the level of the band it just leaves.

    Exact. At every rank the two-sided binomial p-value is taken, and the smallest is held against its own distribution
    under uniform ranks; see `ecdf_band`.

    Args:
        ranks: One for each simulation, 0 to ``draws``.
        draws: How many draws the truth was ranked among.

    Returns:
        1 without a rank.

    Raises:
        WrongUse: a rank is out of range.
    """
    _check(ranks, draws)
    if not len(ranks):
        return 1.0
    reached = np.bincount(np.asarray(ranks), minlength=draws + 1).cumsum()[:-1]
    tails = _tails(len(ranks), draws)
    smallest = tails[np.arange(draws), reached].min()
    return min(1.0, max(0.0, 1 - _inside(tails > smallest, len(ranks), draws)))


@lru_cache(maxsize=8)
def _tails(simulations: int, draws: int) -> Table:
    """Two-sided binomial p-value of every count at every rank."""
    counts = np.arange(simulations + 1)
    shares = np.arange(1, draws + 1)[:, None] / (draws + 1)
    below = scipy.stats.binom.cdf(counts, simulations, shares)
    above = scipy.stats.binom.sf(counts - 1, simulations, shares)
    # Rounded, so that the two tails of what is symmetric are the same number.
    tails: Table = np.round(np.minimum(1.0, 2 * np.minimum(below, above)), 13)
    return tails


def _inside(allowed: np.ndarray, simulations: int, draws: int) -> float:
    """Probability that uniform ranks have allowed counts at every rank."""
    weight = np.zeros(simulations + 1)
    weight[0] = 1.0
    for rank in range(draws):
        weight = (weight @ _step(simulations, draws + 1 - rank)) * allowed[rank]
    return float(weight.sum())


@lru_cache(maxsize=256)
def _step(simulations: int, left: int) -> Float[np.ndarray, "before after"]:
    """From the count below one rank to that below the next: of what is above, one in ``left`` lies in between."""
    before, after = np.indices((simulations + 1, simulations + 1))
    chance: Float[np.ndarray, "before after"] = scipy.stats.binom.pmf(after - before, simulations - before, 1 / left)
    return chance


def _check(ranks: Sequence[int] | Int[np.ndarray, "_"], draws: int) -> None:
    if any(not 0 <= rank <= draws for rank in ranks):
        raise WrongUse(f"a rank among {draws} draws lies between 0 and {draws}; hand in how many draws are below.")
