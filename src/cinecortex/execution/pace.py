"""How long it will take, from how long it took."""

from __future__ import annotations

import math
from collections.abc import Sequence

_MINUTE, _HOUR = 60.0, 3600.0


def seconds_left(seconds: Sequence[float], tasks: int, *, at_once: int) -> float | None:
    """Time until so many more tasks are done, if they take on average what the finished ones took.

    >>> seconds_left([2.0, 4.0], 5, at_once=2)
    9.0

    Args:
        seconds: What each finished task took.
        tasks: How many are still to finish.
        at_once: How many run at the same time.

    Returns:
        Seconds; None where nothing has finished, or nothing can run.
    """
    if not seconds or at_once < 1:
        return None
    return math.ceil(tasks / at_once) * sum(seconds) / len(seconds)


def in_words(seconds: float) -> str:
    """A time as people say it.

    >>> in_words(0.42), in_words(75.0), in_words(9000.0)
    ('0.4 s', '75 s', '2.5 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"
