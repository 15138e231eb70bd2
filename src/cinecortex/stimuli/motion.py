"""How things and eyes move: smooth wandering, and jumps between fixations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter


def wander(
    generator: np.random.Generator,
    *,
    frames: int,
    frame_rate_hz: float,
    speed: float,
    time_constant_s: float,
    paths: int = 1,
) -> Float[np.ndarray, "frames paths 2"]:
    """Positions of points whose velocity drifts smoothly (an Ornstein-Uhlenbeck velocity, started in its steady state).

    Args:
        generator: Source of randomness.
        frames: Number of frames.
        frame_rate_hz: Frames per second.
        speed: Root mean square of each velocity component, in units of the position per second.
        time_constant_s: Seconds after which a velocity is forgotten.
        paths: Number of independent points.

    Returns:
        Position along two axes, zero in the first frame, in the unit of ``speed`` times seconds.
    """
    keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
    kicks = generator.standard_normal((frames, paths, 2))
    kicks[1:] *= np.sqrt(1 - keep**2)
    position = np.cumsum(lfilter([1.0], [1.0, -keep], kicks, axis=0), axis=0) * (speed / frame_rate_hz)
    return position - position[:1]


def jumps(
    generator: np.random.Generator, *, frames: int, frame_rate_hz: float, per_second: float, size: float
) -> Float[np.ndarray, "frames 2"]:
    """Positions of a gaze that stays, then jumps: saccades at random times, each spread over about three frames.

    Args:
        generator: Source of randomness.
        frames: Number of frames.
        frame_rate_hz: Frames per second.
        per_second: Mean number of jumps per second.
        size: Root mean square of each component of a jump.

    Returns:
        Position along two axes, in the unit of ``size``.
    """
    happens = generator.random(frames) < per_second / frame_rate_hz
    steps = happens[:, None] * generator.standard_normal((frames, 2)) * size
    return np.cumsum(lfilter([0.25, 0.5, 0.25], [1.0], steps, axis=0), axis=0)
