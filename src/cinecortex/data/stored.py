"""Movies that somebody else reconstructed: a Zarr store or a TIFF stack, to be judged as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tifffile
import torch
import xarray as xr

from cinecortex.data.faults import Fault
from cinecortex.errors import WrongUse
from cinecortex.recording import Trial
from cinecortex.tensors import Movie

TIFF_ENDINGS = (".tif", ".tiff")


def read_movies(path: Path | str, trials: Sequence[Trial]) -> Mapping[str, Movie]:
    """Reconstructed movies by trial id.

    A Zarr store has ``movie (trial, time, height, width)`` and ``trial_id``; `write_result` writes such stores, and
    xarray. A TIFF stack has no ids: it holds ``(trial,) time height width`` for just the trials given, in their order.
    Bytes are taken for 0..255, other numbers for luminance 0..1. Frames that are NaN throughout are padding.

    Args:
        path: The file or store.
        trials: The trials that are to be judged.

    Raises:
        BadData: it cannot be read, or it holds other things than movies.
        WrongUse: it holds none of the trials, or a stack of another number.
    """
    path = Path(path)
    if not path.exists():
        raise Fault(path, "does not exist", "name the .zarr store or .tif stack that holds the movies")
    stacked = _tiff(path, trials) if path.suffix.lower() in TIFF_ENDINGS else _zarr(path)
    wanted = {trial.trial_id for trial in trials}
    movies = {name: _movie(path, name, pixels) for name, pixels in stacked.items() if name in wanted}
    if not movies:
        there = ", ".join(sorted(stacked)[:8]) or "none"
        raise WrongUse(f"{path} holds no reconstruction of the trials asked for; it has {there}.")
    return movies


def _tiff(path: Path, trials: Sequence[Trial]) -> dict[str, np.ndarray]:
    try:
        pixels = tifffile.imread(path)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise Fault(path, f"is not a readable TIFF ({error})", "write it anew") from error
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4:
        raise Fault(path, f"has {pixels.ndim} axes", "store time height width, or trial time height width")
    if len(pixels) != len(trials):
        raise WrongUse(
            f"{path} holds {len(pixels)} movies and {len(trials)} trials are asked for; name with --trials those that "
            "it holds, in its order."
        )
    return {trial.trial_id: movie for trial, movie in zip(trials, pixels, strict=True)}


def _zarr(path: Path) -> dict[str, np.ndarray]:
    try:
        dataset = xr.open_zarr(path)
    except (OSError, ValueError, KeyError) as error:
        raise Fault(path, "is not a readable Zarr store", "give a .zarr store or a .tif stack of movies") from error
    if not {"movie", "trial_id"} <= set(dataset.variables) or dataset["movie"].ndim != 4:
        raise Fault(path, "lacks movie (trial, time, height, width) or trial_id", "store both")
    names = dataset["trial_id"].attrs.get("names")
    ids = dataset["trial_id"].values.tolist()
    named = [str(one) if names is None else str(names[one]) for one in ids]
    return {name: dataset["movie"][place].values for place, name in enumerate(named)}


def _movie(path: Path, name: str, pixels: np.ndarray) -> Movie:
    values = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    there = np.flatnonzero(np.isfinite(values).any((1, 2)))
    values = values[: int(there[-1]) + 1 if len(there) else 0]
    if not len(values) or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise Fault(path, f"has values in trial {name} that are no luminance 0..1", "rescale and fill the movies")
    return torch.from_numpy(np.ascontiguousarray(values))
