from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.encoders.gabor_cells import GaborCells, trial_of

from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.compact_start import start
from cinecortex.encoders.fit import (
    FitSettings,
    TrialClips,
    batches,
    clips_in_a_step,
    correlations,
    fit_population,
    poisson_loss,
)
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import BadData
from cinecortex.recording import Trial
from cinecortex.seeds import Seed

CELLS = GaborCells.make(4, size=(8, 9))
TRAIN, SELECT = CELLS.trials(5, 60, seed=1), CELLS.trials(2, 60, seed=2)
SETTINGS = FitSettings(epochs=4)


class Killed(Exception):
    """Stands for the process dying."""


def started() -> CompactEncoder:
    encoder = CompactEncoder(neurons=4, frame_size=CELLS.size, pairs=1, filter_frames=8)
    start(encoder, TrialClips(TRAIN))
    return encoder


@pytest.fixture(scope="module")
def first_weights() -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in started().state_dict().items()}


@pytest.fixture
def encoder(first_weights) -> CompactEncoder:
    return again(first_weights)


def again(weights: dict[str, torch.Tensor]) -> CompactEncoder:
    encoder = CompactEncoder(neurons=4, frame_size=CELLS.size, pairs=1, filter_frames=8)
    encoder.load_state_dict(weights)
    return encoder


def fit(encoder, *, train=TRAIN, select=SELECT, settings=SETTINGS, seed=0, **options):
    return fit_population(encoder, train, select, settings=settings, seed=Seed(seed), **options)


def same_bits(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def with_responses(trials: list[Trial], change) -> list[Trial]:
    changed = []
    for trial in trials:
        response = trial.response.clone()
        change(response)
        changed.append(trial_of(trial.movie.numpy(), response.numpy(), trial.trial_id))
    return changed


def test_same_seed_same_bits(first_weights):
    encoders = [again(first_weights) for _ in range(3)]
    curves = [fit(e, seed=seed) for e, seed in zip(encoders, (0, 0, 1), strict=True)]
    assert same_bits(encoders[0], encoders[1])
    assert curves[0].history == curves[1].history
    assert not same_bits(encoders[0], encoders[2])


@pytest.mark.parametrize("last_epoch", [1, 3])
def test_killed_and_resumed_gives_the_bits_of_an_uninterrupted_fit(tmp_path, first_weights, last_epoch):
    whole, killed, resumed = (again(first_weights) for _ in range(3))
    curve = fit(whole)

    def die(done: int, total: int, message: str) -> None:
        if done == last_epoch:
            raise Killed

    with pytest.raises(Killed):
        fit(killed, state=tmp_path / "state", progress=die)
    # Whatever was half written when the process died is not in the way.
    (tmp_path / "state" / f"epoch{last_epoch + 1}.safetensors").write_bytes(b"half")
    (tmp_path / "state" / "state.json.tmp").write_text('{"epoch": ')

    epochs = []
    second = fit(resumed, state=tmp_path / "state", resume=True, progress=lambda done, *_: epochs.append(done))
    assert epochs == list(range(last_epoch + 1, 5))
    assert same_bits(resumed, whole)
    assert second.history == curve.history
    assert second.ended == curve.ended


def test_a_fit_that_was_complete_is_not_run_again(tmp_path, first_weights):
    done, resumed = again(first_weights), again(first_weights)
    fit(done, state=tmp_path)
    fit(resumed, state=tmp_path, resume=True, progress=lambda *_: pytest.fail("an epoch was run"))
    assert same_bits(done, resumed)


def test_the_state_on_disk_is_one_epoch_and_names_it(tmp_path, encoder):
    fit(encoder, state=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch4.safetensors", "state.json"]
    assert json.loads((tmp_path / "state.json").read_text())["epoch"] == 4


@pytest.mark.parametrize("name", ["state.json", "epoch4.safetensors"])
def test_a_damaged_state_is_refused_in_one_sentence(tmp_path, first_weights, name):
    fit(again(first_weights), state=tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20])
    with pytest.raises(BadData, match="damaged state of an unfinished fit; leave out --resume"):
        fit(again(first_weights), state=tmp_path, resume=True)


def test_without_resume_an_old_state_is_not_used(tmp_path, first_weights):
    fit(again(first_weights), state=tmp_path)
    epochs = []
    fit(again(first_weights), state=tmp_path, progress=lambda done, *_: epochs.append(done))
    assert epochs == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "other",
    [{"settings": replace(SETTINGS, learning_rate=1e-3)}, {"train": TRAIN[:4]}],
    ids=["settings", "clips"],
)
def test_a_state_of_other_settings_or_clips_is_refused(tmp_path, first_weights, other):
    fit(again(first_weights), state=tmp_path)
    with pytest.raises(
        BadData, match=r"was written by a fit with other settings or clips; leave out --resume"
    ) as error:
        fit(again(first_weights), state=tmp_path, resume=True, **other)
    assert str(tmp_path) in str(error.value)


