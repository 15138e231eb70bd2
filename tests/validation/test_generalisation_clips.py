"""Unseen clips against seen ones."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.validation import methods
from tests.validation.methods import Shown, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.generalisation_clips import GeneralisationClips, _difference
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
LIBRARY = {number: Shown(number, methods.FRAMES, 0).movie() for number in range(100, 130)}


def copier(question, observation):
    """The training clip that fits best."""
    honest = methods.honest(question, observation)
    return max(LIBRARY.values(), key=lambda movie: SCORING(honest, movie)).clone()


def memoriser(question, observation):
    """Right on what was in training, and half lost elsewhere."""
    seen = int(observation.behavior[0, 0]) in LIBRARY
    honest = methods.honest(question, observation)
    return honest if seen else 0.9 * methods.hallucinator(question, observation) + 0.1 * honest


@pytest.fixture(scope="module")
def training():
    return trials(30, first=100)


@pytest.fixture(scope="module")
def shown():
    made = trials(10)
    for trial in made:
        object.__setattr__(trial, "trial_id", f"test {trial.trial_id}")
    return made


def found(method, training, shown):
    check = GeneralisationClips(training, SEED, SCORING)
    return check.judge(shown, answers(method, [check], shown))


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        (methods.honest, "supported"),
        (methods.ignores_time, "supported"),
        (copier, "refuted"),
        (memoriser, "refuted"),
        (methods.mean_painter, "undecided"),
        (methods.behavior_reader, "undecided"),
        (methods.hallucinator, "undecided"),
    ],
)
def test_what_was_learned_and_what_was_memorised(method, verdict, training, shown):
    finding = found(method, training, shown)
    assert finding.verdict == verdict
    assert (finding.n, finding.unit) == (10, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert (finding.p <= 0.002) == (verdict == "supported")
    assert (finding.data["needed"] is not None or "No number" in finding.notes) == (verdict == "undecided")
    json.dumps(finding.to_json(), allow_nan=False)


def test_as_many_seen_clips_are_drawn_and_tested_ones_are_none_of_them(training, shown):
    check = GeneralisationClips(training, SEED, SCORING)
    asked = check.ask(shown)
    assert asked.keys() == check.ask(shown).keys()
    drawn = {question.trial_id for question in asked} - {trial.trial_id for trial in shown}
    assert len(drawn) == 10
    assert Question("a", next(iter(drawn)), "no_neurons") in asked
    leaked = [*training, *trials(3)]
    finding = found(methods.honest, leaked, shown)
    assert finding.n == 7
    assert "Trials left out because their clip was in training: 3" in finding.notes
    fewer = found(methods.honest, training[:6], shown)
    assert (fewer.n, fewer.data["group"].count("seen"), fewer.data["group"].count("unseen")) == (6, 6, 10)


def test_too_little_decides_nothing(training, shown):
    few = found(methods.honest, training, shown[:3])
    assert (few.verdict, few.n, few.data["needed"]) == ("undecided", 3, 5)
    assert "About 5 unseen" in few.notes
    for nothing in (found(methods.honest, [], shown), found(methods.honest, training, [])):
        assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
        assert math.isnan(nothing.value)


def test_the_interval_of_the_difference_covers():
    random = np.random.default_rng(4)
    held = 0
    for number in range(200):
        unseen, seen = random.normal(0.5, 0.2, 10), random.normal(0.6, 0.1, 10)
        intervals = [
            bootstrap_mean(list(side), seed=SEED / number / n, draws=500) for n, side in enumerate((unseen, seen))
        ]
        interval = _difference(*intervals, 0.7)
        held += interval.low <= 0.5 - 0.7 * 0.6 <= interval.high
    assert 0.91 <= held / 200 <= 0.99
    exact = _difference(Interval(0.5, 0.4, 0.7, 0.95, 9), Interval(0.4, 0.3, 0.6, 0.95, 8), 0.5)
    assert (exact.value, exact.n) == (pytest.approx(0.3), 8)
    assert (exact.low, exact.high) == pytest.approx((0.3 - math.hypot(0.1, 0.1), 0.3 + math.hypot(0.2, 0.05)))


def test_the_check_keeps_its_promises(training, shown):
    check = GeneralisationClips(training, SEED, SCORING)
    assert isinstance(check, Check)
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    with pytest.raises(WrongUse, match="has no reconstruction"):
        check.judge(shown, {})
