"""Plain arrays in an .npz or .zarr file: a movie, the responses to it, and where trials begin."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tokenize import TokenError
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import zarr

from cinecortex.data.cut import Cut
from cinecortex.data.faults import Fault
from cinecortex.data.files import fingerprint, walk
from cinecortex.data.identity import clip_identity
from cinecortex.recording import Neurons, Recording, Trial
from cinecortex.tensors import Behavior, Movie, Response

# Whatever zip, zlib and NumPy raise on a damaged archive.
_UNREADABLE = (
    ValueError,
    EOFError,
    OSError,
    AttributeError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
    TokenError,
)  # a compression that zipfile lacks is a RuntimeError too
_WORDS = ("session_id", "species", "subject", "simulated", "response_unit")


@runtime_checkable
class StoredArray(Protocol):
    """An array in memory or in a file, read by slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        ...

    def __getitem__(self, index: Any) -> Any: ...


def load_npz(path: Path, *, cut: Cut) -> Recording:
    """Open an .npz file. Its arrays are compressed, so they are read once and shared among the trials.

    Args:
        path: The file.
        cut: How to cut the recording when it does not say where trials begin.

    Raises:
        BadData: the file is damaged, pickled or contradictory.
        WrongUse: ``cut`` does not fit the length of the recording.
    """
    try:
        # Opened here, so that it is closed again whatever NumPy makes of it.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except _UNREADABLE as error:
        what = "is damaged, is not an .npz file, or holds pickled objects, which are never loaded"
        raise Fault(path, what, "save plain numeric arrays with numpy.savez") from error
    return _recording(path, arrays, cut, fingerprint(path, [path]))


def load_zarr(path: Path, *, cut: Cut) -> Recording:
    """Open a Zarr group, version 2 or 3; trials are read from it slice by slice.

    Args:
        path: The folder of the group.
        cut: How to cut the recording when it does not say where trials begin.

    Raises:
        BadData: the store is damaged, unsafe or contradictory.
        WrongUse: ``cut`` does not fit the length of the recording.
    """
    files = tuple(walk(path, path))
    for file in files:
        # Zarr knows a codec that unpickles; nothing is opened that asks for it.
        if file.name in ("zarr.json", ".zarray", ".zmetadata") and b"pickle" in file.read_bytes():
            raise Fault(file, "asks for pickled objects, which are never loaded", "save plain numeric arrays")
    try:
        group = zarr.open_group(path, mode="r")
        arrays = dict(group.arrays())
        words = {key: value for key, value in group.attrs.items() if key not in arrays}
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise Fault(path, "is not a readable Zarr group", "copy or export it again") from error
    small = {name: array if array.ndim > 1 else np.asarray(array[...]) for name, array in arrays.items()}
    return _recording(path, {**{k: np.asarray(v) for k, v in words.items()}, **small}, cut, fingerprint(path, files))


