"""Slow fluctuations: the one random process that arousal, gaze and shared noise are made of."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter


def drift(
    generator: np.random.Generator, *, frames: int, frame_rate_hz: float, time_constant_s: float, paths: int = 1
) -> Float[np.ndarray, "frames paths"]:
    """Independent Ornstein-Uhlenbeck paths of mean 0 and variance 1, started in their steady state.

    Args:
        generator: Source of randomness.
        frames: Number of frames.
        frame_rate_hz: Frames per second.
        time_constant_s: Seconds after which the autocorrelation has fallen to 1/e.
        paths: Number of independent paths.
    """
    keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
    kicks = generator.standard_normal((frames, paths))
    kicks[1:] *= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], kicks, axis=0))
