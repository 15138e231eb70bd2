"""Does it read pixels, or paint from what it has learned about content?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import patches_shuffled, phase_scrambled
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, Alteration, shown_altered, shown_as_it_was
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

KEPT = 0.5
"""Movies without content must be reconstructed at least half as well as those they were made of."""


@dataclass(frozen=True, eq=False)
class Semantics:
    """``perturbation.semantics``: clips whose content was destroyed, shown to an animal in silico beside the clips.

    Two ways, which leave different things: with phases scrambled a movie keeps its luminances and its spectrum and
    loses every shape; with patches shuffled it keeps its textures and what moves in them and loses the scene. The
    verdict is on the mean score of both, less half the score of the clip itself.

    Prediction: a method that reads pixels scores alike on all three, one that paints from what it has learned about
    content drops. The scores of honest methods differ too, for reasons that have nothing to do with content: sparse
    edges drive neurons more than the same power spread evenly, seams between patches are finer than neurons resolve,
    and neither movie has the spectrum that a prior expects. Hence half the score, and not all of it.

    A method that scores nothing on the clips has nothing to lose here, and is neither supported nor refuted.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the alterations, the animal's noise and the interval; hand all checks the same.
        scoring: How an answer is held against a movie.
        frames: How much of each clip is shown.
        kept: The share of the clip's score that movies without content must have.
    """

    id: ClassVar[str] = "perturbation.semantics"
    claim: ClassVar[str] = "It reads pixels: movies without content are reconstructed nearly as well."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    kept: float = KEPT

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Mean movie correlation with phases scrambled and with patches shuffled, minus "
            f"{self.kept:g} times that of the clip as it was: {rule(0.0)}. {RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every clip as it was, with its phases scrambled, and with its patches shuffled."""
        asked = recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed)
        return {**asked, **{Question.of(shown): shown.observe() for trial in trials for shown in self._shown(trial)}}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Scores on movies without content against those on the clips."""
        told, scores = [], []
        for trial in trials if self.animal is not None else ():
            row = [self.scoring(answered(answers, one, shown=one.movie), one.movie) for one in self._shown(trial)]
            if all(score == score for score in row):
                told.append(trial)
                scores.append(row)
        values = [(scrambled + shuffled) / 2 - self.kept * plain for plain, scrambled, shuffled in scores]
        names = ("as it was", "phases scrambled", "patches shuffled")
        data = {name: [row[place] for row in scores] for place, name in enumerate(names)}
        metric = f"movie correlation without content minus {self.kept:g} times that with it"
        notes = self._notes(len(trials) - len(told), [statistics.fmean(data[name]) for name in names if scores])
        seed = self.seed / self.id
        finding = concluded(self, told, values, threshold=0.0, seed=seed, metric=metric, data=data, notes=notes)
        return self._held_fairly(finding, trials, answers)

    def _held_fairly(self, finding: Finding, trials: Sequence[Trial], answers: Answers) -> Finding:
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _shown(self, trial: Trial) -> tuple[Trial, ...]:
        animal = self.animal
        if animal is None:
            return ()
        place = self.seed / self.id / trial.session_id / trial.trial_id

        def shown(alter: Alteration, name: str) -> Trial:
            return shown_altered(animal, trial, alter, name=name, frames=self.frames, seed=self.seed)

        return (
            shown_as_it_was(animal, trial, frames=self.frames, seed=self.seed),
            shown(partial(phase_scrambled, seed=place / "phases"), "phases scrambled"),
            shown(partial(patches_shuffled, seed=place / "patches"), "patches shuffled"),
        )

    def _notes(self, left_out: int, means: Sequence[float]) -> list[str]:
        if self.animal is None:
            return [NO_ANIMAL]
        notes = [f"Trials left out because their movie is uniform: {left_out}."] if left_out else []
        if means:
            plain, scrambled, shuffled = means
            notes.append(
                f"It scores {plain:.2f} on the clips, {scrambled:.2f} with phases scrambled and {shuffled:.2f} with "
                "patches shuffled."
            )
        return notes