@dataclass(frozen=True, eq=False)
class Stretch:
    """Reads the frames of one trial out of the arrays of a whole recording.

    Attributes:
        source: The file, for error messages.
        pixels: The movie of the whole recording, ``time height width``.
        movie_max: The stored value that means white.
        activity: The responses, ``time neuron``.
        channels: The behavior, ``time channel``, or None.
        begin, end: First frame of the trial and the frame after its last.
    """

    source: Path
    pixels: StoredArray
    movie_max: float
    activity: StoredArray
    channels: StoredArray | None
    begin: int
    end: int

    def _read(self, name: str, array: StoredArray) -> np.ndarray:
        try:
            stored = np.asarray(array[self.begin : self.end])
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            raise Fault(self.source, f"has a damaged array {name!r}", "copy or export it again") from error
        with np.errstate(over="ignore"):
            values = stored.astype(np.float32)
        if not np.isfinite(values).all():
            frame = self.begin + int(np.argwhere(~np.isfinite(values))[0][0])
            what = f"holds NaN or an infinite value in array {name!r}, frame {frame}"
            raise Fault(self.source, what, "leave such frames out of the trials")
        return values

    def movie(self) -> Movie:
        """Luminance 0..1."""
        values = self._read("movie", self.pixels)
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > self.movie_max:
            what = f"holds values from {low:g} to {high:g} in array 'movie', outside 0..{self.movie_max:g}"
            raise Fault(self.source, what, "give the value that means white as movie_max")
        return torch.from_numpy(values).div_(self.movie_max)

    def response(self) -> Response | None:
        """Recorded activity."""
        values = self._read("response", self.activity)
        if values.min() < 0:
            frame, neuron = np.argwhere(values < 0)[0]
            what = f"holds a negative value in array 'response', frame {self.begin + frame}, neuron {neuron}"
            raise Fault(self.source, what, "give non-negative activity")
        return torch.from_numpy(values)

    def behavior(self) -> Behavior:
        """Behavior on the frames of the movie; zero channels when none was recorded."""
        if self.channels is None:
            return torch.zeros(self.end - self.begin, 0)
        return torch.from_numpy(self._read("behavior", self.channels))

    def clip_id(self) -> str:
        """Identity of the movie shown, from the content of all its frames."""
        return clip_identity(self.movie())


def _recording(path: Path, arrays: Mapping[str, Any], cut: Cut, digest: str) -> Recording:
    pixels, activity = _array(path, arrays, "movie", 3), _array(path, arrays, "response", 2)
    channels = _array(path, arrays, "behavior", 2) if "behavior" in arrays else None
    frames = pixels.shape[0]
    for name, array in (("response", activity), ("behavior", channels)):
        if array is not None and array.shape[0] != frames:
            what = f"holds {array.shape[0]} frames in array {name!r} and {frames} in 'movie'"
            raise Fault(path, what, "give both on the same frames")
    words = {name: _word(path, arrays, name) for name in _WORDS if name in arrays}
    session_id = words.get("session_id", path.resolve().stem)
    frame_size = (pixels.shape[1], pixels.shape[2])
    rate = _number(path, arrays, "frame_rate_hz")
    names = _channel_names(path, arrays, 0 if channels is None else channels.shape[1])
    movie_max = _movie_max(path, arrays, pixels.dtype)
    trials = tuple(
        Trial(
            name, session_id, tier, rate, frame_size, names,
            Stretch(path, pixels, movie_max, activity, channels, begin, end),
        )
        for begin, end, tier, name in _stretches(path, arrays, frames, cut)
    )  # fmt: skip
    return Recording(
        session_id=session_id,
        trials=trials,
        neurons=_neurons(path, arrays, activity.shape[1]),
        frame_rate_hz=rate,
        frame_size=frame_size,
        response_unit=words.get("response_unit", "counts per frame" if activity.dtype.kind in "ui" else "a.u."),
        behavior_channels=names,
        metadata=words,
        source=path,
        fingerprint=digest,
    )


def _array(path: Path, arrays: Mapping[str, Any], name: str, axes: int) -> StoredArray:
    """A numeric array that must be there, with ``axes`` axes."""
    if name not in arrays:
        raise Fault(path, f"has no array {name!r}", "see the documentation for the arrays a recording needs")
    array: StoredArray = arrays[name]
    if array.dtype.kind not in "uif":
        raise Fault(path, f"holds values of type {array.dtype} in array {name!r}", "save it as real numbers")
    if len(array.shape) != axes or (axes and 0 in array.shape):
        wanted = {0: "a single number", 1: "one axis", 2: "two axes, time first", 3: "(time, height, width)"}[axes]
        raise Fault(path, f"has shape {array.shape} in array {name!r}, not {wanted}", "turn or reshape it")
    return array


