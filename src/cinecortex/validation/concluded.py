"""The finding that checks share whose evidence is one number for every trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.verdicts import LEVEL, against_zero, decide, independent_units


@runtime_checkable
class Ruled(Protocol):
    """What has a claim, and a rule that it is judged by: a check, or what several checks share."""

    @property
    def id(self) -> str:
        """Name of the check."""
        ...

    @property
    def claim(self) -> str:
        """What ``supported`` would mean."""
        ...

    @property
    def rule(self) -> str:
        """The threshold, in words."""
        ...


def concluded(
    check: Ruled,
    trials: Sequence[Trial],
    values: Sequence[float],
    *,
    threshold: float,
    seed: Seed,
    metric: str,
    data: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Finding:
    """The interval of the mean over clips against a threshold, and against 0 by sign flips.

    Args:
        check: Whose finding it is.
        trials: The trials that were judged.
        values: One number for each of them, 0 where the claim is false; NaN where there was nothing to score.
        threshold: Above it the claim holds, below it does not.
        seed: The check's own stream.
        metric: What the numbers are.
        data: Further numbers behind the figure.
        notes: What a careful reader should know.
    """
    units = independent_units(trials, values)
    decision = decide(units, threshold=threshold, seed=seed / "interval")
    test, null = against_zero(units, seed=seed / "sign flip")
    interval = decision.interval
    return Finding(
        id=check.id,
        claim=check.claim,
        verdict=decision.verdict,
        metric=metric,
        value=interval.value,
        interval=(interval.low, interval.high),
        level=LEVEL,
        n=interval.n,
        unit=units.unit,
        rule=check.rule,
        null=null,
        p=test.p,
        notes=" ".join(note for note in (decision.note, units.note, *notes) if note),
        data={
            "session": [trial.session_id for trial in trials],
            "trial": [trial.trial_id for trial in trials],
            "clip": [trial.clip_id for trial in trials],
            "difference": list(values),
            **data,
            "threshold": threshold,
            "needed": decision.needed,
            "permutations": test.permutations,
            "smallest_p": test.smallest,
        },
    )
