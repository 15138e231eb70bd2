"""One verdict and one paragraph from many findings."""

from __future__ import annotations

import pytest

from cinecortex.finding import Finding
from cinecortex.validation.entry import Entry
from cinecortex.validation.suite import SUITE
from cinecortex.validation.summary import corrected, summarise

SINKS = [entry for entry in SUITE if entry.sinks]
ESSENTIAL = [entry for entry in SUITE if entry.essential]


def finding(entry: Entry, verdict: str = "supported", p: float | None = 0.001) -> Finding:
    return Finding(entry.id, "A claim.", verdict, "m", 1.0, (0.5, 1.5), 0.95, 10, "clip", "A rule.", p=p)  # type: ignore[arg-type]


def summary(changed: dict[str, str], missing: dict[str, str] | None = None):
    found = [finding(e, changed.get(e.id, "supported")) for e in SUITE if e.id not in (missing or {})]
    return summarise(found, SUITE, method="map", clips=10, missing=missing or {})


def test_all_supported_is_supported():
    found = summary({})
    assert found.verdict == "supported"
    assert found.sentence.startswith("On 10 clips, it may be claimed that map reads the movie from the neurons")
    assert "not be claimed" not in found.sentence


def test_one_that_sinks_sinks_it_whatever_the_others_say():
    for entry in SINKS:
        found = summary({entry.id: "refuted"})
        assert found.verdict == "refuted"
        assert found.sentence.startswith(
            "It may not be claimed that map reads the movie from the neurons (on 10 clips)"
        )
        assert entry.states in found.sentence


def test_one_that_limits_limits():
    for entry in SUITE:
        if not entry.sinks:
            found = summary({entry.id: "refuted"})
            assert found.verdict == "supported"
            assert f"It may not be claimed that {entry.states}" in found.sentence


def test_what_is_open_leaves_it_open():
    assert set(ESSENTIAL) < set(SINKS)
    for entry in ESSENTIAL:
        found = summary({entry.id: "undecided"})
        assert found.verdict == "undecided"
        assert f"it was not decided whether {entry.states}." in found.sentence
    assert summary({}, {ESSENTIAL[0].id: "nobody was there"}).verdict == "undecided"
    assert "nobody was there" in summary({}, {ESSENTIAL[0].id: "nobody was there"}).sentence
    for entry in set(SUITE) - set(ESSENTIAL):
        assert summary({entry.id: "undecided"}).verdict == "supported"
    refuted = summary({ESSENTIAL[2].id: "undecided", ESSENTIAL[3].id: "refuted"})
    assert refuted.verdict == "refuted"
    limits = next(entry for entry in SUITE if not entry.sinks)
    found = summary({limits.id: "undecided"})
    assert (found.verdict, f"Undecided: whether {limits.states}" in found.sentence) == ("supported", True)


def test_a_part_of_the_suite_says_that_it_is_one():
    part = SINKS[:2]
    found = summarise([finding(entry) for entry in part], part, method="map", clips=1, missing={})
    assert f"{len(SINKS) - 2} more checks could sink this and were left out" in found.sentence
    assert "On 1 clip," in found.sentence


def test_claims_of_their_own_are_corrected_for_their_number():
    others = [entry for entry in SUITE if not entry.essential]
    few = [finding(others[0], p=0.03), finding(others[1], p=0.001), finding(others[2], p=None)]
    judged = corrected(few, SUITE)
    assert [one.verdict for one in judged] == ["supported"] * 3
    assert (judged[0].data["p_holm"], judged[1].data["p_holm"]) == (0.03, 0.002)
    assert judged[2] == few[2]
    judged = corrected([finding(entry, p=0.03) for entry in others], SUITE)
    assert {one.verdict for one in judged} == {"undecided"}
    assert "more clips would decide" in judged[0].notes
    refuted = corrected([finding(entry, "refuted", 0.9) for entry in SUITE], SUITE)
    assert {one.verdict for one in refuted} == {"refuted"}


def test_what_must_all_hold_at_once_needs_no_correction():
    judged = corrected([finding(entry, p=0.016) for entry in SUITE], SUITE)
    verdicts = {entry.id: one.verdict for entry, one in zip(SUITE, judged, strict=True)}
    assert {verdicts[entry.id] for entry in ESSENTIAL} == {"supported"}
    assert {verdicts[entry.id] for entry in SUITE if not entry.essential} == {"undecided"}
    assert judged[0].data["p_holm"] == pytest.approx(0.016 * len(SUITE))
