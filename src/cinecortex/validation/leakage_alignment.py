"""Do burn-in, lags, statistics and resampling look at data that is tested?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cinecortex.encoders.base import Encoder
from cinecortex.finding import Finding, Verdict
from cinecortex.metrics.movies import BURN_IN
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.alignment import (
    Condition,
    frame_by_frame,
    from_training,
    lists_apart,
    on_its_own,
    settled,
    statistics_of,
    within_reach,
)
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.verdicts import LEVEL


@dataclass(frozen=True, eq=False)
class LeakageAlignment:
    """``leakage.alignment``: what is kept and computed beside the weights owes nothing to the trials judged.

    What is looked at, each by itself:

    - lists of trials: none that is judged is among those the encoder was fitted to or selected on;
    - statistics that the encoder keeps (mean and spread of behavior, mean luminance, spectrum of movies, noise of
      responses): measured again on its training trials, and once more with the trials judged among them; what is
      kept must be what the former gives;
    - reach in time: changing one frame changes rates only within the encoder's memory, and before it only where the
      encoder does not promise to be causal; a clip normalised by itself would fail;
    - other clips: rates are the same beside and after other clips; statistics taken of a batch would fail;
    - burn-in: scores leave out every frame whose rate rests on frames before the clip;
    - resampling: movie, behavior and response are taken frame by frame, at the encoder's frame rate.

    What is not looked at: what happened before the files were written (deconvolution and resampling of the whole
    session run over test trials too, in all published data), the weights themselves (``leakage.clips`` looks at what
    they were fitted to), and what a method does with an observation. By its type that holds no movie.

    A condition that fails refutes, one that cannot be told leaves it undecided. Nothing is estimated: there is no p.

    Attributes:
        encoder: The encoder that is inverted.
        train: The trials that it says it was fitted to, of the session judged.
        select: The trials that it says it was selected on, of the session judged.
        seed: Stream for the movie that is changed.
        burn_in: Frames that scores leave out at the start.
        observation_model: Whether the noise of responses is measured again: that takes the rates of select trials and
            about 60 training trials, twice.
    """

    id: ClassVar[str] = "leakage.alignment"
    claim: ClassVar[str] = "Burn-in, lags, normalisation and resampling look at nothing that is tested."

    encoder: Encoder
    train: Sequence[Trial]
    select: Sequence[Trial]
    seed: Seed
    burn_in: int = BURN_IN
    observation_model: bool = True

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Conditions under which nothing leaks: refuted where one fails, supported where all hold (1), undecided "
            "where one cannot be told."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Nothing: no reconstruction is needed."""
        return {}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Look at every condition."""
        conditions = self._conditions(trials) if trials else []
        clips = len({trial.clip_id for trial in trials})
        held = sum(condition.holds is True for condition in conditions) / len(conditions) if conditions else math.nan
        doubts = [condition.found for condition in conditions if condition.holds is not True]
        return Finding(
            id=self.id,
            claim=self.claim,
            verdict=_verdict(conditions),
            metric="share of conditions that hold",
            value=held,
            interval=(held, held),
            level=LEVEL,
            n=clips,
            unit="clip",
            rule=self.rule,
            notes=" ".join(doubts) if conditions else "There is no trial to judge.",
            data={
                "condition": [condition.name for condition in conditions],
                "holds": [condition.holds for condition in conditions],
                "found": [condition.found for condition in conditions],
                "measured, and most that may be": [condition.measured for condition in conditions],
            },
        )

    def _conditions(self, trials: Sequence[Trial]) -> list[Condition]:
        kept = statistics_of(self.encoder, observation_model=self.observation_model)
        # A trial of another clip to be shown beside; the same one twice would hide a normalisation by the batch.
        other = next((one for one in (*self.train, *trials) if one.clip_id != trials[0].clip_id), trials[-1])
        return [
            lists_apart(trials, [*self.train, *self.select]),
            *(from_training(statistic, self.train, self.select, trials) for statistic in kept),
            within_reach(self.encoder, trials[0], seed=self.seed / self.id),
            on_its_own(self.encoder, trials[0], other),
            settled(self.encoder, trials, self.burn_in),
            frame_by_frame(self.encoder, trials),
        ]


def _verdict(conditions: Sequence[Condition]) -> Verdict:
    if any(condition.holds is False for condition in conditions):
        return "refuted"
    if not conditions or any(condition.holds is None for condition in conditions):
        return "undecided"
    return "supported"
