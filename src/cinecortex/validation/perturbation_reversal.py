"""Does the reconstruction run backwards where what was shown does?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import time_reversed as reversed_movie
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import time_reversed
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames, shown_altered
from cinecortex.validation.time_shifted import ALIKE
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

CONTROL = "time_reversed"


@dataclass(frozen=True, eq=False)
class Reversal:
    """``perturbation.reversal``: the movie backwards, shown to an animal in silico; and the activity backwards.

    Each answer is held against the movie backwards and forwards, ``(backwards - forwards) / (1 - alike)`` with the
    correlation of the two movies below: 1 for a perfect answer, 0 for one that does not heed the direction.

    Prediction: of a movie shown backwards the answer runs backwards. A method that recognises the clip shows it
    forwards, and one that ignores time does neither.

    Activity that runs backwards is not what any movie gives: responses come before their cause. The answer may then
    follow neither direction, and yet be honest. Without an animal the verdict is on this, and the threshold is 0:
    whoever follows the clip forwards is refuted, and nobody else. With an animal the verdict is on the movie shown.

    Attributes:
        animal: Who is shown movies backwards; without one only the activity is reversed.
        seed: Stream for the animal's noise and the interval; hand all checks the same.
        scoring: How an answer is held against a movie.
        frames: How much of each trial is asked for.
        least: The smallest share of the difference that is worth claiming where there is an animal.
    """

    id: ClassVar[str] = "perturbation.reversal"
    claim: ClassVar[str] = "Where time runs backwards, so does the reconstruction."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    least: float = LEAST_GAIN

    @property
    def threshold(self) -> float:
        """The smallest share of the difference that is worth claiming: 0 without an animal."""
        return 0.0 if self.animal is None else self.least

    @property
    def rule(self) -> str:
        """The rule in words."""
        what = "Activity backwards" if self.animal is None else "Movies shown backwards"
        fair = "" if self.animal is None else f" {RULE}"
        return (
            f"{what}, movie correlation with the movie backwards minus forwards, of what a perfect answer would have: "
            f"{rule(self.threshold)}. Movies that correlate at {ALIKE:g} or more with themselves backwards are left "
            f"out.{fair}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The activity of every stretch backwards, and the movie backwards shown to the animal."""
        asked = dict(recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed))
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            asked[Question.of(stretch, CONTROL)] = time_reversed(stretch.observe(), self.seed)
            if self.animal is not None:
                shown = self._shown(self.animal, stretch)
                asked[Question.of(shown)] = shown.observe()
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Backwards against forwards."""
        told: list[Trial] = []
        sides: dict[str, list[float]] = {"activity": [], "shown": []}
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            movie = stretch.movie
            # The likeness of a uniform movie to itself is NaN, which is not below anything.
            if not self.scoring(reversed_movie(movie), movie) < ALIKE:
                continue
            told.append(trial)
            sides["activity"].append(self._followed(answered(answers, stretch, CONTROL, shown=movie), movie))
            if self.animal is not None:
                answer = answered(answers, self._shown(self.animal, stretch), shown=movie)
                sides["shown"].append(self._followed(answer, movie))
        values = sides["shown"] if self.animal is not None else sides["activity"]
        left_out = len(trials) - len(told)
        notes = [f"Trials left out: {left_out} (uniform, or too like themselves backwards)."] if left_out else []
        if self.animal is None:
            notes.append("Only the activity was reversed: there is no animal in silico to show movies to.")
        metric = "movie correlation, backwards minus forwards, of what a perfect answer would have"
        seed = self.seed / self.id
        finding = concluded(
            self, told, values, threshold=self.threshold, seed=seed, metric=metric, data=dict(sides), notes=notes
        )
        return self._held_fairly(finding, trials, answers)

    def _held_fairly(self, finding: Finding, trials: Sequence[Trial], answers: Answers) -> Finding:
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _followed(self, answer: Movie, movie: Movie) -> float:
        backwards = reversed_movie(movie)
        gained = self.scoring(answer, backwards) - self.scoring(answer, movie)
        return gained / (1 - self.scoring(backwards, movie))

    def _shown(self, animal: Animal, stretch: Trial) -> Trial:
        return shown_altered(animal, stretch, reversed_movie, name="backwards", frames=self.frames, seed=self.seed)
