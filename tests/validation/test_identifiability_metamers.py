"""Other movies that explain the responses as well: what they share with the truth is what the neurons said."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import Shown, honest
from tests.validation.populations import Pixels

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.tensors import Behaviors, Movies, Rates
from cinecortex.validation.check import Check, Question
from cinecortex.validation.identifiability_metamers import Metamers
from cinecortex.validation.scoring import Scoring

SEED, SCORING, LARGE = Seed(5), Scoring(burn_in=4), (12, 16)
"""Of so few pixels as the other tests have, unrelated movies are too much alike by chance to refute anything."""
CHECK = Metamers(Pixels(1, size=LARGE), SEED, SCORING)


class OnePixel(Pixels):
    """Every neuron tells the first pixel and nothing else."""

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        return super().forward(movies[:, :, :1, :1].expand_as(movies), behaviors)


@dataclass(frozen=True, eq=False)
class SeenAsOnePixel:
    shown: Shown

    def movie(self) -> torch.Tensor:
        return self.shown.movie()

    def response(self) -> torch.Tensor:
        response = self.shown.response()
        return response[:, :1].expand(-1, response.shape[1]).clone()

    def behavior(self) -> torch.Tensor:
        return self.shown.behavior()

    def clip_id(self) -> str:
        return self.shown.clip_id()


BARELY = Metamers(OnePixel(1, size=LARGE), SEED, SCORING)


def one_pixel(clips: int):
    return [replace(trial, reader=SeenAsOnePixel(trial.reader)) for trial in trials(clips)]


def trials(clips: int, **options):
    return methods.trials(clips, size=LARGE, **options)


def near(question, observation):
    """What neurons of every pixel leave open: a little of everything."""
    random = (Seed(40) / question.trial_id).torch()
    return honest(question, observation) + 0.05 * torch.randn(observation.frames, *LARGE, generator=random)


def unrelated(question, observation):
    """Another movie for each method that is asked."""
    return methods.hallucinator(replace(question, trial_id=f"{question.trial_id} {question.method}"), observation)


def alike_in_one_pixel(question, observation):
    """An unrelated movie with the one pixel that was told."""
    movie = unrelated(question, observation)
    movie[:, 0, 0] = honest(question, observation)[:, 0, 0]
    return movie


def mediocre(question, observation):
    """Honest, and mostly noise: its movie correlation is about 0.4."""
    random = (Seed(41) / question.trial_id).torch()
    return honest(question, observation) + 0.5 * torch.randn(observation.frames, *LARGE, generator=random)


def judged(method, metamer, shown, check=CHECK, width=None):
    given = {}
    for question, observation in check.ask(shown).items():
        movie = (metamer if question.method else method)(question, observation)
        bounds = {} if width is None or not question.method else {"lower": movie - width, "upper": movie + width}
        given[question] = Reconstruction(movie, ended="tested", **bounds)
    return check.judge(shown, given)


@pytest.mark.parametrize(
    ("method", "metamer", "check", "verdict"),
    [
        (honest, near, CHECK, "supported"),
        (mediocre, near, CHECK, "supported"),
        (methods.smoothed, near, CHECK, "supported"),
        # The neurons know one pixel only: all the rest may be anything.
        (alike_in_one_pixel, alike_in_one_pixel, BARELY, "refuted"),
        (methods.behavior_reader, alike_in_one_pixel, BARELY, "refuted"),
        # The neurons know the movie, and the method shows another one.
        (unrelated, near, CHECK, "refuted"),
        (methods.mean_painter, near, CHECK, "refuted"),
    ],
)
def test_what_holds_for_metamers_is_what_the_neurons_said(method, metamer, check, verdict):
    shown = one_pixel(8) if check is BARELY else trials(8)
    finding = judged(method, metamer, shown, check)
    assert (finding.verdict, finding.n, finding.unit) == (verdict, 8, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert finding.p is not None
    assert finding.null is not None
    json.dumps(finding.to_json(), allow_nan=False)


def test_a_metamer_that_the_neurons_could_tell_is_not_believed():
    finding = judged(honest, methods.hallucinator, trials(8))
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert finding.data["counts"] == [False] * 8
    assert "8 of 8" in finding.notes
    few = judged(honest, lambda q, o: near(q, o) if int(q.trial_id) < 6 else methods.hallucinator(q, o), trials(8))
    assert (few.verdict, few.n) == ("supported", 6)


def test_the_numbers_are_correlations_less_what_other_clips_share():
    shown = trials(8)
    finding = judged(honest, near, shown)
    arm = finding.data["arms"]["the movie shown"]
    own = near(Question.of(shown[2], method="metamer"), shown[2].observe())
    expected = [movie_correlation(own, trial.movie, burn_in=4) for trial in shown]
    assert arm["metamer"][2] == pytest.approx(expected[2])
    assert arm["other clips"][2] == pytest.approx((sum(expected) - expected[2]) / 7)
    assert arm["difference"][2] == pytest.approx(arm["metamer"][2] - arm["other clips"][2])
    assert finding.value == min(one["value"] for one in finding.data["arms"].values())


def test_the_bound_is_told_in_gray_levels():
    check = replace(CHECK, scoring=Scoring(mask=torch.eye(*LARGE), burn_in=4))
    finding = judged(honest, near, trials(8), check, width=25.3 / 255)
    assert finding.data["largest admissible difference (gray levels)"]["inside"] == pytest.approx(25.3, rel=1e-4)
    assert finding.data["largest admissible difference (gray levels)"]["outside"] == pytest.approx(25.3, rel=1e-4)
    assert "25 gray levels or more brighter or darker (outside the mask 25)" in finding.notes


def test_too_little_decides_nothing():
    few = judged(honest, near, trials(3))
    assert (few.verdict, few.n) == ("undecided", 3)
    assert few.data["needed"] >= 5
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
    assert math.isnan(nothing.value)


def test_the_check_keeps_its_promises():
    shown = trials(10, repeats=2)
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    asked = CHECK.ask(shown)
    assert len(asked) == 8 * 2
    assert {question.method for question in asked} == {"", "metamer"}
    assert {question.control for question in asked} == {"intact"}
    assert asked.keys() == CHECK.ask(shown).keys()
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
