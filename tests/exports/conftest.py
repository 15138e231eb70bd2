"""A small result to export: two trials, noise with black, white and every level, a spread for one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from tests.in_memory import InMemory

from cinecortex.data import write_result
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

ATTRS = {
    "method": "map",
    "seed": "7",
    "command": "cinecortex invert",
    "recording": "f00d",
    "species": "in-silico mouse",
    "subject": "in-silico mouse 0",
    "simulated": "true",
}
FRAMES = {"5": 24, "a/b": 10}


def movie(frames: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    values = torch.rand(frames, *size, generator=torch.Generator().manual_seed(seed))
    values[1], values[2], values[4] = 0, 1, values[3]  # a frame that is like the one before it is a frame, too
    return values


Store = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Writes a result and says where."""

    def write(size: tuple[int, int] = (9, 15), *, rate: float = 30.0, name: str = "map.zarr", **attrs: object) -> Path:
        results = []
        for seed, (trial_id, frames) in enumerate(FRAMES.items()):
            shown = movie(frames, size, seed)
            trial = Trial(trial_id, "mouse <1>", "test", rate, size, (), InMemory(shown))
            std = shown / 5 if trial_id == "5" else None
            results.append((trial, Reconstruction(shown, ended="converged", std=std, lower=std)))
        return write_result(tmp_path / name, results, attrs={**ATTRS, **attrs})

    return write


def stored(path: Path, place: int = 0, variable: str = "movie") -> np.ndarray:
    """What the result holds, by xarray alone."""
    dataset = xr.open_zarr(path)
    return dataset[variable].values[place, : int(dataset["frames"][place])]


def levels(values: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Eight bits, by NumPy alone."""
    return np.clip(np.rint(values.astype(np.float64) / top * 255), 0, 255).astype(np.uint8)
