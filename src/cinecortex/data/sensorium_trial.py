"""One trial of a Sensorium folder, read from its files each time it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cinecortex.data.faults import Fault
from cinecortex.data.identity import clip_identity
from cinecortex.data.npy import read_array
from cinecortex.tensors import Behavior, Movie, Response

EXPORT_AGAIN = "export it again, or call its trial 'none' in meta/trials/tiers.npy"


@dataclass(frozen=True)
class SensoriumTrial:
    """Reads the arrays of one trial.

    Attributes:
        video_file: The movie, ``height width time``, 0..255.
        response_file: The responses, ``neuron time``, or None where the file is absent.
        behavior_files: The behavior, ``channel time`` each.
        may_be_withheld: Whether a response of nothing but zeros or NaN stands for one that was withheld.
    """

    video_file: Path
    response_file: Path | None
    behavior_files: tuple[Path, ...]
    may_be_withheld: bool

    def files(self) -> Iterator[Path]:
        """Every file of the trial, the movie first."""
        yield self.video_file
        if self.response_file is not None:
            yield self.response_file
        yield from self.behavior_files

    @cached_property
    def frames(self) -> int:
        """True length: the frames before the first NaN in any of the trial's arrays.

        Only the first row of each array is read. Whole numbers cannot be padded with NaN: such an array may be longer.
        """
        stored, valid = {}, {}
        for file in self.files():
            length, unpadded = _lengths(file)
            if unpadded == 0 and file == self.response_file and self.may_be_withheld:
                continue
            stored[file], valid[file] = length, unpadded
        frames = min(valid.values())
        file = min(valid, key=lambda file: valid[file])
        if frames == 0:
            raise Fault(file, "holds no frame before its first NaN", EXPORT_AGAIN)
        if len(set(stored.values())) > 1 and len(set(valid.values())) > 1:
            raise Fault(
                file, f"ends after {frames} frames, others of its trial after {max(valid.values())}", EXPORT_AGAIN
            )
        return frames

    def movie(self) -> Movie:
        """Luminance 0..1."""
        pixels = _read(self.video_file, self.frames)
        low, high = float(pixels.min()), float(pixels.max())
        if low < 0 or high > 255:
            what = f"holds values from {low:g} to {high:g}, outside 0..255"
            raise Fault(self.video_file, what, "rescale the movie to 0 black .. 255 white")
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).div_(255)

    def response(self) -> Response | None:
        """Recorded activity, or None where it was withheld."""
        if self.response_file is None:
            return None
        if self.may_be_withheld and _lengths(self.response_file)[1] == 0:
            return None
        activity = _read(self.response_file, self.frames)
        if activity.min() < 0:
            neuron, frame = np.argwhere(activity < 0)[0]
            raise Fault(self.response_file, f"is negative for neuron {neuron} in frame {frame}", EXPORT_AGAIN)
        if self.may_be_withheld and not activity.any():
            return None
        return torch.from_numpy(np.ascontiguousarray(activity.T))

    def behavior(self) -> Behavior:
        """Behavior on the frames of the movie; zero channels when none was recorded."""
        channels = [_read(file, self.frames).T for file in self.behavior_files]
        return torch.from_numpy(np.concatenate([np.empty((self.frames, 0), np.float32), *channels], axis=1))

    def window(self, frames: range) -> tuple[Movie, Behavior, Response]:
        """Movie, behavior and response on some frames, from mapped files of which nothing else is read or checked.

        Raises:
            BadData: a file cannot be read, or a value on these frames is not finite.
        """
        if self.response_file is None:
            raise Fault(self.video_file, "belongs to a trial without a response", "leave the trial out")
        kept = slice(frames.start, frames.stop, frames.step)
        movie, response, *behavior = (
            _part(file, kept) for file in (self.video_file, self.response_file, *self.behavior_files)
        )
        channels = np.concatenate([np.empty((0, len(frames)), np.float32), *behavior])
        pixels = torch.from_numpy(np.ascontiguousarray(movie.transpose(2, 0, 1)))
        return pixels.div_(255), torch.from_numpy(channels.T.copy()), torch.from_numpy(response.T.copy())

    def clip_id(self) -> str:
        """Identity of the movie shown, from the content of all its frames."""
        return clip_identity(self.movie())


def _part(file: Path, kept: slice) -> np.ndarray:
    """Some frames in single precision."""
    part = np.array(read_array(file, mapped=True)[..., kept], dtype=np.float32)
    if not np.isfinite(part).all():
        raise Fault(file, f"holds a value that is not finite in frames {kept.start} to {kept.stop}", EXPORT_AGAIN)
    return part


def _lengths(file: Path) -> tuple[int, int]:
    """Frames stored and frames before the padding, from the first row of the array alone."""
    array = read_array(file, mapped=True)
    row = np.array(array[(0,) * (array.ndim - 1)])
    return len(row), _valid_frames(file, row[None])


def _valid_frames(file: Path, rows: np.ndarray) -> int:
    """Frames before the NaN padding of ``rows`` (``row time``); NaN anywhere else is refused."""
    missing = np.isnan(rows)
    some, every = missing.any(axis=0), missing.all(axis=0)
    valid = int(some.argmax()) if some.any() else len(some)
    if not every[valid:].all():
        raise Fault(file, f"holds NaN in frame {valid}, in the middle of the trial", EXPORT_AGAIN)
    return valid


def _read(file: Path, frames: int) -> np.ndarray:
    """The first ``frames`` frames in single precision; NaN in the middle and infinite values are refused."""
    stored = read_array(file)
    _valid_frames(file, stored.reshape(-1, stored.shape[-1]))
    with np.errstate(over="ignore"):
        array = stored[..., :frames].astype(np.float32)
    if not np.isfinite(array).all():
        frame = int(np.argwhere(~np.isfinite(array))[0][-1])
        raise Fault(file, f"holds an infinite value in frame {frame}", EXPORT_AGAIN)
    return array
