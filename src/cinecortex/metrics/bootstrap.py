"""How sure a mean over clips is.

Clips are the independent unit: frames and pixels of one clip are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed

Values = Sequence[float] | Float[Tensor, "_"]
"""One value per clip; NaN where a clip could not be scored."""


@dataclass(frozen=True)
class Interval:
    """A mean and where it would fall with other clips of the same kind.

    Attributes:
        value: Mean over the clips.
        low, high: Ends of the interval; NaN with fewer than two clips.
        level: Coverage, such as 0.95.
        n: Number of clips that could be scored.
    """

    value: float
    low: float
    high: float
    level: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(values: Values, *, seed: Seed, level: float = 0.95, draws: int = 10_000) -> Interval:
    """Mean over clips with an expanded percentile bootstrap interval.

    Percentiles of resampled means are too narrow for few clips, so their levels are widened as Student's t asks for:
    ``Phi(sqrt(n / (n - 1)) t)`` with n - 1 degrees of freedom (Hesterberg, The American Statistician 2015). No interval
    reaches beyond the smallest and the largest value.

    Args:
        values: One per clip. NaN (a clip that could not be scored) is left out and not counted in ``n``.
        seed: Stream for the resampling.
        level: Coverage of the interval.
        draws: Number of resamples.

    Returns:
        The interval; its ends are NaN with one clip, everything is NaN with none.

    Raises:
        WrongUse: ``level`` is not between 0 and 1, or a value is infinite.
    """
    numbers = _numbers(values)
    return _interval(numbers[~np.isnan(numbers)], seed, level, draws)


def paired_difference(a: Values, b: Values, *, seed: Seed, level: float = 0.95, draws: int = 10_000) -> Interval:
    """Mean of ``a - b`` over the clips that both could be scored on, with the interval of `bootstrap_mean`.

    Args:
        a: One value per clip.
        b: One value for each of the same clips, in the same order.
        seed: Stream for the resampling.
        level: Coverage of the interval.
        draws: Number of resamples.

    Raises:
        WrongUse: ``a`` and ``b`` differ in length, and as for `bootstrap_mean`.
    """
    left, right = _numbers(a), _numbers(b)
    if left.shape != right.shape:
        raise WrongUse(f"a has {left.size} clips and b has {right.size}; a paired difference needs the same clips.")
    difference = left - right
    return _interval(difference[~np.isnan(difference)], seed, level, draws)


def _numbers(values: Values) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.tolist()
    numbers = np.asarray(values, dtype=np.float64)
    if np.isinf(numbers).any():
        raise WrongUse("a value to average is infinite; find the clip it came from.")
    return numbers


def _interval(numbers: np.ndarray, seed: Seed, level: float, draws: int) -> Interval:
    if not 0 < level < 1:
        raise WrongUse(f"level is {level:g}; a coverage lies between 0 and 1.")
    n = numbers.size
    if n < 2:
        return Interval(float(numbers[0]) if n else float("nan"), float("nan"), float("nan"), level, n)
    # Resampling with replacement is a multinomial count of how often each clip was taken.
    taken = seed.numpy().multinomial(n, np.full(n, 1 / n), size=draws)
    widened = scipy.stats.norm.cdf(np.sqrt(n / (n - 1)) * scipy.stats.t.ppf((1 - level) / 2, n - 1))
    low, high = np.quantile(taken @ numbers / n, [widened, 1 - widened])
    return Interval(float(numbers.mean()), float(low), float(high), level, n)
