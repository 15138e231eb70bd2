"""Simple and complex cells of a known place, simulated in a few lines, and trials of them held in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from tests.in_memory import InMemory

from cinecortex.recording import Trial


@dataclass(frozen=True, eq=False)
class GaborCells:
    """Cells on a small screen: half of them simple (rectified), half complex (energy).

    Attributes:
        centre_px: Row and column of every cell, ``neuron 2``.
        filters: Even and odd filter, ``neuron 2 pixel``.
    """

    size: tuple[int, int]
    centre_px: np.ndarray
    filters: np.ndarray

    @staticmethod
    def make(neurons: int, size: tuple[int, int] = (16, 20), seed: int = 0) -> GaborCells:
        random = np.random.default_rng(seed)
        centre = random.uniform(2, np.array(size) - 3, (neurons, 2))
        y, x = np.mgrid[: size[0], : size[1]]
        filters = []
        for row, column in centre:
            angle, wavelength, width = random.uniform(0, np.pi), random.uniform(4, 6), random.uniform(1.2, 1.8)
            envelope = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
            phase = 2 * np.pi / wavelength * ((x - column) * np.cos(angle) + (y - row) * np.sin(angle))
            filters.append([(envelope * wave(phase)).ravel() for wave in (np.cos, np.sin)])
        stacked = np.array(filters)
        return GaborCells(size, centre, stacked / np.linalg.norm(stacked, axis=2, keepdims=True))

    def movie(self, random: np.random.Generator, frames: int) -> np.ndarray:
        noise = gaussian_filter(random.standard_normal((frames, *self.size)), (1.5, 0.8, 0.8), mode="wrap")
        return np.clip(0.5 + 0.18 * noise / noise.std(), 0, 1)

    def rate(self, movie: np.ndarray) -> np.ndarray:
        seen = np.einsum("ncp,tp->ctn", self.filters, movie.reshape(len(movie), -1) - 0.5)
        delayed = sum(weight * np.roll(seen, lag, axis=1) for lag, weight in ((2, 0.3), (3, 0.4), (4, 0.3)))
        even, odd = delayed / delayed.std((0, 1))
        simple = np.arange(len(self.centre_px)) % 2 == 0
        return 0.1 + np.where(simple, 1.5 * np.maximum(even, 0), 0.8 * (even**2 + odd**2))

    def trials(self, count: int, frames: int, *, seed: int, noise: bool = True) -> list[Trial]:
        trials = []
        for number in range(count):
            random = np.random.default_rng([seed, number])
            movie = self.movie(random, frames)
            rate = self.rate(movie)
            response = random.poisson(rate).astype(float) if noise else rate
            trials.append(trial_of(movie, response, str(number)))
        return trials


def trial_of(movie: np.ndarray, response: np.ndarray | None, name: str = "0") -> Trial:
    shown = torch.from_numpy(np.asarray(movie)).float()
    recorded = None if response is None else torch.from_numpy(np.asarray(response)).float()
    return Trial(name, "cells", "train", 30.0, tuple(shown.shape[1:]), (), InMemory(shown, recorded))
