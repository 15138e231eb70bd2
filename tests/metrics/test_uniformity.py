"""Tests of uniformity against simulation, enumeration and SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from cinecortex.errors import WrongUse
from cinecortex.metrics.uniformity import chi_square, ecdf_band, ecdf_test


def test_the_band_holds_as_often_as_it_says_by_counting_every_outcome() -> None:
    simulations, draws = 5, 3
    band = ecdf_band(simulations, draws=draws, level=0.8)
    inside = [
        all(
            low - 1e-12 <= sum(rank <= place for rank in ranks) / simulations <= high + 1e-12
            for place, (low, high) in enumerate(zip(band.lower, band.upper, strict=True))
        )
        for ranks in itertools.product(range(draws + 1), repeat=simulations)
    ]
    assert sum(inside) / len(inside) == pytest.approx(band.level)
    assert band.level >= 0.8


def test_the_band_holds_as_often_as_it_says_by_simulation() -> None:
    band = ecdf_band(60, draws=19, level=0.9)
    ranks = np.random.default_rng(1).integers(0, 20, (20_000, 60))
    reached = (ranks[:, :, None] <= np.arange(19)).mean(1)
    held = ((reached >= np.array(band.lower) - 1e-12) & (reached <= np.array(band.upper) + 1e-12)).all(1).mean()
    assert held == pytest.approx(band.level, abs=4 * math.sqrt(0.09 / 20_000))
    # Of steps as small as these the level asked for is nearly met, and pointwise intervals would be left far oftener.
    assert 0.9 <= band.level < 0.93
    pointwise = scipy.stats.binom.interval(0.9, 60, band.points)
    assert ((60 * reached >= pointwise[0]) & (60 * reached <= pointwise[1])).all(1).mean() < 0.6


def test_p_values_are_exact_by_counting_every_outcome() -> None:
    simulations, draws = 5, 3
    outcomes = list(itertools.product(range(draws + 1), repeat=simulations))
    p = np.array([ecdf_test(ranks, draws=draws) for ranks in outcomes])
    # Every p is the share of outcomes that are as extreme or more, which are those with no larger p.
    for value in np.unique(p):
        assert (p <= value + 1e-9).mean() == pytest.approx(value, abs=1e-9)
    assert p.max() == pytest.approx(1)


def test_faults_of_every_kind_are_found_and_uniform_ranks_are_not_one() -> None:
    random = np.random.default_rng(2)
    uniform = random.random((400, 100))
    p = [[test((32 * row).astype(int).tolist(), draws=31) for row in uniform] for test in (chi_square, ecdf_test)]
    for values in p:
        share = np.mean(np.array(values) < 0.05)
        assert abs(share - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 400)
    normal = random.standard_normal(200)
    for wrong in (1.7 * normal, normal / 1.7, normal + 0.5):
        ranks = np.minimum((32 * scipy.stats.norm.cdf(wrong)).astype(int), 31).tolist()
        assert ecdf_test(ranks, draws=31) < 0.01
        assert chi_square(ranks, draws=31) < 0.01


def test_bins_are_the_most_that_expect_five_ranks_each() -> None:
    ranks = np.random.default_rng(3).integers(0, 12, 31).tolist()
    counts = np.bincount(np.array(ranks) // 2, minlength=6)  # 31 ranks are enough for 6 bins, which divide 12
    assert chi_square(ranks, draws=11) == pytest.approx(scipy.stats.chisquare(counts).pvalue)
    assert chi_square(ranks[:9], draws=11) == 1
    assert chi_square(ranks, draws=12) == 1, "13 ranks have no equal bins but single ones, of which each expects two"


def test_what_is_no_rank_is_refused_and_nothing_is_uniform() -> None:
    assert ecdf_test([], draws=9) == chi_square([], draws=9) == 1
    for test in (chi_square, ecdf_test):
        with pytest.raises(WrongUse, match="between 0 and 9"):
            test([0, 10], draws=9)
    for simulations, draws, level in ((0, 9, 0.9), (9, 0, 0.9), (9, 9, 1.0)):
        with pytest.raises(WrongUse, match="level"):
            ecdf_band(simulations, draws=draws, level=level)
