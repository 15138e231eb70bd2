import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from cinecortex.decoders import Convolutional, fit_convolutional
from cinecortex.decoders.convolutional import Refiner, Shape, linear_answer
from cinecortex.decoders.convolutional_fit import Training, _answered, _deal, _steps
from cinecortex.decoders.energies import ORIENTATIONS, Layout, described
from cinecortex.errors import BadData, WrongUse
from cinecortex.seeds import Seed

SEED = Seed(3)
SIZE = (6, 8)
SMALL = {"lags": (0, 1), "components": 60, "factors": 0, "correlation_time": 1.0}
TRAINING = Training(epochs=12, frames_per_step=40, window=20, folds=3, learning_rate=3e-2, patience=12)


def black_and_white(rng, frames):
    """Every pixel is dark or light, for five frames at a time: what a linear decoder cannot know."""
    scene = rng.integers(0, 2, (frames // 5, *SIZE)) * 0.6 + 0.2
    return np.repeat(scene, 5, 0)


def world(rng, make_trial, count, frames=60):
    mixing = np.random.default_rng(1).normal(size=(60, SIZE[0] * SIZE[1])) * 0.5
    trials = []
    for number in range(count):
        movie = black_and_white(rng, frames)
        response = 4 + (movie - 0.5).reshape(frames, -1) @ mixing.T + 0.6 * rng.normal(size=(frames, 60))
        trials.append(make_trial(movie, response, str(number)))
    return trials


@pytest.fixture(scope="module")
def fitted(make_trial):
    rng = np.random.default_rng(8)
    train, select, test = (world(rng, make_trial, count) for count in (12, 3, 4))
    decoder = fit_convolutional(train, select, seed=SEED, shape=Shape(8, 5, 2), training=TRAINING, **SMALL)
    return decoder, train, select, test


def correlation(movie, trial):
    return float(np.corrcoef(movie.flatten(), trial.movie.flatten())[0, 1])


def test_it_finds_what_the_linear_stage_cannot_say(fitted):
    decoder, _, _, test = fitted
    for trial in test:
        deviation, _ = linear_answer(decoder.linear, trial.observe())
        linear = correlation(decoder.refiner.layout.picture(deviation), trial)
        assert 0.5 < linear < 0.9
        assert correlation(decoder(trial.observe(), SEED).movie, trial) > linear + 0.03
    assert max(decoder.history) > decoder.history[0] + 0.03


def test_before_training_it_is_the_linear_stage(fitted):
    _, train, select, test = fitted
    start = fit_convolutional(
        train, select, seed=SEED, shape=Shape(4, 3, 1), training=dataclasses.replace(TRAINING, epochs=0), **SMALL
    )
    deviation, _ = linear_answer(start.linear, test[0].observe())
    expected = (start.image + deviation[:, : SIZE[0]]).clamp(0, 1)
    torch.testing.assert_close(start(test[0].observe(), SEED).movie, expected)
    assert len(start.history) == 1


def test_the_best_epoch_is_kept(fitted, monkeypatch):
    _, train, select, _ = fitted
    scores = iter([0.5, 0.9, 0.7, 0.6])
    kept = []

    def score(decoder, *_):
        kept.append({name: tensor.clone() for name, tensor in decoder.refiner.state_dict().items()})
        return next(scores)

    monkeypatch.setattr("cinecortex.decoders.convolutional_fit._score", score)
    training = dataclasses.replace(TRAINING, epochs=9, patience=2)
    decoder = fit_convolutional(train[:4], select, seed=SEED, shape=Shape(4, 3, 1), training=training, **SMALL)
    assert decoder.history == (0.5, 0.9, 0.7, 0.6)
    assert all(torch.equal(tensor, kept[1][name]) for name, tensor in decoder.refiner.state_dict().items())
    assert not torch.equal(kept[1]["leave.weight"], kept[3]["leave.weight"])
    assert "epoch 1 of 3" in decoder.ended


def test_another_seed_is_another_network_and_torch_keeps_its_own(fitted):
    _, train, select, _ = fitted
    before = torch.random.get_rng_state()
    fits = [
        fit_convolutional(
            train[:4],
            select,
            seed=seed,
            shape=Shape(4, 3, 1),
            training=dataclasses.replace(TRAINING, epochs=1),
            **SMALL,
        )
        for seed in (Seed(1), Seed(2))
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.equal(fits[0].refiner.enter.weight, fits[1].refiner.enter.weight)


def test_presentations_of_a_clip_are_in_one_fold(make_trial):
    clips = [torch.full((5, *SIZE), level / 10) for level in (1, 2, 3, 1, 4, 2, 5)]
    trials = [make_trial(clip, torch.zeros(5, 2), str(n)) for n, clip in enumerate(clips)]
    folds = _deal(trials, 3)
    assert sorted(index for fold in folds for index in fold) == list(range(7))
    of = {index: number for number, fold in enumerate(folds) for index in fold}
    assert (of[0], of[1]) == (of[3], of[5])
    assert len(folds) == 3
    with pytest.raises(WrongUse, match="two training clips"):
        _deal([trials[0], trials[3]], 3)


def test_a_loss_that_is_no_number_stops_the_fit(make_trial):
    rng = np.random.default_rng(8)
    train, select = world(rng, make_trial, 6), world(rng, make_trial, 2)
    wild = dataclasses.replace(TRAINING, learning_rate=math.inf)
    with pytest.raises(BadData, match="the loss became infinite or not a number"):
        fit_convolutional(train, select, seed=SEED, shape=Shape(4, 3, 1), training=wild, **SMALL)


def test_a_training_answer_comes_from_a_decoder_that_has_not_seen_the_clip(fitted, monkeypatch):
    """A planted fault: one fold's movies are replaced by their negatives, and only its own answers stay upright."""
    _, train, select, _ = fitted
    upside_down = {trial.trial_id for trial in train[::3]}
    swapped = [
        dataclasses.replace(t, reader=dataclasses.replace(t.reader, shown=1 - t.reader.shown))
        if t.trial_id in upside_down
        else t
        for t in train
    ]
    caught = {}

    def answered(linear, trial, *rest):
        answer = _answered(linear, trial, *rest)
        caught.setdefault(trial.trial_id, answer)
        return answer

    monkeypatch.setattr("cinecortex.decoders.convolutional_fit._answered", answered)
    fit_convolutional(
        swapped, select, seed=SEED, shape=Shape(4, 3, 1), training=dataclasses.replace(TRAINING, epochs=0), **SMALL
    )
    for trial in train:
        answer = caught[trial.trial_id]
        agrees = correlation(answer.deviation[:, : SIZE[0]].float(), trial)
        assert agrees > 0.3 if trial.trial_id in upside_down else agrees < 0.6


def test_some_training_answers_leave_neurons_out(fitted, monkeypatch):
    decoder, train, _, _ = fitted
    shares = []

    def answer(linear, observation):
        shares.append(1 - float(observation.heard.float().mean()))
        return linear_answer(linear, observation)

    monkeypatch.setattr("cinecortex.decoders.convolutional_fit.linear_answer", answer)
    for number in range(60):
        _answered(decoder.linear, train[0], Layout(SIZE), Seed(number), 0.5)
    assert 15 < shares.count(0.0) < 45
    assert 0.3 < max(shares) < 0.7


def test_an_epoch_shows_each_frame_at_most_once_and_most_of_them(fitted):
    decoder, train, _, _ = fitted
    answers = [_answered(decoder.linear, trial, Layout(SIZE), SEED, 0.0) for trial in train]
    steps = list(_steps(answers, 20, 100, Seed(1)))
    frames = [(number, first + i) for step in steps for number, first in step for i in range(20)]
    assert len(frames) == len(set(frames))
    assert len(frames) >= 12 * 40
    assert max(frame for _, frame in frames) < 60
    assert {len(step) for step in steps[:-1]} == {5}
    assert steps != list(_steps(answers, 20, 100, Seed(2)))


@pytest.mark.parametrize("size", [(36, 64), (25, 27), (12, 17), (3, 5), (1, 1)])
def test_layout_holds_movie_and_energies(size):
    layout = Layout(size)
    movie = torch.rand(4, *size, generator=torch.Generator().manual_seed(0))
    both = layout.describe(movie)
    assert both.shape[1:] == layout.described_size
    assert torch.equal(layout.picture(both), movie)
    assert layout.energies(both).shape == (4, layout.maps, *layout.places)
    assert bool((layout.energies(both) > 0).all())
    refiner = Refiner(layout, Shape(4, 3, 1))
    channels = 2 * layout.coarse**2 + layout.maps
    assert refiner(torch.rand(2, 4, channels, *layout.grid)).shape == (2, 4, *size)


def test_energy_is_blind_to_the_sign_and_knows_the_orientation():
    column = torch.arange(24.0).expand(24, 24)
    frames = [0.5 + 0.2 * torch.cos(2 * math.pi * column / 4.5 + phase) for phase in (0.0, 1.0, math.pi)]
    layout = Layout((24, 24))
    energy = layout.energies(layout.describe(torch.stack(frames)))[:, :ORIENTATIONS, 3:-3, 3:-3]
    torch.testing.assert_close(energy[0], energy[2], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(energy[0], energy[1], rtol=0.05, atol=0.01)
    assert float(energy[:, 0].min()) > 5 * float(energy[:, 2].max())
    turned = layout.energies(layout.describe(torch.stack([frame.T for frame in frames])))[:, :ORIENTATIONS, 3:-3, 3:-3]
    assert float(turned[:, 2].min()) > 5 * float(turned[:, 0].max())


def test_a_described_trial_is_the_same_trial(fitted):
    trial = fitted[1][0]
    other = described(trial)
    assert (other.clip_id, other.frame_size) == (trial.clip_id, Layout(SIZE).described_size)
    assert torch.equal(other.movie[:, : SIZE[0]], trial.movie)
    assert torch.equal(other.response, trial.response)


def test_a_saved_decoder_is_the_same_decoder(fitted, tmp_path):
    decoder, _, _, test = fitted
    decoder.save(tmp_path / "décodeur 2")
    loaded = Convolutional.load(tmp_path / "décodeur 2")
    for heard in (torch.ones(60, dtype=torch.bool), torch.arange(60) % 3 > 0):
        observation = test[0].observe().hearing(heard)
        assert torch.equal(loaded(observation, SEED).movie, decoder(observation, SEED).movie)
    assert (loaded.history, loaded.ended) == (decoder.history, decoder.ended)


@pytest.mark.parametrize(
    "change", [{"edges": [0, 1]}, {"shape": {"channels": 9}}, {"frame_size": [4, 4]}, {"scale": {}}]
)
def test_a_damaged_decoder_is_refused_by_name(fitted, tmp_path, change):
    fitted[0].save(tmp_path)
    file = tmp_path / "decoder.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(BadData, match=r"decoder\.json .* fit the decoder again"):
        Convolutional.load(tmp_path)
