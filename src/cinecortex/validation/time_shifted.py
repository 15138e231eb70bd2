"""Does it matter when the neurons said it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.against_control import LEAST_GAIN, METRIC, AgainstControl
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring

ALIKE = 0.9
"""A movie that correlates this much with itself, shifted, cannot show whether time was heeded."""


@dataclass(frozen=True, eq=False)
class TimeShifted:
    """``controls.time_shifted``: responses rolled by half the trial, which must be more than the encoder's memory.

    Prediction: a method that follows the activity in time shows the movie shifted alike, and loses its score; one that
    ignores time, or paints one picture per clip, scores the same.

    Trials too short to be shifted by more than the memory are left out, and so are movies that are uniform or correlate
    at 0.9 or more with themselves shifted.

    Attributes:
        memory: Frames of the past that a rate of the encoder rests on.
        seed: Stream for intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest loss by shifting that is worth claiming.
    """

    id: ClassVar[str] = "controls.time_shifted"
    claim: ClassVar[str] = "The reconstruction follows the activity in time."

    memory: int
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"{self._comparison.rule} Trials of at most {2 * self.memory + 1} frames are left out, and movies that "
            f"correlate at {ALIKE:g} or more with themselves shifted."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial that is long enough as it is, and rolled by half its length."""
        asked = {}
        for trial in trials:
            intact = trial.observe()
            if intact.frames // 2 > self.memory:
                asked[Question.of(trial)] = intact
                asked[Question.of(trial, self._comparison.control)] = controls.time_shifted(
                    intact, self.seed, frames=intact.frames // 2
                )
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Intact against shifted; and how well the shifted answer fits the movie shifted alike."""
        told, intact, control, followed = [], [], [], []
        for trial in trials:
            truth = trial.movie
            shift = len(truth) // 2
            # The likeness of a uniform movie to itself is NaN, which is not below anything.
            if shift <= self.memory or not self.scoring(truth.roll(shift, 0), truth) < ALIKE:
                continue
            shifted = answered(answers, trial, self._comparison.control, shown=truth)
            told.append(trial)
            intact.append(self.scoring(answered(answers, trial, shown=truth), truth))
            control.append(self.scoring(shifted, truth))
            followed.append(self.scoring(shifted, truth.roll(shift, 0)))
        gains = [a - b for a, b in zip(intact, control, strict=True)]
        left_out = len(trials) - len(told)
        notes = (
            [f"Trials left out: {left_out} (too short, uniform, or too like themselves shifted)."] if left_out else []
        )
        data = {"intact": intact, "control": control, "against the movie shifted alike": followed}
        return self._comparison.conclude(told, gains, data, metric=f"{METRIC}, intact minus control", notes=notes)

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