def test_it_stops_when_the_select_score_rises_no_more(encoder):
    # Without a step there is nothing to gain.
    fitted = fit(encoder, settings=FitSettings(epochs=50, patience=2, learning_rate=0.0))
    assert len(fitted.history) == 3
    assert fitted.ended == "the select score did not rise for 2 epochs (of 3)"


def test_it_runs_all_epochs_otherwise(encoder):
    epochs = []
    fitted = fit(encoder, settings=FitSettings(epochs=2), progress=lambda *args: epochs.append(args[:2]))
    assert epochs == [(1, 2), (2, 2)]
    assert fitted.ended == "all 2 epochs were run"
    assert fitted.history[1]["loss"] < fitted.history[0]["loss"]


def test_the_weights_kept_are_those_of_the_best_epoch(encoder):
    # Cells that do the opposite of what is learned: every epoch makes matters worse.
    def oppose(response):
        response.copy_(response.max() - response)

    opposite = with_responses(SELECT, oppose)
    fitted = fit(encoder, select=opposite, settings=FitSettings(epochs=6, patience=6))
    scores = [row["select"] for row in fitted.history]
    assert max(scores) > scores[-1] + 1e-3
    assert float(correlations(encoder, opposite).nanmean()) == pytest.approx(max(scores), abs=1e-6)


def test_the_loss_is_the_poisson_loss_of_the_recorded_entries():
    random = np.random.default_rng(0)
    rates = torch.from_numpy(random.uniform(0.2, 3, (2, 7, 3)))
    responses = torch.from_numpy(random.poisson(1.0, (2, 7, 3)).astype(float))
    missing = torch.from_numpy(random.uniform(size=(2, 7, 3)) < 0.3)
    likelihood = torch.distributions.Poisson(rates).log_prob(responses) + torch.lgamma(responses + 1)
    expected = -likelihood[~missing].mean()
    found = poisson_loss(rates, torch.where(missing, torch.nan, responses))
    torch.testing.assert_close(found, expected)


def test_frames_without_a_recording_are_left_out(first_weights):
    def forget(response):
        response[30:40] = torch.nan
        response[50:, 1] = torch.nan

    partly, whole = again(first_weights), again(first_weights)
    fit(partly, train=with_responses(TRAIN, forget))
    fit(whole)
    assert all(bool(torch.isfinite(value).all()) for value in partly.state_dict().values())
    assert not same_bits(partly, whole)
    scored = float(correlations(partly, SELECT).nanmean())
    assert scored == pytest.approx(float(correlations(whole, SELECT).nanmean()), abs=0.2)


def test_a_neuron_that_was_never_recorded_keeps_its_weights():
    def forget_one(response):
        response[:, 2] = torch.nan

    random = np.random.default_rng(6)
    filters = torch.from_numpy(0.1 * random.standard_normal((4, 2, *CELLS.size))).float()
    deaf = LinearNonlinear(filters.clone(), torch.zeros(4))
    fit(deaf, train=with_responses(TRAIN, forget_one), select=with_responses(SELECT, forget_one))
    moved = (deaf.filters.detach() - filters).abs().amax((1, 2, 3))
    assert (moved > 0).tolist() == [True, True, False, True]


def test_a_loss_that_is_not_finite_is_bad_data(encoder):
    dark = [trial_of(np.full((60, *CELLS.size), np.nan), trial.response.numpy()) for trial in TRAIN]
    with pytest.raises(BadData, match="the loss became infinite or not a number") as error:
        fit(encoder, train=dark)
    assert str(error.value).count("\n") == 0


def test_a_trial_without_a_response_cannot_be_fitted_to():
    clips = TrialClips([*TRAIN, trial_of(TRAIN[0].movie.numpy(), None, "7")])
    assert clips[0][2].shape == (60, 4)
    with pytest.raises(BadData, match="trial 7 of session cells has no response to fit to"):
        clips[5]


