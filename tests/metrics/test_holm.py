"""Holm's correction, against the closed testing that it is a short cut for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.metrics import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_it_is_closed_testing_with_bonferroni(p_values) -> None:
    # A question's claim holds when every set of questions that has it in is rejected by Bonferroni's test.
    sets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(range(len(p_values)), size)]
    closed = [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets if question in s)
        for question in range(len(p_values))
    ]
    found = holm({str(number): p for number, p in enumerate(p_values)})
    assert list(found) == [str(number) for number in range(len(p_values))]
    assert list(found.values()) == pytest.approx(closed)


def test_example() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({}) == {}


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_nonsense_is_refused(p) -> None:
    with pytest.raises(WrongUse, match=r"controls\.x"):
        holm({"fine": 0.5, "controls.x": p})
