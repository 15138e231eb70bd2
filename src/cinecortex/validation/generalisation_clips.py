"""Are clips that the encoder has not seen reconstructed as well as those it was trained on?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding, Null, Verdict
from cinecortex.metrics.bootstrap import Interval
from cinecortex.metrics.hierarchical_bootstrap import hierarchical_bootstrap
from cinecortex.metrics.permutation import label_permutation
from cinecortex.metrics.sample_size import needed_sample_size
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.check import Answers, Asked, answered
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import LEAST, LEVEL, Units, independent_units

KEPT = 0.5
"""Half of the gain. Two groups of ten clips with the usual spread tell half from all, and seldom anything finer."""

PRIOR = "no_neurons"


@dataclass(frozen=True, eq=False)
class GeneralisationClips:
    """``generalisation.clips``: unseen clips against clips that the encoder was trained on.

    As many training clips as there are test clips are drawn and inverted too. What a method gains over its prior-only
    movie is averaged over unseen and over seen clips. One that has memorised gains nothing on clips it has not seen,
    one that has learned how neurons respond about as much as on those it has: a little less, since an encoder also
    knows some of the noise of its training trials. The line is drawn where half of the gain is lost.

    Prediction: a method that copies training clips, or an encoder trained on one narrow family of movies, loses more.
    A method that gains nothing anywhere has nothing to lose, and is undecided.

    The two groups are different clips, so the interval of their difference is put together from those of the two means
    (Zou & Donner 2008, Stat Med 27:1693), and p comes from exchanging the labels of unseen gains and of seen gains
    times the threshold.

    Attributes:
        training: Trials that the encoder was fitted to, of all sessions judged.
        seed: Stream for the clips that are drawn, intervals and permutations.
        scoring: How an answer is held against a movie.
        kept: Which part of the gain must be kept.
    """

    id: ClassVar[str] = "generalisation.clips"
    claim: ClassVar[str] = "Clips that the encoder has not seen are reconstructed nearly as well as those it has."

    training: Sequence[Trial]
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    kept: float = KEPT

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Gain in movie correlation over the prior-only movie on unseen clips, minus {self.kept:.2f} of that on "
            f"seen clips: supported where the {LEVEL:.0%} interval lies above 0, "
            f"refuted where it lies below, undecided otherwise and with fewer than {LEAST} clips of either kind."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every unseen trial and as many seen clips, as they are and without neurons."""
        return NoNeurons(self.seed).ask([*self._unseen(trials), *self._seen(trials)])

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Gains on unseen clips against gains on seen ones."""
        groups = {"unseen": self._unseen(trials), "seen": self._seen(trials)}
        scores = {name: [self._scores(answers, trial) for trial in group] for name, group in groups.items()}
        gains = {name: [intact - prior for intact, prior in rows] for name, rows in scores.items()}
        units = {name: independent_units(group, gains[name]) for name, group in groups.items()}
        unseen, seen = (
            hierarchical_bootstrap(units[name].sessions, seed=self.seed / self.id / name) for name in groups
        )
        interval = _difference(unseen, seen, self.kept)
        test = label_permutation(
            units["unseen"].values,
            [self.kept * gain for gain in units["seen"].values],
            seed=self.seed / self.id / "labels",
            alternative="greater",
        )
        verdict = _verdict(interval)
        needed = _needed(units["unseen"], units["seen"], self.kept) if verdict == "undecided" else None
        return Finding(
            id=self.id,
            claim=self.claim,
            verdict=verdict,
            metric="movie correlation over the prior-only movie, unseen minus what seen clips must keep",
            value=interval.value,
            interval=(interval.low, interval.high),
            level=LEVEL,
            n=interval.n,
            unit=units["unseen"].unit,
            rule=self.rule,
            null=Null(0.0, test.null) if interval.n else None,
            p=test.p,
            notes=" ".join(self._notes(trials, unseen, seen, verdict, needed)),
            data={
                "session": [trial.session_id for group in groups.values() for trial in group],
                "trial": [trial.trial_id for group in groups.values() for trial in group],
                "clip": [trial.clip_id for group in groups.values() for trial in group],
                "group": [name for name, group in groups.items() for _ in group],
                "intact": [intact for rows in scores.values() for intact, _ in rows],
                "prior only": [prior for rows in scores.values() for _, prior in rows],
                "mean gain": {"unseen": unseen.value, "seen": seen.value},
                "threshold": 0.0,
                "kept": self.kept,
                "needed": needed,
                "permutations": test.permutations,
                "smallest_p": test.smallest,
            },
        )

    def _scores(self, answers: Answers, trial: Trial) -> tuple[float, float]:
        truth = trial.movie
        intact, prior = (answered(answers, trial, control, shown=truth) for control in ("intact", PRIOR))
        return self.scoring(intact, truth), self.scoring(prior, truth)

    def _unseen(self, trials: Sequence[Trial]) -> list[Trial]:
        seen = {trial.clip_id for trial in self.training}
        return [trial for trial in trials if trial.clip_id not in seen]

    def _seen(self, trials: Sequence[Trial]) -> list[Trial]:
        """One trial for each of as many seen clips, in every session, as there are unseen ones."""
        unseen, drawn = self._unseen(trials), []
        for session in dict.fromkeys(trial.session_id for trial in unseen):
            wanted = len({trial.clip_id for trial in unseen if trial.session_id == session})
            first: dict[str, Trial] = {}
            for trial in self.training:
                if trial.session_id == session:
                    first.setdefault(trial.clip_id, trial)
            order = (self.seed / self.id / "drawn" / session).numpy().permutation(len(first))[:wanted]
            drawn += [list(first.values())[place] for place in sorted(order.tolist())]
        return drawn

    def _notes(
        self, trials: Sequence[Trial], unseen: Interval, seen: Interval, verdict: Verdict, needed: int | None
    ) -> Iterator[str]:
        if verdict == "undecided":
            there = f"there are {unseen.n} and {seen.n}"
            if needed is None:
                yield f"No number of clips is known to decide; {there}."
            else:
                yield f"About {needed} unseen and as many seen clips would decide with a chance of 80%; {there}."
        if unseen.n and seen.n:
            yield f"The gain is {unseen.value:.3f} on unseen clips and {seen.value:.3f} on clips of the training."
        left_out = len(trials) - len(self._unseen(trials))
        if left_out:
            yield f"Trials left out because their clip was in training: {left_out}."


def _difference(first: Interval, second: Interval, weight: float) -> Interval:
    """Of ``first - weight * second``, from the intervals of two independent means."""
    low = math.hypot(first.value - first.low, weight * (second.high - second.value))
    high = math.hypot(first.high - first.value, weight * (second.value - second.low))
    value = first.value - weight * second.value
    return Interval(value, value - low, value + high, first.level, min(first.n, second.n))


def _verdict(interval: Interval) -> Verdict:
    if interval.n < LEAST or interval.low <= 0 <= interval.high:
        return "undecided"
    return "supported" if interval.low > 0 else "refuted"


def _needed(unseen: Units, seen: Units, kept: float) -> int | None:
    """How many clips of either kind would decide, were the means and spreads as measured."""
    fewest = min(len(unseen.values), len(seen.values))
    if fewest < 2:
        return LEAST
    effect = statistics.fmean(unseen.values) - kept * statistics.fmean(seen.values)
    spread = math.hypot(statistics.stdev(unseen.values), kept * statistics.stdev(seen.values))
    needed = needed_sample_size(effect, spread)
    return None if needed is None else max(needed, LEAST, fewest + 1)
