"""Do the neurons determine a part of what is on the screen that is worth looking at?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.information import Information
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.concluded import concluded
from cinecortex.validation.measured import ask_measured, measured
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames, seen
from cinecortex.validation.verdicts import rule

LEAST_SHARE = 0.1
"""Of the prior's variance. Below it not even the best reconstruction would correlate at 0.32 with what was shown."""


@dataclass(frozen=True, eq=False)
class InformationCheck:
    """``identifiability.information``: how much of what the prior leaves open do the neurons settle?

    The value is the data share of the picture: 1 - posterior variance / prior variance of the whole movie but for its
    mean luminance (`Information.picture_share`). That one number holds most of what a prior of natural movies leaves
    open, and a few dozen neurons tell it; with it, 25 neurons of the demo's mouse would have settled 63 % of a screen
    of which they know next to nothing. No method explains more of what was shown than this share, whatever it puts on
    the screen, and where it is a tenth or less a picture that looks like a movie is the algorithm's. The share inside
    the mask, with luminance, is among the data.

    It is the population that is judged, by the encoder's own account: an encoder that is wrong may be sure. Whether its
    account is so is asked by ``identifiability.data_share``.

    What is asked is named as elsewhere: the first frames of the trial (`first_frames`), intact, of the method
    ``information``; whoever asks the same shares the answer.

    Attributes:
        seed: Stream for the interval.
        scoring: Its mask and burn-in say which pixels count as inside the mask.
        frames: How much of each trial is asked for.
        threshold: The least share that is worth looking at.
    """

    id: ClassVar[str] = "identifiability.information"
    claim: ClassVar[str] = "The neurons determine a part of what is on the screen that is worth looking at."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = LEAST_SHARE

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Data share (1 - posterior variance / prior variance) of all but the mean luminance of the first "
            f"{self.frames} frames: {rule(self.threshold)}."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The stretch of every trial as it is, measured."""
        return ask_measured(trials, self.frames)

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The share of the picture against the threshold."""
        given = [measured(answers, first_frames(trial, self.frames)) for trial in trials]
        told = [answer.information for answer in given]
        shares = [each.picture_share for each in told]
        data = {
            "share of the picture": shares,
            "share inside the mask, with luminance": [
                float(seen(answer.share, self.scoring).mean()) for answer in given
            ],
            "share of the screen, with luminance": [float(answer.share.mean()) for answer in given],
            "bits": [each.bits for each in told],
            "bits error": [each.bits_error for each in told],
            "bits per second": [each.bits_per_second for each in told],
            "bits per neuron": [each.bits_per_neuron for each in told],
            "dimensions": [each.dimensions for each in told],
            "dimensions error": [each.dimensions_error for each in told],
            "coordinates": [each.coordinates for each in told],
            "neurons": [each.neurons for each in told],
            "frames": [each.frames for each in told],
            "share of the variance": [each.share for each in told],
            "bands": [[vars(band) for band in each.bands] for each in told],
        }
        return concluded(
            self,
            trials,
            shares,
            threshold=self.threshold,
            seed=self.seed / self.id,
            metric="data share of the picture",
            data=data,
            notes=_notes(shares, told),
        )


def whose(share: float) -> str:
    """In words, to whom what is on the screen is owed."""
    if share < LEAST_SHARE:
        return "almost everything on the screen is the algorithm's"
    if share < 0.5:
        return "most of what is on the screen is the algorithm's"
    return "most of what is on the screen is the neurons'"


def _notes(shares: Sequence[float], told: Sequence[Information]) -> list[str]:
    if not told:
        return []
    share = statistics.fmean(shares)
    words = whose(share)
    return [
        f"{words[0].upper()}{words[1:]}: {told[0].neurons} neurons settle {share:.1%} of what the prior "
        "leaves open but for the mean luminance.",
        f"They tell {statistics.fmean(one.bits for one in told):.0f} bits of a clip "
        f"({statistics.fmean(one.bits_per_second for one in told):.3g} per second, "
        f"{statistics.fmean(one.bits_per_neuron for one in told):.2g} per neuron) and determine "
        f"{statistics.fmean(one.dimensions for one in told):.0f} of its {told[0].coordinates} dimensions.",
    ]
