"""The suite lists every check there is, makes each of one subject, and the documentation lists the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.validation import methods, tiny
from tests.validation.populations import Pixels, by_pixel

import cinecortex.validation
from cinecortex.errors import WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check
from cinecortex.validation.deep import DEEP
from cinecortex.validation.entry import Subject
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.suite import SUITE, entries

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "validation.md"
IDS = [entry.id for entry in SUITE]
DEEP_IDS = [entry.id for entry in DEEP]
WITHOUT_ANSWERS = {"leakage.clips", "leakage.alignment"}


@pytest.fixture(scope="module")
def checks():
    return tiny.checks(tiny.subject())


@pytest.fixture(scope="module")
def three(checks):
    """Three trials, and honest answers to all that the suite asks of them."""
    shown = tiny.judged()[:3]
    ask = by_pixel(methods.asking_others(methods.honest))
    asked = {question: seen for check in checks.values() for question, seen in check.ask(shown).items()}
    return shown, {question: Reconstruction(ask(question, seen), ended="tested") for question, seen in asked.items()}


@pytest.mark.parametrize("entry", [*SUITE, *DEEP], ids=[*IDS, *DEEP_IDS])
def test_an_entry_makes_the_check_that_it_names(entry):
    check = entry.make(tiny.subject())
    assert isinstance(check, Check)
    assert check.id == entry.id
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    assert entry.states
    assert entry.states[0].islower()
    assert entry.states[-1].isalpha(), "it is the middle of a sentence"


def test_every_check_there_is_has_a_place():
    """A file of a check that nobody has put into the suite is no check."""
    folder = Path(cinecortex.validation.__file__).parent
    found = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(
            r'^    id(?:: ClassVar\[str\])? = "([^"]+)"', file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert found == {*IDS, *DEEP_IDS}
    assert len(found) == len(IDS) + len(DEEP_IDS)


def test_the_documentation_lists_the_suite_in_its_order():
    text = DOCUMENTATION.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)`( \*+)? \|", text.split("## Checks")[1].split("\n## ")[0], re.MULTILINE)
    assert rows == [(entry.id, (" " + entry.marks).rstrip()) for entry in (*SUITE, *DEEP)]


@pytest.mark.parametrize("name", IDS)
def test_the_whole_suite_runs_and_three_clips_decide_nothing(name, checks, three):
    shown, given = three
    finding = checks[name].judge(shown, given)
    assert finding.id == name
    assert finding.rule == checks[name].rule
    assert finding.claim == checks[name].claim
    # One copied clip would be one too many, and none is none.
    assert finding.verdict == ("supported" if name in WITHOUT_ANSWERS else "undecided")


@pytest.mark.parametrize("name", IDS)
def test_a_check_asks_alike_each_time_and_does_not_judge_without_answers(name, checks, three):
    shown, given = three
    asked = checks[name].ask(shown)
    assert asked.keys() == checks[name].ask(shown).keys()
    assert asked.keys() <= given.keys()
    assert (not asked) == (name in WITHOUT_ANSWERS)
    if asked:
        with pytest.raises(WrongUse, match="has no reconstruction"):
            checks[name].judge(shown, {})


def test_who_lacks_something_is_told_what():
    """Of a bare encoder, the checks that need more say what, in a clause."""
    bare = Subject(encoder=Pixels(), scoring=Scoring(), seed=Seed(5))
    made = {entry.id: entry.make(bare) for entry in SUITE}
    told = {name: why for name, why in made.items() if isinstance(why, str)}
    assert all(why[0].islower() and why[-1].isalpha() for why in told.values())
    silent = {entry.id for entry in SUITE if entry.needs_held_out} - told.keys()
    assert silent == {"perturbation.scramble", "perturbation.reversal"}, "these go on with the activity alone"
    others = {entry.id for entry in SUITE if not entry.needs_held_out}
    assert told.keys() & others == {"leakage.clips", "generalisation.clips", "baselines", "prior.sensitivity"}


def test_entries_are_chosen_by_name_and_group_in_the_order_of_the_suite():
    assert entries() == SUITE
    assert [entry.id for entry in entries(["identification", "leakage"])] == [*IDS[:2], "identification"]
    assert [entry.id for entry in entries(["perturbation.noise"], quick=True)] == ["perturbation.noise"]
    assert entries(deep=True) == (*SUITE, *DEEP)
    assert entries([DEEP_IDS[0], "leakage.clips"]) == (SUITE[0], DEEP[0])
    quick = entries(quick=True)
    assert quick == tuple(entry for entry in SUITE if entry.quick)
    assert quick
    with pytest.raises(KeyError, match=r"perturbation\.nothing"):
        entries(["leakage", "perturbation.nothing"])
