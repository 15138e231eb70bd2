"""Two one-sided tests, against SciPy's t tests."""

import math

import numpy as np
import pytest
import scipy.stats

from cinecortex.errors import WrongUse
from cinecortex.metrics import equivalence


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.1, 0.6])
def test_p_is_the_larger_of_the_two_tests(mean) -> None:
    values = np.random.default_rng(1).normal(mean, 0.5, size=14)
    found = equivalence(values.tolist(), bound=0.4)
    above = scipy.stats.ttest_1samp(values, -0.4, alternative="greater")
    below = scipy.stats.ttest_1samp(values, 0.4, alternative="less")
    assert found.p == pytest.approx(max(above.pvalue, below.pvalue))
    interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high, found.level) == pytest.approx((interval.low, interval.high, 0.9))
    assert found.n == 14


def test_the_interval_is_within_the_bounds_exactly_when_p_is_small() -> None:
    worlds = np.random.default_rng(2).normal(size=(300, 10)) * 0.4 + 0.1
    found = [equivalence(world.tolist(), bound=0.4) for world in worlds]
    within = [one.low > -0.4 and one.high < 0.4 for one in found]
    assert within == [one.p < 0.05 for one in found]
    assert 20 < sum(within) < 280


def test_a_difference_at_the_bound_seldom_passes_for_none() -> None:
    worlds = np.random.default_rng(3).normal(0.4, 0.3, size=(800, 12))
    passed = np.mean([equivalence(world.tolist(), bound=0.4).p < 0.05 for world in worlds])
    assert passed == pytest.approx(0.05, abs=0.025)


def test_little_data_shows_no_equivalence() -> None:
    few = equivalence([0.0], bound=1.0)
    assert (few.p, few.n, few.difference) == (1.0, 1, 0.0)
    assert math.isnan(few.low)
    assert equivalence([math.nan], bound=1.0).n == 0
    assert equivalence([0.1, math.nan, 0.1], bound=0.4).p == 0.0
    assert equivalence([0.5, 0.5], bound=0.4).p == 1.0
    assert equivalence([0.5, 0.5], bound=0.5).p == 0.5


def test_nonsense_is_refused() -> None:
    for wrong in ({"bound": 0.0}, {"bound": 1.0, "alpha": 0.5}, {"bound": math.nan}):
        with pytest.raises(WrongUse, match="bound"):
            equivalence([0.0, 1.0], **wrong)
    with pytest.raises(WrongUse, match="infinite"):
        equivalence([math.inf, 1.0], bound=1.0)
