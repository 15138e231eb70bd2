"""How long it will take, from how long it took."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from statistics import median

_MINUTE, _HOUR = 60.0, 3600.0


class Pace:
    """What tasks took, by kind; a kind that was not seen is taken for the others.

    >>> pace = Pace([("map", 8.0), ("map", 2.0), ("map", 2.0), ("ridge", 0.5)])
    >>> pace.left(["map", "map", "ridge"], at_once=2)
    2.5

    Args:
        took: Kind and seconds of finished tasks.
    """

    def __init__(self, took: Iterable[tuple[str, float]] = ()) -> None:
        self._took: dict[str, list[float]] = {}
        for kind, seconds in took:
            self.add(kind, seconds)

    def add(self, kind: str, seconds: float) -> None:
        """One more has finished."""
        self._took.setdefault(kind, []).append(seconds)

    def left(self, kinds: Sequence[str], *, at_once: int) -> float | None:
        """Time until tasks of these kinds are done, each begun as soon as there is room for it.

        Args:
            kinds: Of each task that is still to finish, in their order.
            at_once: How many run at the same time.

        Returns:
            Seconds; None where nothing has finished, or nothing can run.
        """
        if not self._took or at_once < 1:
            return None
        every = [seconds for took in self._took.values() for seconds in took]
        # The median: the first task of a worker takes longer, because it warms up.
        usual = {kind: median(self._took.get(kind, every)) for kind in set(kinds)}
        busy = [0.0] * at_once
        for kind in kinds:
            heapq.heapreplace(busy, busy[0] + usual[kind])
        return max(busy)


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