def test_clips_of_unequal_length_are_cut_to_the_shortest_of_their_batch():
    trials = [trial_of(np.full((frames, 2, 2), frames / 100), np.zeros((frames, 1))) for frames in (30, 20, 25)]
    stacked = list(batches(TrialClips(trials), 2))
    assert [movies.shape[:2] for movies, _, _ in stacked] == [(2, 20), (1, 25)]
    assert stacked[0][0][:, 0, 0, 0].tolist() == pytest.approx([0.3, 0.2])
    assert [responses.shape for _, _, responses in stacked] == [(2, 20, 1), (1, 25, 1)]


def test_trials_are_read_anew_at_every_access():
    read = []

    class Counting:
        def movie(self):
            read.append("movie")
            return torch.zeros(5, 2, 2)

        def response(self):
            return torch.zeros(5, 1)

        def behavior(self):
            return torch.zeros(5, 0)

        def clip_id(self):
            return "x"

    clips = TrialClips([Trial("0", "s", "train", 30.0, (2, 2), (), Counting())] * 3)
    assert read == []
    assert len(clips) == 3
    assert len(clips[1:]) == 2
    clips[0]
    clips[0]
    assert len(read) == 2


def test_any_encoder_can_be_fitted():
    truth = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 2, 3, 3))).float()
    random = np.random.default_rng(4)
    trials = []
    for number in range(8):
        movie = torch.from_numpy(random.uniform(0, 1, (80, 3, 3))).float()
        rate = LinearNonlinear(truth, torch.zeros(2))(movie[None], torch.zeros(1, 80, 0))[0].detach()
        trials.append(trial_of(movie.numpy(), random.poisson(rate.numpy()), str(number)))
    encoder = LinearNonlinear(torch.zeros(2, 2, 3, 3), torch.zeros(2))
    fit(encoder, train=trials[:6], select=trials[6:], settings=FitSettings(epochs=25, patience=25, learning_rate=0.1))
    similarity = torch.cosine_similarity(encoder.filters.detach().flatten(1), truth.flatten(1))
    assert float(similarity.min()) > 0.85
    assert math.isfinite(float(correlations(encoder, trials[6:]).mean()))


def test_the_state_folder_is_made_where_it_is_missing(tmp_path, encoder):
    fit(encoder, settings=FitSettings(epochs=1), state=Path(tmp_path) / "a b" / "é")
    assert (tmp_path / "a b" / "é" / "state.json").is_file()


def test_every_epoch_sees_every_clip_once_and_in_an_order_of_its_own():
    seen: list[float] = []

    class Telling(LinearNonlinear):
        def forward(self, movies, behaviors):
            if self.training:
                seen.extend(movies.mean((1, 2, 3)).tolist())
            return super().forward(movies, behaviors)

    fit(Telling(torch.zeros(4, 1, *CELLS.size), torch.zeros(4)))
    epochs = [tuple(seen[i : i + 5]) for i in range(0, 20, 5)]
    expected = sorted(float(trial.movie.mean()) for trial in TRAIN)
    assert len(seen) == 20
    assert all(sorted(order) == pytest.approx(expected) for order in epochs)
    assert len(set(epochs)) > 1


@pytest.mark.parametrize(
    ("clips", "frames", "expected"),
    [
        (120, 300, 2),  # ten seconds
        (1, 300, 2),
        (120, 2000, 2),
        (500, 299, 3),
        (1000, 60, 10),
        (200, 60, 4),  # an epoch keeps its fifty steps
        (5, 60, 2),
        (4000, 1, 80),
        (60_000, 1, 600),
    ],
)
def test_a_step_takes_more_clips_where_they_are_short_and_many(clips, frames, expected):
    assert clips_in_a_step(clips, frames) == expected


def test_a_fit_to_single_images_steps_by_many_and_one_to_clips_by_two():
    taken: list[int] = []

    class Telling(LinearNonlinear):
        def forward(self, movies, behaviors):
            if self.training:
                taken.append(len(movies))
            return super().forward(movies, behaviors)

    images = CELLS.trials(205, 1, seed=3)
    fit(
        Telling(torch.zeros(4, 1, *CELLS.size), torch.zeros(4)),
        train=images,
        select=images[:5],
        settings=FitSettings(1),
    )
    assert taken == [4] * 51 + [1]
    taken.clear()
    fit(Telling(torch.zeros(4, 1, *CELLS.size), torch.zeros(4)), settings=FitSettings(1))
    assert taken == [2, 2, 1]
    taken.clear()
    fit(Telling(torch.zeros(4, 1, *CELLS.size), torch.zeros(4)), settings=FitSettings(1, clips_per_step=5))
    assert taken == [5]
