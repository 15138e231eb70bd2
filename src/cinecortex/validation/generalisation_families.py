"""Are movies of other kinds than the training's reconstructed too, each as what it is?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN, METRIC
from cinecortex.validation.animal import Animal, shown_to
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.families import FAMILIES, Family
from cinecortex.validation.likeness import Table, likeness
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, first_frames, shown_as_it_was
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

LEAST_SHARE = 0.2
"""A fifth of what the recording's own clips score. Honest methods differ from family to family by less: what neurons
see of some is less than of others, but a mean over families a fifth as large is not explained by that."""

EACH = 3
"""Movies of each family."""


@dataclass(frozen=True, eq=False)
class GeneralisationFamilies:
    """``generalisation.families``: movies of other families are shown to an animal in silico.

    Gratings, noise, dots, clips without their phases, still pictures, moving photographs. For every movie its score
    is the correlation of the answer with it. From this is taken the mean correlation of the answer with the movies of
    the other families, or with the answers to them if that is larger: what an answer owes to no movie in particular.

    Prediction: a method that reads the activity answers each movie with something of its own, if with different
    success, as neurons and encoder see some families better than others. One that paints what it was trained on
    answers all families with the same, or with movies that have little to do with them: the collapse. One that picks
    the best among movies it knows is somewhat right everywhere, and far from as right as on clips like those; hence
    the smallest gain worth claiming rises with what the recording's own clips score, shown to the same animal. And an
    animal that is not like the recorded one decides nothing: see `witness`.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the movies, the animal's noise and the interval; hand all checks the same.
        scoring: How a movie is held against another.
        families: What is shown, by name. Leave out what the encoder was trained on.
        each: Movies of each family.
        frames: Length of a movie.
        threshold: The smallest gain worth claiming, whatever the recording's own clips score.
        share: The smallest share of their score that is.
    """

    id: ClassVar[str] = "generalisation.families"
    claim: ClassVar[str] = "Movies of kinds that were not in training are reconstructed as what they are."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    families: Mapping[str, Family] = field(default_factory=lambda: FAMILIES)
    each: int = EACH
    frames: int = STRETCH
    threshold: float = LEAST_GAIN
    share: float = LEAST_SHARE

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Movie correlation of an answer with its own movie, minus its mean correlation with the movies of other "
            f"families or with the answers to these, whichever is larger: {rule(self.threshold)}. Instead of "
            f"{self.threshold:g}, {self.share:g} times the score on the recording's own clips where that is more. "
            f"{RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Some movies of every family; and the recording's own clips, as recorded and as shown to the animal."""
        asked = recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed)
        return {**asked, **{Question.of(shown): shown.observe() for _, shown in self._shown(trials)}}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Every answer against every movie and every other answer."""
        named = list(self._shown(trials))
        kinds, shown = [family for family, _ in named], [trial for _, trial in named]
        movies, made = _movies(shown, answers)
        to_movies, to_answers = likeness(made, movies, self.scoring), likeness(made, made, self.scoring)
        own, clips = np.diag(to_movies), np.diag(likeness(*_movies(self._own(trials), answers), self.scoring))
        elsewhere = np.array([[one != other for other in kinds] for one in kinds]).reshape(to_movies.shape)
        values = [
            float(score - max(_mean(to_movies[row][elsewhere[row]]), _mean(to_answers[row][elsewhere[row]])))
            for row, score in enumerate(own)
        ]
        data = {
            "family": kinds,
            "own movie": own.tolist(),
            "identified": [_mean(score > to_movies[row][elsewhere[row]]) for row, score in enumerate(own)],
            "score by family": {family: _mean(own[np.array(kinds) == family]) for family in dict.fromkeys(kinds)},
            "score on the recording's own clips": clips.tolist(),
            "likeness to movies by family": _by_family(to_movies, kinds),
            "likeness of answers by family": _by_family(to_answers, kinds),
            "likeness of movies by family": _by_family(likeness(movies, movies, self.scoring), kinds),
        }
        finding = concluded(
            self,
            shown,
            values,
            threshold=max(self.threshold, self.share * _mean(clips)) if clips.size else self.threshold,
            seed=self.seed / self.id,
            metric=f"{METRIC}, own movie minus other families",
            data=data,
            notes=list(self._notes(data)),
        )
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _shown(self, trials: Sequence[Trial]) -> Iterator[tuple[str, Trial]]:
        """The movies of all families, shown during the trials in turn."""
        if self.animal is None or not trials:
            return
        for family, make in self.families.items():
            for number in range(self.each):
                trial = first_frames(trials[number % len(trials)], self.frames)
                seed = self.seed / self.id / family / number
                movie = make(trial.movie, trial.frame_rate_hz, seed)
                yield family, shown_to(self.animal, trial, movie, name=f"{family} {number + 1}", seed=seed / "noise")

    def _own(self, trials: Sequence[Trial]) -> list[Trial]:
        """The recording's own clips, shown to the animal."""
        if self.animal is None:
            return []
        return [shown_as_it_was(self.animal, trial, frames=self.frames, seed=self.seed) for trial in trials]

    def _notes(self, data: Mapping[str, Any]) -> Iterator[str]:
        if self.animal is None:
            yield NO_ANIMAL
        if not data["family"]:
            return
        scores = data["score by family"]
        yield f"Scores by family: {', '.join(f'{family} {score:.2f}' for family, score in scores.items())}."
        clips = data["score on the recording's own clips"]
        if clips:
            yield f"The recording's own clips, shown to the same animal, score {statistics.fmean(clips):.2f}."
        answers, movies = (_off_diagonal(data[f"likeness of {what} by family"]) for what in ("answers", "movies"))
        if answers is not None:
            yield f"Answers to different families correlate at {answers:.2f}, their movies at {movies:.2f}."


def _movies(shown: Sequence[Trial], answers: Answers) -> tuple[list[Movie], list[Movie]]:
    """What was shown, and the answers to it."""
    movies = [trial.movie for trial in shown]
    return movies, [answered(answers, trial, shown=movie) for trial, movie in zip(shown, movies, strict=True)]


def _by_family(table: Table, kinds: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean over the movies of one family (first name) against those of another, a movie with itself left out."""
    families = list(dict.fromkeys(kinds))
    others = ~np.eye(len(kinds), dtype=bool)
    means = dict[str, dict[str, float]]()
    for one in families:
        for other in families:
            of_both = np.outer(np.array(kinds) == one, np.array(kinds) == other) & others
            if of_both.any():
                means.setdefault(one, {})[other] = _mean(table[of_both])
    return means


def _off_diagonal(table: Mapping[str, Mapping[str, float]]) -> float | None:
    values = [value for one, row in table.items() for other, value in row.items() if one != other]
    return statistics.fmean(values) if values else None


def _mean(values: Shaped[np.ndarray, "_"]) -> float:
    """NaN of nothing."""
    return float(values.mean()) if values.size else math.nan
