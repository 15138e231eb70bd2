"""Every wrong method is caught by two checks at least, the honest one by none, and the page says by which."""

from __future__ import annotations

import json

import pytest
from tests.validation import tiny
from tests.validation.table import HONEST, MEMORISED, PAGE, TOLD, WRONG, all_findings, page, summary

from cinecortex.validation.suite import SUITE


@pytest.fixture(scope="module")
def told():
    return all_findings()


def refuting(findings):
    return {name for name, finding in findings.items() if finding.verdict == "refuted"}


@pytest.mark.parametrize("method", WRONG)
def test_a_wrong_method_is_caught_twice(told, method):
    """A leaker also where nobody says what its encoder has seen."""
    assert len(refuting(told[method]) - {TOLD}) >= 2, {name: finding.verdict for name, finding in told[method].items()}
    assert (TOLD in refuting(told[method])) == (method in MEMORISED)


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
    nobody = {entry.id for entry in SUITE} - set.union(*(refuting(told[method]) for method in WRONG))
    assert nobody == {"leakage.alignment"}, "which judges encoders: no method here keeps statistics of the test"


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
            assert finding.n == (18 if name.endswith("families") else 6 if name in SOME_CLIPS else tiny.CLIPS)


SOME_CLIPS = {"heldout.repeats", "prior.sensitivity"}


def test_the_page_is_up_to_date(told):
    assert PAGE.read_text(encoding="utf-8") == page(told), "python -m tests.validation.table writes it anew"
