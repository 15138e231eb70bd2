"""Reconstructed movies on disk: a Zarr version 3 store that xarray opens."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
import zarr.errors

from cinecortex.data.faults import Fault
from cinecortex.errors import WrongUse
from cinecortex.information import Information
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

SCHEMA = "cinecortex.result/1"
_FRAMES = ("trial", "time", "height", "width")
_OPTIONAL = ("std", "lower", "upper", "data_std", "model_std", "data_share")

Results = Sequence[tuple[Trial, Reconstruction]]


def write_result(path: Path | str, results: Results, *, attrs: Mapping[str, Any]) -> Path:
    """Write reconstructions to ``path``, all of them or nothing; an older result there is replaced when all is done.

    Variables: ``movie (trial, time, height, width)`` in 0..1 and, where any reconstruction has them, ``std``,
    ``data_std``, ``model_std``, ``lower``, ``upper``, ``data_share`` (same axes), ``sample (sample, trial, time,
    height, width)`` and ``mask (trial, height, width)``; per trial ``frames``, ``frame_rate_hz``, ``trial_id``,
    ``clip_id``, ``session_id``, ``ended``, ``energy``, ``frame_passes`` and ``seconds``. Where information was measured
    there are ``bits`` and ``dimensions`` per trial, with all of it in the attribute ``measured`` of ``bits``. Shorter
    trials, and what a reconstruction lacks, are NaN. Words are stored as numbers into the list in the attribute
    ``names`` of their variable (see ``words``); trial ids that are whole numbers stay numbers.

    Args:
        path: The store to make, by custom ending in ``.zarr``.
        results: Every trial with its reconstruction.
        attrs: What JSON can hold: settings, seed, fingerprints. Versions are added.

    Raises:
        WrongUse: there is nothing to write, frames differ in size, ``attrs`` is not JSON, or something that is no
            result lies at ``path``.
    """
    path = Path(path)
    _refuse(path, results, attrs)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        store = zarr.open_group(unfinished, mode="w", zarr_format=3)
        store.attrs.update({"schema": SCHEMA, "versions": _versions(), **attrs})
        _write_per_trial(store, results)
        _write_movies(store, results)
        _write_samples(store, results)
        with warnings.catch_warnings():
            # Zarr says that version 3 does not specify consolidated metadata yet; xarray warns when it is not there.
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(unfinished)
        _replace(path, unfinished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def read_result(path: Path | str) -> xr.Dataset:
    """Open a result; arrays are read when they are used.

    Raises:
        BadData: there is no result at ``path``.
    """
    path = Path(path)
    try:
        dataset: xr.Dataset = xr.open_zarr(path)
    except (OSError, ValueError, KeyError) as error:
        raise Fault(path, "is not a readable result", "run the inversion again") from error
    if dataset.attrs.get("schema") != SCHEMA:
        raise Fault(path, "is not a result of cinecortex invert", "give the .zarr folder that it wrote")
    return dataset


def words(dataset: xr.Dataset, name: str) -> tuple[str, ...]:
    """The values of ``trial_id``, ``clip_id``, ``session_id`` or ``ended`` as words, one for each trial."""
    names = dataset[name].attrs.get("names")
    values = dataset[name].values.tolist()
    return tuple(str(value) if names is None else str(names[value]) for value in values)


def reconstructions(dataset: xr.Dataset, *, drawn: bool = True) -> list[Reconstruction]:
    """The reconstructions of a result, in the order of its trials; what was NaN throughout is None again.

    Args:
        dataset: From `read_result`.
        drawn: Whether to read what was drawn (spread, bounds, samples), too.
    """
    placed = dataset.assign(place=("trial", np.arange(dataset.sizes["trial"])))
    return [
        _reconstruction(placed.isel(trial=index), ended, drawn) for index, ended in enumerate(words(dataset, "ended"))
    ]


def _reconstruction(one: xr.Dataset, ended: str, drawn: bool) -> Reconstruction:
    frames, energy = int(one["frames"]), float(one["energy"])

    def read(name: str) -> torch.Tensor | None:
        if name not in one:
            return None
        values = one[name].isel(time=slice(frames)) if "time" in one[name].dims else one[name]
        tensor = torch.from_numpy(values.values)
        if name == "sample":
            tensor = tensor[~tensor.flatten(1).isnan().all(1)]
        return None if tensor.isnan().all() else tensor

    return Reconstruction(
        movie=torch.from_numpy(one["movie"].isel(time=slice(frames)).values),
        ended=ended,
        mask=read("mask"),
        energy=None if math.isnan(energy) else energy,
        frame_passes=int(one["frame_passes"]),
        seconds=float(one["seconds"]),
        samples=read("sample") if drawn else None,
        information=_information(one),
        **{name: read(name) for name in _OPTIONAL if drawn},
    )


def _information(one: xr.Dataset) -> Information | None:
    if "bits" not in one:
        return None
    measured = one["bits"].attrs["measured"].get(str(int(one["place"])))
    return None if measured is None else Information.from_json(measured)


def _refuse(path: Path, results: Results, attrs: Mapping[str, Any]) -> None:
    if not results:
        raise WrongUse(f"there is no reconstruction to write to {path}.")
    sizes = {tuple(answer.movie.shape[1:]) for _, answer in results}
    if len(sizes) > 1:
        raise WrongUse(f"reconstructions of different frame sizes {sorted(sizes)} cannot share {path}; write one each.")
    try:
        json.dumps(dict(attrs))
    except (TypeError, ValueError) as error:
        raise WrongUse(f"attrs of {path} cannot be written as JSON: {error}.") from error
    if path.exists() and not _is_result(path):
        raise WrongUse(f"{path} exists and is not a result; choose another name, it would be overwritten.")


def _is_result(path: Path) -> bool:
    """Whether a store there says that it is a result, of this version or of an earlier one."""
    try:
        schema = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(schema, str) and schema.startswith(SCHEMA.rpartition("/")[0] + "/")


def _versions() -> dict[str, str]:
    return {
        "cinecortex": version("cinecortex"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "zarr": zarr.__version__,
    }


def _put(store: zarr.Group, name: str, values: np.ndarray, dims: tuple[str, ...], **attrs: Any) -> None:
    store.create_array(name, data=values, chunks=values.shape, dimension_names=dims, attributes=attrs)


def _write_per_trial(store: zarr.Group, results: Results) -> None:
    trials = [trial for trial, _ in results]
    answers = [answer for _, answer in results]
    ids = [trial.trial_id for trial in trials]
    if all(name.isascii() and name.isdigit() and str(int(name)) == name and len(name) < 19 for name in ids):
        _put(store, "trial_id", np.array([int(name) for name in ids]), ("trial",))
    else:
        _put_words(store, "trial_id", ids)
    _put_words(store, "clip_id", [trial.clip_id for trial in trials])
    _put_words(store, "session_id", [trial.session_id for trial in trials])
    _put_words(store, "ended", [answer.ended for answer in answers])
    energy = [np.nan if answer.energy is None else answer.energy for answer in answers]
    _put(store, "energy", np.array(energy), ("trial",), units="nats")
    _put(store, "seconds", np.array([answer.seconds for answer in answers], dtype=np.float64), ("trial",))
    _put(store, "frame_passes", np.array([answer.frame_passes for answer in answers]), ("trial",))
    _put(store, "frames", np.array([len(answer.movie) for answer in answers]), ("trial",))
    rates = np.array([trial.frame_rate_hz for trial in trials], dtype=np.float64)
    _put(store, "frame_rate_hz", rates, ("trial",), units="Hz")
    _write_information(store, answers)


def _write_information(store: zarr.Group, answers: Sequence[Reconstruction]) -> None:
    measured = {str(i): one.information for i, one in enumerate(answers) if one.information is not None}
    if not measured:
        return
    for name in ("bits", "dimensions"):
        values = np.full(len(answers), np.nan)
        for index, information in measured.items():
            values[int(index)] = getattr(information, name)
        whole = {index: information.to_json() for index, information in measured.items()}
        _put(store, name, values, ("trial",), **({"units": "bits", "measured": whole} if name == "bits" else {}))


def _put_words(store: zarr.Group, name: str, values: list[str]) -> None:
    names = list(dict.fromkeys(values))
    _put(store, name, np.array([names.index(value) for value in values]), ("trial",), names=names)


def _empty(store: zarr.Group, name: str, shape: tuple[int, ...], dims: tuple[str, ...]) -> zarr.Array[Any]:
    """An array of NaN, one chunk for each trial."""
    chunks = tuple(1 if dim in ("trial", "sample") else size for dim, size in zip(dims, shape, strict=True))
    return store.create_array(
        name, shape=shape, chunks=chunks, dtype="float32", fill_value=np.nan, dimension_names=dims
    )


def _write_movies(store: zarr.Group, results: Results) -> None:
    answers = [answer for _, answer in results]
    height, width = answers[0].movie.shape[1:]
    longest = max(len(answer.movie) for answer in answers)
    for name in ("movie", *_OPTIONAL):
        if any(getattr(answer, name) is not None for answer in answers):
            array = _empty(store, name, (len(answers), longest, height, width), _FRAMES)
            for index, answer in enumerate(answers):
                if (movie := getattr(answer, name)) is not None:
                    array[index, : len(movie)] = movie.detach().cpu().numpy()
    if any(answer.mask is not None for answer in answers):
        array = _empty(store, "mask", (len(answers), height, width), ("trial", "height", "width"))
        for index, answer in enumerate(answers):
            if answer.mask is not None:
                array[index] = answer.mask.detach().cpu().numpy()


def _write_samples(store: zarr.Group, results: Results) -> None:
    drawn = [(index, answer.samples) for index, (_, answer) in enumerate(results) if answer.samples is not None]
    if not drawn:
        return
    most = max(len(samples) for _, samples in drawn)
    longest = max(len(answer.movie) for _, answer in results)
    shape = (most, len(results), longest, *results[0][1].movie.shape[1:])
    array = _empty(store, "sample", shape, ("sample", *_FRAMES))
    for index, samples in drawn:
        array[: len(samples), index, : samples.shape[1]] = samples.detach().cpu().numpy()


def _replace(path: Path, finished: Path) -> None:
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.rename(old)
    finished.rename(path)
    shutil.rmtree(old, ignore_errors=True)
