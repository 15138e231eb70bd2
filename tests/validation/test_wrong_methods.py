"""Every wrong method is caught by two checks at least, the honest one by none, and the page says by which."""

from __future__ import annotations

import json

import jaxtyping
import pytest
from tests.validation import tiny
from tests.validation.table import HONEST, MEMORISED, PAGE, TOLD, WRONG, method_by_method, page, summary, untold

from cinecortex.report.drawn import DRAWN, found_at
from cinecortex.validation.suite import SUITE

OTHERWISE = {"heldout.repeats": tiny.REPEATED, "prior.sensitivity": 6, "generalisation.families": 18}
"""Checks that look at another number of clips than are judged."""


@pytest.fixture(scope="module")
def told():
    """All findings. Shapes are checked while the honest method is asked: ten times more would take half a minute."""
    each = method_by_method()
    found = dict([next(each)])
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return found | dict(each)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def refuting(findings):
    return {name for name, finding in findings.items() if finding.verdict == "refuted"}


@pytest.mark.parametrize("method", WRONG)
def test_a_wrong_method_is_caught_twice(told, method):
    """Also where nobody says what its encoder was fitted to."""
    caught = refuting(told[method])
    assert len(caught - set(TOLD)) >= 2, {name: finding.verdict for name, finding in told[method].items()}
    assert caught & set(TOLD) == (set(TOLD) if method in MEMORISED else set())
    assert "may not be claimed" in summary(untold(told, method)).sentence


def test_the_honest_method_is_supported_by_all(told):
    assert {name for name, finding in told[HONEST].items() if finding.verdict != "supported"} == set()
    assert summary(told[HONEST]).verdict == "supported", "with p-values corrected for all questions"


@pytest.mark.parametrize("method", WRONG)
def test_no_wrong_method_may_claim_everything(told, method):
    sinking = {entry.id for entry in SUITE if entry.sinks}
    said = summary(told[method])
    assert (said.verdict == "refuted") == bool(refuting(told[method]) & sinking)
    assert "may not be claimed" in said.sentence


def test_every_check_catches_somebody(told):
    assert set.union(*(refuting(told[method]) for method in WRONG)) == {entry.id for entry in SUITE}


def test_no_check_is_forgotten(told):
    for findings in told.values():
        assert list(findings) == [entry.id for entry in SUITE]
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{entry.id}`" in text for entry in SUITE)


def test_findings_are_numbers_that_json_holds(told):
    for findings in told.values():
        for name, finding in findings.items():
            json.dumps(finding.to_json(), allow_nan=False)
            assert finding.id == name
            assert finding.n == OTHERWISE.get(name, tiny.CLIPS), name


def test_the_page_is_up_to_date(told):
    assert PAGE.read_text(encoding="utf-8") == page(told), "python -m tests.validation.table writes it anew"


def test_what_a_figure_shows_is_in_the_finding(told):
    for name, finding in told[HONEST].items():
        drawn = DRAWN.get(name)
        places = [] if drawn is None else [place for _, place in drawn.series]
        others = getattr(drawn, "dose", None) or getattr(drawn, "by", None)
        for place in [*places, *([others] if others else [])]:
            # The tiny world has neither every baseline nor every prior.
            if name not in ("baselines", "prior.sensitivity"):
                assert found_at(finding, place) is not None, f"{name} has no {place!r}"
