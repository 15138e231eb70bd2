"""Are the errors of the reconstruction accounted for?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.metrics.error_budget import TERMS, ErrorBudget, Recovered, Term
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation import controls
from cinecortex.validation.animal import Animal
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import INTACT, JUDGED, Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames, one_of_each_clip, shown_altered, shown_as_it_was
from cinecortex.validation.verdicts import LEAST, LEVEL

SOLVED = "solved"
"""Who is asked for a descent to the end."""
MARGIN = 0.25
"""With four parts a part is a quarter of the total on average; what is left over must be less, and what is the method's
own as well."""
PRIOR = "no_neurons"
OWN_TERMS: tuple[Term, ...] = ("inverter", "avoidable")
"""What a method does of its own is there without noise, and it costs something where there is noise."""
LARGER, SMALLER, OWN = "an error larger than its parts", "an error smaller than its parts", "errors of its own"
METRIC = "what the parts leave over of the squared error, as a share of it"
METRIC_OWN = "what is of the method's own making of the squared error, as a share of it"


@dataclass(frozen=True, eq=False)
class ErrorBudgetCheck:
    """``error.budget``: the clip is recovered from what was recorded and from what it would have been.

    The true movie is shown to the inverted encoder and to a held-out one, and the method reconstructs it from their
    rates, as they are and with noise as their observation models have it (dispersion, correlation times, shared
    gains). Errors are squared, relative to that of the prior alone, so that they add up:

    - prior: from the noiseless rates of the inverted encoder, by a descent to the end;
    - inverter: what the method leaves beyond that, from the same rates;
    - noise: what it gets wrong beyond that, once there is noise on these rates;
    - encoder: what it gets wrong beyond the noiseless rates, once they are another encoder's.

    The sum is held against the error on what was recorded. It need not be the same: noise and encoder may do more
    together than each alone (``interaction``), and the recording may hold what no encoder knows (``unlike``); these
    two are the remainder, and are reported. What is left over must be less than a quarter of the error: with four
    parts that is what a part is on average, and parts smaller than what is left over would mean little.

    Prediction: an honest method, be its neurons few and noisy or its encoder poor, makes the errors that come with
    these. A method that adds a texture, ignores time or does not listen makes errors of its own: they stay without
    noise, and a descent to the end from the same recorded responses does not make them. The lesser of the two counts,
    on the mean over clips: a decoder that pays with blur for less noise may be no worse for it. Where it is more than
    a quarter of the error, more than a part is on average, the claim is false, whatever the sum. A sum that misses the
    total refutes nothing by itself: the encoder's part is known as well as the held-out encoder is good, and what
    encoders have in common no encoder tells.

    Attributes:
        own: The inverted encoder without noise.
        own_noisy: The inverted encoder with noise.
        other: A held-out encoder without noise.
        other_noisy: The held-out encoder with noise; hand all checks the same.
        seed: Stream for the noise and the intervals; hand all checks the same.
        scoring: Which pixels and frames count.
        frames: How much of each clip is asked, from its start.
        margin: The largest share of the error that may be left over, and that may be of the method's own making.
    """

    id: ClassVar[str] = "error.budget"
    claim: ClassVar[str] = "Its errors are accounted for: they are those of noise, encoder, inverter and prior."

    own: Animal
    own_noisy: Animal
    other: Animal
    other_noisy: Animal
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise WrongUse(f"margin is {self.margin:g}; a share that may be left over is above 0.")

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"What the four parts leave over of the squared error on recorded responses, as a share of it, and what is "
            f"of the method's own making (the inverter's part, or what a descent to the end spares on recorded "
            f"responses, whichever is less): supported where the {LEVEL:.0%} interval of the first lies between "
            f"{-self.margin:g} and {self.margin:g} and that of the second below {self.margin:g}, refuted where that of "
            f"the second lies above, undecided otherwise and with fewer than {LEAST} clips. One trial of each clip "
            f"counts; clips that the prior alone gets right are left out."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every clip as recorded and from four kinds of made-up responses; two of them also solved to the end."""
        asked: dict[Question, Observation] = {}
        for trial in one_of_each_clip(trials):
            stretch = first_frames(trial, self.frames)
            intact = stretch.observe()
            asked[Question.of(stretch)] = asked[Question.of(stretch, method=SOLVED)] = intact
            silent = controls.no_neurons(intact, self.seed / PRIOR)
            asked[Question.of(stretch, PRIOR, method=SOLVED)] = silent
            shown = self._shown(stretch)
            asked |= {Question.of(one): one.observe() for one in shown.values()}
            rates = shown["noiseless"]
            asked[Question.of(rates, method=SOLVED)] = asked[Question.of(rates)]
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The parts, their sum against the total, and whose the errors are."""
        told, recovered = [], []
        scores: dict[str, list[float | None]] = {}
        for trial in one_of_each_clip(trials):
            stretch = first_frames(trial, self.frames)
            movies, truth = self._movies(stretch, answers), stretch.movie
            alone = self.scoring.squared_error(movies.pop("prior alone"), truth)
            if alone > 0:
                errors = {name: self.scoring.squared_error(movie, truth) / alone for name, movie in movies.items()}
                told.append(trial)
                recovered.append(_recovered(errors))
                for name, movie in movies.items():
                    score = self.scoring(movie, truth)
                    scores.setdefault(name, []).append(None if math.isnan(score) else score)
        budget = ErrorBudget(tuple(trial.clip_id for trial in told), tuple(recovered))
        left_out = len(one_of_each_clip(trials)) - len(told)
        return self._conclude(told, budget, {"movie correlation": scores}, left_out)

    def _shown(self, stretch: Trial) -> dict[str, Trial]:
        """The stretch as it would have been recorded from each animal in silico."""

        def shown(animal: Animal, name: str) -> Trial:
            return shown_altered(animal, stretch, lambda movie: movie, name=name, frames=self.frames, seed=self.seed)

        return {
            "noiseless": shown(self.own, "rates of its encoder"),
            "noisy": shown(self.own_noisy, "its encoder with noise"),
            "other": shown(self.other, "rates of another encoder"),
            "other_noisy": shown_as_it_was(self.other_noisy, stretch, frames=self.frames, seed=self.seed),
        }

    def _movies(self, stretch: Trial, answers: Answers) -> dict[str, Movie]:
        """What was answered to each question, by the name of the recovery."""
        truth, shown = stretch.movie, self._shown(stretch)
        asked = {"recorded": (stretch, INTACT, JUDGED), "recorded_solved": (stretch, INTACT, SOLVED)}
        asked |= {name: (one, INTACT, JUDGED) for name, one in shown.items()}
        asked |= {"solved": (shown["noiseless"], INTACT, SOLVED), "prior alone": (stretch, PRIOR, SOLVED)}
        return {
            name: answered(answers, trial, control, shown=truth, method=method)
            for name, (trial, control, method) in asked.items()
        }

    def _conclude(
        self, trials: Sequence[Trial], budget: ErrorBudget, data: Mapping[str, Any], left_out: int
    ) -> Finding:
        remainder, own = budget.shares("remainder"), min(map(budget.shares, OWN_TERMS), key=sum)
        # One stream for both sides of the remainder: the interval of the one is that of the other, mirrored.
        room = {
            LARGER: ([self.margin - share for share in remainder], "remainder"),
            SMALLER: ([self.margin + share for share in remainder], "remainder"),
            OWN: ([self.margin - share for share in own], "own"),
        }
        arms = {
            name: concluded(
                self,
                trials,
                values,
                threshold=0.0,
                seed=self.seed / self.id / stream,
                metric=f"{METRIC_OWN if name == OWN else METRIC}, room for {name}",
                data={},
            )
            for name, (values, stream) in room.items()
        }
        arms |= {name: _excused(arms[name], name) for name in (LARGER, SMALLER)}
        finding = weakest(arms)
        name = finding.data["weakest"]
        notes = [budget.sentence(seed=self.seed / self.id / "parts")] if trials else []
        notes += [finding.notes, f"The first {self.frames} frames of each clip are judged."]
        if left_out:
            notes.append(f"Clips left out: {left_out} (the prior alone gets them right).")
        return replace(
            finding,
            metric=METRIC_OWN if name == OWN else METRIC,
            value=self._share(name, finding.value),
            interval=self._interval(name, finding.interval),
            null=None,
            notes=" ".join(filter(None, notes)),
            data={**finding.data, **self._figure(budget), **data},
        )

    def _share(self, name: str, room: float) -> float:
        """The share that leaves so much room."""
        return room - self.margin if name == SMALLER else self.margin - room

    def _interval(self, name: str, rooms: tuple[float, float]) -> tuple[float, float]:
        low, high = (self._share(name, room) for room in rooms)
        return (low, high) if name == SMALLER else (high, low)

    def _figure(self, budget: ErrorBudget) -> dict[str, Any]:
        """Every part by clip and on the mean, with its interval and its share."""
        seed = self.seed / self.id / "parts"
        figure: dict[str, Any] = {"parts": {}, "mean": {}, "share": {}}
        for term in TERMS if budget.clips else ():
            figure["parts"][term] = list(budget.values(term))
            for kind, found in (("mean", budget.interval(term, seed=seed)), ("share", budget.share(term, seed=seed))):
                ends = [None if math.isnan(end) else end for end in (found.value, found.low, found.high)]
                figure[kind][term] = {"value": ends[0], "interval": ends[1:]}
        return {
            **figure,
            "largest": budget.largest if budget.clips else None,
            "margin": self.margin,
            "frames": self.frames,
        }


def _recovered(errors: Mapping[str, float]) -> Recovered:
    drawn = {name: (errors[name],) for name in ("noisy", "other_noisy")}
    return Recovered(**{**errors, **drawn})  # type: ignore[arg-type]


def _excused(arm: Finding, name: str) -> Finding:
    """Undecided rather than refuted: that a sum misses the total is held against the held-out encoder."""
    if arm.verdict != "refuted":
        return arm
    why = (
        "what both encoders get wrong alike, or what no encoder knows, is in no part"
        if name == LARGER
        else "the held-out encoder is farther from the inverted one than the animal is, or noise is taken as too large"
    )
    note = f"The parts do not come to the total, which is not held against the method: {why}."
    return replace(arm, verdict="undecided", notes=f"{note} {arm.notes}")
