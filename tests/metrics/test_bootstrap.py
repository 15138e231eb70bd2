"""Intervals over clips: coverage, pairing and the edges."""

import math

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval, bootstrap_mean, paired_difference
from cinecortex.seeds import Seed

SEED = Seed(3) / "bootstrap"


def test_large_samples_agree_with_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(2, 3, size=400)
    result = bootstrap_mean(values.tolist(), seed=SEED)
    half = 1.96 * values.std(ddof=1) / 20
    assert result.value == pytest.approx(values.mean())
    assert result.low == pytest.approx(values.mean() - half, abs=0.03)
    assert result.high == pytest.approx(values.mean() + half, abs=0.03)
    assert (result.level, result.n) == (0.95, 400)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_ten_clips_are_covered_as_promised(level: float) -> None:
    clips = np.random.default_rng(1).normal(size=(600, 10))
    inside = [
        (i := bootstrap_mean(row.tolist(), seed=SEED / n, level=level, draws=1000)).low <= 0 <= i.high
        for n, row in enumerate(clips)
    ]
    assert np.mean(inside) == pytest.approx(level, abs=0.035)


def test_same_seed_same_interval_and_another_seed_another() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    assert bootstrap_mean(values, seed=SEED) == bootstrap_mean(torch.tensor(values, dtype=torch.float64), seed=SEED)
    assert bootstrap_mean(values, seed=SEED, draws=50) != bootstrap_mean(values, seed=Seed(4), draws=50)


def test_pairing_removes_what_the_clips_share() -> None:
    clip = np.random.default_rng(2).normal(size=12)
    a, b = (clip + 0.1).tolist(), clip.tolist()
    paired = paired_difference(a, b, seed=SEED)
    assert (paired.low, paired.value, paired.high) == pytest.approx((0.1, 0.1, 0.1))
    assert bootstrap_mean(a, seed=SEED).low < 0 < bootstrap_mean(a, seed=SEED).high
    swapped = paired_difference(b, a, seed=SEED)
    assert swapped.value == pytest.approx(-paired.value)
    with pytest.raises(WrongUse, match="same clips"):
        paired_difference(a, b[:-1], seed=SEED)


def test_few_values_and_values_that_could_not_be_scored() -> None:
    one = bootstrap_mean([0.4], seed=SEED)
    assert (one.value, one.n) == (0.4, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = bootstrap_mean([math.nan], seed=SEED)
    assert math.isnan(none.value)
    assert none.n == 0
    assert bootstrap_mean([0.1, math.nan, 0.3], seed=SEED) == bootstrap_mean([0.1, 0.3], seed=SEED)
    assert paired_difference([1.0, math.nan, 3.0], [0.0, 0.0, math.nan], seed=SEED).n == 1
    two = bootstrap_mean([0.1, 0.3], seed=SEED)
    assert (two.low, two.high) == pytest.approx((0.1, 0.3))


def test_nonsense_is_refused() -> None:
    with pytest.raises(WrongUse, match="infinite"):
        bootstrap_mean([1.0, math.inf], seed=SEED)
    with pytest.raises(WrongUse, match="level"):
        bootstrap_mean([1.0, 2.0], seed=SEED, level=95.0)


def test_an_interval_reads_as_a_sentence_would_say_it() -> None:
    assert str(Interval(0.51234, 0.4, 0.6, 0.95, 10)) == "0.512 [0.400, 0.600]"
