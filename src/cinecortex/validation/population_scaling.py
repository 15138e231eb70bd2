"""Does the reconstruction get better the more neurons are heard?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from cinecortex.finding import Finding
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.check import INTACT, Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames, one_of_each_clip
from cinecortex.validation.verdicts import rule

PARTS = (8, 4, 2, 1)
"""Into how many parts the population is divided, of which one is heard."""
DOUBLINGS = tuple(-math.log2(parts) for parts in PARTS)
PUBLISHED = (0.344, 0.427, 0.512, 0.569)
"""Movie correlation at these shares in Bauer, Margrie & Clopath, eLife 2026, RP105081: with the neurons that were left
out fitted as if they had been silent, where here they are unheard."""
PERFECT = 0.995
"""Correlations above this count as this: between answers as good as that nothing is left to gain."""


@dataclass(frozen=True, eq=False)
class PopulationScaling:
    """``population.scaling``: reconstruct from an eighth, a quarter, a half and all of the neurons.

    The subsets are random, anew for every clip, and nested: a quarter is among the half. Neurons that are left out are
    unheard, so that nothing has to be explained by their silence. The value of a clip is the slope of a line through
    its four scores over the doublings of the population, scores being Fisher's z of the movie correlation: near 0 that
    is the correlation itself, and near 1, where correlations can no longer rise by much, it goes on growing while
    errors go on shrinking. The smallest slope worth claiming is what makes up, from an eighth to all, the smallest
    gain that other checks claim.

    Prediction: neurons that each add something of their own make the score grow with every doubling. It may level off
    where the population is larger than the movie asks for; the line still rises as long as an eighth is not as good as
    all. A method that paints or knows the clip from behavior has the same score throughout, and so has one that
    recognises the clip: a few neurons are enough for that.

    Attributes:
        seed: Stream for the subsets and the interval; hand all checks the same.
        scoring: How an answer is held against a movie.
        frames: How much of each trial is asked for.
        threshold: The smallest slope that is worth claiming.
    """

    id: ClassVar[str] = "population.scaling"
    claim: ClassVar[str] = (
        "More neurons make a better reconstruction: it grows with the population as it does when each adds its own."
    )

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = round(LEAST_GAIN / -DOUBLINGS[0], 3)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Gain per doubling of the neurons heard in movie correlation (Fisher's z), by a line from an eighth to "
            f"all: {rule(self.threshold)}. One trial of each clip counts; uniform movies and trials of fewer than "
            f"{PARTS[0]} neurons are left out."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The stretch with an eighth, a quarter, a half and all of the neurons heard."""
        asked: dict[Question, Observation] = {}
        for _, stretch in self._stretches(trials):
            asked |= {Question.of(stretch, _name(parts)): heard for parts, heard in self._heard(stretch)}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The slope of the score over doublings of the population."""
        told, scores = [], []
        for trial, stretch in self._stretches(trials):
            movie = stretch.movie
            row = [self.scoring(answered(answers, stretch, _name(parts), shown=movie), movie) for parts in PARTS]
            if not any(map(math.isnan, row)):
                told.append(trial)
                scores.append(row)
        data = {
            "share": [1 / parts for parts in PARTS],
            "score": scores,
            "published": list(PUBLISHED),
            "published, gain per doubling": _gain(PUBLISHED),
        }
        return concluded(
            self,
            told,
            [_gain(row) for row in scores],
            threshold=self.threshold,
            seed=self.seed / self.id,
            metric="gain in movie correlation (Fisher's z) per doubling of the neurons heard",
            data=data,
            notes=list(self._notes(trials, scores)),
        )

    def _stretches(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Trial]]:
        """One trial of each clip whose population can be divided, and its stretch."""
        for trial in one_of_each_clip(trials):
            stretch = first_frames(trial, self.frames)
            if int(stretch.observe().heard.sum()) >= PARTS[0]:
                yield trial, stretch

    def _heard(self, stretch: Trial) -> Iterator[tuple[int, Observation]]:
        intact = stretch.observe()
        heard = intact.heard.nonzero()[:, 0]
        seed = self.seed / "parts of the neurons" / stretch.session_id / stretch.trial_id
        order = heard[torch.randperm(len(heard), generator=seed.torch())]
        for parts in PARTS:
            some = torch.zeros_like(intact.heard)
            some[order[: round(len(order) / parts)]] = True
            yield parts, intact.hearing(some)

    def _notes(self, trials: Sequence[Trial], scores: Sequence[Sequence[float]]) -> Iterator[str]:
        left_out = len(one_of_each_clip(trials)) - len(scores)
        if left_out:
            yield f"Clips left out: {left_out} (uniform, or of fewer than {PARTS[0]} neurons)."
        if not scores:
            return
        means = [statistics.fmean(row[place] for row in scores) for place in range(len(PARTS))]
        shares = ", ".join(f"{100 / parts:g}" for parts in PARTS)
        yield (
            f"Movie correlation with {shares} % of the neurons: {', '.join(f'{mean:.3f}' for mean in means)}. "
            f"Published, of real mice: {', '.join(f'{mean:.3f}' for mean in PUBLISHED)}; there the neurons that were "
            "left out were fitted as if they had been silent, here they are unheard."
        )


def _name(parts: int) -> str:
    return INTACT if parts == 1 else f"1/{parts} of the neurons"


def _gain(scores: Sequence[float]) -> float:
    """Slope of Fisher's z over doublings."""
    return statistics.linear_regression(DOUBLINGS, [math.atanh(min(max(r, -PERFECT), PERFECT)) for r in scores]).slope
