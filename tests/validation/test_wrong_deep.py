"""Every deep check catches somebody, everybody wrong is caught, the honest are not, and the page says by which."""

from __future__ import annotations

import json

import jaxtyping
import pytest
from tests.validation import deep_in_silico, tiny
from tests.validation.deep_table import CASES, CHECKS, HONEST, PAGE, case_by_case, page

WRONG = [name for name in CASES if name != HONEST]


@pytest.fixture(scope="module")
def told():
    """All findings. Shapes are checked while the honest one is asked."""
    each = case_by_case()
    found = dict([next(each)])
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return found | dict(each)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def in_silico():
    """All findings of the second table."""
    return dict(deep_in_silico.by_case())


def refuting(findings):
    return {name for name, finding in findings.items() if finding.verdict == "refuted"}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_caught(told, name):
    assert refuting(told[name]), {check: finding.verdict for check, finding in told[name].items()}


def test_the_honest_one_is_supported_by_all(told):
    assert {name for name, finding in told[HONEST].items() if finding.verdict != "supported"} == set()


def test_every_deep_check_catches_somebody(told):
    assert set.union(*(refuting(told[name]) for name in WRONG)) == set(CHECKS)


def test_what_is_said_of_an_answer_is_judged_by_who_judges_that_alone(told):
    """An answer that is right is not refuted for what is said of it, but by the check that asks for that."""
    assert refuting(told["too sure"]) == refuting(told["unsure"]) == {"uncertainty.calibrated"}
    assert refuting(told["flat share"]) == refuting(told["reversed share"]) == {"identifiability.data_share"}
    assert "identifiability.information" in refuting(told["few neurons"])


def test_findings_are_numbers_that_json_holds(told):
    for findings in told.values():
        assert tuple(findings) == CHECKS
        for name, finding in findings.items():
            json.dumps(finding.to_json(), allow_nan=False)
            assert finding.id == name
            assert finding.n <= tiny.CLIPS, name


@pytest.mark.parametrize("name", [name for name in deep_in_silico.CASES if name != HONEST])
def test_what_is_wrong_is_caught_in_silico(in_silico, name):
    verdicts = [finding.verdict for finding in in_silico[name].values()]
    assert "refuted" in verdicts or (name == "recogniser" and "supported" not in verdicts), verdicts


def test_in_silico_the_honest_one_is_supported_and_every_check_catches_somebody(in_silico):
    assert {finding.verdict for finding in in_silico[HONEST].values()} == {"supported"}
    caught = [refuting(findings) for findings in in_silico.values()]
    assert set.union(*caught) == set(in_silico[HONEST]) == {"resolution.limits", "error.budget"}


def test_the_page_is_up_to_date(told, in_silico):
    assert PAGE.read_text(encoding="utf-8") == page(told, in_silico), (
        "python -m tests.validation.deep_table writes it anew"
    )
