"""Does another encoder than the one that was inverted recognise the responses in the reconstruction?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cinecortex.encoders.base import Encoder
from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import Answers, Asked, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.expected import excused, gray, least_gains, response_score, share_of_true
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.verdicts import rule

LEAST_SHARE = 0.05
"""A gain below a twentieth of what the true movie gains is not worth claiming, in whatever unit responses come."""

SHOWN = ("reconstruction", "prior only", "true movie", "uniform movie")


@dataclass(frozen=True, eq=False)
class HeldoutEncoder:
    """``heldout.encoder``: encoders that were not inverted predict the responses from the reconstruction.

    An inversion can please its own encoder with patterns that mean nothing to a mouse: it fits the encoder's errors. An
    encoder of another seed has errors of its own, and one of another architecture errors of another kind. Each is
    shown the reconstruction, and the response correlation of its rates is taken, with what all neurons do together
    removed. From it goes that of the prior-only movie. What the true movie predicts bounds what counts, since noise
    that was fitted may be predicted better than the truth predicts it. The smallest gain worth claiming is a twentieth
    of what the true movie gains over a uniform one.

    The verdict is that of the weakest encoder: the claim is that any encoder of these neurons recognises them, and one
    that shares its mistakes with the inverted encoder must not outvote one that does not. A poor encoder is not held
    against the reconstruction: each is asked for a share of what it predicts from the true movie itself, and one that
    is not known to predict anything from that refutes nothing.

    The responses are those that were reconstructed from; that they are predicted at all is the less surprising part.
    See ``heldout.neurons`` for others.

    Attributes:
        encoders: Held-out encoders of this population by name, without the one that was inverted.
        seed: Stream for intervals.
        share: Which part of the true movie's gain is the smallest worth claiming.
    """

    id: ClassVar[str] = "heldout.encoder"
    claim: ClassVar[str] = "An encoder that was not inverted predicts the responses from the reconstruction."

    encoders: Mapping[str, Encoder]
    seed: Seed
    share: float = LEAST_SHARE

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Response correlation (what all neurons share taken out) with a held-out encoder's rates from the "
            "reconstruction, at most that from the true movie; minus that from the prior-only movie, minus "
            f"{self.share:g} of what the true movie gains over a uniform one, for the weakest encoder: {rule(0.0)}."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, and without neurons."""
        return NoNeurons(self.seed).ask(trials) if self.encoders else {}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """How well every encoder predicts the responses from each movie."""
        if not self.encoders:
            return self._conclude([], {name: [] for name in SHOWN}, note="No held-out encoder was given.")
        scores = {name: {shown: list[float]() for shown in SHOWN} for name in self.encoders}
        for trial in trials:
            truth = trial.movie
            intact, prior = (answered(answers, trial, control, shown=truth) for control in ("intact", "no_neurons"))
            for shown, movie in zip(SHOWN, (intact, prior, truth, gray(truth)), strict=True):
                for name, encoder in self.encoders.items():
                    scores[name][shown].append(response_score(encoder, trial, movie, apart=True))
        return weakest({name: self._conclude(trials, of_one, note="") for name, of_one in scores.items()})

    def _conclude(self, trials: Sequence[Trial], scores: Mapping[str, Sequence[float]], *, note: str) -> Finding:
        made, prior, true, floor = (scores[name] for name in SHOWN)
        gains = least_gains(made, true, floor, (prior,), share=self.share)
        share = share_of_true(*(scores[name] for name in ("reconstruction", "true movie", "uniform movie")))
        if share is not None:
            note = f"The responses are predicted with {share:.0%} of what the true movie gives."
        finding = concluded(
            self,
            trials,
            gains,
            threshold=0.0,
            seed=self.seed / self.id,
            metric="gain in response correlation by a held-out encoder, beyond the least worth claiming",
            data={"response correlation": dict(scores), "share of what the true movie predicts": share},
            notes=[note],
        )
        return excused(finding, trials, scores["true movie"], scores["uniform movie"], seed=self.seed / self.id)