def _number(path: Path, arrays: Mapping[str, Any], name: str) -> float:
    value = float(_array(path, arrays, name, 0)[()])
    if not (math.isfinite(value) and value > 0):
        raise Fault(path, f"says {name} is {value:g}", "give a positive number")
    return value


def _word(path: Path, arrays: Mapping[str, Any], name: str) -> str:
    value = np.asarray(arrays[name])
    if value.ndim:
        raise Fault(path, f"holds a list as {name!r}", "give a single word")
    item = value.item()
    return item if isinstance(item, str) else item.decode() if isinstance(item, bytes) else json.dumps(item)


def _list_of_words(path: Path, arrays: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = np.asarray(arrays[name])
    if value.ndim != 1 or (len(value) and value.dtype.kind not in "UST"):
        raise Fault(path, f"has an array {name!r} that is not a list of words", "save an array of strings")
    return tuple(word.decode() if isinstance(word, bytes) else str(word) for word in value.tolist())


def _movie_max(path: Path, arrays: Mapping[str, Any], dtype: np.dtype[Any]) -> float:
    if "movie_max" in arrays:
        return _number(path, arrays, "movie_max")
    return 1.0 if dtype.kind == "f" else 255.0


def _channel_names(path: Path, arrays: Mapping[str, Any], channels: int) -> tuple[str, ...]:
    if "behavior_channels" not in arrays:
        return tuple(f"behavior {channel}" for channel in range(channels))
    names = _list_of_words(path, arrays, "behavior_channels")
    if len(names) != channels:
        raise Fault(path, f"names {len(names)} behavior channels but holds {channels}", "give one name per channel")
    return names


def _neurons(path: Path, arrays: Mapping[str, Any], neurons: int) -> Neurons:
    ids = np.asarray(arrays["unit_ids"]) if "unit_ids" in arrays else np.arange(neurons)
    if ids.shape != (neurons,):
        raise Fault(path, f"has unit_ids of shape {ids.shape} for {neurons} neurons", "give one id per neuron")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise Fault(path, f"holds the unit id {values[counts > 1][0]} more than once", "give every neuron its own id")
    return Neurons(ids)


def _stretches(path: Path, arrays: Mapping[str, Any], frames: int, cut: Cut) -> tuple[tuple[int, int, str, str], ...]:
    """Every trial as (first frame, frame after the last, tier, name)."""
    if "trial_start" not in arrays:
        if "tier" in arrays:
            raise Fault(path, "has 'tier' but no 'trial_start'", "say where each trial begins, or leave both out")
        return tuple((begin, end, tier, f"{begin}-{end - 1}") for begin, end, tier in cut.clips(frames))
    starts = np.asarray(arrays["trial_start"])
    if starts.ndim != 1 or len(starts) == 0 or starts.dtype.kind not in "ui":
        raise Fault(path, "has an array 'trial_start' that is not a list of frame numbers", "save whole numbers")
    begins = [int(start) for start in starts]
    if begins[0] < 0 or begins[-1] >= frames or any(b <= a for a, b in pairwise(begins)):
        raise Fault(path, f"has 'trial_start' out of order or outside 0..{frames - 1}", "give rising frame numbers")
    ends = [*begins[1:], frames]
    if "tier" in arrays:
        tiers = _list_of_words(path, arrays, "tier")
        if len(tiers) != len(begins):
            raise Fault(path, f"has {len(tiers)} tiers for {len(begins)} trials", "give one tier for each trial")
    else:
        first, last = cut.test_region(frames)
        tiers = tuple(
            "test" if first <= begin and end <= last else "train" if end <= first or begin >= last else "none"
            for begin, end in zip(begins, ends, strict=True)
        )
    found = tuple(
        (begin, end, tier, str(number))
        for number, (begin, end, tier) in enumerate(zip(begins, ends, tiers, strict=True))
        if tier != "none"
    )
    if not found:
        raise Fault(path, "has no usable trial", "give some trials a tier other than 'none'")
    return found
