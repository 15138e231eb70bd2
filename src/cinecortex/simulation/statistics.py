"""The summary statistics that a Sensorium session carries, over its training trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

_ROWS = 128  # neurons read at once: bounds the memory for large populations


def write_statistics(folder: Path, trials: Sequence[int]) -> None:
    """Write mean, std, min, max and median of every kind of array to ``meta/statistics/<kind>/all``.

    Videos have one number each; the other kinds one per row (neuron or channel), over frames and trials.

    Args:
        folder: The session, its ``data`` complete.
        trials: Numbers of the trials to summarise: those of the training tier, so that nothing is learnt of the rest.
    """
    _write(folder, "videos", _of_counts(_pixel_counts(folder, trials)))
    for kind in ("responses", "behavior", "pupil_center"):
        arrays = [np.load(folder / "data" / kind / f"{i}.npy", mmap_mode="r", allow_pickle=False) for i in trials]
        blocks = [
            _of_rows(np.concatenate([array[first : first + _ROWS] for array in arrays], axis=1))
            for first in range(0, len(arrays[0]), _ROWS)
        ]
        _write(folder, kind, {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]})


def _write(folder: Path, kind: str, values: dict[str, np.ndarray]) -> None:
    place = folder / "meta" / "statistics" / kind / "all"
    place.mkdir(parents=True)
    for name, value in values.items():
        np.save(place / f"{name}.npy", value)


def _of_rows(rows: Float[np.ndarray, "row value"]) -> dict[str, np.ndarray]:
    return {
        "mean": rows.mean(1, dtype=np.float64),
        "std": rows.std(1, dtype=np.float64),
        "min": rows.min(1),
        "max": rows.max(1),
        "median": np.median(rows, axis=1),
    }


def _pixel_counts(folder: Path, trials: Sequence[int]) -> Int[np.ndarray, " 256"]:
    """How often each of the 256 gray levels was shown: all that their statistics depend on."""
    counts = np.zeros(256, dtype=np.int64)
    for i in trials:
        video = np.load(folder / "data" / "videos" / f"{i}.npy", allow_pickle=False)
        counts += np.bincount(video.reshape(-1), minlength=256)
    return counts


def _of_counts(counts: Int[np.ndarray, " 256"]) -> dict[str, np.ndarray]:
    level = np.arange(256.0)
    mean = np.average(level, weights=counts)
    shown = np.flatnonzero(counts)
    below = np.cumsum(counts)
    middle = np.searchsorted(below, [(below[-1] + 1) // 2, below[-1] // 2 + 1])
    return {
        "mean": np.array(mean),
        "std": np.array(np.sqrt(np.average((level - mean) ** 2, weights=counts))),
        "min": np.array(float(shown[0])),
        "max": np.array(float(shown[-1])),
        "median": np.array(middle.mean()),
    }
