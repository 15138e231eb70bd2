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
"""Of fewer clips no slope is fitted."""


@dataclass(frozen=True)
class Recalibration:
    """What must be done to reconstructions so that their intervals hold on select clips.

    ``movie`` becomes ``center + gain * (movie - center)`` and every distance from it ``temperature`` times as large,
    times the clip's contrast over ``contrast`` to the power of ``exponent``. Clips differ in contrast severalfold, and
    errors grow with it; a spread that was computed for the typical clip is too small for one and too large for another.
    The contrast of a clip is the standard deviation of its reconstruction, so that no truth is needed to apply it.

    Attributes:
        temperature: Multiplier of the standard deviation.
        gain: Multiplier of the contrast.
        level: Coverage that was aimed at.
        raw: Coverage at this level, mean over the clips, before either was changed.
        clips: How many clips they were fitted to.
        exponent: How the spread grows with a clip's contrast; 0 where it does not.
        contrast: Typical contrast of the reconstructions it was fitted to, in luminance.
    """

    temperature: float
    gain: float
    level: float
    raw: float
    clips: int
    exponent: float = 0.0
    contrast: float = 1.0

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

    def apply(self, reconstruction: Reconstruction, center: float) -> Reconstruction:
        """The reconstruction with its contrast, spread, interval and draws changed; luminance stays within 0..1.

        Where it has a standard deviation, the interval becomes the Gaussian one of this level.

        Args:
            reconstruction: What an inverter gave.
            center: Luminance of no contrast, such as the mean of the training clips.
        """
        old = reconstruction.movie
        moved = center + self.gain * (old - center)

        widening = self.temperature * (contrast_of(reconstruction) / self.contrast) ** self.exponent

        def around(values: Tensor | None) -> Tensor | None:
            return None if values is None else moved + widening * (values - old)

        def wider(std: Tensor | None) -> Tensor | None:
            return None if std is None else widening * std

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


def contrast_of(reconstruction: Reconstruction) -> float:
    """Standard deviation of a reconstruction over time and the pixels inside its mask, in luminance; at least 1e-3."""
    mask = reconstruction.mask
    inside = mask is not None and bool((mask >= 0.5).any())
    seen = reconstruction.movie[:, mask >= 0.5] if mask is not None and inside else reconstruction.movie
    return max(float(seen.std()), 1e-3) if seen.numel() > 1 else 1e-3


def fit_calibration(
    errors: Sequence[Float[Tensor, "..."]],
    stds: Sequence[Float[Tensor, "..."]],
    *,
    level: float = LEVEL,
    deviations: Sequence[Float[Tensor, "..."]] | None = None,
    contrasts: Sequence[float] | None = None,
) -> Recalibration:
    """The one multiplier of the standard deviation with which Gaussian intervals cover as often as they promise.

    Exactly ``level`` of the errors then lie inside, every clip weighing the same. Fit it to select clips, and report
    the raw coverage beside the recalibrated one. For intervals that are not Gaussian hand in, as ``stds``, half their
    width over the Gaussian quantile of their level.

    Args:
        errors: Truth minus reconstruction, one tensor for each clip, the counted pixels only; NaN is left out.
        stds: Predicted standard deviations, of the same shapes.
        level: Coverage to reach.
        deviations: Reconstruction minus the luminance of no contrast, of the same shapes. Where given, the contrast
            gain with the least squared error is found first: a reconstruction that shrinks contrast is not wide
            enough, it is in the wrong place.
        contrasts: Contrast of every reconstruction (`contrast_of`). Where given, the exponent is fitted too: the slope,
            between 0 and 1, of the log of the errors over their predicted spread on the log contrast. It needs at
            least 5 clips; of fewer it stays 0.

    Raises:
        WrongUse: there is no clip, shapes differ, the level is not between 0 and 1, nothing is predicted to vary, or
            the reconstructions have no contrast to be amplified.
    """
    quantile = half_width(level)
    clips = [_known(*clip) for clip in zip(errors, stds, deviations or errors, strict=True)]
    clips = [clip for clip in clips if len(clip[0])]
    if not clips:
        raise WrongUse("there is no error to calibrate with; hand in select clips whose spread was predicted.")
    raw = float(np.mean([float((error.abs() <= quantile * std).double().mean()) for error, std, _ in clips]))
    gain = 1.0
    if deviations is not None:
        power = sum(float(deviation.square().mean()) for _, _, deviation in clips)
        if power <= 0:
            raise WrongUse("the reconstructions have no contrast, so no gain can be found; leave the deviations out.")
        gain += sum(float((deviation * error).mean()) for error, _, deviation in clips) / power
        clips = [(error - (gain - 1) * deviation, std, deviation) for error, std, deviation in clips]
    exponent, contrast = 0.0, 1.0
    if contrasts is not None:
        exponent, contrast = _growth(clips, contrasts)
        widening = [(value / contrast) ** exponent for value in contrasts]
        clips = [(error, w * std, deviation) for (error, std, deviation), w in zip(clips, widening, strict=True)]
    ratio = torch.cat([error.abs() / std for error, std, _ in clips])
    weight = torch.cat([torch.full_like(error, 1 / (len(error) * len(clips))) for error, _, _ in clips])
    ratio, order = ratio.sort()
    # The first error with which the share reaches the level; rounding of the sum must not ask for one more.
    place = int(torch.searchsorted(weight[order].cumsum(0), level - 1e-9))
    temperature = float(ratio[min(place, len(ratio) - 1)]) / quantile
    if not math.isfinite(temperature):
        raise WrongUse("too many pixels are predicted not to vary at all; no multiplier covers their errors.")
    return Recalibration(
        temperature=temperature,
        gain=gain,
        level=level,
        raw=raw,
        clips=len(clips),
        exponent=exponent,
        contrast=contrast,
    )


def _growth(clips: Sequence[tuple[Counted, Counted, Counted]], contrasts: Sequence[float]) -> tuple[float, float]:
    """How errors over their spread grow with contrast, and the contrast at which they are as predicted."""
    if len(contrasts) != len(clips):
        raise WrongUse(f"{len(contrasts)} contrasts for {len(clips)} clips with errors; hand in one for each.")
    if not all(math.isfinite(value) and value > 0 for value in contrasts):
        raise WrongUse("contrasts must be positive numbers.")
    log_contrast = np.log(np.asarray(contrasts, dtype=np.float64))
    typical = float(np.exp(log_contrast.mean()))
    if len(clips) < LEAST_CLIPS or log_contrast.std() < 1e-6:
        return 0.0, typical
    log_ratio = np.array([0.5 * math.log(max(float((e / s).square().mean()), 1e-12)) for e, s, _ in clips])
    slope = np.polyfit(log_contrast, log_ratio, 1)[0]
    return float(np.clip(slope, 0.0, 1.0)), typical


def _known(error: Tensor, std: Tensor, deviation: Tensor) -> tuple[Counted, Counted, Counted]:
    if not error.shape == std.shape == deviation.shape:
        raise WrongUse(f"errors are {tuple(error.shape)} and their spread {tuple(std.shape)}; hand in the same pixels.")
    # No error where no spread was predicted is covered by any multiplier, and 0 / 0 would be none.
    known = torch.isfinite(error) & torch.isfinite(std) & torch.isfinite(deviation) & ((std > 0) | (error != 0))
    return error[known].double(), std[known].double(), deviation[known].double()
