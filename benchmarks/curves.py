"""Curves of quality against cost: kept in a folder, and held against each other clip by clip."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from animals import SEED
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.recording import Trial
from keeping import slug, written


@dataclass(frozen=True)
class Point:
    """What one clip had cost and scored somewhere on the way of a method."""

    label: int
    passes: float
    seconds: float
    score: float


Curve = list[Point]
"""Of one clip, in the order of cost."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A method on every clip of one mouse.

    Attributes:
        method: Its name.
        curves: One for each clip, all of the same labels.
        fitting_seconds: What it took once, before the first clip.
    """

    method: str
    curves: list[Curve]
    fitting_seconds: float = 0.0

    def means(self) -> Curve:
        """Mean over clips."""
        steps = list(zip(*self.curves, strict=True))
        return [
            Point(
                step[0].label, *(float(np.mean([getattr(p, n) for p in step])) for n in ("passes", "seconds", "score"))
            )
            for step in steps
        ]


def kept_trace(name: str, trials: Sequence[Trial], folder: Path, trace: Callable[[list[Trial]], Traced]) -> Traced:
    """The curves in the folder; those of trials that are not there are traced and added."""
    file = folder / f"{slug(name)}.json"
    stored = json.loads(file.read_text()) if file.exists() else {"once": 0.0, "curves": {}}
    missing = [trial for trial in trials if trial.trial_id not in stored["curves"]]
    if missing:
        found = trace(missing)
        stored["once"] = found.fitting_seconds
        for trial, curve in zip(missing, found.curves, strict=True):
            stored["curves"][trial.trial_id] = [astuple(one) for one in curve]
        written(file, lambda unfinished: unfinished.write_text(json.dumps(stored)))
    curves = [[Point(*one) for one in stored["curves"][trial.trial_id]] for trial in trials]
    return Traced(name, curves, stored["once"])


@dataclass(frozen=True, eq=False)
class Race:
    """How many times fewer frame-passes `map` makes until it is as good as `paper` ever gets, clip by clip.

    Attributes:
        never: Clips on which `map` does not get there; they count as 0 times fewer.
        to_best: Passes of `paper` at its best step over those of `map`.
        to_end: Passes of `paper` at full length over those of `map`.
        seconds: Seconds of `paper` at full length over those of `map`.
    """

    never: int
    to_best: Interval
    to_end: Interval
    seconds: Interval


def race(paper: Traced, mapped: Traced) -> Race:
    """Compare clip by clip; between its points `map` is taken to be as bad as before."""
    rows = []
    for slow, fast in zip(paper.curves, mapped.curves, strict=True):
        best = max(slow, key=lambda p: p.score)
        reached = next((p for p in fast if p.score >= best.score), Point(0, math.inf, math.inf, math.nan))
        rows.append(
            (best.passes / reached.passes, slow[-1].passes / reached.passes, slow[-1].seconds / reached.seconds)
        )
    never = sum(row[0] == 0 for row in rows)
    return Race(never, *(bootstrap_mean(column, seed=SEED / "race") for column in zip(*rows, strict=True)))
