import numpy as np
import pytest

from cinecortex.stimuli.motion import jumps, wander


def test_wandering_has_the_speed_and_memory_asked_for() -> None:
    path = wander(np.random.default_rng(0), frames=400, frame_rate_hz=50.0, speed=3.0, time_constant_s=0.5, paths=3000)
    velocity = np.diff(path, axis=0) * 50
    assert path[0] == pytest.approx(0)
    assert velocity.std(axis=(1, 2)) == pytest.approx(3.0, rel=0.06)  # from the first frame on
    correlation = (velocity[:-25] * velocity[25:]).mean() / (velocity**2).mean()
    assert correlation == pytest.approx(np.exp(-1), abs=0.03)


def test_jumps_happen_as_often_and_as_far_as_asked() -> None:
    path = jumps(np.random.default_rng(0), frames=40_000, frame_rate_hz=30.0, per_second=0.5, size=6.0)
    moving = np.abs(np.diff(path, axis=0)).sum(1) > 1e-9
    assert moving.mean() == pytest.approx(3 * 0.5 / 30, rel=0.15)
    # The variance of a random walk: jumps times the square of their size.
    assert (path[600:] - path[:-600]).var() == pytest.approx(0.5 * 20 * 36, rel=0.35)
