"""Single images, one response vector each (Sensorium 2022, natural scenes): a movie of one frame works everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from images import HEIGHT, NEURONS, TEST, TRAIN, WIDTH, answers, shown_images, write_images

from cinecortex import methods, study
from cinecortex.data import load, read_result, split, write_result
from cinecortex.data.rates import write_rates
from cinecortex.encoders.baselines import evaluate
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.train import Compact, LinearNonlinearSettings, fit_model
from cinecortex.errors import BadData
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.movies import movie_correlation
from cinecortex.seeds import Seed

SEED = Seed(11)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images") / "session", SEED)


@pytest.fixture(scope="module")
def recording(folder):
    return load(folder)


@pytest.fixture(scope="module")
def held_out(recording):
    return list(recording.tier("test"))


@pytest.fixture(scope="module", params=[Compact(), LinearNonlinearSettings()], ids=["compact", "linear_nonlinear"])
def model(request, recording):
    settings = FitSettings(epochs=6, clips_per_step=20)
    return fit_model([recording], request.param, settings=settings, seed=SEED / "fit")


@pytest.fixture(scope="module")
def encoder(model, recording):
    return model.session(recording.session_id)


def test_an_image_is_a_movie_of_one_frame(folder, recording):
    trial = recording.trial("3")
    assert trial.movie.shape == (1, HEIGHT, WIDTH)
    stored = np.load(folder / "data/images/3.npy")
    torch.testing.assert_close(trial.movie * 255, torch.from_numpy(stored).float())
    assert torch.equal(trial.response[0], torch.from_numpy(np.load(folder / "data/responses/3.npy")))
    pupil, change, running = np.load(folder / "data/behavior/3.npy")
    torch.testing.assert_close(
        trial.behavior[0, :3].double(), torch.tensor([pupil, change, running]), atol=1e-6, rtol=0
    )
    assert recording.behavior_channels[:3] == ("pupil dilation", "pupil dilation change", "running speed")
    assert recording.behavior_channels[3:] == ("gaze x", "gaze y")
    assert (recording.frame_size, recording.frame_rate_hz) == ((HEIGHT, WIDTH), 2.0)
    assert recording.tiers == ("train", "test", "final_test")
    assert len(recording.trials) == TRAIN + TEST - 1
    assert recording.tier("final_test")[0].response is None
    assert recording.problems == ()


@pytest.fixture
def small(tmp_path):
    return write_images(tmp_path / "small", SEED, train=3, test=2)


def test_behavior_may_be_written_as_a_row(small):
    before = load(small).trial("2").behavior
    for name in ("behavior", "pupil_center"):
        for file in (small / "data" / name).iterdir():
            np.save(file, np.load(file)[None])
    assert torch.equal(load(small).trial("2").behavior, before)


def read_one(folder):
    trial = load(folder).trial("1")
    return trial.movie, trial.response, trial.behavior


def _save(name, change):
    def damage(folder: Path) -> None:
        np.save(folder / name, change(np.load(folder / name)))

    return damage


def _no_images(folder: Path) -> None:
    shutil.rmtree(folder / "data/images")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("data/videos", _no_images),
        ("data/images/1.npy", lambda folder: (folder / "data/images/1.npy").unlink()),
        ("data/images/1.npy", _save("data/images/1.npy", lambda image: image[0])),
        ("data/images/1.npy", _save("data/images/1.npy", lambda image: np.repeat(image, 2, 0))),
        ("data/images/1.npy", _save("data/images/1.npy", lambda image: image[:, 1:])),
        ("data/images/1.npy", _save("data/images/1.npy", lambda image: image + 300)),
        ("data/images/1.npy", _save("data/images/1.npy", lambda image: image + np.nan)),
        ("data/responses/1.npy", _save("data/responses/1.npy", lambda response: response[1:])),
        ("data/responses/1.npy", _save("data/responses/1.npy", lambda response: response - 99)),
        ("data/responses/1.npy", _save("data/responses/1.npy", lambda response: response + np.inf)),
        ("data/behavior/1.npy", _save("data/behavior/1.npy", lambda behavior: behavior[1:])),
    ],
)
def test_damage_is_refused_by_name(small, name, damage):
    damage(small)
    with pytest.raises(BadData, match=name.replace(".", r"\.")):
        read_one(small)


def test_images_in_an_npz_file(tmp_path):
    images = shown_images(20, SEED / "npz")
    np.savez(
        tmp_path / "images.npz",
        movie=images.astype(np.uint8),
        response=answers(images, SEED / "npz spikes"),
        trial_start=np.arange(20),
        frame_rate_hz=2.0,
    )
    trial = load(tmp_path / "images.npz").trials[7]
    assert (trial.movie.shape, trial.response.shape) == ((1, HEIGHT, WIDTH), (1, NEURONS))
    torch.testing.assert_close(trial.movie[0] * 255, torch.from_numpy(images[7]).float())


def test_every_image_has_one_role(recording):
    roles = split([recording], seed=SEED / "split")
    named = [{trial.trial_id for trial in role} for role in (roles.train, roles.select, roles.test)]
    assert sum(map(len, named)) == len(named[0] | named[1] | named[2])
    assert len(named[0]) + len(named[1]) == TRAIN


def test_the_encoder_predicts_images_it_has_not_seen(model, encoder, recording, held_out, tmp_path):
    assert encoder.settled(1) == slice(0, 1)
    found = evaluate(model, recording, held_out)
    assert found["mean_correlation"] > 0.4
    rates = study.expected_rates(encoder, held_out)
    assert [rate.shape for _, rate in rates] == [(1, NEURONS)] * len(held_out)
    write_rates(tmp_path / "rates.zarr", rates, attrs={})


def _scores(answers, mask):
    return [movie_correlation(answer.movie, trial.movie, mask=mask, burn_in=0) for trial, answer in answers]


def test_map_beats_the_mean_and_knows_its_neurons(model, encoder, recording, held_out, tmp_path):
    best = MAP(encoder=encoder)
    found = study.invert_trials(best, held_out, seed=SEED / "invert")
    assert all(answer.movie.shape == (1, HEIGHT, WIDTH) for _, answer in found)
    train = study.trials_of(model, recording, "train")
    scores = np.array(_scores(found, best.mask))
    others = {
        "mean": methods.fit_mean(train),
        "shuffled": study.Controlled(best, study.shuffled_neurons),
    }
    for other in others.values():
        beside = _scores(study.invert_trials(other, held_out, seed=SEED / "invert"), best.mask)
        # Paired by image; that a gray or a wrong answer agrees with some images by chance is most of the spread.
        gain = scores - beside
        assert gain.mean() > 0.2
        assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))
    scored = study.score_results("map", found, mask=best.mask, encoder=encoder)
    assert scored.values("movie correlation") == pytest.approx(scores.tolist(), abs=1e-6)
    write_result(tmp_path / "map.zarr", found, attrs={})
    assert read_result(tmp_path / "map.zarr")["movie"].shape == (len(held_out), 1, HEIGHT, WIDTH)


def test_the_published_recipe_takes_one_frame(encoder, held_out):
    answer = Paper(encoders=(encoder,), steps=30)(held_out[0].observe(), SEED)
    assert answer.movie.shape == (1, HEIGHT, WIDTH)
    assert answer.frame_passes == 30
    assert movie_correlation(answer.movie, held_out[0].movie, burn_in=0) > 0.1


@pytest.mark.parametrize("model", [LinearNonlinearSettings()], ids=["linear_nonlinear"], indirect=True)
def test_every_decoder_takes_one_frame_and_the_fitted_ones_see(model, recording, held_out):
    gray = np.zeros(len(held_out))
    for name in ("mean", "nearest", "ridge", "bayesian", "convolutional"):
        decoder = study.make_inverter(name, model, recording, seed=SEED / name)
        found = study.invert_trials(decoder, held_out, seed=SEED / "invert")
        assert all(answer.movie.shape == (1, HEIGHT, WIDTH) for _, answer in found)
        scores = np.array(_scores(found, None))
        if name == "mean":
            gray = scores
        elif name != "nearest":
            assert np.mean(scores - gray) > 0.2, name
        else:
            assert np.mean(scores - gray) > 0.0
