"""Do reconstructions from different presentations of a clip agree?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar

import torch

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN, METRIC
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule

PRESENTATIONS = 2

Shown = dict[tuple[str, str], list[Trial]]
"""The presentations of every clip in every session."""


@dataclass(frozen=True, eq=False)
class HeldoutRepeats:
    """``heldout.repeats``: reconstructions from different presentations of a clip, held against each other.

    Noise differs from one presentation to the next, and what an inversion fits to it does not repeat. What a method
    adds to every clip repeats, but for other clips too. So two gains are taken: how much more a reconstruction is like
    those from other presentations than like those of other clips, and how much more it is like the movie shown than
    like other movies. The smaller one counts: what repeats but is not true is an invention, and a truth that does not
    repeat was luck.

    With agreement A between two presentations, no fixed movie correlates with one reconstruction at more than
    ``sqrt(A)`` (the correction for attenuation): this is the ceiling, and the score as a share of it says how true the
    part is that repeats. The mean of R reconstructions would score ``sqrt(R / (1 + (R - 1) A))`` times that of one.

    Sources: Spearman 1904, Am J Psychol 15:72 (attenuation); Spearman 1910 and Brown 1910, Br J Psychol 3:271 and 296.

    Attributes:
        seed: Stream for the presentations that are picked and for intervals.
        repeats: Further trials of clips that the encoder has not seen, such as those of tier ``oracle``; presentations
            beyond ``presentations`` of a clip are left out. Those among the trials that are judged all count.
        scoring: How a movie is held against another.
        threshold: The smallest gain worth claiming.
        presentations: How many presentations of a clip to invert.
    """

    id: ClassVar[str] = "heldout.repeats"
    claim: ClassVar[str] = (
        "Reconstructions from different presentations of a clip agree with each other and with what was shown."
    )

    seed: Seed
    repeats: Sequence[Trial] = ()
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN
    presentations: int = PRESENTATIONS

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Movie correlation between reconstructions from two presentations of a clip minus that between clips, or "
            "of the reconstruction with the clip shown minus that with other clips, whichever is less: "
            f"{rule(self.threshold)}."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every presentation of a clip that was shown more than once, as it is."""
        repeated = self._repeated(trials)
        return {Question.of(trial): trial.observe() for shown in repeated.values() for trial in shown}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Agreement within clips against agreement between clips, and the same with the movies shown."""
        repeated = self._repeated(trials)
        movies = {clip: shown[0].movie for clip, shown in repeated.items()}
        made = {
            clip: [answered(answers, trial, shown=movies[clip]) for trial in shown] for clip, shown in repeated.items()
        }
        rows = [self._row(clip, made, movies) for clip in repeated]
        values = [_gain(row) for row in rows]
        names = ("agreement", "between clips", "truth", "other clips", "truth, mean of presentations")
        data = {name: [row[name] for row in rows] for name in names}
        return concluded(
            self,
            [shown[0] for shown in repeated.values()],
            values,
            threshold=self.threshold,
            seed=self.seed / self.id,
            metric=f"{METRIC}, within clips minus between clips",
            data={**data, "presentations": [len(shown) for shown in repeated.values()], **_ceiling(rows)},
            notes=_notes(rows),
        )

    def _row(
        self, clip: tuple[str, str], made: dict[tuple[str, str], list[Movie]], movies: dict[tuple[str, str], Movie]
    ) -> dict[str, float]:
        own = made[clip]
        elsewhere = [other for other in made if other[0] == clip[0] and other != clip]
        return {
            "agreement": _mean([self._alike(*pair) for pair in combinations(own, 2)]),
            "between clips": _mean([self._alike(mine, made[other][0]) for mine in own for other in elsewhere]),
            "truth": _mean([self.scoring(mine, movies[clip]) for mine in own]),
            "other clips": _mean([self._alike(mine, movies[other]) for mine in own for other in elsewhere]),
            "truth, mean of presentations": self.scoring(torch.stack(own).mean(0), movies[clip]),
        }

    def _alike(self, first: Movie, second: Movie) -> float:
        """Correlation over the frames that both have; a uniform movie is like nothing."""
        common = min(len(first), len(second))
        score = self.scoring(first[:common], second[:common])
        return 0.0 if math.isnan(score) else score

    def _repeated(self, trials: Sequence[Trial]) -> Shown:
        """The presentations of every clip that has several: all that are judged, and some of the others."""
        shown: Shown = {}
        for trial in trials:
            shown.setdefault((trial.session_id, trial.clip_id), []).append(trial)
        judged = {(trial.session_id, trial.trial_id) for trial in trials}
        further = [trial for trial in self.repeats if (trial.session_id, trial.trial_id) not in judged]
        order = (self.seed / self.id / "presentations").numpy().permutation(len(further))
        for trial in (further[place] for place in order):
            presented = shown.setdefault((trial.session_id, trial.clip_id), [])
            if len(presented) < self.presentations:
                presented.append(trial)
        return {clip: presented for clip, presented in shown.items() if len(presented) > 1}


def _gain(row: dict[str, float]) -> float:
    """The lesser gain; NaN where the movie shown is uniform, or there is no other clip."""
    gains = row["agreement"] - row["between clips"], row["truth"] - row["other clips"]
    return math.nan if any(map(math.isnan, gains)) else min(gains)


def _ceiling(rows: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """What could be reached at this agreement, and how much of it is."""
    agreement, truth = _mean([row["agreement"] for row in rows]), _mean([row["truth"] for row in rows])
    if not agreement > 0 or math.isnan(truth):
        return {"ceiling": None, "share of the ceiling": None}
    return {"ceiling": math.sqrt(agreement), "share of the ceiling": truth / math.sqrt(agreement)}


def _notes(rows: Sequence[dict[str, float]]) -> Sequence[str]:
    if not rows:
        return ("No clip was shown more than once.",)
    reached = _ceiling(rows)
    ceiling, share = reached["ceiling"], reached["share of the ceiling"]
    if ceiling is None or share is None:
        return ("Nothing repeats, so there is no ceiling.",)
    return (
        f"At this agreement no movie can correlate with a reconstruction at more than {ceiling:.2f}; the movies shown "
        f"reach {share:.0%} of that.",
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan
