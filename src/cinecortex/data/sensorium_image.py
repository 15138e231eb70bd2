"""One trial of a Sensorium 2022 folder, which shows a single image: a movie of one frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cinecortex.data.faults import Fault
from cinecortex.data.identity import clip_identity
from cinecortex.data.npy import read_array
from cinecortex.data.sensorium_trial import EXPORT_AGAIN
from cinecortex.tensors import Behavior, Movie, Response


@dataclass(frozen=True)
class SensoriumImage:
    """Reads the arrays of one trial.

    Attributes:
        image_file: The image, ``1 height width``, 0..255.
        response_file: One response per neuron, ``neuron``, or None where the file is absent.
        behavior_files: The behavior, ``channel`` each.
        may_be_withheld: Whether a response of nothing but zeros or NaN stands for one that was withheld.
    """

    image_file: Path
    response_file: Path | None
    behavior_files: tuple[Path, ...]
    may_be_withheld: bool

    def files(self) -> Iterator[Path]:
        """Every file of the trial, the image first."""
        yield self.image_file
        if self.response_file is not None:
            yield self.response_file
        yield from self.behavior_files

    def movie(self) -> Movie:
        """Luminance 0..1, one frame."""
        pixels = _finite(self.image_file)
        low, high = float(pixels.min()), float(pixels.max())
        if low < 0 or high > 255:
            what = f"holds values from {low:g} to {high:g}, outside 0..255"
            raise Fault(self.image_file, what, "rescale the image to 0 black .. 255 white")
        return torch.from_numpy(pixels).div_(255)

    def response(self) -> Response | None:
        """Recorded activity, one frame, or None where it was withheld."""
        if self.response_file is None:
            return None
        stored = read_array(self.response_file)
        if self.may_be_withheld and not np.nan_to_num(stored).any():
            return None
        activity = _finite(self.response_file).reshape(1, -1)
        if activity.min() < 0:
            what = f"is negative for neuron {int(activity.argmin())}"
            raise Fault(self.response_file, what, EXPORT_AGAIN)
        return torch.from_numpy(activity)

    def behavior(self) -> Behavior:
        """Behavior while the image was shown; zero channels when none was recorded."""
        channels = [_finite(file).ravel() for file in self.behavior_files]
        return torch.from_numpy(np.concatenate([np.empty(0, np.float32), *channels])[None])

    def clip_id(self) -> str:
        """Identity of the image shown, by content."""
        return clip_identity(self.movie())


def _finite(file: Path) -> np.ndarray:
    """The array in single precision; NaN and infinite values are refused."""
    with np.errstate(over="ignore"):
        array: np.ndarray = np.ascontiguousarray(read_array(file), dtype=np.float32)
    if not np.isfinite(array).all():
        raise Fault(file, "holds a value that is not finite", EXPORT_AGAIN)
    return array
