"""How many clips a question needs: what to say when there were too few to answer it."""

import math
from typing import Literal

import scipy.stats

from cinecortex.errors import WrongUse

MOST = 1_000_000
"""Above this many clips a question is taken as unanswerable."""


def paired_power(effect: float, spread: float, n: int, *, alpha: float = 0.05, sides: Literal[1, 2] = 2) -> float:
    """Chance that a paired t test of ``n`` clips finds a mean difference of ``effect``, by the noncentral t.

    Of a test with two sides only the one that ``effect`` is on counts; the other adds next to nothing.

    Args:
        effect: True mean difference.
        spread: Standard deviation of the differences over clips, in the same unit.
        n: Number of clips.
        alpha: Chance of a false alarm.
        sides: 2 to look both ways, 1 to look the one way of the effect.

    Raises:
        WrongUse: ``n`` is below 2, ``spread`` is not positive, or ``alpha`` is not between 0 and 1.
    """
    if n < 2 or not spread > 0 or not 0 < alpha < 1:
        raise WrongUse(f"n is {n}, spread {spread:g} and alpha {alpha:g}; power needs n of 2, and the others above 0.")
    critical = float(scipy.stats.t.ppf(1 - alpha / sides, n - 1))
    return float(scipy.stats.nct.sf(critical, n - 1, abs(effect) / spread * math.sqrt(n)))


def needed_sample_size(
    effect: float, spread: float, *, power: float = 0.8, alpha: float = 0.05, sides: Literal[1, 2] = 2
) -> int | None:
    """The fewest clips with which a paired t test finds a mean difference of ``effect`` with this power.

    Starts at the normal approximation ``((z_alpha + z_power) spread / effect)^2``, which is too few by about two, and
    goes up to where `paired_power` is reached.

    Args:
        effect: Mean difference to be found; its sign does not matter.
        spread: Standard deviation of the differences over clips, in the same unit.
        power: Chance of finding it.
        alpha: Chance of a false alarm.
        sides: 2 to look both ways, 1 to look the one way of the effect.

    Returns:
        At least 2; None where it would take more than `MOST`, or the spread is not known.

    Raises:
        WrongUse: ``power`` or ``alpha`` is not between 0 and 1.
    """
    if not 0 < power < 1 or not 0 < alpha < 1:
        raise WrongUse(f"power is {power:g} and alpha {alpha:g}; both lie between 0 and 1.")
    if not math.isfinite(effect) or not math.isfinite(spread) or effect == 0:
        return None
    if spread <= 0:
        return 2
    wanted = float(scipy.stats.norm.ppf(1 - alpha / sides) + scipy.stats.norm.ppf(power))
    start = (max(wanted, 0.0) * spread / abs(effect)) ** 2
    if start > MOST:
        return None
    # The normal approximation is never more than what the t test needs, so nothing below it has to be tried.
    n = max(2, math.floor(start))
    while paired_power(effect, spread, n, alpha=alpha, sides=sides) < power:
        n += 1
    return n
