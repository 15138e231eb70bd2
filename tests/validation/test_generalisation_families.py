"""Movies of other kinds, and methods that answer all of them with what they know."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from tests.validation import methods
from tests.validation.methods import FRAMES, SIZE, Shown, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.families import FAMILIES
from cinecortex.validation.generalisation_families import GeneralisationFamilies
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)


class Eye:
    """Every pixel has its neuron."""

    def watch(self, movie, behavior, seed):
        return 10 * movie.flatten(1) + torch.randn(len(movie), movie[0].numel(), generator=seed.torch())


CHECK = GeneralisationFamilies(Eye(), SEED, SCORING, each=2)


def leaker(question, observation):
    """Has memorised the clips, and shows the one that fits the activity best."""
    answer = methods.honest(question, observation)
    clips = [Shown(number, observation.frames, 0).movie() for number in range(10)]
    return max(clips, key=lambda clip: SCORING(answer, clip))


def texture_adder(question, observation):
    """Adds texture of its own."""
    frame, row, column = (torch.arange(size) for size in (observation.frames, *SIZE))
    texture = 1 - 2.0 * ((frame[:, None, None] + row[:, None] + column) % 2)
    return methods.honest(question, observation) + 0.6 * texture


def mediocre(question, observation):
    """Right, and noisier than it is right."""
    answer = methods.honest(question, observation)
    random = (SEED / question.trial_id).torch()
    return answer + 2 * answer.std() * torch.randn(answer.shape, generator=random)


@pytest.fixture(scope="module")
def shown():
    return trials(10)


def found(method, given, check=CHECK):
    return check.judge(given, answers(method, [check], given))


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        (methods.honest, "supported"),
        (mediocre, "supported"),
        (methods.mean_painter, "refuted"),
        (methods.behavior_reader, "refuted"),
        (texture_adder, "refuted"),
        (leaker, "refuted"),
        (methods.hallucinator, "refuted"),
    ],
)
def test_what_reads_and_what_paints(method, verdict, shown):
    finding = found(method, shown)
    assert finding.verdict == verdict
    assert (finding.n, finding.unit) == (12, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert (finding.p <= 0.002) == (verdict == "supported")
    assert list(finding.data["score by family"]) == list(FAMILIES)
    assert "The recording's own clips, shown to the same animal, score" in finding.notes
    json.dumps(finding.to_json(), allow_nan=False)


def test_the_numbers_are_those_of_the_metric(shown):
    given = answers(methods.honest, [CHECK], shown)
    finding = CHECK.judge(shown, given)
    again = [trial for _, trial in CHECK._shown(shown)]
    made = [given[Question.of(trial)].movie for trial in again]
    again = [trial.movie for trial in again]
    kinds = finding.data["family"]
    others = [place for place in range(12) if kinds[place] != kinds[4]]
    own = SCORING(made[4], again[4])
    movies = np.mean([SCORING(made[4], again[place]) for place in others])
    fellows = np.mean([SCORING(made[4], made[place]) for place in others])
    assert finding.data["own movie"][4] == pytest.approx(own)
    assert finding.data["difference"][4] == pytest.approx(own - max(movies, fellows))
    assert finding.data["identified"][4] == 1.0
    table = finding.data["likeness of answers by family"]
    assert table["noise"]["moving dots"] == pytest.approx(table["moving dots"]["noise"], abs=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_fit_any_screen(name):
    for frames, size, rate in ((30, (36, 64), 30.0), (9, (4, 5), 5.0), (20, (48, 40), 60.0)):
        clip = torch.rand(frames, *size, generator=Seed(1).torch())
        movie = FAMILIES[name](clip, rate, Seed(2))
        assert movie.shape == clip.shape
        assert movie.dtype == torch.float32
        assert 0 <= float(movie.min()) < float(movie.max()) <= 1
        assert torch.equal(movie, FAMILIES[name](clip, rate, Seed(2)))
        assert not torch.equal(movie, FAMILIES[name](clip, rate, Seed(3)))
        assert (float(movie.diff(dim=0).abs().max()) == 0) == (name == "still pictures")


def test_an_animal_that_is_read_where_the_recording_is_not_supports_nothing(shown):
    def reads_no_recording(question, observation):
        recorded = "," not in question.trial_id
        return (methods.hallucinator if recorded else methods.honest)(question, observation)

    finding = found(reads_no_recording, shown)
    assert finding.verdict == "undecided"
    assert "the animal supports nothing" in finding.notes


def test_too_little_decides_nothing(shown):
    two = {name: FAMILIES[name] for name in ("noise", "moving dots")}
    few = found(methods.honest, shown, GeneralisationFamilies(Eye(), SEED, SCORING, two, each=2))
    assert (few.verdict, few.n) == ("undecided", 4)
    alone = found(
        methods.honest, shown, GeneralisationFamilies(Eye(), SEED, SCORING, {"noise": FAMILIES["noise"]}, each=6)
    )
    assert alone.verdict == "undecided", "one family has no other to be told from"
    blind = GeneralisationFamilies(None, SEED, SCORING)
    assert blind.ask(shown) == {}
    nobody = blind.judge(shown, {})
    assert (nobody.verdict, nobody.n) == ("undecided", 0)
    assert "No animal in silico" in nobody.notes
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
    assert math.isnan(nothing.value)


def test_the_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert list(first) == list(second)
    assert len(first) == 12 + 2 * 10
    for question, observation in first.items():
        assert torch.equal(observation.response, second[question].response)
        assert observation.frames == FRAMES
    assert Question("a", "0, as it was") in first, "as other checks name it"
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
