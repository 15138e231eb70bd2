"""Does it matter when the neurons said it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.against_control import LEAST_GAIN, METRIC, AgainstControl
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import INTACT, Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule

ALIKE = 0.9
"""A movie that correlates this much with itself, shifted, cannot show whether time was heeded."""

LOST, FOLLOWED = "what shifting loses", "the movie shifted alike"
"""What is compared."""

SCORES = ("intact", "control", "against the movie shifted alike", "likeness of the movie to itself shifted")
"""Movie correlations of every trial."""


@dataclass(frozen=True, eq=False)
class TimeShifted:
    """``controls.time_shifted``: responses rolled by half the trial, which must be more than the encoder's memory.

    Two comparisons must hold:

    1. The answer to shifted responses is less like the movie that was shown than the intact one is. A method that
       ignores time, or paints one picture per clip, scores the same.
    2. It is more like the movie shifted alike than like the movie as shown, ``(shifted - shown) / (1 - alike)`` with
       the correlation of the two movies below: 1 for a perfect answer, 0 for one that does not heed when it was said,
       and for a noisy one its correlation with the truth. A method that has memorised clips, and knows each by the
       whole course of its activity, loses by the shift too, since it does not know the clip any more; but nothing that
       it then shows has been shifted.

    Trials too short to be shifted by more than the memory are left out, and so are movies that are uniform or correlate
    at 0.9 or more with themselves shifted.

    Attributes:
        memory: Frames of the past that a rate of the encoder rests on.
        seed: Stream for intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest difference that is worth claiming, in each comparison.
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
            "Movie correlation, the weaker of: intact minus time shifted; of the time-shifted answer with the movie "
            "shifted alike minus with the movie as shown, of what a perfect answer would have: "
            f"{rule(self.threshold)}. With refuted before undecided before supported, the weaker decides. Trials of at "
            f"most {2 * self.memory + 1} frames are left out, and movies that correlate at {ALIKE:g} or more with "
            "themselves shifted."
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
        """Intact against shifted; and the shifted answer, the movie shifted alike against the movie as shown."""
        told: list[Trial] = []
        scores: dict[str, list[float]] = {name: [] for name in SCORES}
        for trial in trials:
            truth = trial.movie
            shift = len(truth) // 2
            moved = truth.roll(shift, 0)
            alike = self.scoring(moved, truth)
            # The likeness of a uniform movie to itself is NaN, which is not below anything.
            if shift <= self.memory or not alike < ALIKE:
                continue
            intact, shifted = (
                answered(answers, trial, name, shown=truth) for name in (INTACT, self._comparison.control)
            )
            told.append(trial)
            row = (self.scoring(intact, truth), self.scoring(shifted, truth), self.scoring(shifted, moved), alike)
            for name, score in zip(SCORES, row, strict=True):
                scores[name].append(score)
        finding = weakest({LOST: self._lost(told, scores), FOLLOWED: self._followed(told, scores)})
        left_out = len(trials) - len(told)
        note = f"Trials left out: {left_out} (too short, uniform, or too like themselves shifted)." if left_out else ""
        notes = " ".join(filter(None, (finding.notes, note)))
        return replace(finding, rule=self.rule, notes=notes, data={**finding.data, **scores})

    def _lost(self, told: Sequence[Trial], scores: Mapping[str, Sequence[float]]) -> Finding:
        intact, shifted, *_ = scores.values()
        values = [a - b for a, b in zip(intact, shifted, strict=True)]
        metric = f"{METRIC}, intact minus time shifted"
        return self._comparison.conclude(told, values, {}, metric=metric, notes=())

    def _followed(self, told: Sequence[Trial], scores: Mapping[str, Sequence[float]]) -> Finding:
        _, shown, moved, alike = scores.values()
        values = [(a - b) / (1 - c) for a, b, c in zip(moved, shown, alike, strict=True)]
        metric = f"{METRIC}, movie shifted alike minus as shown, of what a perfect answer would have"
        return self._comparison.conclude(told, values, {}, metric=metric, notes=())

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
