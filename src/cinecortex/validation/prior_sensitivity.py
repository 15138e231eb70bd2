"""What of the reconstruction stays when another prior is taken?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding, Null
from cinecortex.metrics.bands import band_agreement
from cinecortex.metrics.movies import AnyMovie
from cinecortex.metrics.permutation import pairing_permutation
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from cinecortex.validation.verdicts import LEVEL, Decision, decide, independent_units, rule

TEMPORAL_HZ = (0.0, 0.5, 2.0, 5.0, math.inf)
SPATIAL_CYCLES_PER_PX = (0.0, 0.03, 0.06, 0.12, 0.25, math.inf)


@dataclass(frozen=True, eq=False)
class PriorSensitivity:
    """``prior.sensitivity``: the same trials under other priors and prior weights.

    Prediction: what the neurons determine stays, whichever reasonable prior fills in the rest. A movie that is the
    prior's work, or the method's own, is another one under another prior.

    The judged answer to each clip is correlated with the answers under the other priors. At 0.5 an answer under another
    prior tells a quarter of the variance of what is shown; below, most of the movie has to be put down to the choice of
    prior. Which features stay is said by band of spatial and temporal frequency: a band stays where its agreement
    reaches the same threshold, and follows the prior elsewhere.

    Noise that is fitted stays, too, whatever the prior. So the claim is only supported where what stays is of the movie
    shown: the answers under other priors must be more like it than like the movies of other clips, by as much as is
    worth claiming of any control. Where that is not so the agreement alone decides nothing.

    A uniform answer shows nothing that could stay, and agrees at 0. Priors are handed in that a careful user might have
    taken. A flat one is none of them: under it an inversion fits noise, and what differs is noise and not prior (on the
    demo's mouse `map` agreed at 0.12 to 0.18 with itself under a flat prior, at 0.78 or more under every other).

    Attributes:
        priors: What each prior is, in words, by the name of the method that is asked.
        seed: Stream for intervals and permutations.
        scoring: How an answer is held against another.
        clips: How many clips are asked; the first, one trial of each.
        frames: How much of each, from its start.
        threshold: Least agreement.
        least_gain: How much more like its own movie than like others an answer under another prior must be.
    """

    id: ClassVar[str] = "prior.sensitivity"
    claim: ClassVar[str] = "What the reconstruction shows of the movie does not depend on the prior chosen."

    priors: Mapping[str, str]
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    clips: int = 6
    frames: int = STRETCH
    threshold: float = 0.5
    least_gain: float = LEAST_GAIN

    def __post_init__(self) -> None:
        if not self.priors:
            raise WrongUse("a comparison of priors needs the name of another one; leave the check out instead.")

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Movie correlation of the answer with those under other priors ({', '.join(self.priors.values())}), mean "
            f"over priors, on {self.clips} clips: {rule(self.threshold)}. Undecided, too, unless the answers under "
            f"other priors correlate with the movie shown by {self.least_gain:g} more than with those of other clips, "
            "by the lower end of the interval."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """A handful of trials as they are, of the method that is judged and under every other prior."""
        asked = {}
        for trial in self._handful(trials):
            intact = trial.observe()
            asked[Question.of(trial)] = intact
            asked |= {Question.of(trial, method=name): intact for name in self.priors}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """How much of the answer stays, by prior, by clip and by band."""
        told = self._handful(trials)
        judged = [_answer(answers, trial) for trial in told]
        others = {name: [_answer(answers, trial, name) for trial in told] for name in self.priors}
        likeness = self._likeness(judged, list(others.values()))
        values = [float(value) for value in np.diagonal(likeness)]
        units = independent_units(told, values)
        seed = self.seed / self.id / "interval"
        decision = decide(units, threshold=self.threshold, seed=seed)
        true = self._of_the_movie(told, list(others.values()))
        of_the_movie = decide(independent_units(told, true), threshold=self.least_gain, seed=seed)
        verdict, doubt = decision.verdict, ""
        if verdict == "supported" and of_the_movie.verdict != "supported":
            verdict, doubt = "undecided", f"What stays is not shown to be of the movie: {_stated(of_the_movie)}."
        test = pairing_permutation(likeness, seed=self.seed / self.id / "pairs")
        bands = self._bands(told, judged, others)
        interval = decision.interval
        return Finding(
            id=self.id,
            claim=self.claim,
            verdict=verdict,
            metric="movie correlation with the answers under other priors",
            value=interval.value,
            interval=(interval.low, interval.high),
            level=LEVEL,
            n=interval.n,
            unit=units.unit,
            rule=self.rule,
            null=Null(float(likeness.mean()), test.null) if told else None,
            p=test.p,
            notes=" ".join(filter(None, (doubt, decision.note, units.note, self._features(bands)))),
            data={
                "session": [trial.session_id for trial in told],
                "trial": [trial.trial_id for trial in told],
                "clip": [trial.clip_id for trial in told],
                "agreement": values,
                "more like its own movie": _numbers(*true),
                "more like its own movie, interval": _numbers(of_the_movie.interval.low, of_the_movie.interval.high),
                "priors": dict(self.priors),
                "agreement by prior": {
                    name: [self._alike(a, b) for a, b in zip(judged, other, strict=True)]
                    for name, other in others.items()
                },
                "contrast by prior": {name: list(map(_contrast, other)) for name, other in others.items()},
                "contrast": list(map(_contrast, judged)),
                "temporal bands (Hz)": _edges(TEMPORAL_HZ),
                "spatial bands (cycles/px)": _edges(SPATIAL_CYCLES_PER_PX),
                "agreement by band": [_numbers(*row) for row in bands.tolist()],
                "threshold": self.threshold,
                "needed": decision.needed,
                "permutations": test.permutations,
                "smallest_p": test.smallest,
            },
        )

    def _handful(self, trials: Sequence[Trial]) -> list[Trial]:
        first: dict[str, Trial] = {}
        for trial in trials:
            first.setdefault(trial.clip_id, trial)
        return [first_frames(trial, self.frames) for trial in list(first.values())[: self.clips]]

    def _alike(self, judged: AnyMovie, other: AnyMovie) -> float:
        likeness = self.scoring(other, judged)
        return 0.0 if likeness != likeness else likeness

    def _likeness(
        self, judged: Sequence[AnyMovie], others: Sequence[Sequence[AnyMovie]]
    ) -> Float[np.ndarray, "clip other_clip"]:
        """The answer to a clip (row) against the answers to each clip (column) under other priors; mean over priors."""
        table = np.zeros((len(judged), len(judged)))
        for row, answer in enumerate(judged):
            for column in range(len(judged)):
                common = min(len(answer), len(others[0][column]))
                alike = [self._alike(answer[:common], other[column][:common]) for other in others]
                table[row, column] = np.mean(alike)
        return table

    def _of_the_movie(self, trials: Sequence[Trial], others: Sequence[Sequence[AnyMovie]]) -> list[float]:
        """By clip: how much more the answers under other priors are like its movie than like those of other clips."""
        found = []
        for row, trial in enumerate(trials):
            scores = []
            for shown in trials:
                common = min(len(trial.movie), len(shown.movie))
                # The likeness to a movie that is uniform is NaN, and says nothing.
                scores.append(np.mean([self.scoring(other[row][:common], shown.movie[:common]) for other in others]))
            rest = [score for place, score in enumerate(scores) if place != row and score == score]
            found.append(float(scores[row] - np.mean(rest)) if rest else math.nan)
        return found

    def _bands(
        self, trials: Sequence[Trial], judged: Sequence[AnyMovie], others: Mapping[str, Sequence[AnyMovie]]
    ) -> Float[np.ndarray, "temporal spatial"]:
        """Agreement by band, mean over clips and priors; NaN where nothing is shown in a band."""
        found = [
            band_agreement(
                answer[burn_in:],
                other[place][burn_in:],
                frame_rate_hz=trial.frame_rate_hz,
                temporal_hz=TEMPORAL_HZ,
                spatial_cycles_per_px=SPATIAL_CYCLES_PER_PX,
                mask=self.scoring.mask,
            ).numpy()
            for place, (trial, answer) in enumerate(zip(trials, judged, strict=True))
            for burn_in in [min(self.scoring.burn_in, len(answer) // 2)]
            for other in others.values()
        ]
        shape = (len(TEMPORAL_HZ) - 1, len(SPATIAL_CYCLES_PER_PX) - 1)
        told = np.array(found).reshape(-1, *shape)
        count = (~np.isnan(told)).sum(0)
        return np.where(count > 0, np.nansum(told, 0) / np.maximum(count, 1), np.nan)

    def _features(self, bands: Float[np.ndarray, "temporal spatial"]) -> str:
        """Which features stay, in a sentence."""
        shown = ~np.isnan(bands)
        if not shown.any():
            return ""
        stays = shown & (np.nan_to_num(bands) >= self.threshold)
        named = [
            f"{_band(TEMPORAL_HZ, row)} Hz: "
            + (
                ", ".join(_band(SPATIAL_CYCLES_PER_PX, column) for column in np.flatnonzero(stays[row]).tolist())
                or "none"
            )
            for row in range(len(stays))
            if shown[row].any()
        ]
        return (
            f"{int(stays.sum())} of {int(shown.sum())} bands of frequency stay, the others follow the prior. Stay "
            f"(cycles/px): {'; '.join(named)}."
        )


def _answer(answers: Answers, trial: Trial, method: str = "") -> AnyMovie:
    return answered(answers, trial, shown=trial.movie, method=method)


def _stated(decision: Decision) -> str:
    interval = decision.interval
    return (
        f"under other priors the answers correlate by {interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}] "
        "more with the movie shown than with those of other clips"
    )


def _contrast(movie: AnyMovie) -> float:
    """Standard deviation over pixels and frames."""
    return float(movie.std(correction=0))


def _numbers(*values: float) -> list[float | None]:
    return [None if value != value else value for value in values]


def _edges(edges: Sequence[float]) -> list[float | None]:
    return [None if math.isinf(edge) else edge for edge in edges]


def _band(edges: Sequence[float], place: int) -> str:
    low, high = edges[place], edges[place + 1]
    return f"above {low:g}" if math.isinf(high) else f"{low:g}-{high:g}"
