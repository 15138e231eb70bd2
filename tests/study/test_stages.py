"""The stages of a study, on trials made by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory
from tests.worlds import LinearWorld

from cinecortex import study
from cinecortex.data import clip_identity
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.movies import (
    THRESHOLDS,
    frame_correlation,
    motion_energy_correlation,
    movie_correlation,
    structural_similarity,
)
from cinecortex.metrics.responses import response_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Neurons, Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.validation.controls import time_shifted

NEURONS, SIZE = 6, (10, 12)


def trial(name: str, pixels: torch.Tensor, *, session: str = "a", activity: torch.Tensor | None = None) -> Trial:
    size = (pixels.shape[1], pixels.shape[2])
    return Trial(name, session, "test", 30.0, size, (), InMemory(pixels, activity))


def recording(session: str, *trials: Trial) -> Recording:
    size = trials[0].frame_size
    return Recording(session, trials, Neurons(np.arange(NEURONS)), 30.0, size, "a.u.", (), {}, Path(session), "f")


@pytest.fixture(scope="module")
def encoder() -> LinearNonlinear:
    random = Seed(3).torch()
    return LinearNonlinear(0.1 * torch.randn(NEURONS, 4, *SIZE, generator=random), torch.zeros(NEURONS))


@pytest.fixture(scope="module")
def trials(encoder: LinearNonlinear) -> list[Trial]:
    made = []
    for number, frames in enumerate((50, 90, 24)):
        random = (Seed(4) / number).torch()
        pixels = torch.rand(frames, *SIZE, generator=random)
        activity = torch.rand(frames, NEURONS, generator=random)
        made.append(trial(str(number), pixels, activity=activity))
    return made


@pytest.fixture(scope="module")
def results(trials: list[Trial]) -> study.Results:
    noise = [0.5 * torch.rand(t.movie.shape, generator=(Seed(5) / t.trial_id).torch()) for t in trials]
    return [
        (t, Reconstruction(0.5 * t.movie + n, ended="made by hand", frame_passes=10 * k, seconds=float(k)))
        for k, (t, n) in enumerate(zip(trials, noise, strict=True))
    ]


def test_scores_are_those_of_the_metrics(trials, results, encoder):
    mask = torch.rand(SIZE, generator=Seed(6).torch())
    mask[0, 0] = 1.0
    scored = study.score_results("by hand", results, mask=mask, encoder=encoder)
    assert (scored.method, scored.frame_passes, scored.seconds) == ("by hand", 10.0, 1.0)
    assert [clip.trial_id for clip in scored.clips] == ["0", "1", "2"]
    for (shown, answer), clip, burn_in in zip(results, scored.clips, (25, 30, 12), strict=True):
        inside = {"mask": mask >= 0.5, "burn_in": burn_in}
        pair = answer.movie, shown.movie
        rate = encoder(answer.movie[None], torch.zeros(1, len(answer.movie), 0))[0].detach()
        expected = {
            "movie correlation": movie_correlation(*pair, **inside),
            "frame correlation": frame_correlation(*pair, **inside).mean,
            "structural similarity": structural_similarity(*pair, **inside),
            "full-field movie correlation": movie_correlation(*pair, burn_in=burn_in),
            "motion energy correlation": motion_energy_correlation(*pair, **inside),
            "response correlation": float(response_correlation(rate[3:], shown.response[3:], burn_in=0).mean()),
        }
        assert dict(clip.values) == pytest.approx(expected, abs=1e-6)
        over = [movie_correlation(*pair, mask=mask >= threshold, burn_in=burn_in) for threshold in THRESHOLDS]
        assert clip.over_masks == pytest.approx(over, abs=1e-6)
    values = scored.values("movie correlation")
    interval = scored.interval("movie correlation")
    assert interval.value == pytest.approx(np.mean(values))
    assert min(values) <= interval.low < interval.value < interval.high <= max(values)


def test_a_perfect_answer_scores_1_and_one_clip_has_no_interval(trials):
    truth = [(trials[0], Reconstruction(trials[0].movie, ended="copied"))]
    scored = study.score_results("copy", truth, mask=torch.ones(SIZE))
    assert set(scored.metrics) == set(scored.clips[0].values)
    assert all(value == pytest.approx(1.0) for value in scored.clips[0].values.values())
    content = scored.to_json()
    assert content["mean"]["movie correlation"]["low"] is None
    assert content["clips"]["0"]["movie correlation"] == pytest.approx(1.0)


def test_a_mask_without_a_pixel_scores_nan_where_it_counts(results):
    scored = study.score_results("x", results, mask=torch.full(SIZE, 0.4))
    assert np.isnan(scored.values("movie correlation")).all()
    assert np.isnan(scored.values("motion energy correlation")).all()
    assert np.isfinite(scored.values("full-field movie correlation")).all()


def test_nothing_cannot_be_scored():
    with pytest.raises(WrongUse, match="no reconstruction by map"):
        study.score_results("map", [], mask=torch.ones(SIZE))


def clip(name: str) -> torch.Tensor:
    return dead_leaves(Seed(9) / name, frames=60, frame_size=(36, 64), frame_rate_hz=30.0)


@pytest.fixture(scope="module")
def leaves() -> dict[str, torch.Tensor]:
    return {name: clip(name) for name in ("trained", "selected", "other session", "fresh", "fresh too")}


def fitted_to(**clips: torch.Tensor) -> Model:
    roles = {role: [clip_identity(pixels)] for role, pixels in clips.items()}
    return Model({}, {"fitted": [{"session_id": "a", "clips": {"train": [], "select": [], **roles}}]})


def test_only_fresh_clips_are_unseen(leaves):
    model = fitted_to(train=leaves["trained"], select=leaves["selected"])
    first = recording("a", trial("0", leaves["trained"]), trial("1", leaves["selected"]))
    asked = [
        trial("fresh", leaves["fresh"]),
        trial("copy", leaves["trained"].clone()),
        trial("selected on", leaves["selected"]),
        trial("mirrored", leaves["trained"].flip(2)),
        trial("dimmed", 0.2 + 0.5 * leaves["selected"]),
        trial("fresh too", leaves["fresh too"]),
    ]
    unseen = study.unseen_trials(model, [first], asked)
    assert [t.trial_id for t in unseen] == ["fresh", "fresh too"]


def test_copies_of_another_sessions_clips_are_seen(leaves):
    facts = (
        fitted_to(train=leaves["trained"]).facts["fitted"] + fitted_to(train=leaves["other session"]).facts["fitted"]
    )
    model = Model({}, {"fitted": facts})
    # The two sessions number their trials alike.
    asked = [
        trial("7", leaves["other session"]),
        trial("8", leaves["other session"].flip(2)),
        trial("9", leaves["fresh"]),
    ]
    first = recording("a", trial("0", leaves["trained"]), *asked)
    second = recording("b", trial("7", leaves["other session"], session="b"))
    assert study.unseen_trials(model, [first, second], asked) == (asked[2],)
    assert study.unseen_trials(model, [first], asked[:1]) == (), "an exact copy needs no other session"


def observation(heard: torch.Tensor) -> Observation:
    response = torch.arange(NEURONS).expand(20, NEURONS).float()
    return Observation(response, torch.zeros(20, 0), (), 30.0, SIZE, heard)


def test_shuffled_neurons_take_their_being_heard_along():
    heard = torch.tensor([True, True, False, True, False, True])
    before = observation(heard)
    after = study.shuffled_neurons(before, Seed(1))
    order = after.response[0].long()
    assert sorted(order.tolist()) == list(range(NEURONS))
    assert all(order != torch.arange(NEURONS)), "nobody keeps its own"
    assert torch.equal(after.response, before.response[:, order])
    assert torch.equal(after.heard, heard[order])
    assert torch.equal(study.shuffled_neurons(before, Seed(1)).response, after.response)
    others = {tuple(study.shuffled_neurons(before, Seed(n)).response[0].tolist()) for n in range(20)}
    assert len(others) > 10


class Remembering:
    """An inverter that keeps what it was given."""

    name = "remembering"

    def __init__(self) -> None:
        self.given: list[tuple[Observation, Seed]] = []

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        self.given.append((observation, seed))
        return Reconstruction(torch.zeros(observation.frames, *SIZE), ended="remembered")


def test_a_controlled_inverter_sees_the_changed_observation():
    inner = Remembering()
    controlled = study.Controlled(inner, study.shuffled_neurons)
    assert controlled.name == "remembering, shuffled neurons"
    assert study.Controlled(inner, study.no_neurons).name == "remembering, no neurons"
    shifted = study.Controlled(inner, partial(time_shifted, frames=3))
    assert shifted.name == "remembering, time shifted"
    before = observation(torch.ones(NEURONS, dtype=torch.bool))
    controlled(before, Seed(1))
    ((given, seed),) = inner.given
    assert not torch.equal(given.response, before.response)
    assert seed == Seed(1), "the method draws as it would without the control"


def test_without_neurons_the_prior_mean_comes_back():
    world = LinearWorld.make(Seed(0))
    inverter = MAP(
        encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, evaluations=300, tolerance_nats=1e-12
    )
    silent = study.Controlled(inverter, study.no_neurons)(world.observation, Seed(1)).movie
    expected = world.prior.movie(torch.zeros_like(world.truth))
    torch.testing.assert_close(silent, expected, atol=1e-3, rtol=0)
    intact = inverter(world.observation, Seed(1)).movie
    assert (intact - expected).abs().max() > 0.05


def test_every_trial_has_a_stream_of_its_own(trials):
    alone, together, told = Remembering(), Remembering(), []
    study.invert_trials(alone, trials[1:2], seed=Seed(7))
    results = study.invert_trials(together, trials, seed=Seed(7), progress=lambda *words: told.append(words))
    seeds = [seed for _, seed in together.given]
    assert len({seed.integer() for seed in seeds}) == len(trials)
    assert seeds[1] == alone.given[0][1], "an answer does not depend on what else was asked"
    assert [t for t, _ in results] == trials
    assert told[-1] == (3, 3, "trial 2: remembered")


def test_paper_in_few_steps(encoder, trials):
    paper = Paper(encoders=(encoder,), mask=torch.ones(SIZE), steps=2)
    ((shown, answer),) = study.invert_trials(paper, trials[:1], seed=Seed(0))
    assert answer.movie.shape == shown.movie.shape
    assert answer.ended == "all 2 steps were made"
    assert answer.movie.std() > 0
    assert np.isfinite(
        study.score_results("paper", [(shown, answer)], mask=torch.ones(SIZE)).values("movie correlation")
    )


def test_expected_rates_are_the_encoders(encoder, trials):
    pairs = study.expected_rates(encoder, trials)
    assert [t for t, _ in pairs] == trials
    for shown, rate in pairs:
        expected = encoder(shown.movie[None], torch.zeros(1, len(shown.movie), 0))[0].detach()
        torch.testing.assert_close(rate, expected, atol=0, rtol=0)
        assert not rate.requires_grad


def test_plain_keeps_everything_but_what_json_lacks():
    nan, inf = float("nan"), float("inf")
    assert study.plain({"a": (1, nan, "x"), "b": {"c": [inf, -inf, 0.5, True, None]}}) == {
        "a": [1, None, "x"],
        "b": {"c": [None, None, 0.5, True, None]},
    }


def test_provenance_names_the_fit(trials):
    here = recording("a", *trials)
    encoder = LinearNonlinear(torch.zeros(NEURONS, 2, *SIZE), torch.zeros(NEURONS))
    facts = {"session_id": "a", "recording_fingerprint": "of the fit"}
    found = study.provenance(Model({"a": encoder}, {"fitted": [facts]}), here, seed=4, command="cinecortex x")
    assert found["seed"] == "4"
    assert found["command"] == "cinecortex x"
    assert found["recording"] == "f"
    assert found["encoder fitted on recording"] == "of the fit"
    assert f"torch {torch.__version__.split('+')[0]}" in found["versions"]
