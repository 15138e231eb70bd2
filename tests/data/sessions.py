"""Small session folders, written the way the release is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, WIDTH, FRAMES, PADDED, NEURONS = 8, 12, 20, 26, 5
TIERS = ("train", "train", "train", "train", "oracle", "oracle", "none", "live_test_main")
# Trials 0 and 3 show the same clip, so do the oracle trials 4 and 5.
CLIPS = (0, 1, 2, 0, 10, 10, 11, 12)


def clip(number: int, frames: int = FRAMES) -> np.ndarray:
    """Whole gray levels, ``height width time``."""
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, frames)).astype(np.float64)


def padded(array: np.ndarray, to: int = PADDED) -> np.ndarray:
    tail = np.full((*array.shape[:-1], to - array.shape[-1]), np.nan)
    return np.concatenate([array, tail], axis=-1)


def write_session(
    folder: Path,
    *,
    tiers: Sequence[str] = TIERS,
    clips: Sequence[int] = CLIPS,
    dtype: str = "<f4",
    video_dtype: str | None = None,
    facts: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    random = np.random.default_rng(seed)
    for name in ("videos", "behavior", "pupil_center", "responses"):
        (folder / "data" / name).mkdir(parents=True)
    for name in ("neurons", "trials", "statistics"):
        (folder / "meta" / name).mkdir(parents=True)
    for number, shown in enumerate(clips):
        video = clip(shown) if video_dtype else padded(clip(shown))
        np.save(folder / "data/videos" / f"{number}.npy", video.astype(video_dtype or dtype))
        for name in ("behavior", "pupil_center"):
            array = padded(random.normal(size=(2, FRAMES)))
            np.save(folder / "data" / name / f"{number}.npy", array.astype(dtype))
        response = padded(random.exponential(size=(NEURONS, FRAMES)))
        np.save(folder / "data/responses" / f"{number}.npy", response.astype(dtype))
    np.save(folder / "meta/trials/tiers.npy", np.array(tiers))
    np.save(folder / "meta/neurons/unit_ids.npy", np.arange(NEURONS) + 100)
    np.save(folder / "meta/neurons/cell_motor_coordinates.npy", np.zeros((NEURONS, 3)))
    if facts is not None:
        (folder / "meta/cinecortex.json").write_text(json.dumps(facts))
    return folder
