"""Behavior tells of a movie that goes with it: is that all the reconstruction shows?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tests.validation import methods
from tests.validation.aroused import wandering
from tests.validation.methods import TRAINING, answers, honest, trials

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.validation.behavior_only import BehaviorOnly
from cinecortex.validation.check import Check, Question
from cinecortex.validation.controls import behavior_swapped, no_neurons
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
TRAIN = trials(len(TRAINING), first=TRAINING.start)
CHECK = BehaviorOnly(TRAIN, SEED, SCORING)
NO_NEURONS, SWAPPED, PREDICTED = "no neurons", "another trial's behavior", "responses as behavior predicts them"


def judged(method, shown, check=CHECK):
    return check.judge(shown, answers(method, [check], shown))


def both(question, observation):
    """Half of it from the neurons, half from the behavior."""
    return (honest(question, observation) + methods.behavior_reader(question, observation)) / 2


@pytest.mark.parametrize(
    ("method", "clips", "verdict", "weakest"),
    [
        (honest, 10, "supported", None),
        (methods.behavior_reader, 10, "refuted", SWAPPED),
        (methods.mean_painter, 10, "refuted", None),
        (both, 10, "refuted", SWAPPED),
        (honest, 4, "undecided", None),
        (methods.behavior_reader, 4, "undecided", SWAPPED),
    ],
)
def test_who_reads_behavior_is_refuted(method, clips, verdict, weakest):
    finding = judged(method, trials(clips))
    assert (finding.verdict, finding.n) == (verdict, clips)
    assert finding.rule == CHECK.rule
    assert set(finding.data["arms"]) == {NO_NEURONS, SWAPPED, PREDICTED}
    assert weakest in (None, finding.data["weakest"])
    json.dumps(finding.to_json(), allow_nan=False)
    if verdict == "supported":
        assert finding.p <= 0.002


@pytest.mark.parametrize(
    ("seen", "coupled", "verdict"), [(False, 1.0, "refuted"), (True, 1.0, "supported"), (True, 0.0, "supported")]
)
def test_a_movie_that_went_with_the_running_was_not_seen(seen, coupled, verdict):
    """An honest method finds it in responses that follow running only; so it does in what running predicts of them."""
    check = BehaviorOnly(wandering(40, first=100, seen=seen, coupled=coupled), SEED, SCORING)
    finding = judged(honest, wandering(10, seen=seen, coupled=coupled), check)
    arms = finding.data["arms"]
    assert finding.verdict == verdict
    assert arms[NO_NEURONS]["verdict"] == arms[SWAPPED]["verdict"] == "supported", "nor do these two tell"
    if not seen:
        assert arms[NO_NEURONS]["value"] > 0.3, "looks well reconstructed"
        assert finding.data["weakest"] == PREDICTED


def test_it_asks_for_three_changes_and_names_the_shared_one_alike():
    assert isinstance(CHECK, Check)
    shown = trials(6)
    asked = CHECK.ask(shown)
    assert len(asked) == 6 * 4
    finding = CHECK.judge(shown, answers(honest, [CHECK], shown))
    others = finding.data["arms"][SWAPPED]["behavior of"]
    for trial, other in zip(finding.data["arms"][SWAPPED]["trial"], others, strict=True):
        trial, other = (next(one for one in shown if one.trial_id == name) for name in (trial, other))
        expected = behavior_swapped(trial.observe(), SEED, other=other.observe())
        assert torch.equal(asked[Question.of(trial, "behavior_swapped")].behavior, expected.behavior)
        silent = asked[Question.of(trial, "no_neurons")]
        assert torch.equal(silent.heard, no_neurons(trial.observe(), SEED).heard)
        assert torch.equal(silent.behavior, trial.behavior)
    assert sorted(others) == sorted(trial.trial_id for trial in shown)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})


def test_without_behavior_only_the_neurons_can_be_silenced():
    still = [replace(trial, behavior_channels=()) for trial in trials(6)]
    finding = judged(honest, still)
    assert (finding.verdict, list(finding.data["arms"])) == ("supported", [NO_NEURONS])
    assert "has no behavior" in finding.notes
    assert len(CHECK.ask(still)) == 12


def test_without_training_trials_of_the_session_behavior_predicts_nothing():
    for check, shown in ((BehaviorOnly((), SEED, SCORING), trials(6)), (CHECK, trials(6, session="b"))):
        finding = judged(honest, shown, check)
        assert (finding.verdict, list(finding.data["arms"])) == ("supported", [NO_NEURONS, SWAPPED])
        assert "could not be learnt" in finding.notes
    alone = judged(honest, trials(1))
    assert list(alone.data["arms"]) == [NO_NEURONS, PREDICTED]
    assert "No other clip's behavior" in alone.notes
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
