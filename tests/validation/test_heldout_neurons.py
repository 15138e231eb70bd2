"""Reconstruct from one half, predict the other."""

from __future__ import annotations

import json
import math

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import answers
from tests.validation.populations import Crowd, Pixels, by_pixel, crowds

from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.responses import response_correlation
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.expected import response_score
from cinecortex.validation.heldout_neurons import HALF, HeldoutNeurons
from cinecortex.validation.neurons_shuffled import NeuronsShuffled

SEED = Seed(5)
CHECK = HeldoutNeurons(Pixels(), SEED)
VERDICTS = {
    "honest": "supported",
    "ignores_time": "refuted",
    "mean_painter": "refuted",
    "hallucinator": "refuted",
    "behavior_reader": "refuted",
    "sum_follower": "refuted",
}


@pytest.fixture(scope="module")
def shown():
    return crowds(10)


def found(method, trials, check=CHECK):
    return check.judge(trials, answers(by_pixel(method), [check], trials))


@pytest.mark.parametrize("method", VERDICTS)
def test_only_what_comes_from_the_neurons_holds_for_others(method, shown):
    finding = found(getattr(methods, method), shown)
    assert finding.verdict == VERDICTS[method]
    assert (finding.n, finding.unit) == (10, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert (finding.p <= 0.002) == (finding.verdict == "supported")
    json.dumps(finding.to_json(), allow_nan=False)


def test_what_is_predicted_is_what_was_left_out(shown):
    given = answers(by_pixel(methods.honest), [CHECK], shown)
    data = CHECK.judge(shown, given).data
    question = Question.of(shown[3], HALF)
    used = CHECK.ask(shown)[question].heard
    assert int(used.sum()) == 30
    assert all(torch.equal(CHECK.ask(shown)[Question.of(trial, HALF)].heard, used) for trial in shown)
    rate = 10 * given[question].movie.flatten(1).repeat(1, 3)
    whole, apart = data["response correlation, nothing taken out"], data["response correlation"]
    left_out = float(response_correlation(rate, shown[3].response, burn_in=0)[~used].mean())
    assert whole["reconstruction, left out"][3] == pytest.approx(left_out, abs=1e-5)
    assert whole["reconstruction, used"][3] > whole["true movie, used"][3], "noise is fitted, which proves nothing"
    assert apart["reconstruction"][3] < apart["true movie"][3]
    assert apart["uniform movie"] == [0.0] * 10
    pattern = []
    for one in (rate[:, ~used], shown[3].response[:, ~used]):
        unit = (one - one.mean(0)) / one.std(0).clamp_min(1e-9)
        pattern.append(unit - unit.mean(1, keepdim=True))
    assert apart["reconstruction"][3] == pytest.approx(
        float(response_correlation(*pattern, burn_in=0).mean()), abs=1e-4
    )
    made, true = sum(apart["reconstruction"]), sum(apart["true movie"])
    assert data["share of what the true movie predicts"] == pytest.approx(made / true)
    assert 0.3 < made / true < 1


@pytest.mark.parametrize("shared", [1.0, 3.0])
def test_what_all_neurons_share_is_no_movie_and_no_excuse(shared):
    deaf = found(methods.honest, crowds(10, deaf=True, shared=shared))
    whole = deaf.data["response correlation, nothing taken out"]
    assert min(whole["reconstruction, left out"]) > 0.2, "the halves do fluctuate together"
    assert deaf.verdict == "undecided", "the encoder is wrong about these neurons, so it may be wrong about the movie"
    assert found(methods.honest, crowds(10, shared=shared)).verdict == "supported"


def test_null_recordings_are_not_supported():
    verdicts = [found(methods.honest, crowds(8, deaf=True, first=20 * n)).verdict for n in range(5)]
    assert "supported" not in verdicts


def test_too_little_decides_nothing(shown):
    few = found(methods.honest, shown[:3])
    assert (few.verdict, few.n) == ("undecided", 3)
    assert few.data["needed"] >= 5
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
    assert math.isnan(nothing.value)


def test_the_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert first.keys() == second.keys()
    shuffled = NeuronsShuffled(SEED).ask(shown)
    for question, observation in first.items():
        assert torch.equal(observation.response, second[question].response)
        assert torch.equal(observation.heard, second[question].heard)
        if question.control == "neurons_shuffled":
            assert torch.equal(observation.response, shuffled[question].response), "asked alike, inverted once"
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})


def test_a_trial_without_response_is_refused_and_rounding_is_no_variation(shown):
    class Withheld(Crowd):
        def response(self):
            return None

    (trial,) = crowds(1)
    object.__setattr__(trial, "reader", Withheld(trial.reader.shown))
    with pytest.raises(BadData, match="no recorded response"):
        response_score(Pixels(), trial, trial.movie)
    nearly = torch.full_like(shown[0].movie, 0.5) + 1e-7 * shown[0].movie
    assert response_score(Pixels(), shown[0], nearly) == 0.0
