"""Expected responses on disk: a Zarr version 3 store that xarray opens."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from cinecortex.errors import WrongUse
from cinecortex.recording import Trial
from cinecortex.tensors import Response


def write_rates(
    path: Path | str,
    rates: Sequence[tuple[Trial, Response]],
    *,
    attrs: Mapping[str, Any],
    disagreement: Sequence[Response] | None = None,
) -> Path:
    """Write ``rate (trial, time, neuron)`` whole or not at all; an older store of rates there is replaced.

    Shorter trials end in NaN. ``trial_id`` is an index into the attribute ``trial_ids``, and ``frames`` counts. Of an
    ensemble, ``disagreement (trial, time, neuron)`` is how far its members spread.

    Raises:
        WrongUse: there is nothing to write, or something else lies at ``path``.
    """
    path = Path(path)
    if not rates:
        raise WrongUse(f"there is no rate to write to {path}.")
    if path.exists() and not (path / "rate").is_dir():
        raise WrongUse(f"{path} exists and holds no rates; choose another name, it would be overwritten.")
    named = {"rate": [rate for _, rate in rates]}
    if disagreement is not None:
        named["disagreement"] = list(disagreement)
    dataset = xr.Dataset(
        {
            **{name: (("trial", "time", "neuron"), _joined(values)) for name, values in named.items()},
            "trial_id": (("trial",), np.arange(len(rates))),
            "frames": (("trial",), np.array([len(rate) for _, rate in rates])),
        },
        attrs={**attrs, "trial_ids": [trial.trial_id for trial, _ in rates]},
    )
    unfinished, old = (path.with_name(f".{path.name}.{os.getpid()}.{word}") for word in ("unfinished", "old"))
    try:
        with warnings.catch_warnings():
            # Zarr says that version 3 does not specify consolidated metadata yet; xarray warns when it is not there.
            warnings.simplefilter("ignore")
            dataset.to_zarr(unfinished, mode="w", zarr_format=3, consolidated=True)
        if path.exists():
            path.rename(old)
        unfinished.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def _joined(values: Sequence[Response]) -> np.ndarray:
    longest = max(map(len, values))
    joined = np.full((len(values), longest, values[0].shape[1]), np.nan, dtype=np.float32)
    for row, value in zip(joined, values, strict=True):
        row[: len(value)] = value.cpu().numpy()
    return joined
