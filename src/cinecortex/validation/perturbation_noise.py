"""Does the reconstruction get worse as the activity does, until nothing is left?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.check import INTACT, Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import response_noise
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from cinecortex.validation.time_shifted import ALIKE
from cinecortex.validation.verdicts import rule

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class Noise:
    """``perturbation.noise``: of every neuron's frames a share, from 0 to all, is dealt out anew in time.

    That destroys when things were said, and leaves how active each neuron was on the whole, from which the picture
    that all frames have in common may still be read. Scores are therefore of what changes: each movie and each answer
    less its mean over time, and clips that hardly change are left out. The verdict is on how much the score falls from
    no noise to all, by a line through five shares.

    Prediction: an honest score falls all the way to about 0. That of a method that tells the clip by the mean activity
    or by behavior stays where it is, and one that paints has nothing to lose.

    Attributes:
        seed: Stream for the noise and the interval; hand all checks the same.
        scoring: How an answer is held against a movie.
        frames: How much of each trial is asked for.
        threshold: The smallest fall that is worth claiming.
    """

    id: ClassVar[str] = "perturbation.noise"
    claim: ClassVar[str] = "The noisier the activity, the worse the reconstruction, until nothing is left of it."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Fall of the correlation of what changes in time, by a line through the shares of noise "
            f"{', '.join(f'{share:g}' for share in SHARES)}: {rule(self.threshold)}. Movies that "
            f"correlate at {ALIKE:g} or more with their mean picture are left out."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every stretch at every share of noise."""
        asked: dict[Question, Observation] = {}
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            asked |= {Question.of(stretch, name): noisy for name, noisy in self._noisy(stretch)}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The course of the score over the shares of noise."""
        told, scores = [], []
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            movie = stretch.movie
            picture = self._picture(movie)
            # The likeness of a uniform movie to its picture is NaN, which is not below anything.
            if not self.scoring(picture, movie) < ALIKE:
                continue
            given = [answered(answers, stretch, name, shown=movie) for name in map(_name, SHARES)]
            told.append(trial)
            scores.append([self.scoring(one - self._picture(one), movie - picture) for one in given])
        falls = [-statistics.linear_regression(SHARES, row).slope for row in scores]
        left_out = len(trials) - len(told)
        notes = [f"Trials left out because their movie hardly changes: {left_out}."] if left_out else []
        if scores:
            course = [statistics.fmean(row[place] for row in scores) for place in range(len(SHARES))]
            notes.append(f"The score of what changes goes from {course[0]:.2f} to {course[-1]:.2f}.")
        metric = "fall of the correlation of what changes in time"
        data = {"share": list(SHARES), "score": scores}
        seed = self.seed / self.id
        return concluded(self, told, falls, threshold=self.threshold, seed=seed, metric=metric, data=data, notes=notes)

    def _noisy(self, stretch: Trial) -> Iterator[tuple[str, Observation]]:
        intact = stretch.observe()
        for share in SHARES:
            name = _name(share)
            seed = self.seed / name / stretch.session_id / stretch.trial_id
            yield name, response_noise(intact, seed, share=share) if share else intact

    def _picture(self, movie: Movie) -> Movie:
        """What all scored frames have in common, on every frame."""
        burn_in = min(self.scoring.burn_in, len(movie) // 2)
        return movie[burn_in:].mean(0).expand_as(movie)


def _name(share: float) -> str:
    return f"response_noise {share:g}" if share else INTACT
