"""Is what the data share says of a pixel so?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from cinecortex.finding import Finding
from cinecortex.information import Band
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import dct
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.concluded import concluded
from cinecortex.validation.identifiability_information import LEAST_SHARE
from cinecortex.validation.measured import Measured, ask_measured, measured
from cinecortex.validation.scoring import MASK_THRESHOLD, Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from cinecortex.validation.verdicts import rule

UNIFORM = 0.02
"""Standard deviation over pixels of a share that says the same of all."""


@dataclass(frozen=True, eq=False)
class DataShareCheck:
    """``identifiability.data_share``: where more of a pixel is said to be data, is more of it right?

    What the prior knows is a uniform screen, and how far the truth is from that, over all frames, is the prior's error
    of a pixel; the reconstruction has an error of its own, and the part of the prior's error that it takes away should
    be the data share, averaged over frames. The value is the slope of the part that is taken away on the share that is
    stated, over all pixels of the screen, by least squares with the prior's error as weight: 1 where what is stated is
    so, 0 where the share tells nothing, negative where it tells the opposite. At one half, what is stated of the
    differences between pixels is nearer to the truth than saying nothing, and that is the threshold.

    Truth and reconstruction are both taken about their own mean luminance. It is one number for all pixels, and by far
    the largest that the prior leaves open: whether it was found tells no pixel from another.

    A share that is the same everywhere has no slope. Where the population sees some of the screen and not the rest that
    cannot be so, and the value is 0; where it sees all or none of it, or does not say, nothing can be told from that
    clip. The share that is held against the truth has a Monte-Carlo error, which makes slopes a little flatter.

    Attributes:
        seed: Stream for the interval.
        scoring: Its burn-in says which frames count; pixels count on all of the screen.
        frames: How much of each trial is asked for.
        threshold: Least slope.
    """

    id: ClassVar[str] = "identifiability.data_share"
    claim: ClassVar[str] = "Where more of a pixel is said to be data, more of it is right."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = 0.5

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Slope over pixels of the part of the prior's squared error that the reconstruction takes away on the data "
            f"share that is stated, each summed over the first {self.frames} frames less the burn-in, about the "
            f"movies' own means: {rule(self.threshold)}."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The stretch of every trial as it is, measured."""
        return ask_measured(trials, self.frames)

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The slope, and how right the share is where it is low and where it is high."""
        held = []
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            held.append(self._held(measured(answers, stretch), stretch.movie))
        data: dict[str, Any] = {
            "share": [float(each.share.mean()) for each in held],
            "taken away": [each.taken_away() for each in held],
            "least share": LEAST_SHARE,
            "pixels below the least share": [int(each.low.sum()) for each in held],
            "taken away below the least share": [_number(each.taken_away(each.low)) for each in held],
            "taken away above the least share": [_number(each.taken_away(~each.low)) for each in held],
            "correlation of stated share and part taken away, over pixels and all clips": _pooled(held),
            "correlation of predicted and realised squared error, over pixels, means over clips": _over_pixels(held),
            "correlation of predicted and realised squared error, over pixels": [
                _number(_correlation(each.predicted.sum(0), each.error.sum(0))) for each in held
            ],
            "correlation of predicted and realised squared error, over pixels and frames": [
                _number(_correlation(each.predicted, each.error)) for each in held
            ],
        }
        data |= {"by frequency": [each.by_frequency() for each in held]}
        values = [each.slope() for each in held]
        seed = self.seed / self.id
        return concluded(
            self,
            trials,
            [value if value == value else math.nan for value in values],
            threshold=self.threshold,
            seed=seed,
            metric="slope of the error taken away on the data share",
            data={**data, "difference": [_number(value) for value in values]},
            notes=_notes(held, values),
        )

    def _held(self, answer: Measured, shown: Tensor) -> _Held:
        burn_in = min(self.scoring.burn_in, len(shown) // 2)
        truth, movie = (each[burn_in:].double() for each in (shown, answer.movie))
        truth, movie = truth - truth.mean(), movie - movie.mean()
        seen = None if answer.mask is None else answer.mask >= MASK_THRESHOLD
        return _Held(
            share=answer.share[burn_in:].double().mean(0),
            prior=truth.square().sum(0),
            error=(truth - movie).square(),
            predicted=answer.std[burn_in:].double().square(),
            in_bands=_in_bands(truth, movie, answer.information.bands),
            divided=seen is not None and bool(seen.any()) and not bool(seen.all()),
        )


@dataclass(frozen=True, eq=False)
class _Held:
    """One clip: what was stated and what came true.

    Attributes:
        share: Stated data share of every pixel, mean over frames.
        prior: Squared error of a uniform screen, summed over frames.
        error: Squared error of the reconstruction, every frame.
        predicted: Posterior variance, every frame.
        divided: Whether the population sees some of the screen and not the rest.
        in_bands: Of every band of frequency but that of the mean luminance the stated share, the squared error of a
            uniform screen, and that of the reconstruction.
    """

    share: Tensor
    prior: Tensor
    error: Tensor
    predicted: Tensor
    divided: bool
    in_bands: tuple[tuple[float, float, float], ...]

    @property
    def low(self) -> Tensor:
        """Pixels that are said to be the algorithm's."""
        return self.share < LEAST_SHARE

    def taken_away(self, where: Tensor | None = None) -> float:
        """Part of the prior's error that is gone; NaN without a pixel, or where the prior made no error."""
        chosen = torch.ones_like(self.low) if where is None else where
        prior = float(self.prior[chosen].sum())
        return 1 - float(self.error.sum(0)[chosen].sum()) / prior if prior > 0 else math.nan

    def by_frequency(self) -> list[dict[str, float]]:
        """What was stated and what came true of every band, for the figure."""
        return [{"share": share, "prior": prior, "error": error} for share, prior, error in self.in_bands]

    def slope(self) -> float:
        """Of the part that is taken away on the share, weighted by the prior's error."""
        total = float(self.prior.sum())
        if total <= 0:
            return math.nan
        away = self.share - float((self.share * self.prior).sum()) / total
        spread = float((self.prior * away.square()).sum())
        if spread <= UNIFORM**2 * total:
            return 0.0 if self.divided else math.nan
        return float((away * (self.prior - self.error.sum(0))).sum()) / spread


