"""The folder layouts of the Sensorium 2023 and 2022 releases, opened by their meta data and headers alone.

Sources of the layouts: Turishcheva et al. 2023, "The Dynamic Sensorium competition for predicting large-scale mouse
visual cortex activity from videos" (arXiv:2305.19654); Willeke et al. 2022, "The Sensorium competition on predicting
large-scale mouse primary visual cortex activity" (arXiv:2206.08666); and their public releases.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cinecortex.data.faults import Fault, problem
from cinecortex.data.files import fingerprint, stay_inside, walk
from cinecortex.data.npy import read_array, read_header
from cinecortex.data.sensorium_image import SensoriumImage
from cinecortex.data.sensorium_trial import EXPORT_AGAIN, SensoriumTrial
from cinecortex.recording import Neurons, Problem, Recording, Trial

_GAZE = ("gaze x", "gaze y")
_CHANNELS: dict[str, dict[str, tuple[str, ...]]] = {
    "videos": {"behavior": ("pupil dilation", "running speed"), "pupil_center": _GAZE},
    "images": {"behavior": ("pupil dilation", "pupil dilation change", "running speed"), "pupil_center": _GAZE},
}
# An image was shown for half a second, and the response is that of the half second.
_FRAME_RATE_HZ = {"videos": 30.0, "images": 2.0}
_UNUSABLE = "none"
_TIERS = "meta/trials/tiers.npy"
Reader = SensoriumTrial | SensoriumImage


def is_session(path: Path) -> bool:
    """Whether ``path`` looks like a session folder, complete or not."""
    return (path / "data").is_dir() or (path / "meta").is_dir()


def load_sensorium(path: Path) -> Recording:
    """Open a session folder. Only ``meta/``, headers and a few sampled blocks of the files in ``data/`` are read.

    A folder with ``data/images`` is one of static images (Sensorium 2022); each trial is then a movie of one frame.

    Trials of tier ``none`` are left out. Movies are divided by 255, axes are turned to ``time`` first, and arrays end
    at the first NaN frame of their trial. A file ``meta/cinecortex.json`` may name ``session_id``,
    ``response_unit``, ``frame_rate_hz`` and any other fact.

    Args:
        path: The session folder.

    Raises:
        BadData: something is missing, damaged or contradictory; the sentence names the file.
    """
    shown = "images" if (path / "data" / "images").is_dir() and not (path / "data" / "videos").is_dir() else "videos"
    for name in ("data", f"data/{shown}", "data/responses", "meta", "meta/trials", "meta/neurons"):
        if not stay_inside(path / name, path).is_dir():
            raise Fault(path / name, "is a folder that is missing", "copy the whole session folder again")
    meta = tuple(walk(path / "meta", path))
    facts, tiers, neurons = _facts(path), _tiers(path), _neurons(path)
    named = _CHANNELS[shown]
    present = tuple(name for name in named if stay_inside(path / "data" / name, path).is_dir())
    readers = _readers(path, tiers, shown, present)
    frame_size = _check_headers(readers, len(neurons))
    session_id = str(facts.get("session_id", path.resolve().name))
    channels = tuple(channel for name in present for channel in named[name])
    frame_rate_hz = _frame_rate(path, facts, _FRAME_RATE_HZ[shown])
    trials = tuple(
        Trial(str(number), session_id, tiers[number], frame_rate_hz, frame_size, channels, reader)
        for number, reader in readers.items()
    )
    return Recording(
        session_id=session_id,
        trials=trials,
        neurons=neurons,
        frame_rate_hz=frame_rate_hz,
        frame_size=frame_size,
        response_unit=str(facts.get("response_unit", "deconvolved activity (a.u.)")),
        behavior_channels=channels,
        metadata={key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()},
        source=path,
        fingerprint=fingerprint(path, (*meta, *(file for reader in readers.values() for file in reader.files()))),
        problems=tuple(_remarks(path, tiers, readers)),
    )


def _facts(path: Path) -> dict[str, Any]:
    file = path / "meta" / "cinecortex.json"
    if not file.exists():
        return {}
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Fault(file, "is not valid JSON", "correct it, or remove it") from error
    if not isinstance(facts, dict):
        raise Fault(file, "is not a JSON object", 'write it as {"species": "mouse", ...}')
    return facts


def _frame_rate(path: Path, facts: Mapping[str, Any], usual: float) -> float:
    rate = facts.get("frame_rate_hz", usual)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
        raise Fault(path / "meta" / "cinecortex.json", f"says frame_rate_hz is {rate!r}", "give a positive number")
    return float(rate)


def _tiers(path: Path) -> tuple[str, ...]:
    file = path / _TIERS
    tiers = read_array(file)
    if tiers.ndim != 1 or tiers.dtype.kind not in "US":
        raise Fault(file, "is not a list of words", "save it as a one-dimensional array of strings")
    return tuple(tier.decode() if isinstance(tier, bytes) else str(tier) for tier in tiers.tolist())


def _neurons(path: Path) -> Neurons:
    file = path / "meta" / "neurons" / "unit_ids.npy"
    ids = read_array(file)
    if ids.ndim != 1 or len(ids) == 0:
        raise Fault(file, f"has shape {ids.shape}, not one id per neuron", "save it as a one-dimensional array")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise Fault(file, f"holds the id {values[counts > 1][0]} more than once", "give every neuron its own id")
    file = file.with_name("cell_motor_coordinates.npy")
    if not file.exists():
        return Neurons(ids)
    coordinates = read_array(file)
    if coordinates.shape != (len(ids), 3):
        raise Fault(file, f"has shape {coordinates.shape}, not ({len(ids)}, 3)", "give one position for each unit id")
    return Neurons(ids, coordinates)


def _numbered(folder: Path, root: Path) -> dict[int, Path]:
    """The files ``<number>.npy`` of a folder by number."""
    files: dict[int, Path] = {}
    for file in sorted(folder.glob("*.npy")):
        if not (file.stem.isascii() and file.stem.isdigit()):
            continue
        if int(file.stem) in files:
            raise Fault(file, f"has the same number as {files[int(file.stem)].name}", "remove one of them")
        files[int(file.stem)] = stay_inside(file, root)
    return files


def _readers(path: Path, tiers: tuple[str, ...], shown: str, present: tuple[str, ...]) -> dict[int, Reader]:
    """A reader for every usable trial, by number."""
    files = {name: _numbered(path / "data" / name, path) for name in (shown, "responses", *present)}
    if (highest := max(files[shown], default=-1)) >= len(tiers):
        what = f"names {len(tiers)} trials, but data/{shown} goes on to {highest}.npy"
        raise Fault(path / _TIERS, what, "give one tier for each trial")
    readers: dict[int, Reader] = {}
    for number, tier in enumerate(tiers):
        if tier == _UNUSABLE:
            continue
        required = (shown, *present) if tier != "train" else files.keys()
        for name in required:
            if number not in files[name]:
                what = f"is missing, though {_TIERS} lists {len(tiers)} trials and calls this one {tier!r}"
                raise Fault(path / "data" / name / f"{number}.npy", what, "copy it, or call the trial 'none'")
        readers[number] = (SensoriumTrial if shown == "videos" else SensoriumImage)(
            files[shown][number],
            files["responses"].get(number),
            tuple(files[name][number] for name in present),
            tier != "train",
        )
    if not readers:
        raise Fault(path / _TIERS, "lists no usable trial", "check that the folder was copied completely")
    return readers


def _check_headers(readers: Mapping[int, Reader], neurons: int) -> tuple[int, int]:
    """The frame size, after a look at every header."""
    frame_size: tuple[int, int] | None = None
    for reader in readers.values():
        for file in reader.files():
            shape, dtype, *_ = read_header(file)
            if dtype.kind not in "uif":
                raise Fault(file, f"holds values of type {dtype}", "save it as real numbers")
            if file == reader.response_file and len(shape) in (1, 2) and shape[0] != neurons:
                what = f"holds {shape[0]} neurons where meta/neurons/unit_ids.npy names {neurons}"
                raise Fault(file, what, EXPORT_AGAIN)
            wanted = _wanted(reader, file, frame_size, neurons)
            fits = len(shape) == len(wanted) and all(
                isinstance(w, str) or s == w for s, w in zip(shape, wanted, strict=True)
            )
            if isinstance(reader, SensoriumImage) and file in reader.behavior_files:
                fits = fits or shape == (1, *wanted)  # written both ways
            if not fits or 0 in shape:
                raise Fault(file, f"has shape {shape}, not ({', '.join(map(str, wanted))})", EXPORT_AGAIN)
            if frame_size is None:  # the first file of a trial is what was shown
                frame_size = (shape[0], shape[1]) if isinstance(reader, SensoriumTrial) else (shape[1], shape[2])
    if frame_size is None:
        raise AssertionError("a session without readers is refused before")
    return frame_size


def _wanted(reader: Reader, file: Path, frame_size: tuple[int, int] | None, neurons: int) -> tuple[int | str, ...]:
    """The shape that a file of a trial must have; a word stands for any number."""
    frame: tuple[int | str, int | str] = frame_size or ("height", "width")
    if isinstance(reader, SensoriumTrial):
        if file == reader.video_file:
            return (*frame, "time")
        return (neurons if file == reader.response_file else 2, "time")
    if file == reader.image_file:
        return (1, *frame)
    return (neurons if file == reader.response_file else len(_CHANNELS["images"][file.parent.name]),)


def _remarks(path: Path, tiers: tuple[str, ...], readers: Mapping[int, Reader]) -> Iterator[Problem]:
    """What is odd, but stops nothing."""
    if not (path / "meta" / "statistics").is_dir():
        what = "is missing; cinecortex does not need it, other programs do"
        yield problem(path / "meta" / "statistics", what, "copy it from the release if you use those")
    for number, reader in readers.items():
        if reader.response_file is None and "test" not in tiers[number]:
            what = f"is missing, so trial {number} of tier {tiers[number]!r} counts as withheld"
            yield problem(path / "data" / "responses" / f"{number}.npy", what, "copy it if it was recorded")
