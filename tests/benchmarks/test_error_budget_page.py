"""What the page of the error budget counts, and what it says of it."""

from __future__ import annotations

import argparse

import pytest

from cinecortex.metrics.error_budget import ErrorBudget, Recovered


@pytest.fixture(scope="module")
def page(benchmark_module):
    return benchmark_module("error_budget")


def budget(encoder):
    clips = [Recovered(0.3 + n / 10, 0.25 + n / 10, (0.4 + n / 10,), encoder, (0.5,), 0.5, 0.5) for n in range(2)]
    return ErrorBudget(("a", "b"), tuple(clips))


def test_every_part_is_told_for_every_held_out_encoder_and_clip(page):
    lines = page.lines_of({"compact": budget(0.4), "linear": budget(0.9)})
    assert "| encoder | 0.050 [0.000, 0.100] | 10.0% " in "\n".join(lines)
    rows = [line for line in lines if line.startswith("| inverter |")]
    assert rows == [
        "| inverter | 0.050 [0.050, 0.050] | 10.0% [10.0%, 10.0%] | 0.050 [0.050, 0.050] | 10.0% [10.0%, 10.0%] |"
    ]
    assert "| 2 | 0.350 | 0.050 | 0.100 | 0.000 | 0.500 | 0.500 | 0.000 |" in "\n".join(lines)


def test_the_budget_is_told_in_words(page):
    options = argparse.Namespace(frames=100, draws=2, starts=4)
    told = "\n".join(page.facts({"compact": budget(0.4)}, options))
    assert "With the compact encoder held out: Of the error on recorded responses (0.50" in told
    assert "the lowest of 4 starts" in told
