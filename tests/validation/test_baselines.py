"""Was it worth the trouble: against decoders that answer the same trials."""

from __future__ import annotations

import json

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import answers, asking_others, trials

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.seeds import Seed
from cinecortex.validation.arms import weakest
from cinecortex.validation.baselines import BASELINES, Baselines
from cinecortex.validation.check import Check, Question
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
CHECK = Baselines(SEED, SCORING)


def judged(method, clips, check=CHECK):
    shown = trials(clips)
    return check.judge(shown, answers(asking_others(method), [check], shown))


@pytest.mark.parametrize(
    ("method", "clips", "verdict", "strongest"),
    [
        (methods.honest, 10, "supported", "ridge"),
        (methods.smoothed, 10, "refuted", "ridge"),
        (methods.sum_follower, 10, "refuted", "ridge"),
        (methods.honest, 4, "undecided", "ridge"),
        (methods.smoothed, 4, "undecided", "ridge"),
    ],
)
def test_the_strongest_baseline_is_the_one_to_beat(method, clips, verdict, strongest):
    finding = judged(method, clips)
    assert (finding.verdict, finding.n, finding.data["weakest"]) == (verdict, clips, strongest)
    assert f"with {strongest}" in finding.notes
    assert list(finding.data["arms"]) == list(BASELINES)
    json.dumps(finding.to_json(), allow_nan=False)


def test_who_gives_a_baselines_very_answers_is_refuted():
    for name, method in (("nearest", methods.nearest_copier), ("mean", methods.mean_painter)):
        finding = judged(method, 10, Baselines(SEED, SCORING, (name,)))
        assert (finding.verdict, finding.value, finding.interval) == ("refuted", 0.0, (0.0, 0.0))


def test_differences_are_paired_and_corrected_for_their_number():
    finding = judged(methods.honest, 10)
    arms = finding.data["arms"]
    for arm in arms.values():
        pairs = zip(arm["judged"], arm["baseline"], arm["difference"], strict=True)
        assert all(a - b == difference for a, b, difference in pairs)
        assert arm["p, Holm"] >= arm["p"]
    assert finding.p == max(arm["p"] for arm in arms.values()) <= 0.002
    assert finding.value == min(arm["value"] for arm in arms.values())


def test_it_asks_every_baseline_what_the_judged_is_asked():
    assert isinstance(CHECK, Check)
    shown = trials(2)
    asked = CHECK.ask(shown)
    assert len(asked) == 2 * 5
    for trial in shown:
        for name in BASELINES:
            assert torch.equal(asked[Question.of(trial, method=name)].response, trial.response)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
    with pytest.raises(WrongUse, match="the name of one"):
        Baselines(SEED, names=())
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)


def test_the_weakest_is_by_verdict_first_and_by_value_then():
    def finding(verdict, value, p=0.01):
        return Finding("id", "claim", verdict, "metric", value, (value, value), 0.95, 9, "clip", "rule", p=p)

    wide, narrow, high = finding("undecided", 0.3, 0.2), finding("supported", 0.1), finding("supported", 0.2)
    assert weakest({"high": high, "narrow": narrow}).value == 0.1
    assert weakest({"high": high, "wide": wide, "narrow": narrow}).data["weakest"] == "wide"
    assert weakest({"high": high, "wide": wide}).p == 0.2
    nothing = finding("undecided", float("nan"), 1.0)
    assert weakest({"nothing": nothing, "wide": wide}).data["weakest"] == "wide"
