"""From numbers to one of three words, by a rule that is fixed before the numbers are known."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cinecortex.finding import Null, Verdict
from cinecortex.metrics.bootstrap import Interval
from cinecortex.metrics.hierarchical_bootstrap import hierarchical_bootstrap
from cinecortex.metrics.permutation import Permutation, sign_flip
from cinecortex.metrics.sample_size import needed_sample_size
from cinecortex.recording import Trial
from cinecortex.seeds import Seed

LEAST = 5
"""Fewer clips than this decide nothing: of four paired differences no sign-flip test can reach 0.05."""

LEVEL = 0.95


@dataclass(frozen=True)
class Units:
    """Values over what is independent.

    Attributes:
        sessions: One value per clip for each session that is resampled.
        unit: ``session`` where other animals are spoken for, ``clip`` where only these are.
    """

    sessions: tuple[tuple[float, ...], ...]
    unit: str

    @property
    def values(self) -> tuple[float, ...]:
        """One value for each independent unit."""
        if self.unit == "session":
            return tuple(statistics.fmean(clips) for clips in self.sessions)
        return self.sessions[0]

    @property
    def note(self) -> str:
        """Whom the interval speaks for."""
        if self.unit == "session":
            return "The interval is over sessions and their clips."
        return "The interval is over clips, and says nothing about other animals."


def independent_units(trials: Sequence[Trial], values: Sequence[float], *, least: int = LEAST) -> Units:
    """Average what is not independent: the trials of a clip and, of fewer than ``least`` sessions, these too.

    Args:
        trials: Where the values come from.
        values: One per trial; NaN where there was nothing to score.
        least: How many sessions it takes to speak for others.
    """
    scored = [(trial, value) for trial, value in zip(trials, values, strict=True) if value == value]
    sessions = dict.fromkeys(trial.session_id for trial, _ in scored)
    if len(sessions) >= least:
        of = [[(trial, value) for trial, value in scored if trial.session_id == session] for session in sessions]
        return Units(tuple(map(_over_clips, of)), "session")
    return Units((_over_clips(scored),), "clip")


def _over_clips(scored: Sequence[tuple[Trial, float]]) -> tuple[float, ...]:
    clips: dict[str, list[float]] = {}
    for trial, value in scored:
        clips.setdefault(trial.clip_id, []).append(value)
    return tuple(statistics.fmean(values) for values in clips.values())


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on.

    Attributes:
        verdict: The word.
        interval: Of the mean, over independent units.
        needed: How many units would decide, when undecided and this can be said.
        note: Why it is undecided and what would help; empty otherwise.
    """

    verdict: Verdict
    interval: Interval
    needed: int | None
    note: str


def rule(threshold: float, *, least: int = LEAST, level: float = LEVEL) -> str:
    """The rule of `decide`, in words."""
    return (
        f"supported where the {level:.0%} interval lies above {threshold:g}, refuted where it lies below, undecided "
        f"otherwise and with fewer than {least} clips"
    )


def decide(
    units: Units, *, threshold: float, seed: Seed, least: int = LEAST, level: float = LEVEL, power: float = 0.8
) -> Decision:
    """Hold the interval of a mean against a threshold.

    Args:
        units: The values.
        threshold: Above it the claim holds, below it does not. For the claim "better than a control" it is the
            smallest difference worth claiming, since "not better at all" could never be refuted.
        seed: Stream for the interval.
        least: With fewer units nothing is decided.
        level: Coverage of the interval.
        power: With what chance the number of units that is said to be needed would decide, were the truth as measured.
    """
    interval = hierarchical_bootstrap(units.sessions, seed=seed, level=level)
    if interval.n >= least and interval.low > threshold:
        return Decision("supported", interval, None, "")
    if interval.n >= least and interval.high < threshold:
        return Decision("refuted", interval, None, "")
    values = units.values
    if len(values) < 2:
        return Decision("undecided", interval, least, f"At least {least} {units.unit}s are needed; {_count(units)}.")
    needed = needed_sample_size(
        interval.value - threshold, statistics.stdev(values), power=power, alpha=1 - level, sides=2
    )
    if needed is None:
        return Decision(
            "undecided", interval, None, f"The value is at the threshold; no number of {units.unit}s would decide."
        )
    # A draw that looks decided on fewer than the least, or by a hair, is still asked for more than there are.
    needed = max(needed, least, interval.n + 1)
    note = f"About {needed} {units.unit}s would decide with a chance of {power:.0%}; {_count(units)}."
    return Decision("undecided", interval, needed, note)


def against_zero(units: Units, *, seed: Seed) -> tuple[Permutation, Null | None]:
    """How often a mean difference this large comes of nothing, by sign flips over units, and what comes of nothing."""
    test = sign_flip(units.values, seed=seed)
    return test, Null(0.0, test.null) if units.values else None


def _count(units: Units) -> str:
    count = len(units.values)
    return f"there {'is' if count == 1 else 'are'} {count or 'none'}"
