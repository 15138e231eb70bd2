"""Where curves written down by hand fall below one half."""

from __future__ import annotations

import math

import pytest

from cinecortex.errors import WrongUse
from cinecortex.information import Band, Information
from cinecortex.metrics.cutoff import Cutoff, cutoff, share_over_frequency


@pytest.mark.parametrize(
    ("frequencies", "values", "expected"),
    [
        ((0.1, 0.2, 0.4), (0.9, 0.7, 0.3), Cutoff(0.2 * math.sqrt(2), "at")),
        ((0.1, 0.4), (0.75, 0.25), Cutoff(0.2, "at")),
        # Between standing still and the slowest change nothing was measured.
        ((0.0, 0.4, 0.5), (1.0, 0.2, 0.1), Cutoff(0.4, "below")),
        ((0.0, 0.4), (0.2, 0.1), Cutoff(0.4, "below")),
        ((0.0, 0.1, 0.4), (1.0, 0.75, 0.25), Cutoff(0.2, "at")),
        # Neurons that prefer some frequency.
        ((0.1, 0.2, 0.4, 0.8), (0.2, 0.8, 0.2, 0.1), Cutoff(0.2 * math.sqrt(2), "at")),
        # Something that comes up again is not counted.
        ((1.0, 4.0, 8.0), (0.9, 0.1, 0.6), Cutoff(2.0, "at")),
        ((0.1, 0.2), (0.4, 0.3), Cutoff(0.1, "below")),
        ((0.1, 0.2), (0.6, 0.5), Cutoff(0.2, "above")),
    ],
)
def test_it_is_where_it_is(frequencies, values, expected):
    found = cutoff(frequencies, values)
    assert found.where == expected.where
    assert found.frequency == pytest.approx(expected.frequency)


def test_it_is_said_in_words_and_in_the_unit():
    assert Cutoff(0.1, "at").words("Hz", 30.0) == "falls below one half at 3 Hz"
    assert Cutoff(0.4, "above").words("cycles per px") == "is not below one half up to 0.4 cycles per px"
    assert Cutoff(0.1, "below").words("Hz", 30.0) == "is below one half from 3 Hz on"


@pytest.mark.parametrize(("frequencies", "values"), [((), ()), ((0.1,), (0.5, 0.4)), ((0.2, 0.1), (0.5, 0.4))])
def test_no_curve_is_refused(frequencies, values):
    with pytest.raises(WrongUse, match="rising frequencies"):
        cutoff(frequencies, values)


def told(*bands):
    made = tuple(Band(spatial, temporal, share, 0.0, prior) for spatial, temporal, share, prior in bands)
    return Information(1.0, 0.0, 1.0, 0.0, (), (), 1, 1, 1, 30.0, 0.5, 0.0, made, 2)


def test_variances_are_summed_before_the_ratio_and_the_mean_luminance_is_left_out():
    still, slow, coarse, fine = (0.0, 0.0), (0.0, 0.1), (0.0, 0.2), (0.2, 0.8)
    one = told((still, still, 1.0, 99.0), (coarse, still, 0.8, 3.0), (fine, still, 0.5, 1.0), (coarse, slow, 0.4, 1.0))
    other = told((coarse, still, 0.2, 2.0), (still, slow, 0.1, 1.0))
    frequencies, shares = share_over_frequency([one, other], "spatial")
    assert frequencies == pytest.approx([0, 0.1, 0.4])
    assert shares == pytest.approx([0.1, (0.8 * 3 + 0.4 + 0.2 * 2) / 6, 0.5])
    frequencies, shares = share_over_frequency([one, other], "temporal")
    assert frequencies == pytest.approx([0, 0.05])
    assert shares == pytest.approx([(2.4 + 0.5 + 0.4) / 6, (0.4 + 0.1) / 2])
