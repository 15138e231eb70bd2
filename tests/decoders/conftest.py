"""Trials in memory, and a world in which the movie is a linear function of the responses around each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory

from cinecortex.recording import Trial

LATENCY = {-1: 0.2, 2: 1.0, 3: -0.7}
"""Lag in frames -> how strongly the linear world's movie follows the responses at that lag."""


def make_trial(movie, response, name="0"):
    movie = torch.as_tensor(movie, dtype=torch.float32)
    response = None if response is None else torch.as_tensor(response, dtype=torch.float32)
    return Trial(name, "world", "train", 30.0, tuple(movie.shape[1:]), (), InMemory(movie, response))


@dataclass(frozen=True)
class LinearWorld:
    """``movie[t] = 0.5 + sum over lags of strength * (response[t + lag] - 3) @ map + noise``, well inside 0..1."""

    map: np.ndarray
    noise: float = 0.0
    frame_size: tuple[int, int] = (3, 5)

    def trial(self, rng, frames, name="0"):
        response = rng.normal(3.0, 2.0, (frames, len(self.map)))
        movie = np.full((frames, self.map.shape[1]), 0.5)
        for lag, strength in LATENCY.items():
            t = np.arange(max(0, -lag), frames - max(0, lag))
            movie[t] += strength * (response[t + lag] - 3.0) @ self.map
        movie += self.noise * rng.normal(size=movie.shape)
        return make_trial(movie.clip(0, 1).reshape(frames, *self.frame_size), response, name)

    def trials(self, rng, count, frames):
        return [self.trial(rng, frames, str(i)) for i in range(count)]


@pytest.fixture(name="make_trial", scope="session")
def make_trial_fixture():
    return make_trial


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def world(rng):
    return LinearWorld(map=0.01 * rng.normal(size=(6, 15)))


@pytest.fixture(scope="session")
def shared_trials():
    """Train and select trials that decoders are fitted to once for many tests; nobody may change them."""
    rng = np.random.default_rng(6)
    world = LinearWorld(map=0.01 * rng.normal(size=(6, 15)))
    return world.trials(rng, 6, 60), world.trials(rng, 2, 60)
