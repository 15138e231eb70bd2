"""Does the reconstruction gain contrast as what is shown does, and has it none of its own?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from cinecortex.finding import Finding
from cinecortex.metrics.correlation import correlate
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import contrast_changed
from cinecortex.tensors import Movie
from cinecortex.validation.animal import Animal
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, seen, shown_altered, shown_as_it_was
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

FACTORS = (0.0, 0.25, 0.5, 1.0, 1.5)
UNIFORM, UNALTERED, STRONG = 0, 3, 4
"""Places among the factors."""

RISING, OWN = "the contrast shown", "uniform screens"
METRICS = {RISING: "rises with the contrast shown", OWN: "is not common to the answers to uniform screens"}
"""What is compared, and what the comparison measures."""

LEAST_RISING = 0.05
"""An answer of correlation 0.4, all the rest of it noise that is the same at every contrast, has a share of 0.08."""
MOST_OWN = 0.5
"""Of the contrast of an answer, no more than half may be a picture that the method adds whatever is shown."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """``perturbation.contrast``: every clip with 0 to 1.5 times its contrast, shown to an animal in silico.

    Contrast is the standard deviation over the pixels and frames that are scored, of the movie shown after clipping
    and of the answer as it is: nothing is rescaled to the truth. Two things must hold, and the weaker one is told.

    *It rises.* A line through both contrasts, ``a + b * shown``, tells for each clip which share of the mean
    reconstructed contrast comes with what is shown: ``1 - a / mean``. A method whose contrast is too low or too high
    by a factor has a share of 1, one that paints movies of a fixed contrast has 0.

    *It is not the method's own.* To a uniform screen the answer of an honest method is noise, another one for each
    clip. What the answers for different clips have in common is the method's own: their mean correlation, times the
    contrast on a uniform screen over that on the clip. One that adds texture of its own has a share near 1.

    The first threshold is low on purpose: an honest answer to few and noisy neurons is for the most part noise, and
    neurons that saturate tell little of contrast.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the animal's noise and the interval; hand all checks the same.
        scoring: Which pixels and frames count.
        frames: How much of each clip is shown.
        threshold: The smallest share that must rise.
        most_own: The largest share that may be the method's own.
    """

    id: ClassVar[str] = "perturbation.contrast"
    claim: ClassVar[str] = "The more contrast is shown, the more is reconstructed, and it is not the method's own."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = LEAST_RISING
    most_own: float = MOST_OWN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Share of the reconstructed contrast that rises with the contrast shown, over factors "
            f"{', '.join(f'{factor:g}' for factor in FACTORS)}: {rule(self.threshold)}. Share that is not a picture "
            f"common to the answers to uniform screens: {rule(1 - self.most_own)}. The weaker of the two. {RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every clip at every contrast."""
        asked = recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed)
        return {**asked, **{Question.of(shown): shown.observe() for trial in trials for shown in self._shown(trial)}}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """A line through reconstructed against shown contrast, and what uniform screens have in common."""
        told, doses, given, blank = [], [], [], []
        for trial in trials:
            shown = list(self._shown(trial))
            contrasts = [self._contrast(one.movie) for one in shown]
            if any(contrasts):
                movies = [answered(answers, one, shown=one.movie) for one in shown]
                told.append(trial)
                doses.append(contrasts)
                given.append([self._contrast(movie) for movie in movies])
                blank.append(movies[UNIFORM])
        own = [self._common(blank, place) * _share(y) for place, y in enumerate(given)]
        data = _curves(doses, given) | {"own": [None if math.isnan(share) else share for share in own]}
        values = {
            RISING: ([_rising(x, y) for x, y in zip(doses, given, strict=True)], self.threshold),
            OWN: ([1 - share for share in own], 1 - self.most_own),
        }
        found = {
            name: concluded(
                self,
                told,
                numbers,
                threshold=threshold,
                seed=self.seed / self.id / name,
                metric=f"share of the reconstructed contrast that {METRICS[name]}",
                data={},
            )
            for name, (numbers, threshold) in values.items()
        }
        finding = weakest(found)
        notes = [finding.notes, *self._notes(len(trials) - len(told), data)]
        finding = replace(finding, notes=" ".join(notes), data={**finding.data, **data})
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _contrast(self, movie: Movie) -> float:
        return float(seen(movie, self.scoring).double().std(correction=0))

    def _common(self, blank: Sequence[Movie], place: int) -> float:
        """Mean correlation of the answer to one clip's uniform screen with those of the others; NaN without others."""
        alike = []
        for other in (*blank[:place], *blank[place + 1 :]):
            frames = min(len(other), len(blank[place]))
            pair = [seen(movie[:frames], self.scoring).flatten() for movie in (blank[place], other)]
            alike.append(float(correlate(*pair).nan_to_num()))
        return statistics.fmean(alike) if alike else math.nan

    def _shown(self, trial: Trial) -> Iterator[Trial]:
        if self.animal is None:
            return
        for factor in FACTORS:
            if factor == 1:
                yield shown_as_it_was(self.animal, trial, frames=self.frames, seed=self.seed)
                continue
            alter, name = partial(contrast_changed, factor=factor), f"contrast {factor:g}"
            yield shown_altered(self.animal, trial, alter, name=name, frames=self.frames, seed=self.seed)

    def _notes(self, left_out: int, data: Mapping[str, Any]) -> list[str]:
        if self.animal is None:
            return [NO_ANIMAL]
        notes = [f"Trials left out because their movie is uniform: {left_out}."] if left_out else []
        if data["slope"]:
            notes.append(
                f"Of a change in contrast {statistics.fmean(data['slope']):.2f} come through; on a uniform screen the "
                f"answer has {statistics.fmean(data['on a uniform screen']):.2f} of the contrast that it has on the "
                f"clip or on the screen, whichever is more."
            )
        return notes


def _curves(doses: Sequence[Sequence[float]], given: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The numbers behind the figure: curves, their lines, and how far they saturate."""
    lines = [statistics.linear_regression(x, y) for x, y in zip(doses, given, strict=True)]
    return {
        "factor": list(FACTORS),
        "contrast shown": list(doses),
        "contrast reconstructed": list(given),
        "slope": [slope for slope, _ in lines],
        "intercept": [intercept for _, intercept in lines],
        "on a uniform screen": [_share(y) for y in given],
        "saturation": [_gain(x, y) for x, y in zip(doses, given, strict=True)],
    }


def _rising(shown: Sequence[float], reconstructed: Sequence[float]) -> float:
    if not any(reconstructed):
        return 0.0
    slope, _ = statistics.linear_regression(shown, reconstructed)
    return slope * statistics.fmean(shown) / statistics.fmean(reconstructed)


def _share(reconstructed: Sequence[float]) -> float:
    """Contrast on a uniform screen, of that on the clip or on the screen, whichever is more."""
    most = max(reconstructed[UNIFORM], reconstructed[UNALTERED])
    return reconstructed[UNIFORM] / most if most else 0.0


def _gain(shown: Sequence[float], reconstructed: Sequence[float]) -> float | None:
    """From the clip's contrast to the strongest: the factor reconstructed over that shown; below 1 it saturates."""
    if not reconstructed[UNALTERED]:
        return None
    return (reconstructed[STRONG] / reconstructed[UNALTERED]) / (shown[STRONG] / shown[UNALTERED])
