"""Clips within sessions: what the interval promises, and what taking clips as independent would promise falsely."""

import math

import numpy as np
import pytest

from cinecortex.errors import WrongUse
from cinecortex.metrics import bootstrap_mean, hierarchical_bootstrap
from cinecortex.seeds import Seed

SEED = Seed(5) / "bootstrap"


def nested(worlds: int, sessions: int, clips: int, between: float) -> np.ndarray:
    """True mean 0; clips differ with standard deviation 1 around sessions that differ with ``between``."""
    random = np.random.default_rng(8)
    return between * random.normal(size=(worlds, sessions, 1)) + random.normal(size=(worlds, sessions, clips))


def coverage(worlds: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """How often 0 is inside, of the nested interval and of one over all clips alike."""
    inside, alike = [], []
    for number, world in enumerate(worlds):
        interval = hierarchical_bootstrap(world.tolist(), seed=SEED / number, level=level, draws=200)
        inside.append(interval.low <= 0 <= interval.high)
        flat = bootstrap_mean(world.ravel().tolist(), seed=SEED / number, level=level, draws=200)
        alike.append(flat.low <= 0 <= flat.high)
    return float(np.mean(inside)), float(np.mean(alike))


def test_sessions_that_differ_are_covered_and_clips_taken_alike_are_not() -> None:
    nested_coverage, flat_coverage = coverage(nested(150, 6, 8, between=1.0))
    assert 0.9 <= nested_coverage <= 0.995
    assert flat_coverage < 0.75, "the fault that this is for"


def test_sessions_that_do_not_differ_are_covered_too_often_and_never_too_seldom() -> None:
    assert coverage(nested(80, 6, 4, between=0.0), level=0.8)[0] >= 0.8


def test_the_spread_is_that_of_resampling_sessions_and_clips() -> None:
    # Variance of the mean over resampled groups: that of their means over k, plus that within them over m k.
    (world,) = nested(1, 30, 10, between=1.0)
    interval = hierarchical_bootstrap(world.tolist(), seed=SEED, level=0.68268949)
    expected = math.sqrt(world.mean(1).var() / 30 + world.var(1).mean() / 300)
    widened = 30 / 29  # Student's t and the n - 1 of the widening, to first order
    assert interval.value == pytest.approx(world.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(expected * widened, rel=0.04)
    assert interval.n == 30


def test_one_session_is_a_bootstrap_over_its_clips() -> None:
    clips = [0.1, 0.4, math.nan, 0.35, 0.8]
    assert hierarchical_bootstrap([clips], seed=SEED) == bootstrap_mean(clips, seed=SEED)
    assert hierarchical_bootstrap([[math.nan], clips, []], seed=SEED) == bootstrap_mean(clips, seed=SEED)


def test_sessions_weigh_the_same_however_many_clips_they_have() -> None:
    interval = hierarchical_bootstrap([[1.0] * 50, [0.0], [0.5, 0.5]], seed=SEED)
    assert interval.value == pytest.approx(0.5)
    assert (interval.low, interval.high, interval.n) == (0.0, 1.0, 3)
    assert math.isnan(hierarchical_bootstrap([], seed=SEED).value)


def test_same_seed_same_interval() -> None:
    world = nested(1, 4, 5, between=1.0)[0].tolist()
    assert hierarchical_bootstrap(world, seed=SEED) == hierarchical_bootstrap(world, seed=SEED)
    assert hierarchical_bootstrap(world, seed=SEED) != hierarchical_bootstrap(world, seed=Seed(9))


def test_nonsense_is_refused() -> None:
    with pytest.raises(WrongUse, match="infinite"):
        hierarchical_bootstrap([[1.0], [math.inf]], seed=SEED)
    with pytest.raises(WrongUse, match="level"):
        hierarchical_bootstrap([[1.0], [2.0]], seed=SEED, level=95.0)
