"""Every way in which a test trial can get into what is kept or computed beside the weights."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from tests.validation.methods import SIZE
from tests.validation.populations import Fitted, Pixels, crowds

from cinecortex.encoders.base import ObservationModel
from cinecortex.encoders.evaluation import measure_observation_model
from cinecortex.seeds import Seed
from cinecortex.validation.alignment import within_reach
from cinecortex.validation.check import Check
from cinecortex.validation.leakage_alignment import LeakageAlignment

SEED = Seed(5)


class ByItself(Fitted):
    """Brings every clip to its own mean."""

    def forward(self, movies, behaviors):
        return super().forward(movies - movies.mean((1, 2, 3), keepdim=True), behaviors)


class ByTheBatch(Fitted):
    """Brings clips to the mean of those beside them."""

    def forward(self, movies, behaviors):
        return super().forward(movies - movies[:, :1].mean((0, 1), keepdim=True) * 0.1, behaviors)


class Remembers(Fitted):
    """Carries something over from the clip before."""

    before = 0.0

    def forward(self, movies, behaviors):
        rates = super().forward(movies, behaviors) + 0.1 * self.before
        self.before = float(movies.mean())
        return rates


class Restless(Fitted):
    """Brings the behavior of every clip to its own mean."""

    def forward(self, movies, behaviors):
        return super().forward(movies, 30 * (behaviors - behaviors.mean(1, keepdim=True)))


class LooksAhead(Fitted):
    """Says that it is causal and rests on the next frame."""

    causal = True

    def forward(self, movies, behaviors):
        return super().forward(torch.cat([movies[:, 3:], movies[:, -1:].expand(-1, 3, -1, -1)], 1), behaviors)


def renamed(trials, name):
    return [replace(trial, trial_id=f"{name} {trial.trial_id}") for trial in trials]


@pytest.fixture(scope="module")
def roles():
    train = renamed(crowds(12), "train")
    select = renamed(crowds(4, first=20), "select")
    test = renamed(crowds(6, first=30), "test")
    return train, select, test


def found(encoder, roles, **options):
    train, select, test = roles
    check = LeakageAlignment(encoder, train, select, SEED, burn_in=options.pop("burn_in", 6), **options)
    assert isinstance(check, Check)
    assert check.ask(test) == {}
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    finding = check.judge(test, {})
    json.dumps(finding.to_json(), allow_nan=False)
    return finding


def held(finding):
    return dict(zip(finding.data["condition"], finding.data["holds"], strict=True))


def test_an_encoder_that_keeps_to_its_training_is_supported(roles):
    train, select, _ = roles
    finding = found(Fitted(train, select), roles)
    assert (finding.verdict, finding.value, finding.n, finding.notes) == ("supported", 1.0, 6, "")
    assert list(held(finding)) == [
        "lists of trials",
        "mean of behavior",
        "spread of behavior",
        "mean luminance",
        "spectrum of movies",
        "noise of responses",
        "reach in time",
        "other clips",
        "burn-in",
        "resampling",
    ]


@pytest.mark.parametrize(
    "kept", ["mean of behavior", "spread of behavior", "mean luminance", "spectrum of movies", "noise of responses"]
)
def test_a_statistic_with_test_trials_in_it_refutes(kept, roles):
    train, select, test = roles
    right, wrong = Fitted(train, select), Fitted([*train, *test], [*select, *test])
    names = {"mean of behavior": "behavior_mean", "spread of behavior": "behavior_std"}
    names |= {"mean luminance": "mean_luminance", "spectrum of movies": "movie_statistics"}
    if kept == "noise of responses":
        # Measured with the weights that are judged, of which there are no others here.
        right.observation_model = measure_observation_model(right, [*select, *test], [*train, *test])
    else:
        setattr(right, names[kept], getattr(wrong, names[kept]))
    finding = found(right, roles)
    assert finding.verdict == "refuted"
    assert [name for name, holds in held(finding).items() if holds is False] == [kept]
    assert f"The {kept} is nearer to what comes out with the trials judged" in finding.notes


def test_a_statistic_from_elsewhere_is_undecided(roles):
    train, select, _ = roles
    encoder = Fitted(train, select)
    encoder.mean_luminance = encoder.mean_luminance + 5 * (0.5 - encoder.mean_luminance)
    encoder.observation_model = ObservationModel(torch.ones(60), torch.ones(60))
    finding = found(encoder, roles)
    assert held(finding)["noise of responses"] is not True
    assert found(encoder, roles, observation_model=False).data["condition"].count("noise of responses") == 0
    bare = Pixels(delay=2)
    assert bare.movie_statistics is None
    assert held(found(bare, roles))["mean of behavior"] is not True, "zero is not what was recorded"
    unknown = found(Fitted(train, select), ([], [], roles[2]))
    assert unknown.verdict == "undecided"
    assert "lists of trials were not given" in unknown.notes


@pytest.mark.parametrize(
    ("wrong", "condition"),
    [
        (ByItself, "reach in time"),
        (Restless, "reach in time"),
        (LooksAhead, "reach in time"),
        (ByTheBatch, "other clips"),
        (Remembers, "other clips"),
    ],
)
def test_a_rate_that_rests_on_what_it_should_not_refutes(wrong, condition, roles):
    train, select, _ = roles
    encoder = wrong(train, select)
    finding = found(encoder, roles, observation_model=False)
    assert finding.verdict == "refuted"
    assert held(finding)[condition] is False


def test_a_trial_that_was_fitted_to_refutes(roles):
    train, select, test = roles
    finding = found(Fitted(train, select), (train, [*select, test[2]], test), observation_model=False)
    assert finding.verdict == "refuted"
    assert "fitted to or selected on trials judged: test 2 of session a" in finding.notes


@pytest.mark.parametrize(("delay", "causal"), [(0, True), (5, True), (3, False)])
def test_the_reach_is_measured(delay, causal, roles):
    train, select, test = roles
    encoder = Fitted(train, select, delay=delay)
    encoder.causal = causal
    condition = within_reach(encoder, test[0], seed=SEED)
    assert condition.holds is True
    assert f"to {delay} after it" in condition.found
    if delay:
        encoder.memory = delay
        assert within_reach(encoder, test[0], seed=SEED).holds is False, "one frame more than is promised"


def test_frames_that_rest_on_the_clip_before_leave_it_undecided(roles):
    train, select, test = roles
    short = found(Fitted(train, select, delay=8), roles, burn_in=7, observation_model=False)
    assert short.verdict == "undecided"
    assert "leave out 7 frames, but 8 rest on" in short.notes
    faster = [replace(trial, frame_rate_hz=60.0) for trial in test]
    other = found(Fitted(train, select), (train, select, faster), observation_model=False)
    assert (other.verdict, held(other)["resampling"]) == ("undecided", None)
    assert test[0].frame_size == SIZE


def test_nothing_to_judge_is_undecided(roles):
    train, select, _ = roles
    finding = LeakageAlignment(Pixels(), train, select, SEED).judge([], {})
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert math.isnan(finding.value)
