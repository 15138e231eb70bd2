"""Can it be told from the reconstruction which clip was shown?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from cinecortex.finding import Finding, Null
from cinecortex.metrics.permutation import pairing_permutation
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import LEVEL, decide, independent_units, rule

Similarities = Float[np.ndarray, "clip"]


@dataclass(frozen=True, eq=False)
class Identification:
    """``identification``: is the reconstruction most like the clip that was shown, among distractors?

    The distractors are the other clips of the trials judged. For every set size k the share of all sets of k - 1
    distractors that contain none at least as like the answer is computed exactly; no sets are drawn. A tie counts as
    missed, so a uniform answer identifies nothing. The verdict is on sets of ten, or of all clips if there are fewer.

    Prediction: a method that reads the movie identifies nearly always, one that paints the same for every clip in 1 of
    k cases. A hallucinated natural movie looks as real and identifies in 1 of k cases.

    Attributes:
        seed: Stream for intervals and permutations.
        scoring: How an answer is held against a movie. Where clips differ in length, the frames that all have count.
        set_size: Size of the sets that the verdict is on.
        share: Where the threshold lies, from 0 (chance) to 1 (always).
    """

    id: ClassVar[str] = "identification"
    claim: ClassVar[str] = "From the reconstruction it can be told which clip was shown."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    set_size: int = 10
    share: float = 0.5

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Identification among {self.set_size} clips (or all, of fewer), threshold {self.share:.0%} of the way "
            f"from chance to always ({self.threshold(self.set_size):g} among {self.set_size}): "
            f"{rule(self.threshold(self.set_size))}."
        )

    def threshold(self, size: int) -> float:
        """Where the claim begins to hold in sets of this size."""
        return 1 / size + self.share * (1 - 1 / size)

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is."""
        return {Question.of(trial): trial.observe() for trial in trials}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Identification by set size, with its null from answers dealt out anew."""
        clips, told, likeness = self._likeness(trials, answers)
        number = len(clips)
        size = min(self.set_size, number)
        own = [list(clips).index(trial.clip_id) for trial in told]
        rates = np.array([identified(row) for row in likeness]).reshape(len(told), number, number)
        at_size = [float(rates[i, place, size - 1]) for i, place in enumerate(own)] if size else []
        units = independent_units(told, at_size)
        decision = decide(units, threshold=self.threshold(max(size, 1)), seed=self.seed / self.id)
        table = _over_clips(rates[:, :, size - 1], own, number) if number else np.zeros((0, 0))
        test = pairing_permutation(table, seed=self.seed / self.id / "pairs")
        interval = decision.interval
        curve = [float(np.mean([rates[i, place, k] for i, place in enumerate(own)])) for k in range(number)]
        return Finding(
            id=self.id,
            claim=self.claim,
            verdict=decision.verdict,
            metric=f"identification among {size} clips",
            value=interval.value,
            interval=(interval.low, interval.high),
            level=LEVEL,
            n=interval.n,
            unit=units.unit,
            rule=self.rule,
            null=Null(1 / size, test.null) if size else None,
            p=test.p,
            notes=" ".join(filter(None, (decision.note, units.note))),
            data={
                "session": [trial.session_id for trial in told],
                "trial": [trial.trial_id for trial in told],
                "clip": [trial.clip_id for trial in told],
                "identified": at_size,
                "set size": list(range(1, number + 1)),
                "identified by set size": curve,
                "chance by set size": [1 / k for k in range(1, number + 1)],
                "likeness": likeness.tolist(),
                "threshold": self.threshold(max(size, 1)),
                "needed": decision.needed,
                "permutations": test.permutations,
                "smallest_p": test.smallest,
            },
        )

    def _likeness(
        self, trials: Sequence[Trial], answers: Answers
    ) -> tuple[dict[str, Movie], list[Trial], Float[np.ndarray, "trial clip"]]:
        """The clips that vary where it counts, the trials that showed them, and how like answers are to clips."""
        movies: dict[str, Movie] = {}
        for trial in trials:
            if trial.clip_id not in movies:
                movies[trial.clip_id] = trial.movie
        frames = min((len(movie) for movie in movies.values()), default=0)
        clips = {
            name: movie[:frames]
            for name, movie in movies.items()
            if not math.isnan(self.scoring(movie[:frames], movie[:frames]))
        }
        told = [trial for trial in trials if trial.clip_id in clips]
        likeness = np.zeros((len(told), len(clips)))
        for row, trial in zip(likeness, told, strict=True):
            answer = answered(answers, trial, shown=movies[trial.clip_id])[:frames]
            row[:] = [self.scoring(answer, clip) for clip in clips.values()]
        return clips, told, likeness


def identified(likeness: Similarities) -> Float[np.ndarray, "clip set_size"]:
    """In what share of all sets of k clips each clip would be picked, were it the one that was shown.

    With b of the N - 1 others at least as like the answer, ``C(N - 1 - b, k - 1) / C(N - 1, k - 1)``.
    """
    number = len(likeness)
    beaten = (likeness[None] >= likeness[:, None]).sum(1) - 1
    sizes = range(number)
    return np.array([[math.comb(number - 1 - b, k) / math.comb(number - 1, k) for k in sizes] for b in beaten.tolist()])


def _over_clips(rates: Float[np.ndarray, "trial clip"], own: list[int], number: int) -> Float[np.ndarray, "clip clip"]:
    """How often the answers to a clip (row) would identify each clip (column), over the trials of the clip."""
    return np.array([rates[np.array(own) == clip].mean(0) for clip in range(number)])
