"""Error bars: right ones are supported, ones that are too narrow, too wide or beside the truth refuted."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.validation.methods import FRAMES, SIZE, trials

from cinecortex.errors import WrongUse
from cinecortex.metrics import bootstrap_mean
from cinecortex.metrics.error_bars import error_bars
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames
from cinecortex.validation.uncertainty_calibrated import NOT_STATED, UncertaintyCalibrated

SEED, SCORING = Seed(5), Scoring(burn_in=4)
CHECK = UncertaintyCalibrated(SEED, SCORING)
VARIANCE, NOISE = 0.1**2 + 0.15**2 + 0.15**2, 0.01
"""Of a pixel of the tiny world, and of its neuron's response over its squared gain."""

Answer = Callable[[Question, Observation], Reconstruction]


def drawing(factor: float = 1.0, shift: float = 0.0, gain: float = 1.0) -> Answer:
    """The posterior of every pixel by itself, which is exact; or one that is wrong in its spread or its mean."""

    def answer(question: Question, observation: Observation) -> Reconstruction:
        heard = observation.heard & ~observation.response.isnan()
        share = VARIANCE / (VARIANCE + NOISE)
        told = torch.where(heard, share * (observation.response / 10 - 0.5), 0.0)
        std = torch.where(heard, math.sqrt(share * NOISE), math.sqrt(VARIANCE)).unflatten(1, observation.frame_size)
        movie = 0.5 + shift + gain * told.unflatten(1, observation.frame_size)
        return around(movie, factor * std)

    return answer


def around(movie: torch.Tensor, std: torch.Tensor) -> Reconstruction:
    return Reconstruction(movie, "tested", std=std, lower=movie - 1.6448536 * std, upper=movie + 1.6448536 * std)


def mediocre(question: Question, observation: Observation) -> Reconstruction:
    """Mostly noise, correlation about 0.4, and it says so."""
    honest = drawing()(question, observation)
    random = (Seed(23) / question.trial_id / question.control).torch()
    added = 0.5
    return around(
        honest.movie + added * torch.randn(honest.movie.shape, generator=random), (honest.std**2 + added**2).sqrt()
    )


def judged(answer: Answer, clips: int = 10, check: UncertaintyCalibrated = CHECK):
    shown = trials(clips)
    return check.judge(shown, {question: answer(question, seen) for question, seen in check.ask(shown).items()})


@pytest.mark.parametrize(
    ("answer", "clips", "verdict", "word"),
    [
        (drawing(), 10, "supported", ""),
        (mediocre, 10, "supported", ""),
        (drawing(0.9), 10, "supported", ""),
        (drawing(0.5), 10, "refuted", "over-confident"),
        (drawing(2.0), 10, "refuted", "under-confident"),
        (drawing(shift=0.2), 10, "refuted", "over-confident"),
        (drawing(gain=0.3), 10, "refuted", "over-confident"),
        (drawing(), 4, "undecided", ""),
        (drawing(0.3), 4, "undecided", ""),
        (drawing(0.79), 10, "undecided", ""),
    ],
)
def test_error_bars_must_hold_as_often_as_they_say(answer, clips, verdict, word):
    finding = judged(answer, clips)
    assert (finding.verdict, finding.n, finding.unit) == (verdict, clips, "clip")
    low, high = finding.interval
    assert low <= finding.value <= high
    assert (word in finding.notes) if word else ("confident:" not in finding.notes)
    json.dumps(finding.to_json(), allow_nan=False)
    if verdict == "undecided":
        assert finding.data["needed"] > clips
        assert "clips would decide" in finding.notes
    else:
        assert finding.data["needed"] is None


def test_the_band_is_that_of_a_factor_of_two():
    assert CHECK.bounds == pytest.approx((0.8, 0.95))
    assert "between 0.8 and 0.95" in CHECK.rule
    strict = UncertaintyCalibrated(SEED, SCORING, factor=1.2)
    assert strict.bounds == pytest.approx((0.88, 1 - 0.1 / 1.2))
    assert judged(drawing(0.9), check=strict).verdict == "refuted"
    with pytest.raises(WrongUse, match="more than 1 time"):
        UncertaintyCalibrated(SEED, factor=1.0)


def test_the_value_is_the_mean_coverage_of_clips_with_its_interval():
    finding, shown = judged(drawing(0.9)), trials(10)
    expected = []
    for trial in shown:
        answer = drawing(0.9)(Question.of(trial), trial.observe())
        held = (trial.movie >= answer.lower) & (trial.movie <= answer.upper)
        expected.append(float(held[4:].double().mean()))
    assert finding.data["coverage"] == pytest.approx(expected)
    room = [value - CHECK.bounds[0] for value in expected]
    interval = bootstrap_mean(room, seed=SEED / CHECK.id / "interval")
    assert finding.value == pytest.approx(statistics.fmean(expected))
    assert finding.interval == pytest.approx((interval.low + 0.8, interval.high + 0.8))
    assert finding.metric == "coverage of the stated 90% interval"