def _notes(held: Sequence[_Held], values: Sequence[float]) -> list[str]:
    notes = []
    silent = sum(value != value for value in values)
    if silent:
        notes.append(f"Clips of which nothing can be told, because the share is the same everywhere: {silent}.")
    low = [each.taken_away(each.low) for each in held if bool(each.low.any())]
    low = [part for part in low if part == part]
    if low:
        notes.append(
            f"Where the share is below {LEAST_SHARE:g} the reconstruction takes away {statistics.fmean(low):.0%} of "
            f"the prior's error ({len(low)} clips)."
        )
    else:
        notes.append(f"No pixel of any clip has a share below {LEAST_SHARE:g}.")
    over = _over_pixels(held)
    if over is not None:
        notes.append(
            f"Over pixels, predicted and realised squared error (means over frames and clips) correlate {over:.2f}."
        )
    bands = [band for each in held for band in each.in_bands]
    for words, some in (
        (f"below {LEAST_SHARE:g}", [band for band in bands if band[0] < LEAST_SHARE]),
        (f"of {LEAST_SHARE:g} or more", [band for band in bands if band[0] >= LEAST_SHARE]),
    ):
        prior = sum(band[1] for band in some)
        if prior > 0:
            away = 1 - sum(band[2] for band in some) / prior
            notes.append(f"In the bands of frequency with a share {words} it takes away {away:.0%}.")
    return notes


def _in_bands(truth: Tensor, movie: Tensor, bands: Sequence[Band]) -> tuple[tuple[float, float, float], ...]:
    prior, error = dct(truth).square(), dct(truth - movie).square()
    frames, height, width = truth.shape
    temporal = (torch.arange(frames) / (2 * frames))[:, None, None]
    spatial = torch.hypot((torch.arange(height) / (2 * height))[:, None], torch.arange(width) / (2 * width))
    found = []
    for band in bands:
        held = _between(temporal, band.temporal) & _between(spatial, band.spatial)
        if bool(held.any()) and band.temporal[1] + band.spatial[1] > 0:
            found.append((band.share, float(prior[held].sum()), float(error[held].sum())))
    return tuple(found)


def _between(frequency: Tensor, edges: tuple[float, float]) -> Tensor:
    """Zero frequency is a band of its own; the others hold their lower edge and not their upper one."""
    low, high = edges
    return (frequency > 0) & (frequency >= low) & (frequency < high) if high else frequency == 0


def _pooled(held: Sequence[_Held]) -> float | None:
    """Over pixels, of the mean stated share and the part that is taken away; every clip with the same total error."""
    weighed = [(each, float(each.prior.sum())) for each in held]
    weighed = [(each, total) for each, total in weighed if total > 0]
    if not weighed or len({each.share.shape for each, _ in weighed}) > 1:
        return None
    share = torch.stack([each.share for each, _ in weighed]).mean(0)
    error = torch.stack([each.error.sum(0) / total for each, total in weighed]).sum(0)
    prior = torch.stack([each.prior / total for each, total in weighed]).sum(0)
    return _number(_correlation(share, 1 - error / prior.clamp_min(1e-30)))


def _over_pixels(held: Sequence[_Held]) -> float | None:
    """Over pixels, of the squared error that is predicted and that there is, both means over frames and clips."""
    if not held or len({each.share.shape for each in held}) > 1:
        return None
    predicted, error = (
        torch.stack([movie.mean(0) for movie in movies]).mean(0)
        for movies in ([each.predicted for each in held], [each.error for each in held])
    )
    return _number(_correlation(predicted, error))


def _correlation(one: Tensor, other: Tensor) -> float:
    one, other = one.flatten() - one.mean(), other.flatten() - other.mean()
    size = float(one.norm() * other.norm())
    return float(one @ other) / size if size > 0 else math.nan


def _number(value: float) -> float | None:
    return None if value != value else value
