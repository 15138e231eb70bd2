"""How often intervals of every level hold, clip by clip.

Clips are the unit: pixels and frames of one clip err together, so a curve is that of a clip, and what is said of many
clips is the mean of their curves with an interval over clips.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.expected_calibration_error import expected_calibration_error
from cinecortex.seeds import Seed

CURVE_LEVELS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.99)
"""From 0.05 to 0.95, and 0.99."""


@dataclass(frozen=True)
class CoverageCurve:
    """Empirical against nominal coverage.

    Attributes:
        levels: What the intervals promise, rising.
        clips: What they hold, level by level, one row for each clip; see `intervals.gaussian_coverage` and
            `intervals.sample_coverage`. A row of NaN, of a clip in which nothing counts, is left out of everything.
    """

    levels: tuple[float, ...]
    clips: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for row in self.clips:
            if len(row) != len(self.levels):
                raise WrongUse(f"a clip has {len(row)} coverages of {len(self.levels)} levels; hand in one for each.")

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean over clips, level by level; NaN without a clip."""
        known = self._known
        return tuple(statistics.fmean(column) if known else math.nan for column in zip(*known, strict=True)) or (
            (math.nan,) * len(self.levels)
        )

    def intervals(self, *, seed: Seed) -> tuple[Interval, ...]:
        """The mean over clips with its interval, level by level."""
        columns: Sequence[Sequence[float]] = list(zip(*self.clips, strict=True)) or [()] * len(self.levels)
        return tuple(
            bootstrap_mean(column, seed=seed / f"{level:g}") for level, column in zip(self.levels, columns, strict=True)
        )

    @property
    def error(self) -> float:
        """Expected calibration error of the mean curve: errors of clips that go opposite ways cancel."""
        return expected_calibration_error(self.levels, self.mean)

    @property
    def errors(self) -> tuple[float, ...]:
        """Expected calibration error of every clip's own curve: nothing cancels."""
        return tuple(expected_calibration_error(self.levels, row) for row in self.clips)

    @property
    def _known(self) -> list[tuple[float, ...]]:
        return [row for row in self.clips if not any(map(math.isnan, row))]
