"""Does the reconstruction turn white where what is shown turns black?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import polarity_inverted
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, shown_altered, shown_as_it_was
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike


@dataclass(frozen=True, eq=False)
class Polarity:
    """``perturbation.polarity``: every clip as it was and black for white, shown to an animal in silico.

    Prediction: the answer to the inverse is the inverse of the answer. What stays where the movie flips is what the
    algorithm adds by itself: between reconstructions of white noise and of its inverse Bauer, Margrie & Clopath (eLife
    2026, RP105081) found a correlation of +0.43. The verdict is on the correlation of the one with the inverse of the
    other, which is minus that number: positive where more flips than stays.

    A method that paints what it knows, tells the clip by something else, or adds a strong texture of its own is
    refuted. So is one whose neurons do not tell black from white, and rightly: its answer has no sign.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the animal's noise and the interval; hand all checks the same.
        scoring: Which pixels and frames count.
        frames: How much of each clip is shown.
        threshold: The smallest correlation that is worth claiming.
    """

    id: ClassVar[str] = "perturbation.polarity"
    claim: ClassVar[str] = "Where black and white are exchanged, the reconstruction exchanges them too."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Correlation of the reconstruction of the inverted movie with the inverse of the reconstruction of the "
            f"movie: {rule(self.threshold)}. {RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every clip as it was, and inverted."""
        asked = recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed)
        return {**asked, **{Question.of(shown): shown.observe() for trial in trials for shown in self._shown(trial)}}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The answer to the inverse against the inverse of the answer."""
        told, flipped, scores, inverted_scores = [], [], [], []
        for trial in trials if self.animal is not None else ():
            plain, inverted = self._shown(trial)
            answer = answered(answers, plain, shown=plain.movie)
            other = answered(answers, inverted, shown=inverted.movie)
            score = self.scoring(answer, plain.movie)
            if score != score:
                continue
            alike = self.scoring(other, polarity_inverted(answer))
            told.append(trial)
            # The inverse of a uniform answer is the same answer: nothing flips.
            flipped.append(alike if alike == alike else 0.0)
            scores.append(score)
            inverted_scores.append(self.scoring(other, inverted.movie))
        data = {"as it was": scores, "inverted": inverted_scores, "the two alike": [-value for value in flipped]}
        metric = "correlation of the answer to the inverse with the inverse of the answer"
        seed = self.seed / self.id
        finding = concluded(
            self,
            told,
            flipped,
            threshold=self.threshold,
            seed=seed,
            metric=metric,
            data=data,
            notes=self._notes(len(trials) - len(told), flipped),
        )
        return self._held_fairly(finding, trials, answers)

    def _held_fairly(self, finding: Finding, trials: Sequence[Trial], answers: Answers) -> Finding:
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _shown(self, trial: Trial) -> tuple[Trial, ...]:
        if self.animal is None:
            return ()
        return (
            shown_as_it_was(self.animal, trial, frames=self.frames, seed=self.seed),
            shown_altered(self.animal, trial, polarity_inverted, name="inverted", frames=self.frames, seed=self.seed),
        )

    def _notes(self, left_out: int, flipped: Sequence[float]) -> list[str]:
        if self.animal is None:
            return [NO_ANIMAL]
        notes = [f"Trials left out because their movie is uniform: {left_out}."] if left_out else []
        if flipped:
            notes.append(
                f"The reconstructions of movie and inverse correlate {-statistics.fmean(flipped):+.2f}; what is "
                "positive of that the algorithm adds by itself."
            )
        return notes
