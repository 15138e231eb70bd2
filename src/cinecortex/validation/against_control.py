"""The judgement that checks share whose claim is "better than from a changed observation"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import Control
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule

METRIC = "movie correlation"

LEAST_GAIN = 0.05
"""The smallest gain in correlation over a control that is worth claiming."""


@dataclass(frozen=True, eq=False)
class AgainstControl:
    """Intact minus control, trial by trial.

    Attributes:
        id: Name of the check; its last word names the control.
        claim: What ``supported`` would mean.
        scoring: How an answer is held against a movie.
        threshold: The smallest gain worth claiming.
        seed: Stream for intervals.
    """

    id: str
    claim: str
    scoring: Scoring
    threshold: float
    seed: Seed

    @property
    def control(self) -> str:
        """Name of the control."""
        return self.id.split(".")[-1]

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"Movie correlation, intact minus {self.control.replace('_', ' ')}: {rule(self.threshold)}."

    def ask(self, trials: Sequence[Trial], change: Control) -> Asked:
        """Every trial as it is and changed, each with a stream of its own."""
        asked = {}
        for trial in trials:
            intact, stream = trial.observe(), self.seed / trial.session_id / trial.trial_id
            asked[Question.of(trial)] = intact
            asked[Question.of(trial, self.control)] = change(intact, stream)
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers, *, notes: Sequence[str] = ()) -> Finding:
        """Score both answers to every trial against the movie that was shown."""
        intact, control = [], []
        for trial in trials:
            truth = trial.movie
            intact.append(self.scoring(answered(answers, trial, shown=truth), truth))
            control.append(self.scoring(answered(answers, trial, self.control, shown=truth), truth))
        gains = [a - b for a, b in zip(intact, control, strict=True)]
        data = {"intact": intact, "control": control}
        return self.conclude(trials, gains, data, metric=f"{METRIC}, intact minus control", notes=notes)

    def conclude(
        self,
        trials: Sequence[Trial],
        values: Sequence[float],
        data: dict[str, Any],
        *,
        metric: str,
        notes: Sequence[str],
    ) -> Finding:
        """The finding from one difference per trial, whose null is 0."""
        return concluded(
            self, trials, values, threshold=self.threshold, seed=self.seed, metric=metric, data=data, notes=notes
        )