def test_the_data_hold_what_stands_beside_coverage():
    finding, shown = judged(drawing()), trials(10)
    data = finding.data
    answer = drawing()(Question.of(shown[2]), shown[2].observe())
    own = error_bars(shown[2].movie, answer, burn_in=4)
    assert data["coverage curve by clip"][2] == pytest.approx(own.curve)
    assert data["crps"][2] == pytest.approx(own.crps)
    assert data["sharpness"][2] == pytest.approx(own.sharpness)
    assert data["calibration error by clip"][2] == pytest.approx(own.calibration_error)
    assert data["calibration error"] < 0.02
    assert sum(data["pit"]) == pytest.approx(1)
    assert data["crps without neurons"][2] > 2 * data["crps"][2]
    assert data["sharpness without neurons"][2] > data["sharpness"][2]
    skill = data["crps skill"]
    assert skill["value"] == pytest.approx(
        1 - statistics.fmean(data["crps"]) / statistics.fmean(data["crps without neurons"])
    )
    assert skill["interval"][0] < skill["value"] < skill["interval"][1]
    assert "aimed at" in finding.notes


def test_the_prior_alone_may_be_calibrated_and_has_no_skill():
    def deaf(question: Question, observation: Observation) -> Reconstruction:
        return drawing()(question, observation.hearing(torch.zeros_like(observation.heard)))

    finding = judged(deaf, 40)
    assert finding.data["crps skill"]["value"] == 0
    assert finding.verdict == "supported"


def test_another_method_is_asked_where_the_judged_one_has_no_spread():
    check = UncertaintyCalibrated(SEED, SCORING, method="sample", frames=16)
    asked = check.ask(trials(3))
    assert {question.method for question in asked} == {"sample"}
    assert {question.control for question in asked} == {"intact", "no_neurons"}
    assert len(asked) == 6
    stretch = first_frames(trials(3)[0], 16)
    observation = asked[Question.of(stretch, method="sample")]
    assert observation.frames == 16
    assert not bool(asked[Question.of(stretch, "no_neurons", method="sample")].heard.any())
    finding = judged(drawing(), check=check)
    assert (finding.verdict, finding.data["method"]) == ("supported", "sample")
    assert "of sample to the first 16 frames" in finding.notes


def test_answers_that_state_no_error_decide_nothing():
    finding = judged(
        lambda question, observation: replace(drawing()(question, observation), std=None, lower=None, upper=None)
    )
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert NOT_STATED in finding.notes
    assert finding.data["crps skill"] is None

    def now_and_then(question: Question, observation: Observation) -> Reconstruction:
        answer = drawing()(question, observation)
        stated = question.control == "intact" and question.trial_id != "3"
        return answer if stated else replace(answer, std=None, lower=None, upper=None)

    some = judged(now_and_then)
    assert (some.verdict, some.n) == ("supported", 9)
    assert "states no error: 1" in some.notes
    assert some.data["crps skill"] is None
    assert "3" not in some.data["trial"]
    json.dumps(some.to_json(), allow_nan=False)


def test_only_an_interval_is_enough_for_the_verdict():
    finding = judged(lambda question, observation: replace(drawing()(question, observation), std=None))
    assert finding.verdict == "supported"
    assert finding.data["calibration error"] is None
    assert finding.data["coverage curve"] == [None] * 20
    json.dumps(finding.to_json(), allow_nan=False)


def test_the_mask_and_the_burn_in_are_heeded():
    mask = torch.zeros(SIZE)
    mask[:, 2:] = 0.6

    def wrong_elsewhere(question: Question, observation: Observation) -> Reconstruction:
        answer = drawing()(question, observation)
        movie = answer.movie.clone()
        movie[:4] += 3
        movie[:, :, :2] += 3
        return around(movie, answer.std)

    assert judged(wrong_elsewhere).verdict == "refuted"
    assert judged(wrong_elsewhere, check=UncertaintyCalibrated(SEED, Scoring(mask, burn_in=4))).verdict == "supported"


def test_the_check_keeps_its_promises():
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    shown = trials(3)
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert first.keys() == second.keys()
    for question, observation in first.items():
        assert torch.equal(observation.response, second[question].response)
        assert torch.equal(observation.heard, second[question].heard)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
    cut = {name: Reconstruction(torch.zeros(FRAMES - 1, *SIZE), ended="too soon") for name in first}
    with pytest.raises(WrongUse, match="23x4x5"):
        CHECK.judge(shown, cut)
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
    assert math.isnan(nothing.value)
