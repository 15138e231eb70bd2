"""p-values by rearranging what would not matter if the claim were false.

Where there are few rearrangements all of them are looked at and p is exact. Otherwise some are drawn, and the data as
they are count as one more: ``(1 + exceeding) / (1 + draws)`` (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39).
No p here is ever 0, and each comes with the smallest that could have come out.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Values
from cinecortex.seeds import Seed

Alternative = Literal["greater", "less", "two-sided"]
"""Which way the statistic goes if the claim is true."""

Rearranged = Float[np.ndarray, "_"]


@dataclass(frozen=True)
class Permutation:
    """A statistic and where it stands among its rearrangements.

    Attributes:
        statistic: Of the data as they are; NaN with nothing to compare.
        p: p-value; 1 with nothing to compare.
        permutations: How many arrangements p rests on, the data as they are among them.
        smallest: The smallest p that these data (exact) or this many draws could have given.
        exact: Whether every arrangement was looked at.
        null: Central 95 % of the statistic over the arrangements.
    """

    statistic: float
    p: float
    permutations: int
    smallest: float
    exact: bool
    null: tuple[float, float]


def sign_flip(
    differences: Values, *, seed: Seed, alternative: Alternative = "greater", draws: int = 9_999
) -> Permutation:
    """Is the mean of paired differences other than 0? Every difference could as well have had the other sign.

    Args:
        differences: One per clip; NaN is left out.
        seed: Stream for the draws.
        alternative: ``greater`` when the claim says that the mean is above 0.
        draws: How many arrangements to draw where there are more than ``draws + 1`` in all.

    Returns:
        The mean difference and its p-value.

    Raises:
        WrongUse: a difference is infinite, or ``draws`` is not positive.
    """
    _check_draws(draws)
    values = _numbers(differences)
    n = values.size
    if not n:
        return _nothing()
    if 2**n <= draws + 1:
        # The first row has no sign changed: the data as they are.
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return _judged(values.mean(), signs @ values / n, alternative, exact=True)
    signs = 2 * seed.numpy().integers(0, 2, size=(draws, n), dtype=np.int8) - 1
    return _judged(values.mean(), signs @ values / n, alternative, exact=False)


def label_permutation(
    a: Values, b: Values, *, seed: Seed, alternative: Alternative = "two-sided", draws: int = 9_999
) -> Permutation:
    """Is the mean of ``a`` other than that of ``b``, two unpaired groups? Every value could carry the other label.

    Args:
        a: One value per clip of the first group; NaN is left out.
        b: One value per clip of the second group.
        seed: Stream for the draws.
        alternative: ``greater`` when the claim says that ``a`` is the larger.
        draws: How many arrangements to draw where there are more than ``draws + 1`` in all.

    Returns:
        The difference of the means and its p-value.

    Raises:
        WrongUse: a value is infinite, or ``draws`` is not positive.
    """
    _check_draws(draws)
    first, second = _numbers(a), _numbers(b)
    if not first.size or not second.size:
        return _nothing()
    values = np.concatenate([first, second])
    n, m = values.size, first.size

    def difference(sum_of_first: Rearranged) -> Rearranged:
        return np.asarray(sum_of_first / m - (values.sum() - sum_of_first) / (n - m))

    observed = float(first.mean() - second.mean())
    if math.comb(n, m) <= draws + 1:
        sums = np.array([values[list(taken)].sum() for taken in itertools.combinations(range(n), m)])
        return _judged(observed, difference(sums), alternative, exact=True)
    orders = seed.numpy().permuted(np.tile(values, (draws, 1)), axis=1)
    return _judged(observed, difference(orders[:, :m].sum(1)), alternative, exact=False)


def pairing_permutation(
    table: Float[Tensor, "_ _"] | Float[np.ndarray, "_ _"],
    *,
    seed: Seed,
    alternative: Alternative = "greater",
    draws: int = 9_999,
) -> Permutation:
    """Do answers go with their own questions? Answers could as well have been dealt out in any other order.

    Args:
        table: How well answer i (row) fits question j (column); the pairs as they are stand on the diagonal.
        seed: Stream for the draws.
        alternative: ``greater`` when the claim says that answers fit their own questions better.
        draws: How many orders to draw where there are more than ``draws + 1`` in all.

    Returns:
        The mean of the diagonal and its p-value.

    Raises:
        WrongUse: the table is not square or holds a number that is not finite, or ``draws`` is not positive.
    """
    _check_draws(draws)
    values = np.asarray(table, dtype=np.float64)
    n, columns = values.shape
    if n != columns or not np.isfinite(values).all():
        raise WrongUse(f"the table of answers by questions is {n} x {columns}; it must be square and finite.")
    if not n:
        return _nothing()
    rows = np.arange(n)
    exact = math.factorial(n) <= draws + 1
    if exact:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        orders = seed.numpy().permuted(np.tile(rows, (draws, 1)), axis=1)
    return _judged(np.trace(values) / n, values[rows, orders].mean(1), alternative, exact=exact)


_TAIL: dict[str, Callable[[np.ndarray], np.ndarray]] = {"greater": np.asarray, "less": np.negative, "two-sided": np.abs}


def _judged(observed: float, rearranged: Rearranged, alternative: Alternative, *, exact: bool) -> Permutation:
    against = _TAIL[alternative](rearranged)
    # Arrangements that are equal on paper differ by rounding; they must count as equal, or p is too small.
    rounding = 1e-10 * max(float(np.abs(rearranged).max()), abs(observed))
    exceed = int((against >= float(_TAIL[alternative](np.asarray(observed))) - rounding).sum())
    count = len(rearranged)
    low, high = np.quantile(rearranged, [0.025, 0.975])
    null = (float(low), float(high))
    if exact:
        smallest = float((against >= against.max() - rounding).mean())
        return Permutation(float(observed), exceed / count, count, smallest, True, null)
    return Permutation(float(observed), (1 + exceed) / (1 + count), 1 + count, 1 / (1 + count), False, null)


def _nothing() -> Permutation:
    return Permutation(math.nan, 1.0, 1, 1.0, True, (math.nan, math.nan))


def _numbers(values: Values) -> np.ndarray:
    numbers = np.array([float(value) for value in values])
    if np.isinf(numbers).any():
        raise WrongUse("a value to compare is infinite; find the clip it came from.")
    finite: np.ndarray = numbers[~np.isnan(numbers)]
    return finite


def _check_draws(draws: int) -> None:
    if draws < 1:
        raise WrongUse(f"draws is {draws}; at least one arrangement must be drawn.")
