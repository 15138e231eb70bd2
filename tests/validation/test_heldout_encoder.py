"""Encoders that were not inverted must recognise the responses too."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import SIZE, answers
from tests.validation.populations import PIXELS, Pixels, by_pixel, crowds

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.expected import excused, expected, least_gains, response_score, share_of_true
from cinecortex.validation.heldout_encoder import HeldoutEncoder

SEED = Seed(5)
WRONG_PLACES = torch.arange(PIXELS).roll(7).tolist()
ENCODERS = {"another seed": Pixels(), "another kind": Pixels(spread=0.3)}
CHECK = HeldoutEncoder(ENCODERS, SEED)


def deceived(question, observation):
    """Pleases an encoder that has every neuron's receptive field in a wrong place."""
    answer = methods.honest(question, observation).flatten(1)
    movie = torch.empty_like(answer)
    movie[:, WRONG_PLACES] = answer
    return movie.unflatten(1, SIZE)


VERDICTS = {
    methods.honest: "supported",
    methods.mean_painter: "refuted",
    methods.hallucinator: "refuted",
    methods.behavior_reader: "refuted",
    methods.sum_follower: "refuted",
    methods.ignores_time: "refuted",
    deceived: "refuted",
}


@pytest.fixture(scope="module")
def shown():
    return crowds(10)


def found(method, given, check=CHECK):
    return check.judge(given, answers(by_pixel(method), [check], given))


@pytest.mark.parametrize("method", VERDICTS)
def test_what_any_encoder_recognises(method, shown):
    finding = found(method, shown)
    assert finding.verdict == VERDICTS[method]
    assert (finding.n, finding.unit) == (10, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert (finding.p <= 0.002) == (finding.verdict == "supported")
    assert set(finding.data["arms"]) == set(ENCODERS)
    json.dumps(finding.to_json(), allow_nan=False)


def test_the_deceived_encoder_itself_would_be_pleased(shown):
    own = HeldoutEncoder({"its own": Pixels(scramble=WRONG_PLACES)}, SEED)
    assert found(deceived, crowds(10), own).data["response correlation"]["reconstruction"][0] > 0.8
    both = HeldoutEncoder({"its own": Pixels(scramble=WRONG_PLACES), "another": Pixels()}, SEED)
    finding = found(deceived, shown, both)
    assert (finding.verdict, finding.data["weakest"]) == ("refuted", "another")


def test_settled_frames_only_and_the_share(shown):
    late, trial = Pixels(delay=3), shown[0]
    rate = expected(late, trial.movie, trial.behavior)
    assert torch.allclose(rate[3:], Pixels()(trial.movie[None], trial.behavior[None])[0, :-3])
    changed = trial.movie.clone()
    changed[:3] = 0.0
    score = response_score(late, trial, trial.movie)
    assert response_score(late, trial, changed) != score
    frames_kept = expected(late, changed, trial.behavior)[6:]
    assert torch.equal(frames_kept, rate[6:])
    data = found(methods.honest, shown, HeldoutEncoder({"one": Pixels()}, SEED)).data
    scores = data["response correlation"]
    assert data["share of what the true movie predicts"] == pytest.approx(
        sum(scores["reconstruction"]) / sum(scores["true movie"])
    )
    assert share_of_true([0.2, 0.3, math.nan], [0.5, 0.5, 0.5], [0.1, 0.0, 0.0]) == pytest.approx(0.4 / 0.9)
    assert share_of_true([0.2], [0.1], [0.1]) is None


def test_an_encoder_that_knows_nothing_refutes_nothing(shown):
    late = HeldoutEncoder({"two frames late": Pixels(delay=2)}, SEED)
    for method in (methods.honest, methods.mean_painter):
        finding = found(method, shown, late)
        assert finding.verdict == "undecided"
    refuted, nothing = replace(finding, verdict="refuted"), [0.0] * len(shown)
    unknown = excused(refuted, shown, [0.1, -0.1] * (len(shown) // 2), nothing, seed=SEED)
    assert unknown.verdict == "undecided"
    assert "not known to predict the responses from the true movie" in unknown.notes
    assert excused(refuted, shown, [0.3, 0.2] * (len(shown) // 2), nothing, seed=SEED) == refuted


def test_gains_are_over_the_control_that_is_better_on_average():
    made, true, uniform = [0.3, 0.5], [0.6, 0.4], [0.0, 0.0]
    first, second = [0.0, 0.3], [0.2, 0.0]
    found = least_gains(made, true, uniform, (first, second), share=0.1)
    assert found == pytest.approx([0.3 - 0.0 - 0.06, 0.5 - 0.3 - 0.04]), "not the better one of each clip"
    assert least_gains([0.9, 0.9], true, uniform, (first,), share=0.0) == pytest.approx([0.6, 0.1]), "bounded by truth"
    assert len(least_gains([math.nan], [math.nan], [math.nan], ([math.nan],), share=0.1)) == 1


def test_responses_without_a_movie_are_not_supported():
    for number in range(4):
        deaf = found(methods.honest, crowds(8, deaf=True, shared=1.0, first=20 * number))
        assert deaf.verdict != "supported"


def test_too_little_decides_nothing(shown):
    few = found(methods.honest, shown[:3])
    assert (few.verdict, few.n) == ("undecided", 3)
    assert few.data["needed"] >= 5
    alone = HeldoutEncoder({}, SEED)
    assert alone.ask(shown) == {}
    nobody = alone.judge(shown, {})
    assert (nobody.verdict, nobody.n) == ("undecided", 0)
    assert "No held-out encoder was given" in nobody.notes
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)


def test_the_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    first = CHECK.ask(shown)
    assert first.keys() == CHECK.ask(shown).keys()
    assert {question.control for question in first} == {"intact", "no_neurons"}
    assert torch.equal(first[Question.of(shown[0])].response, shown[0].response)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
