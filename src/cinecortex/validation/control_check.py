"""The check whose claim is that one control, on every trial, makes the answer worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from cinecortex.finding import Finding
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import LEAST_GAIN, AgainstControl
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.scoring import Scoring


class Changing(Protocol):
    """A control, as a class holds it."""

    def __call__(self, observation: Observation, seed: Seed, /) -> Observation:
        """The changed observation."""
        ...


@dataclass(frozen=True, eq=False)
class ControlCheck:
    """Intact minus changed, trial by trial; what is changed, and what it would show, is the subclass's.

    Attributes:
        seed: Stream for the changes and intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest loss by the change that is worth claiming.
    """

    id: ClassVar[str]
    claim: ClassVar[str]
    change: ClassVar[Changing]

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return self._comparison.rule

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, and changed."""
        return self._comparison.ask(trials, self.change)

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Intact against changed."""
        return self._comparison.judge(trials, answers)

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
