"""From ranks to p-values, a word and a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cinecortex.finding import Verdict
from cinecortex.metrics.holm import holm
from cinecortex.metrics.uniformity import chi_square, ecdf_test

ALPHA = 0.01
"""One calibrated inversion in a hundred may be called wrong."""
LEAST = 100
"""Fewer simulations support nothing: with a hundred, draws that are a third too narrow or too wide are found out."""

Shape = Literal["level", "at both ends", "in the middle", "low", "high"]

MEANING: Mapping[Shape, str] = {
    "level": "show no clear shape",
    "at both ends": "pile up at both ends: over-confident, the draws are too close together",
    "in the middle": "pile up in the middle: under-confident, the draws are too far apart",
    "low": "lie low: the truth is below the draws",
    "high": "lie high: the truth is above the draws",
}


LIKELIHOOD = "log likelihood"
"""Name of the quantity that says how well a movie fits the responses, for which low and high have a meaning of their
own."""
OF_LIKELIHOOD: Mapping[Shape, str] = {
    "low": "lie low: over-confident, the draws fit the responses better than the truth does",
    "high": "lie high: under-confident, the draws fit the responses worse than the truth does",
}


@dataclass(frozen=True)
class Uniformity:
    """Whether the ranks of one quantity are uniform.

    Attributes:
        chi_square: p-value over bins; see `uniformity.chi_square`.
        ecdf: p-value of the distribution function; see `uniformity.ecdf_test`.
        p: The smaller of the two after Holm's correction over both tests of all quantities.
        shape: Where the ranks are, if anywhere.
    """

    chi_square: float
    ecdf: float
    p: float
    shape: Shape


def uniformities(ranks: Mapping[str, Sequence[int]], *, draws: int) -> dict[str, Uniformity]:
    """Test every quantity, corrected for their number.

    Ranks of several quantities come from the same simulations and depend on each other; Holm's correction holds all
    the same.

    Args:
        ranks: By quantity: one for each simulation, 0 to ``draws``.
        draws: How many draws each truth was ranked among.

    Raises:
        WrongUse: a rank is out of range.
    """
    bins = {name: chi_square(found, draws=draws) for name, found in ranks.items()}
    function = {name: ecdf_test(found, draws=draws) for name, found in ranks.items()}
    corrected = holm(
        {f"bins {name}": p for name, p in bins.items()} | {f"function {name}": p for name, p in function.items()}
    )
    return {
        name: Uniformity(
            bins[name],
            function[name],
            min(corrected[f"bins {name}"], corrected[f"function {name}"]),
            shape_of(found, draws=draws),
        )
        for name, found in ranks.items()
    }


def shape_of(ranks: Sequence[int], *, draws: int) -> Shape:
    """The fault that the ranks show most, of a shift and a wrong width; ``level`` where neither is 2 errors off.

    Of n uniform numbers on 0..1 the mean has variance ``1 / (12 n)``, and the variance about their own mean is 1/12
    with a variance of about ``1 / (180 n)``. About their own mean: ranks that are all the same are shifted, not wide.
    """
    if not len(ranks):
        return "level"
    uniform = (np.asarray(ranks) + 0.5) / (draws + 1)
    shift = float(uniform.mean() - 0.5) / math.sqrt(1 / 12 / len(uniform))
    width = float(uniform.var() - 1 / 12) / math.sqrt(1 / 180 / len(uniform))
    if max(abs(shift), abs(width)) < 2:
        return "level"
    if abs(width) >= abs(shift):
        return "at both ends" if width > 0 else "in the middle"
    return "low" if shift < 0 else "high"


def judged(tests: Mapping[str, Uniformity], simulations: int) -> Verdict:
    """The word."""
    if min(test.p for test in tests.values()) < ALPHA:
        return "refuted"
    return "supported" if simulations >= LEAST else "undecided"


def sentence_of(tests: Mapping[str, Uniformity], verdict: Verdict, *, simulations: int) -> str:
    """What was found, in a sentence."""
    worst = min(tests, key=lambda name: tests[name].p)
    p = tests[worst].p
    found = f"(least corrected p {p:.2g}, by {worst}, of {len(tests)} quantities and {simulations} simulations)"
    if verdict == "refuted":
        shape = tests[worst].shape
        meaning = OF_LIKELIHOOD.get(shape, MEANING[shape]) if worst == LIKELIHOOD else MEANING[shape]
        return f"The draws are not draws from the posterior: the ranks of {worst} {meaning} {found}."
    if verdict == "undecided":
        return f"No fault shows, but fewer than {LEAST} simulations would hardly show one {found}."
    return f"Ranks are uniform as far as can be told: the draws pass for draws from the posterior {found}."
