"""p-values from rearrangements, against SciPy's and against counting by hand."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.metrics import label_permutation, pairing_permutation, sign_flip
from cinecortex.seeds import Seed

SEED = Seed(2)
ALTERNATIVES = ("greater", "less", "two-sided")


def mean_difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return x.mean(axis=axis) - y.mean(axis=axis)


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_exact_sign_flips_are_scipys(alternative) -> None:
    a, b = np.random.default_rng(1).normal([[0.6], [0.0]], 1, size=(2, 9))
    reference = scipy.stats.permutation_test(
        (a, b), mean_difference, permutation_type="samples", alternative=alternative, vectorized=True
    )
    found = sign_flip((a - b).tolist(), seed=SEED, alternative=alternative)
    assert (found.exact, found.permutations, found.smallest) == (True, 512, 1 / 512)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.statistic == pytest.approx(reference.statistic)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_exact_labels_are_scipys(alternative) -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(0.8, 1, size=5), random.normal(size=5)
    reference = scipy.stats.permutation_test(
        (a, b), mean_difference, permutation_type="independent", alternative=alternative, vectorized=True
    )
    found = label_permutation(a.tolist(), b.tolist(), seed=SEED, alternative=alternative)
    assert (found.exact, found.permutations) == (True, 252)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.smallest == (2 if alternative == "two-sided" else 1) / 252


def test_exact_pairs_are_those_counted_by_hand() -> None:
    table = np.random.default_rng(4).normal(size=(5, 5)) + 0.8 * np.eye(5)
    sums = [sum(table[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(5))]
    found = pairing_permutation(torch.from_numpy(table), seed=SEED)
    assert found.p == pytest.approx(np.mean(np.array(sums) >= np.trace(table) - 1e-9))
    assert (found.exact, found.permutations, found.smallest) == (True, 120, 1 / 120)


def test_all_alike_in_sign_gives_the_smallest_p() -> None:
    found = sign_flip([0.1, 0.2, 0.3, 0.4, 0.7], seed=SEED)
    assert found.p == found.smallest == 1 / 32
    assert sign_flip([0.1, 0.2, 0.3, 0.4, 0.7], seed=SEED, alternative="two-sided").p == 2 / 32
    assert sign_flip([-0.1, -0.2], seed=SEED).p == 1.0
    # Zeros tell nothing: with them no smaller p can be had.
    assert sign_flip([0.1, 0.2, 0.3, 0.0, 0.0], seed=SEED).smallest == 1 / 8
    # 0.1 + 0.2 is not 0.3 in binary; it must tie all the same.
    assert sign_flip([0.3, -0.1, -0.2], seed=SEED).p == pytest.approx(5 / 8)


def test_drawn_p_counts_the_data_and_is_near_the_exact_one() -> None:
    values = np.random.default_rng(6).normal(0.35, 1, size=12).tolist()
    exact = sign_flip(values, seed=SEED)
    drawn = sign_flip(values, seed=SEED, draws=4_000)
    assert (exact.exact, drawn.exact) == (True, False)
    assert (drawn.permutations, drawn.smallest) == (4_001, 1 / 4_001)
    assert drawn.p == pytest.approx(exact.p, abs=4 * math.sqrt(exact.p * (1 - exact.p) / 4_000))
    assert (drawn.p * 4_001) == pytest.approx(round(drawn.p * 4_001))
    far = [5.0 + k for k in range(40)]
    assert sign_flip(far, seed=SEED, draws=99).p == 0.01, "never 0"
    apart = label_permutation(far, [-v for v in far], seed=SEED, draws=99)
    assert (apart.p, apart.exact) == (0.01, False)
    assert pairing_permutation(10 * np.eye(12), seed=SEED, draws=99).p == 0.01


def test_null_interval_is_that_of_the_flipped_mean() -> None:
    values = np.random.default_rng(7).normal(size=60)
    low, high = sign_flip(values.tolist(), seed=SEED).null
    half = 1.96 * math.sqrt((values**2).mean() / 60)
    assert (low, high) == pytest.approx((-half, half), rel=0.06)


def test_no_more_false_alarms_than_promised() -> None:
    worlds = np.random.default_rng(9).standard_t(3, size=(600, 7))
    p = np.array([sign_flip(world.tolist(), seed=SEED).p for world in worlds])
    assert (p <= 0.05).mean() <= 0.075
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.06)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8))
def test_both_ways_and_one_way_add_up(values) -> None:
    up, down = (sign_flip(values, seed=SEED, alternative=way) for way in ("greater", "less"))
    both = sign_flip(values, seed=SEED, alternative="two-sided")
    assert up.p + down.p >= 1
    assert both.p == pytest.approx(min(1.0, 2 * min(up.p, down.p)))
    assert all(0 < test.smallest <= test.p <= 1 for test in (up, down, both))
    assert sign_flip([-v for v in values], seed=SEED, alternative="less").p == pytest.approx(up.p)


def test_nothing_to_compare_and_nonsense() -> None:
    for empty in (sign_flip([math.nan], seed=SEED), label_permutation([1.0], [], seed=SEED)):
        assert (empty.p, empty.smallest) == (1.0, 1.0)
        assert math.isnan(empty.statistic)
    assert pairing_permutation(np.zeros((0, 0)), seed=SEED).p == 1.0
    with pytest.raises(WrongUse, match="infinite"):
        sign_flip([math.inf], seed=SEED)
    with pytest.raises(WrongUse, match="square"):
        pairing_permutation(np.zeros((2, 3)), seed=SEED)
    with pytest.raises(WrongUse, match="draws is 0"):
        sign_flip([1.0], seed=SEED, draws=0)
