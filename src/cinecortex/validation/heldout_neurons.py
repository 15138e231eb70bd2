"""Does what one half of the neurons says hold for the other half?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cinecortex.encoders.base import Encoder
from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Heard
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import neurons_halved
from cinecortex.validation.expected import excused, gray, least_gains, response_score, share_of_true
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.verdicts import rule

HALF = "half of the neurons"
PRIOR, SHUFFLED = "no_neurons", "neurons_shuffled"

SHOWN = ("reconstruction", "prior only", "shuffled", "true movie", "uniform movie")
WHOLE = ("reconstruction, left out", "true movie, left out", "reconstruction, used", "true movie, used")

LEAST_SHARE = 0.05
"""A gain below a twentieth of what the true movie gains is not worth claiming, in whatever unit responses come."""


@dataclass(frozen=True, eq=False)
class HeldoutNeurons:
    """``heldout.neurons``: reconstruct from one random half of the neurons, and predict the other half.

    The encoder is shown the reconstruction, and its rates of the neurons that were left out are correlated with what
    these did. What all of them do together is taken out of both sides first: arousal moves the halves alike, whatever
    was shown. From this is taken the better of two controls, the prior-only movie and that of shuffled neurons. What
    the true movie predicts bounds what counts, since fluctuations that the halves share for another reason than the
    movie would let a reconstruction predict more than the truth does. The smallest gain worth claiming is a twentieth
    of what the true movie gains over a uniform one, so that it is fair to weak encoders and noisy recordings alike; an
    encoder that is not known to predict anything from the true movie refutes nothing.

    Prediction: a method that reads the movie from the activity gains a good part of what the true movie does; one that
    paints, or knows the clip from behavior, says the same without neurons, and gains nothing.

    Predicting the neurons that were reconstructed from proves nothing, since an inversion fits their noise: it is
    computed to show by how much, and decides nothing.

    Attributes:
        encoder: The encoder that predicts.
        seed: Stream for the halves, which are the same for all trials, for shuffles and intervals.
        share: Which part of the true movie's gain is the smallest worth claiming.
    """

    id: ClassVar[str] = "heldout.neurons"
    claim: ClassVar[str] = "The reconstruction from half of the neurons predicts what the other half did."

    encoder: Encoder
    seed: Seed
    share: float = LEAST_SHARE

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Response correlation of left-out neurons (what they all share taken out) with rates from the "
            "reconstruction, at most that from the true movie; minus that of the better control (no neurons, neurons "
            f"shuffled), minus {self.share:g} of what the true movie gains over a uniform one: {rule(0.0)}."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial from one half of its neurons, from none, and from all shuffled."""
        asked = {Question.of(trial, HALF): trial.observe().hearing(self._used(trial)) for trial in trials}
        for check in (NoNeurons(self.seed), NeuronsShuffled(self.seed)):
            asked |= {q: seen for q, seen in check.ask(trials).items() if q.control in (PRIOR, SHUFFLED)}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """How well each movie predicts the neurons that were left out."""
        apart: dict[str, list[float]] = {name: [] for name in SHOWN}
        whole: dict[str, list[float]] = {name: [] for name in WHOLE}
        for trial in trials:
            truth, used = trial.movie, self._used(trial)
            half = answered(answers, trial, HALF, shown=truth)
            controls = [answered(answers, trial, control, shown=truth) for control in (PRIOR, SHUFFLED)]
            for name, movie in zip(SHOWN, (half, *controls, truth, gray(truth)), strict=True):
                apart[name].append(response_score(self.encoder, trial, movie, ~used, apart=True))
            pairs = [(movie, neurons) for neurons in (~used, used) for movie in (half, truth)]
            for name, (movie, neurons) in zip(WHOLE, pairs, strict=True):
                whole[name].append(response_score(self.encoder, trial, movie, neurons))
        made, prior, shuffled, true, floor = (apart[name] for name in SHOWN)
        gains = least_gains(made, true, floor, (prior, shuffled), share=self.share)
        share = share_of_true(*(apart[name] for name in ("reconstruction", "true movie", "uniform movie")))
        finding = concluded(
            self,
            trials,
            gains,
            threshold=0.0,
            seed=self.seed / self.id,
            metric="gain in response correlation of left-out neurons, beyond the least worth claiming",
            data={
                "response correlation": apart,
                "share of what the true movie predicts": share,
                "response correlation, nothing taken out": whole,
            },
            notes=list(_notes(whole, share)),
        )
        return excused(finding, trials, apart["true movie"], apart["uniform movie"], seed=self.seed / self.id)

    def _used(self, trial: Trial) -> Heard:
        """The half that is reconstructed from; the same for all trials of a session."""
        return neurons_halved(trial.observe(), self.seed / self.id / "halves")[0].heard


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan


def _notes(whole: dict[str, list[float]], share: float | None) -> Iterator[str]:
    left_out, left_out_true, used, used_true = (_mean(whole[name]) for name in WHOLE)
    if math.isnan(left_out):
        return
    if share is not None:
        yield f"Left-out neurons are predicted with {share:.0%} of what the true movie gives."
    yield (
        f"With nothing taken out the response correlation is {left_out:.3f} (true movie {left_out_true:.3f}), and that "
        f"of the neurons reconstructed from {used:.3f} (true movie {used_true:.3f}), which says nothing: it was fitted."
    )
