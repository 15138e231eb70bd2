"""The folder layout of the Sensorium 2023 release, opened by its meta data and headers alone.

Source of the layout: Turishcheva et al. 2023, "The Dynamic Sensorium competition for predicting large-scale mouse
visual cortex activity from videos" (arXiv:2305.19654), and its public release.
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
from cinecortex.data.sensorium_trial import EXPORT_AGAIN, SensoriumTrial
from cinecortex.recording import Neurons, Problem, Recording, Trial

_CHANNELS = {"behavior": ("pupil dilation", "running speed"), "pupil_center": ("gaze x", "gaze y")}
_UNUSABLE = "none"
_TIERS = "meta/trials/tiers.npy"


def is_session(path: Path) -> bool:
    """Whether ``path`` looks like a session folder, complete or not."""
    return (path / "data").is_dir() or (path / "meta").is_dir()


def load_sensorium(path: Path) -> Recording:
    """Open a session folder. Only ``meta/``, headers and a few sampled blocks of the files in ``data/`` are read.

    Trials of tier ``none`` are left out. Movies are divided by 255, axes are turned to ``time`` first, and arrays end
    at the first NaN frame of their trial. A file ``meta/cinecortex.json`` may name ``session_id``,
    ``response_unit``, ``frame_rate_hz`` and any other fact.

    Args:
        path: The session folder.

    Raises:
        BadData: something is missing, damaged or contradictory; the sentence names the file.
    """
    for name in ("data", "data/videos", "data/responses", "meta", "meta/trials", "meta/neurons"):
        if not stay_inside(path / name, path).is_dir():
            raise Fault(path / name, "is a folder that is missing", "copy the whole session folder again")
    meta = tuple(walk(path / "meta", path))
    facts, tiers, neurons = _facts(path), _tiers(path), _neurons(path)
    present = tuple(name for name in _CHANNELS if stay_inside(path / "data" / name, path).is_dir())
    readers = _readers(path, tiers, present)
    frame_size = _check_headers(path, readers, len(neurons))
    session_id = str(facts.get("session_id", path.resolve().name))
    channels = tuple(channel for name in present for channel in _CHANNELS[name])
    frame_rate_hz = _frame_rate(path, facts)
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


def _frame_rate(path: Path, facts: Mapping[str, Any]) -> float:
    rate = facts.get("frame_rate_hz", 30.0)
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


def _readers(path: Path, tiers: tuple[str, ...], present: tuple[str, ...]) -> dict[int, SensoriumTrial]:
    """A reader for every usable trial, by number."""
    files = {name: _numbered(path / "data" / name, path) for name in ("videos", "responses", *present)}
    if (highest := max(files["videos"], default=-1)) >= len(tiers):
        what = f"names {len(tiers)} trials, but data/videos goes on to {highest}.npy"
        raise Fault(path / _TIERS, what, "give one tier for each trial")
    readers = {}
    for number, tier in enumerate(tiers):
        if tier == _UNUSABLE:
            continue
        required = ("videos", *present) if tier != "train" else files.keys()
        for name in required:
            if number not in files[name]:
                what = f"is missing, though {_TIERS} lists {len(tiers)} trials and calls this one {tier!r}"
                raise Fault(path / "data" / name / f"{number}.npy", what, "copy it, or call the trial 'none'")
        readers[number] = SensoriumTrial(
            video_file=files["videos"][number],
            response_file=files["responses"].get(number),
            behavior_files=tuple(files[name][number] for name in present),
            may_be_withheld=tier != "train",
        )
    if not readers:
        raise Fault(path / _TIERS, "lists no usable trial", "check that the folder was copied completely")
    return readers


def _check_headers(path: Path, readers: Mapping[int, SensoriumTrial], neurons: int) -> tuple[int, int]:
    """The frame size, after a look at every header."""
    frame_size: tuple[int, ...] = ()
    for reader in readers.values():
        for file in reader.files():
            shape, dtype = read_header(file)
            if dtype.kind not in "uif":
                raise Fault(file, f"holds values of type {dtype}", "save it as real numbers")
            wanted: tuple[int | str, ...] = (2, "time")
            if file == reader.video_file:
                frame_size = frame_size or shape[:-1]
                wanted = (*(frame_size if len(frame_size) == 2 else ("height", "width")), "time")
            elif file == reader.response_file:
                wanted = (neurons, "time")
                if len(shape) == 2 and shape[0] != neurons:
                    what = f"holds {shape[0]} neurons where meta/neurons/unit_ids.npy names {neurons}"
                    raise Fault(file, what, EXPORT_AGAIN)
            fits = len(shape) == len(wanted) and all(
                isinstance(w, str) or s == w for s, w in zip(shape, wanted, strict=True)
            )
            if not fits or 0 in shape:
                raise Fault(file, f"has shape {shape}, not ({', '.join(map(str, wanted))})", EXPORT_AGAIN)
    return frame_size[0], frame_size[1]


def _remarks(path: Path, tiers: tuple[str, ...], readers: Mapping[int, SensoriumTrial]) -> Iterator[Problem]:
    """What is odd, but stops nothing."""
    if not (path / "meta" / "statistics").is_dir():
        what = "is missing; cinecortex does not need it, other programs do"
        yield problem(path / "meta" / "statistics", what, "copy it from the release if you use those")
    for number, reader in readers.items():
        if reader.response_file is None and "test" not in tiers[number]:
            what = f"is missing, so trial {number} of tier {tiers[number]!r} counts as withheld"
            yield problem(path / "data" / "responses" / f"{number}.npy", what, "copy it if it was recorded")
