"""When the claim is "no difference": two one-sided tests.

That no difference was found is no evidence that there is none.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Values


@dataclass(frozen=True)
class Equivalence:
    """How surely a mean difference lies within its bounds.

    Attributes:
        difference: Mean of the differences.
        low, high: Ends of its interval at ``level``; NaN with fewer than two clips.
        level: Coverage of the interval, ``1 - 2 alpha``: it lies within the bounds exactly when ``p < alpha``.
        bound: Differences smaller than this, either way, do not matter.
        p: The larger p-value of the two tests; 1 with fewer than two clips.
        n: Number of clips.
    """

    difference: float
    low: float
    high: float
    level: float
    bound: float
    p: float
    n: int


def equivalence(differences: Values, *, bound: float, alpha: float = 0.05) -> Equivalence:
    """Is the mean of paired differences between ``-bound`` and ``bound``?

    Two one-sided t tests, against ``-bound`` and against ``bound``; the claim holds where both reject (Schuirmann 1987,
    J Pharmacokinet Biopharm 15:657; Lakens 2017, Soc Psychol Personal Sci 8:355).

    Args:
        differences: One per clip; NaN is left out.
        bound: The largest difference that does not matter, in the unit of the values; fixed before looking.
        alpha: How often a difference as large as the bound may pass for none.

    Raises:
        WrongUse: ``bound`` is not positive, ``alpha`` is not between 0 and 0.5, or a value is infinite.
    """
    if not bound > 0 or not 0 < alpha < 0.5:
        raise WrongUse(f"bound is {bound:g} and alpha {alpha:g}; they must be above 0, and alpha below 0.5.")
    numbers = np.array([float(value) for value in differences])
    if np.isinf(numbers).any():
        raise WrongUse("a value to compare is infinite; find the clip it came from.")
    numbers = numbers[~np.isnan(numbers)]
    n, level = numbers.size, 1 - 2 * alpha
    mean = float(numbers.mean()) if n else math.nan
    if n < 2:
        return Equivalence(mean, math.nan, math.nan, level, bound, 1.0, n)
    error = float(numbers.std(ddof=1)) / math.sqrt(n)
    room = bound - abs(mean)
    # Where all differences are equal, any room at all is infinitely many standard errors.
    nearest = room / error if error else room * math.inf if room else 0.0
    half = error * float(scipy.stats.t.ppf(1 - alpha, n - 1))
    p = float(scipy.stats.t.sf(nearest, n - 1))
    return Equivalence(mean, mean - half, mean + half, level, bound, p, n)
