"""How many clips: published tables, simulation, and the edges."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.metrics import needed_sample_size, paired_power


@pytest.mark.parametrize(
    ("effect", "power", "sides", "expected"),
    # Cohen's d of paired differences at alpha 0.05, as G*Power 3.1 gives them (Faul et al. 2007).
    [(0.2, 0.8, 2, 199), (0.5, 0.8, 2, 34), (0.8, 0.8, 2, 15), (0.5, 0.95, 2, 54), (0.5, 0.8, 1, 27)],
)
def test_known_sizes(effect, power, sides, expected) -> None:
    assert needed_sample_size(effect, 1.0, power=power, sides=sides) == expected
    assert needed_sample_size(-3 * effect, 3.0, power=power, sides=sides) == expected


@pytest.mark.parametrize("sides", [1, 2])
def test_power_is_how_often_the_test_finds_it(sides) -> None:
    worlds = np.random.default_rng(1).normal(0.6, 1.0, size=(20_000, 12))
    t = worlds.mean(1) / worlds.std(1, ddof=1) * math.sqrt(12)
    found = (t > scipy.stats.t.ppf(1 - 0.05 / sides, 11)).mean()
    assert paired_power(0.6, 1.0, 12, sides=sides) == pytest.approx(found, abs=0.012)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 20), st.floats(0.3, 0.99), st.sampled_from([1, 2]), st.floats(0.001, 0.2))
def test_it_is_the_fewest_that_reach_the_power(effect, power, sides, alpha) -> None:
    n = needed_sample_size(effect, 1.0, power=power, sides=sides, alpha=alpha)
    assert n is not None
    assert paired_power(effect, 1.0, n, sides=sides, alpha=alpha) >= power
    if n > 2:
        assert paired_power(effect, 1.0, n - 1, sides=sides, alpha=alpha) < power


def test_for_many_clips_it_is_the_normal_formula() -> None:
    normal = ((scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)) / 0.02) ** 2
    assert needed_sample_size(0.02, 1.0) == pytest.approx(normal + 1.92, abs=1.5)


def test_what_cannot_be_said_is_none() -> None:
    assert needed_sample_size(0.0, 1.0) is None
    assert needed_sample_size(math.nan, 1.0) is None
    assert needed_sample_size(0.1, math.nan) is None
    assert needed_sample_size(1e-6, 1.0) is None
    assert needed_sample_size(0.1, 0.0) == 2
    with pytest.raises(WrongUse, match="power is 1"):
        needed_sample_size(0.1, 1.0, power=1.0)
    with pytest.raises(WrongUse, match="n is 1"):
        paired_power(0.1, 1.0, 1)
