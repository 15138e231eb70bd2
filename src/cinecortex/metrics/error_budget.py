"""Where the errors of a reconstruction come from: parts that are told by recovery, and what they leave open."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.skill import ratios
from cinecortex.seeds import Seed

Part = Literal["prior", "inverter", "noise", "encoder"]
Term = Literal[
    "prior", "inverter", "noise", "encoder", "sum", "total", "remainder", "interaction", "unlike", "avoidable"
]
PARTS: tuple[Part, ...] = ("prior", "inverter", "noise", "encoder")
"""First what stays where nothing goes wrong, then what goes wrong on top of it."""
TERMS: tuple[Term, ...] = (*PARTS, "sum", "total", "remainder", "interaction", "unlike", "avoidable")

REMEDIES: Mapping[Part, str] = {
    "prior": "what is seen too weakly even without noise, or not at all; more neurons or a better prior would mend it",
    "inverter": "what a descent to the end would not leave; a longer descent or another method would mend it",
    "noise": "what the neurons say beside the movie; more neurons or several presentations would mend it",
    "encoder": "what encoders of these neurons disagree on; a better encoder, or an ensemble, would mend it",
}


@dataclass(frozen=True)
class Recovered:
    """The errors of one clip's recoveries, each from other responses.

    An error is the mean squared error over the pixels inside the mask and the frames after the burn-in, relative to
    that of the prior alone: 0 is perfect, 1 no better than without a neuron.

    Attributes:
        noiseless: From the rates that the inverted encoder expects of the true movie.
        solved: From the same rates, by a descent to the end.
        noisy: From the same rates with the noise of the observation model; one error for each draw of it.
        other: From the rates that a held-out encoder expects.
        other_noisy: From those with noise; one error for each draw.
        recorded: From what was recorded.
        recorded_solved: From what was recorded, by a descent to the end.
    """

    noiseless: float
    solved: float
    noisy: tuple[float, ...]
    other: float
    other_noisy: tuple[float, ...]
    recorded: float
    recorded_solved: float

    @property
    def prior(self) -> float:
        """What stays without noise, with the right encoder, solved to the end: what the prior holds back.

        That is what the neurons do not see, and what they see too weakly: an inversion that must reckon with noise
        trusts them no further, whether there is noise or not. It is the bias of the estimate, as `noise` is its
        variance.
        """
        return self.solved

    @property
    def inverter(self) -> float:
        """What the inverter leaves beyond a descent to the end, from the same rates."""
        return self.noiseless - self.solved

    @property
    def noise(self) -> float:
        """What noise adds where the encoder is right."""
        return statistics.fmean(self.noisy) - self.noiseless

    @property
    def encoder(self) -> float:
        """What another encoder in place of the right one adds, without noise."""
        return self.other - self.noiseless

    @property
    def sum(self) -> float:
        """The four parts together."""
        return self.prior + self.inverter + self.noise + self.encoder

    @property
    def total(self) -> float:
        """The error there is: from what was recorded."""
        return self.recorded

    @property
    def remainder(self) -> float:
        """What the parts do not account for; `interaction` and `unlike` add up to it."""
        return self.total - self.sum

    @property
    def interaction(self) -> float:
        """What noise and another encoder do together beyond what each does alone."""
        return statistics.fmean(self.other_noisy) - self.other - self.noise

    @property
    def unlike(self) -> float:
        """What is otherwise in the recording than in the held-out encoder with noise: what no encoder knows."""
        return self.recorded - statistics.fmean(self.other_noisy)

    @property
    def avoidable(self) -> float:
        """What a descent to the end from the same recorded responses does not get wrong."""
        return self.recorded - self.recorded_solved


@dataclass(frozen=True)
class ErrorBudget:
    """The errors of several clips, in parts.

    ``prior + inverter + noise + encoder + remainder = total`` for every clip, by definition; how small the remainder
    is, is what was found out. Parts are differences of errors on the same clip, so they may be negative and their
    intervals come from resampling clips.

    Attributes:
        clips: Names of the clips.
        recovered: What was recovered of each.
    """

    clips: tuple[str, ...]
    recovered: tuple[Recovered, ...]

    def values(self, term: Term) -> tuple[float, ...]:
        """One number for each clip, relative to the error of the prior alone."""
        return tuple(getattr(one, term) for one in self.recovered)

    def interval(self, term: Term, *, seed: Seed, level: float = 0.95) -> Interval:
        """Mean over clips with its interval."""
        return bootstrap_mean(self.values(term), seed=seed, level=level)

    def shares(self, term: Term) -> tuple[float, ...]:
        """One number for each clip whose mean is the share of the term in the total; see `ratios`."""
        return ratios(self.values(term), self.values("total"))

    def share(self, term: Term, *, seed: Seed, level: float = 0.95) -> Interval:
        """Mean of the term over mean of the total, with the interval of that ratio."""
        return bootstrap_mean(self.shares(term), seed=seed, level=level)

    @property
    def largest(self) -> Part:
        """The largest of the four parts."""
        return max(PARTS, key=lambda part: statistics.fmean(self.values(part)))

    def sentence(self, *, seed: Seed) -> str:
        """The budget in plain words."""
        total = self.interval("total", seed=seed).value
        if not total > 0:
            return "There is no error to account for."
        told_of: tuple[Term, ...] = (*PARTS, "remainder")
        shares = {term: _words(self.share(term, seed=seed)) for term in told_of}
        told = ", ".join(f"{part} {shares[part]}" for part in PARTS)
        return (
            f"Of the error on recorded responses ({total:.2f} of what the prior alone gets wrong): {told}; not "
            f"accounted for {shares['remainder']}. The largest part is {self.largest}: {REMEDIES[self.largest]}."
        )

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return {"clips": list(self.clips), "recovered": [asdict(one) for one in self.recovered]}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> ErrorBudget:
        """What `to_json` gave."""
        recovered: list[Mapping[str, Any]] = [
            {**one, "noisy": tuple(one["noisy"]), "other_noisy": tuple(one["other_noisy"])}
            for one in content["recovered"]
        ]
        return ErrorBudget(tuple(content["clips"]), tuple(Recovered(**one) for one in recovered))


def _words(share: Interval) -> str:
    # Rounded first, and 0 added: nobody wants to read of -0 %.
    value, low, high = (f"{round(end, 2) + 0.0:.0%}" for end in (share.value, share.low, share.high))
    return value if share.n < 2 else f"{value} [{low}, {high}]"
