"""Populations that nobody has recorded: intervals that hold the truth as often as they say, and are of use."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from tests.identifiability.linear_populations import Random, bits, foretold

from cinecortex.errors import WrongUse
from cinecortex.identifiability.extrapolation import extrapolate, scaled_spectrum, scatter_of
from cinecortex.seeds import Seed

SIZES = (62, 125, 250, 500)
SURE = [0.0] * 4


def single(neurons, weight=100.0, each=0.01):
    """Bits were all directions seen alike."""
    return weight * np.log2(1 + each * np.asarray(neurons)) / 2


def power(neurons, exponent=0.7):
    return 10.0 * np.asarray(neurons, float) ** exponent


def of(curve, *, errors=SURE, **options):
    return extrapolate(SIZES, curve(np.array(SIZES)).tolist(), errors, seed=Seed(0), **options)


@pytest.mark.parametrize("curve", [single, power, lambda n: single(n, each=0.1), lambda n: power(n, 0.95)])
def test_both_extremes_lie_within_the_interval(curve):
    foretold = of(curve)
    for neurons in (1000, 2000, 8000):
        prediction = foretold.at(neurons)
        assert prediction.low <= float(curve(neurons)) <= prediction.high
    assert foretold.at(2000).high / foretold.at(2000).low < 1.7


def test_shares_lie_below_one():
    def share(neurons):
        seen = np.multiply.outer(neurons, np.logspace(-4, -2, 30))
        return (seen / (1 + seen)).mean(-1)

    foretold = of(share, quantity="share")
    for neurons in (1000, 2000, 8000):
        prediction = foretold.at(neurons)
        assert prediction.low <= float(share(neurons)) <= prediction.high < 1


def test_what_was_measured_is_what_is_given_there():
    foretold = of(single)
    for neurons in SIZES:
        assert foretold.at(neurons).value == pytest.approx(float(single(neurons)), rel=0.01)


def test_every_curve_rises_and_never_faster_than_the_population():
    foretold = of(single)
    steps = np.diff(foretold.curves, axis=1) / (np.diff(foretold.doublings) * math.log(2))
    assert (steps > 0).all()
    assert (steps < 1).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """The tolerance is that of a 90 % interval over 50 populations: 0.9 less 2.4 standard errors of 0.042."""
    found = [foretold(Seed(7) / number) for number in range(50)]
    assert np.mean([one.bits for one in found]) >= 0.8
    assert np.mean([one.share for one in found]) >= 0.8
    assert np.median([one.width for one in found]) < 2.0, "and is of use"


def test_what_a_straight_line_foretells_is_wrong_far_more_often():
    """Planted fault: a power law through the last two points is above the truth in almost every population."""
    above = []
    for number in range(20):
        population = Random.draw(Seed(7) / number / "population")
        half, last, true = (bits(population.spectrum(np.arange(size))) for size in (100, 200, 800))
        above.append(last * (last / half) ** 2 > true)
    assert np.mean(above) > 0.8


def test_what_seen_directions_alone_would_give_is_never_too_much():
    """Jensen: in the mean over populations that could have been recorded; here over subsets of one."""
    for number in range(5):
        population = Random.draw(Seed(8) / number)
        whole = bits(population.spectrum(np.arange(800)))
        least = []
        for order in range(4):
            values = population.spectrum((Seed(9) / order).numpy().permutation(800)[:200])
            least.append(scaled_spectrum(values.tolist(), [1.0] * len(values), 4.0))
        assert np.mean(least) < whole


def test_a_floor_is_heeded_and_one_that_cannot_be_is_not():
    free = of(single).at(2000)
    held = of(single, floor=([2000], [free.value])).at(2000)
    assert held.low > free.low
    assert held.low == pytest.approx(free.value, rel=0.02)
    assert of(single, floor=([2000], [10 * free.high])).at(2000).value == pytest.approx(free.value, rel=0.02)


def test_errors_and_scatter_make_intervals_wider():
    sure, unsure = of(single).at(2000), of(single, errors=[0.1 * one for one in single(np.array(SIZES))]).at(2000)
    scattered = of(single, scatter=5.0).at(2000)
    for wider in (unsure, scattered):
        assert math.log(wider.high / wider.low) > 1.1 * math.log(sure.high / sure.low)
    assert math.log(unsure.high / unsure.low) > 2 * 1.645 * 0.1 * 0.9


def test_intervals_grow_with_the_distance_and_the_level():
    foretold = of(single)
    widths = [math.log(foretold.at(neurons).high / foretold.at(neurons).low) for neurons in (500, 1000, 4000, 30000)]
    assert widths == sorted(widths)
    inner, outer = foretold.at(2000, level=0.5), foretold.at(2000, level=0.95)
    assert outer.low < inner.low < inner.high < outer.high


def test_scatter_is_the_variance_of_what_one_neuron_gives():
    """Of values that are sums, drawn without putting back: in the mean over populations."""
    random = Seed(1).numpy()
    found = []
    for _ in range(40):
        given = random.normal(1.0, 0.5, 100)
        orders = [random.permutation(100) for _ in range(6)]
        values = np.array([[given[order[:size]].sum() for size in (25, 50, 100)] for order in orders])
        found.append(scatter_of((25, 50, 100), values, population=100))
    error = float(np.std(found)) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0.25, abs=4 * error)
    assert scatter_of((25, 50), values[:1, :2], population=100) == 0.0
    assert scatter_of((100,), values[:, 2:], population=100) == 0.0


def test_the_inverse_question_is_the_inverse():
    foretold = of(single)
    needed = foretold.needed(float(single(2000)))
    assert needed.low <= 2000 <= needed.high
    assert foretold.at(needed.neurons).value == pytest.approx(float(single(2000)), rel=0.01)
    assert needed.sentence.startswith("About ")
    assert "more than were measured" in needed.sentence
    assert f"{needed.low:,} to {needed.high:,}" in needed.sentence
    within = foretold.needed(float(single(200)))
    assert within.neurons == pytest.approx(200, rel=0.03)
    assert "more than were measured" not in within.sentence
    json.dumps(asdict(needed), allow_nan=False)
    around_the_first = of(single, scatter=5.0).needed(float(single(70)))
    assert "interval 62 or fewer to " in around_the_first.sentence


def test_what_is_not_reached_is_said_in_words():
    foretold = of(lambda n: single(n, each=0.1), most=4000)
    assert foretold.most == 4000
    never = foretold.needed(1e6)
    assert (never.neurons, never.low, never.high) == (None, None, None)
    assert never.sentence == "1e+06 bits is not reached with up to 4,000 neurons."
    open_ended = foretold.needed(foretold.at(4000).value * 0.995)
    assert open_ended.high is None
    assert "to more than 4,000" in open_ended.sentence
    assert "is enough for 10 bits" in foretold.needed(10.0).sentence
    hardly = foretold.needed(foretold.at(4000).value * 1.01)
    assert hardly.neurons is None
    assert hardly.low is not None
    assert "at the very least" in hardly.sentence


def test_the_same_seed_gives_the_same_curves():
    assert np.array_equal(of(single).curves, of(single).curves)


@pytest.mark.parametrize(
    ("neurons", "values", "match"),
    [
        ([1, 2], [1.0, 2.0], "3 populations at least"),
        ([1, 3, 2], [1.0, 2.0, 3.0], "3 populations at least"),
        ([1, 2, 3], [0.0, 2.0, 3.0], "values above 0"),
        ([1, 2, 3], [0.1, math.nan, 0.3], "values above 0"),
    ],
)
def test_what_is_no_curve_is_refused(neurons, values, match):
    with pytest.raises(WrongUse, match=match):
        extrapolate(neurons, values, [0.0] * len(values), seed=Seed(0))


def test_questions_without_sense_are_refused():
    with pytest.raises(WrongUse, match="of shares below 1"):
        extrapolate([1, 2, 3], [0.5, 0.8, 1.0], SURE[:3], quantity="share", seed=Seed(0))
    foretold = of(single)
    with pytest.raises(WrongUse, match="between 62 and 32000 can be asked"):
        foretold.at(10)
    with pytest.raises(WrongUse, match="between 62 and 32000 can be asked"):
        foretold.at(10**6)
    with pytest.raises(WrongUse, match="makes no sense"):
        foretold.needed(0.0)
    with pytest.raises(WrongUse, match="lies between 0 and 1"):
        foretold.at(1000, level=1.0)
