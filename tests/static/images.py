"""A population that answers single images, in no way like the encoders that are fitted to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cinecortex.seeds import Seed
from cinecortex.stimuli.dead_leaves import dead_leaves

HEIGHT, WIDTH, NEURONS = 12, 16, 120
TRAIN, TEST = 200, 12


def shown_images(count: int, seed: Seed) -> np.ndarray:
    """Pictures of dead leaves, ``image height width``, in gray levels 0..255."""
    leaves = [
        dead_leaves(seed / n, frames=1, frame_size=(HEIGHT, WIDTH), leaves=20, radius_px=(1.35, 12.0))[0].numpy()
        for n in range(count)
    ]
    return np.round(255 * np.stack(leaves))


def answers(images: np.ndarray, seed: Seed) -> np.ndarray:
    """Spike counts, ``image neuron``: small Gabor patches, on or off, half-squared, and Poisson."""
    random = (Seed(0) / "cells").numpy()
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    filters = []
    for _ in range(NEURONS):
        down, along = row - random.uniform(0, HEIGHT - 1), column - random.uniform(0, WIDTH - 1)
        angle, phase = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
        wave = np.cos(2 * np.pi * (down * np.sin(angle) + along * np.cos(angle)) / 8 + phase)
        patch = wave * np.exp(-(down**2 + along**2) / (2 * 1.8**2))
        filters.append(patch / np.linalg.norm(patch))
    drive = (images / 255 - 0.5).reshape(len(images), -1) @ np.stack(filters).reshape(NEURONS, -1).T
    rate = 1.0 + 8.0 * np.maximum(drive + 0.3, 0.0) ** 2
    return seed.numpy().poisson(rate).astype(np.float32)


def write_images(folder: Path, seed: Seed, *, train: int = TRAIN, test: int = TEST) -> Path:
    """A session folder as the Sensorium 2022 release has them; the last trial is unusable, the one before withheld."""
    images = shown_images(train + test, seed / "images")
    responses = answers(images, seed / "spikes")
    random = (seed / "behavior").numpy()
    for name in ("data/images", "data/responses", "data/behavior", "data/pupil_center", "meta/neurons", "meta/trials"):
        (folder / name).mkdir(parents=True)
    (folder / "meta/statistics").mkdir()
    for number, (image, response) in enumerate(zip(images, responses, strict=True)):
        withheld = number == len(images) - 2
        np.save(folder / "data/images" / f"{number}.npy", image[None])
        np.save(folder / "data/responses" / f"{number}.npy", 0 * response if withheld else response)
        np.save(folder / "data/behavior" / f"{number}.npy", random.normal(size=3))
        np.save(folder / "data/pupil_center" / f"{number}.npy", random.normal(size=2))
    tiers = ["train"] * train + ["test"] * (test - 2) + ["final_test", "none"]
    np.save(folder / "meta/trials/tiers.npy", np.array(tiers))
    np.save(folder / "meta/neurons/unit_ids.npy", np.arange(NEURONS))
    return folder
