"""Every wrong method is caught by two checks at least, the honest one by none, and the page says by which."""

from __future__ import annotations

import json

import pytest
from tests.validation.table import HONEST, PAGE, WRONG, all_findings, page


@pytest.fixture(scope="module")
def told():
    return all_findings()


def refuting(findings):
    return {name for name, finding in findings.items() if finding.verdict == "refuted"}


@pytest.mark.parametrize("method", WRONG)
def test_a_wrong_method_is_caught_twice(told, method):
    assert len(refuting(told[method])) >= 2, {name: finding.verdict for name, finding in told[method].items()}


def test_the_honest_method_is_caught_by_none(told):
    assert refuting(told[HONEST]) == set()


def test_every_check_catches_somebody(told):
    assert set.union(*(refuting(told[method]) for method in WRONG)) == set(told[HONEST])


def test_findings_are_numbers_that_json_holds(told):
    for findings in told.values():
        for finding in findings.values():
            json.dumps(finding.to_json(), allow_nan=False)


def test_the_page_is_up_to_date(told):
    assert PAGE.read_text(encoding="utf-8") == page(told), "python -m tests.validation.table writes it anew"
