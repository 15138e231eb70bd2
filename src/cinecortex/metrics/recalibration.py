"""What would make intervals hold as often as they promise: a spread and a contrast, fitted to select clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.intervals import LEVEL, Counted, half_width
from cinecortex.reconstruction import Reconstruction

LEAST_CLIPS = 5
PIXELS_PER_CLIP = 20_000
"""Of more, evenly spaced ones stand for all in the search for the temperature."""


@dataclass(frozen=True)
class Recalibration:
    """What must be done to reconstructions so that their intervals hold on select clips.

    ``movie`` becomes ``target + gain * (movie - center)`` and every distance from it ``temperature`` times as large.

    Attributes:
        temperature: Multiplier of the standard deviation.
        gain: Multiplier of the contrast.
        level: Coverage that was aimed at.
        raw: Coverage at this level, mean over the clips, before anything was changed.
        clips: How many clips they were fitted to.
        center: Luminance that the gain leaves where it is, before ``target`` takes its place.
        target: Luminance that ``center`` becomes.
    """

    temperature: float
    gain: float
    level: float
    raw: float
    clips: int
    center: float = 0.0
    target: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Recalibration:
        """What `to_json` gave.

        Raises:
            BadData: a value is missing, unknown or not a number.
        """
        try:
            found = {name: float(value) for name, value in content.items()}
            return Recalibration(**{**found, "clips": int(content["clips"])})  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise BadData(f"a recalibration cannot be read ({error}); fit it again.") from error

    def apply(self, reconstruction: Reconstruction) -> Reconstruction:
        """The reconstruction with its luminance, spread, interval and draws changed; luminance stays within 0..1.

        Where it has a standard deviation, the interval becomes the Gaussian one of this level.
        """
        old = reconstruction.movie
        moved = self.target + self.gain * (old - self.center)

        def around(values: Tensor | None) -> Tensor | None:
            return None if values is None else moved + self.temperature * (values - old)

        def wider(std: Tensor | None) -> Tensor | None:
            return None if std is None else self.temperature * std

        lower, upper, std = around(reconstruction.lower), around(reconstruction.upper), wider(reconstruction.std)
        if std is not None:
            # Bounds that were cut off at black and white do not tell how far they would have gone.
            lower, upper = moved - half_width(self.level) * std, moved + half_width(self.level) * std
        return replace(
            reconstruction,
            movie=moved.clamp(0, 1),
            std=std,
            data_std=wider(reconstruction.data_std),
            model_std=wider(reconstruction.model_std),
            lower=None if lower is None else lower.clamp(0, 1),
            upper=None if upper is None else upper.clamp(0, 1),
            samples=around(reconstruction.samples),
        )


def fit_calibration(
    errors: Sequence[Float[Tensor, "..."]],
    stds: Sequence[Float[Tensor, "..."]],
    *,
    level: float = LEVEL,
    movies: Sequence[Float[Tensor, "..."]] | None = None,
) -> Recalibration:
    """The one multiplier of the standard deviation with which Gaussian intervals cover as often as they promise.

    Every clip weighs the same. Pixels of one clip err together, so that a multiplier with which just ``level`` of the
    errors at hand lie inside is too small for the next clip: it is chosen such that, on average over the clips, it
    covers ``level`` of a clip's errors when that clip is left out of the choice (of fewer than 5 clips none can be
    spared, and the multiplier is that of the errors at hand).

    Fit it to select clips, and report the raw coverage beside the recalibrated one. For intervals that are not Gaussian
    hand in, as ``stds``, half their width over the Gaussian quantile of their level.

    Args:
        errors: Truth minus reconstruction, one tensor for each clip, the counted pixels only; NaN is left out.
        stds: Predicted standard deviations, of the same shapes.
        level: Coverage to reach.
        movies: The reconstructions, of the same shapes. Where given, the straight line from them to the truth with the
            least squared error is found first: a reconstruction that shrinks contrast is not too sure of itself, it is
            in the wrong place.

    Raises:
        WrongUse: there is no clip, shapes differ, the level is not between 0 and 1, nothing is predicted to vary, or
            the reconstructions have no contrast to be amplified.
    """
    quantile = half_width(level)
    clips = [_known(*clip) for clip in zip(errors, stds, movies or errors, strict=True)]
    clips = [clip for clip in clips if len(clip[0])]
    if not clips:
        raise WrongUse("there is no error to calibrate with; hand in select clips whose spread was predicted.")
    raw = float(np.mean([float((error.abs() <= quantile * std).double().mean()) for error, std, _ in clips]))
    gain, center, target = 1.0, 0.0, 0.0
    if movies is not None:
        gain, center, target = _line(clips)
        clips = [(error + movie - target - gain * (movie - center), std, movie) for error, std, movie in clips]
    ratios = [_thinned(error.abs() / std) for error, std, _ in clips]
    temperature = _temperature(ratios, level) / quantile
    if not math.isfinite(temperature):
        raise WrongUse("too many pixels are predicted not to vary at all; no multiplier covers their errors.")
    return Recalibration(
        temperature=temperature, gain=gain, level=level, raw=raw, clips=len(clips), center=center, target=target
    )


def _line(clips: Sequence[tuple[Counted, Counted, Counted]]) -> tuple[float, float, float]:
    """Slope and the point that the line of least squares from movie to truth goes through, every clip alike."""
    center = float(np.mean([float(movie.mean()) for _, _, movie in clips]))
    target = float(np.mean([float((movie + error).mean()) for error, _, movie in clips]))
    power = sum(float((movie - center).square().mean()) for _, _, movie in clips)
    if power <= 1e-12:
        raise WrongUse("the reconstructions have no contrast, so no gain can be found; leave the movies out.")
    shared = sum(float(((movie - center) * (movie + error - target)).mean()) for error, _, movie in clips)
    return shared / power, center, target


def _thinned(ratio: Tensor) -> Tensor:
    return ratio[:: max(1, len(ratio) // PIXELS_PER_CLIP)]


def _temperature(ratios: Sequence[Tensor], level: float) -> float:
    """The smallest bound on the ratios that holds ``level`` of those of a clip that it was not chosen by."""
    if len(ratios) < LEAST_CLIPS:
        return _bound(ratios, level)
    ordered = [ratio.sort().values for ratio in ratios]

    def left_out(asked: float) -> float:
        covered = []
        for number, own in enumerate(ordered):
            bound = _bound([*ordered[:number], *ordered[number + 1 :]], asked)
            covered.append(float((own <= bound).double().mean()))
        return float(np.mean(covered))

    low, high = level, 1.0
    if left_out(low) >= level or left_out(high) < level:
        return _bound(ratios, level)
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if left_out(middle) < level else (low, middle)
    return _bound(ratios, high)


def _bound(ratios: Sequence[Tensor], level: float) -> float:
    """The value that this share of all ratios do not exceed, every clip weighing the same."""
    values, order = torch.cat(list(ratios)).sort()
    weight = torch.cat([torch.full_like(ratio, 1 / (len(ratio) * len(ratios))) for ratio in ratios])
    # The first with which the share reaches the level; rounding of the sum must not ask for one more.
    place = int(torch.searchsorted(weight[order].cumsum(0), level - 1e-9))
    return float(values[min(place, len(values) - 1)])


def _known(error: Tensor, std: Tensor, deviation: Tensor) -> tuple[Counted, Counted, Counted]:
    if not error.shape == std.shape == deviation.shape:
        raise WrongUse(f"errors are {tuple(error.shape)} and their spread {tuple(std.shape)}; hand in the same pixels.")
    # No error where no spread was predicted is covered by any multiplier, and 0 / 0 would be none.
    known = torch.isfinite(error) & torch.isfinite(std) & torch.isfinite(deviation) & ((std > 0) | (error != 0))
    return error[known].double(), std[known].double(), deviation[known].double()
