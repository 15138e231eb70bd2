"""How sure a mean is when clips are nested in sessions.

Clips of one session share an animal, a population and an encoder. Taken as independent they make an interval too
narrow: with a few sessions it covers far less than it promises.
"""

from collections.abc import Sequence

import numpy as np
import scipy.stats

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Interval, Values, bootstrap_mean
from cinecortex.seeds import Seed


def hierarchical_bootstrap(
    sessions: Sequence[Values], *, seed: Seed, level: float = 0.95, draws: int = 10_000
) -> Interval:
    """Mean over sessions of the mean over clips, with an interval for other sessions and other clips of the kind.

    Sessions are resampled, then the clips within each of them (Saravanan, Berman & Sober, Neurons Behav Data Anal
    Theory 2020). Every session weighs the same, however many clips it has. The percentiles are widened as Student's t
    asks for with as many values as there are sessions, as in `bootstrap_mean`. With one session that is what this is:
    an interval over its clips, which says nothing about other animals.

    The spread of session means already holds that of the clips, and the clips are resampled once more, so the
    interval is somewhat too wide where clips differ much more than sessions do, and never for that reason too narrow.

    Args:
        sessions: One value per clip, for each session. NaN is left out, and so is a session that has nothing else.
        seed: Stream for the resampling.
        level: Coverage of the interval.
        draws: Number of resamples.

    Returns:
        The interval. Its ``n`` counts what is independent: sessions, or with a single session its clips.

    Raises:
        WrongUse: ``level`` is not between 0 and 1, or a value is infinite.
    """
    groups = [group for group in map(_finite, sessions) if group.size]
    if len(groups) < 2:
        return bootstrap_mean(groups[0].tolist() if groups else [], seed=seed, level=level, draws=draws)
    if not 0 < level < 1:
        raise WrongUse(f"level is {level:g}; a coverage lies between 0 and 1.")
    n = len(groups)
    random = seed.numpy()
    chosen = random.multinomial(n, np.full(n, 1 / n), size=draws)
    total = np.zeros(draws)
    for group, times in zip(groups, chosen.T, strict=True):
        # A session that was taken c times has its clips resampled c times over: together one multinomial count.
        taken = random.multinomial(times * group.size, np.full(group.size, 1 / group.size))
        total += taken @ group / group.size
    widened = scipy.stats.norm.cdf(np.sqrt(n / (n - 1)) * scipy.stats.t.ppf((1 - level) / 2, n - 1))
    low, high = np.quantile(total / n, [widened, 1 - widened])
    return Interval(float(np.mean([group.mean() for group in groups])), float(low), float(high), level, n)


def _finite(values: Values) -> np.ndarray:
    numbers = np.array([float(value) for value in values])
    if np.isinf(numbers).any():
        raise WrongUse("a value to average is infinite; find the clip it came from.")
    finite: np.ndarray = numbers[~np.isnan(numbers)]
    return finite
