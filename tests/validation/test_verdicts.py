"""From numbers to words."""

import math
import statistics

import numpy as np
import pytest
from tests.validation.methods import trials

from cinecortex.metrics import bootstrap_mean, needed_sample_size
from cinecortex.seeds import Seed
from cinecortex.validation.verdicts import Units, decide, independent_units, rule

SEED = Seed(1)


def clips(*values: float) -> Units:
    return Units((values,), "clip")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.3, 0.4, 0.35, 0.5, 0.45), "supported"),
        ((0.0, 0.01, -0.02, 0.03, 0.0), "refuted"),
        ((0.0, 0.0, 0.0, 0.0, 0.0), "refuted"),
        ((0.3, -0.3, 0.35, 0.1, -0.15), "undecided"),
        ((0.3, 0.4, 0.35, 0.5), "undecided"),
        ((0.4,), "undecided"),
        ((), "undecided"),
    ],
)
def test_the_interval_decides(values, verdict):
    decision = decide(clips(*values), threshold=0.05, seed=SEED)
    assert decision.verdict == verdict
    assert (decision.note == "") == (verdict != "undecided")
    if len(values) > 1:
        assert decision.interval == bootstrap_mean(values, seed=SEED)


def test_the_number_needed_is_that_of_a_t_test():
    values = tuple(np.random.default_rng(2).normal(0.1, 0.4, size=12).tolist())
    decision = decide(clips(*values), threshold=0.05, seed=SEED)
    expected = needed_sample_size(statistics.fmean(values) - 0.05, statistics.stdev(values))
    assert decision.verdict == "undecided"
    assert decision.needed == max(expected, 13)
    assert f"About {decision.needed} clips" in decision.note
    assert decide(clips(0.3, 0.4, 0.35), threshold=0.05, seed=SEED).needed == 5, "the least, though fewer would do"
    assert decide(clips(0.4), threshold=0.05, seed=SEED).needed == 5
    exactly = decide(clips(0.25, 0.25, 0.25, 0.25, 0.25), threshold=0.25, seed=SEED)
    assert (exactly.verdict, exactly.needed) == ("undecided", None)
    assert "no number" in exactly.note


def test_the_number_needed_decides_as_often_as_it_says():
    random = np.random.default_rng(3)
    needed = needed_sample_size(0.2 - 0.05, 0.3)
    worlds = random.normal(0.2, 0.3, size=(80, needed))
    decided = [decide(clips(*world.tolist()), threshold=0.05, seed=SEED / n).verdict for n, world in enumerate(worlds)]
    assert decided.count("supported") / 80 == pytest.approx(0.8, abs=0.13)
    assert decided.count("refuted") == 0


def test_what_is_not_independent_is_averaged():
    one = trials(3, repeats=2)
    units = independent_units(one, [1.0, 2.0, 3.0, 3.0, math.nan, 5.0])
    assert (units.sessions, units.unit) == (((2.0, 2.0, 4.0),), "clip")
    both = [*trials(2), *trials(2, session="b", first=1)]
    assert independent_units(both, [0.0, 1.0, 3.0, 4.0]).sessions == ((0.0, 2.0, 4.0),)
    apart = independent_units(both, [0.0, 1.0, 3.0, 4.0], least=2)
    assert (apart.sessions, apart.unit) == (((0.0, 1.0), (3.0, 4.0)), "session")
    assert apart.values == (0.5, 3.5)
    assert independent_units(both, [math.nan] * 4).values == ()


def test_the_rule_is_a_sentence():
    assert rule(0.05) == (
        "supported where the 95% interval lies above 0.05, refuted where it lies below, undecided otherwise and with "
        "fewer than 5 clips"
    )
