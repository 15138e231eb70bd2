"""What repeats from one presentation to the next, and is true."""

from __future__ import annotations

import json
import math

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import SIZE, Shown, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.heldout_repeats import HeldoutRepeats
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
CHECK = HeldoutRepeats(SEED, scoring=SCORING)


def consistent_liar(question, observation):
    """A movie of its own for every clip, the same each time."""
    return Shown(300 + int(observation.behavior[0, 0]), observation.frames, 0).movie()


def one_for_all(question, observation):
    """Repeats, and is the same for every clip."""
    return Shown(7, observation.frames, 0).movie()


@pytest.fixture(scope="module")
def shown():
    return trials(10, repeats=2)


def found(method, given, check=CHECK):
    return check.judge(given, answers(method, [check], given))


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        (methods.honest, "supported"),
        (methods.sum_follower, "supported"),
        (methods.mean_painter, "refuted"),
        (methods.hallucinator, "refuted"),
        (consistent_liar, "refuted"),
        (one_for_all, "refuted"),
    ],
)
def test_what_repeats_and_is_true(method, verdict, shown):
    finding = found(method, shown)
    assert finding.verdict == verdict
    assert (finding.n, finding.unit) == (10, "clip")
    assert (finding.p <= 0.002) == (verdict == "supported")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    json.dumps(finding.to_json(), allow_nan=False)


def test_the_ceiling_is_that_of_spearman():
    finding = found(methods.honest, trials(10, repeats=4))
    data = finding.data
    agreement, truth, mean = (sum(data[name]) / 10 for name in ("agreement", "truth", "truth, mean of presentations"))
    # Pixels have a standard deviation of about 0.23 and noise of 0.1 that is independent between presentations.
    assert agreement == pytest.approx(truth**2, abs=0.01), "for a method without error of its own"
    assert data["ceiling"] == pytest.approx(math.sqrt(agreement))
    assert data["share of the ceiling"] == pytest.approx(1.0, abs=0.01)
    assert mean == pytest.approx(truth * math.sqrt(4 / (1 + 3 * agreement)), abs=0.01), "Spearman and Brown"
    assert data["presentations"] == [4] * 10
    assert "100% of that" in finding.notes


def test_agreement_is_over_all_pairs_and_others_are_other_clips():
    few = trials(2, repeats=3)
    movies = {f"{n}": torch.rand(24, *SIZE, generator=Seed(n).torch()) for n in range(6)}
    given = {Question("a", name): Reconstruction(movie, ended="drawn") for name, movie in movies.items()}
    data = CHECK.judge(few, given).data
    own = [movies[name] for name in ("0", "2", "4")]
    pairs = [SCORING(own[i], own[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert data["agreement"][0] == pytest.approx(sum(pairs) / 3)
    assert data["between clips"][0] == pytest.approx(sum(SCORING(one, movies["1"]) for one in own) / 3)
    assert data["other clips"][0] == pytest.approx(sum(SCORING(one, few[1].movie) for one in own) / 3)


def test_repeats_may_come_from_elsewhere_and_are_no_more_than_needed():
    judged, oracle = trials(4), trials(6, repeats=5, first=2)
    for number, trial in enumerate(oracle):
        object.__setattr__(trial, "trial_id", f"oracle {number}")
    check = HeldoutRepeats(SEED, oracle, SCORING)
    asked = check.ask(judged)
    assert len(asked) == 12, "six clips, two presentations of each"
    assert {question.trial_id for question in asked} & {"2", "3"}, "a judged trial is one of its clip's presentations"
    assert not {question.trial_id for question in asked} & {"0", "1"}, "these were shown once"
    finding = found(methods.honest, judged, check)
    assert (finding.verdict, finding.n) == ("supported", 6)
    again = HeldoutRepeats(SEED, [*oracle, *judged], SCORING).ask(judged)
    assert len(again) == 12, "a trial is no repeat of itself"


def test_too_little_decides_nothing(shown):
    few = found(methods.honest, trials(3, repeats=2))
    assert (few.verdict, few.n) == ("undecided", 3)
    once = found(methods.honest, trials(10))
    assert (once.verdict, once.n, once.p) == ("undecided", 0, 1.0)
    assert "No clip was shown more than once" in once.notes
    assert found(methods.honest, trials(1, repeats=8)).verdict == "undecided", "one clip has no other"
    assert CHECK.judge([], {}).verdict == "undecided"
    uniform = found(methods.honest, trials(6, first=-1, repeats=2))
    assert uniform.n == 5, "of a uniform movie nothing can be told"


def test_the_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert first.keys() == second.keys() == {Question.of(trial) for trial in shown}
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
