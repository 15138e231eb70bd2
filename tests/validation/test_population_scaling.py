"""More neurons, a better movie: supported where each adds something, refuted where they are not needed."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import pytest
import torch
from tests.validation import in_silico, methods
from tests.validation.methods import FRAMES, SIZE, answers, trials
from tests.validation.populations import by_pixel, crowds

from cinecortex.errors import WrongUse
from cinecortex.metrics import movie_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.perturbation_noise import Noise
from cinecortex.validation.population_scaling import PUBLISHED, PopulationScaling
from cinecortex.validation.scoring import Scoring

CHECK = PopulationScaling(Seed(5), Scoring(burn_in=4))
CLIPS = 10

REFUTED = ("mean_painter", "hallucinator", "behavior_reader", "random_training_clip", "course_leaker")


def crowded(question: Question, observation: Observation) -> torch.Tensor:
    """The honest method in a world of three neurons for every pixel."""
    return by_pixel(methods.honest)(question, observation)


def enough_with_half(question: Question, observation: Observation) -> torch.Tensor:
    """Honest, and no better with all of the neurons than with half: of all it heeds every other one."""
    other = torch.zeros_like(observation.heard)
    other[::2] = True
    return methods.honest(question, observation.hearing(other) if question.control == "intact" else observation)


@pytest.fixture(scope="module")
def shown():
    return trials(CLIPS)


def finding_of(method, shown):
    return CHECK.judge(shown, answers(method, [CHECK], shown))


@pytest.mark.parametrize("method", [methods.honest, in_silico.mediocre, enough_with_half])
def test_neurons_that_add_something_of_their_own_support_it(method, shown):
    finding = finding_of(method, shown)
    assert (finding.verdict, finding.n, finding.unit) == ("supported", CLIPS, "clip")
    assert finding.p <= 0.01
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    json.dumps(finding.to_json(), allow_nan=False)


def test_several_neurons_for_every_pixel_support_it_too():
    clips = crowds(CLIPS)
    assert finding_of(crowded, clips).verdict == "supported"


@pytest.mark.parametrize("method", REFUTED)
def test_whoever_needs_no_neurons_or_only_a_few_is_refuted(method, shown):
    finding = finding_of(getattr(methods, method), shown)
    assert (finding.verdict, finding.n) == ("refuted", CLIPS)
    json.dumps(finding.to_json(), allow_nan=False)


def test_an_excellent_answer_that_still_gets_better_is_not_refuted(shown):
    """Half the error variance with each doubling of the neurons, from a correlation of 0.97 on."""

    def excellent(question, observation):
        share = float(observation.heard.double().mean())
        random = (Seed(41) / question.trial_id / question.control).torch()
        truth = methods.stored(int(observation.behavior[0, 0]), observation.frames, SIZE)
        noise = 0.22 * math.sqrt(0.125 / share) * float(truth.std())
        return truth + noise * torch.randn(truth.shape, generator=random)

    finding = finding_of(excellent, shown)
    first, last = finding.data["score"][0][0], finding.data["score"][0][-1]
    assert first > 0.95
    assert last - first < 0.05
    assert finding.verdict == "supported"


@pytest.mark.parametrize("method", [methods.honest, methods.mean_painter])
def test_three_clips_decide_nothing(method):
    few = trials(3)
    finding = finding_of(method, few)
    assert (finding.verdict, finding.n) == ("undecided", 3)
    assert f"{finding.data['needed']} clips would decide" in finding.notes


def test_a_population_that_cannot_be_divided_decides_nothing(shown):
    handful = [replace(trial, reader=Handful(trial.reader)) for trial in shown]
    assert CHECK.ask(handful) == {}
    finding = CHECK.judge(handful, {})
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert f"Clips left out: {CLIPS}" in finding.notes


class Handful:
    """Only seven neurons of a trial."""

    def __init__(self, reader):
        self.movie, self.behavior, self.clip_id, self._all = reader.movie, reader.behavior, reader.clip_id, reader

    def response(self):
        return self._all.response()[:, :7]


def test_uniform_movies_are_left_out(shown):
    mixed = [*trials(1, first=-1), *trials(6)]
    for number, trial in enumerate(mixed):
        object.__setattr__(trial, "trial_id", str(number))
    finding = finding_of(methods.honest, mixed)
    assert (finding.verdict, finding.n) == ("supported", 6)
    assert "Clips left out: 1" in finding.notes
    json.dumps(finding.to_json(), allow_nan=False)


def test_subsets_are_nested_random_and_unheard(shown):
    asked = CHECK.ask(shown)
    names = ("1/8 of the neurons", "1/4 of the neurons", "1/2 of the neurons", "intact")
    assert len(asked) == len(names) * CLIPS
    first, second = ([asked[Question.of(trial, name)] for name in names] for trial in shown[:2])
    assert [int(one.heard.sum()) for one in first] == [2, 5, 10, 20]
    for small, large in itertools.pairwise(first):
        assert bool((small.heard <= large.heard).all())
    assert not torch.equal(first[2].heard, second[2].heard), "another draw for every clip"
    for one in first:
        assert torch.equal(one.response, shown[0].response), "unheard, not silent"


def test_the_whole_population_is_asked_as_other_checks_ask_it(shown):
    noise = Noise(Seed(5), Scoring(burn_in=4)).ask(shown)
    shared = noise.keys() & CHECK.ask(shown).keys()
    assert len(shared) == CLIPS


def test_one_trial_of_each_clip_is_asked():
    repeated = trials(6, repeats=3)
    assert len(CHECK.ask(repeated)) == 4 * 6
    finding = finding_of(methods.honest, repeated)
    assert (finding.n, finding.unit) == (6, "clip")


def test_the_value_is_the_slope_of_fishers_z_over_doublings(shown):
    given = answers(methods.honest, [CHECK], shown)
    data = CHECK.judge(shown, given).data
    trial = shown[4]
    z = []
    for name in ("1/8 of the neurons", "1/4 of the neurons", "1/2 of the neurons", "intact"):
        score = movie_correlation(given[Question.of(trial, name)].movie, trial.movie, burn_in=4)
        z.append(0.5 * math.log((1 + score) / (1 - score)))
    # Least squares at -3, -2, -1 and 0 doublings, by hand.
    assert data["difference"][4] == pytest.approx((-1.5 * z[0] - 0.5 * z[1] + 0.5 * z[2] + 1.5 * z[3]) / 5)
    assert data["share"] == [0.125, 0.25, 0.5, 1.0]
    assert data["published"] == list(PUBLISHED)
    assert data["published, gain per doubling"] == pytest.approx(0.0975, abs=1e-3)


def test_a_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    assert f"{CHECK.threshold:g}" in CHECK.rule
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert first.keys() == second.keys()
    for question, observation in first.items():
        assert torch.equal(observation.heard, second[question].heard)
    finding = finding_of(methods.honest, shown)
    assert finding.rule == CHECK.rule
    assert "0.344, 0.427, 0.512, 0.569" in finding.notes
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
    cut = {name: Reconstruction(torch.zeros(FRAMES - 1, *SIZE), ended="too soon") for name in first}
    with pytest.raises(WrongUse, match="23x4x5"):
        CHECK.judge(shown, cut)
    empty = CHECK.judge([], {})
    assert (empty.verdict, empty.n) == ("undecided", 0)
