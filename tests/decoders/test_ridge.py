import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.decoders import Ridge, fit_ridge
from cinecortex.decoders.lags import Lagging, bin_edges
from cinecortex.decoders.normal_equations import accumulate
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed

SEED = Seed(0)
WIDE = {"lags": (-2, 5)}


@pytest.fixture
def trials(world, rng):
    return world.trials(rng, 8, 60)


@pytest.fixture
def select(world, rng):
    return world.trials(rng, 2, 60)


@pytest.fixture
def ridge(trials, select):
    return fit_ridge(trials, select, **WIDE, penalties=[1e-6, 1e-2])


def lagged_design(response, center, spread, lags, frames_of_trial):
    """The augmented design of the textbook, one frame, one lag and one neuron at a time."""
    rows = []
    for t in range(frames_of_trial):
        row = []
        for lag in range(lags[0], lags[1] + 1):
            inside = 0 <= t + lag < frames_of_trial
            row.append((response[t + lag] - center) / spread if inside else np.zeros_like(center))
        rows.append(np.concatenate(row))
    return np.array(rows)


def test_a_linear_system_is_recovered(world, ridge, rng):
    unseen = world.trial(rng, 80)
    answer = ridge(unseen.observe(), SEED).movie
    inner = slice(2, -5)  # on the other frames the world itself knows no more than half of the lags
    torch.testing.assert_close(answer[inner], unseen.movie[inner], atol=2e-3, rtol=0)
    assert isinstance(ridge, Inverter)
    assert ridge.penalty == 1e-6
    assert ridge.scores[1] > 0.999


@pytest.mark.parametrize("count", [8, 1], ids=["primal", "dual"])
def test_it_equals_least_squares_on_the_augmented_design(world, trials, select, count):
    lags, penalty = (-2, 5), 0.3
    trials = trials[:count] if count > 1 else [world.trial(np.random.default_rng(1), 30)]
    ridge = fit_ridge(trials, select, lags=lags, penalties=[penalty])

    responses = [t.response.double().numpy() for t in trials]
    pooled = np.concatenate(responses)
    center, spread = pooled.mean(0), pooled.std(0)
    design = np.concatenate([lagged_design(r, center, spread, lags, len(r)) for r in responses])
    movie = np.concatenate([t.movie.double().numpy().reshape(len(t.movie), -1) for t in trials])
    mean = movie.mean(0)
    weight = np.sqrt(penalty * np.square(design).sum(0).mean()) * np.eye(design.shape[1])
    augmented, targets = np.concatenate([design, weight]), np.concatenate([movie - mean, 0 * weight[:, : len(mean)]])
    expected, *_ = np.linalg.lstsq(augmented, targets, rcond=None)

    assert (len(design) < design.shape[1]) == (count == 1)
    np.testing.assert_allclose(ridge.image.flatten(), mean, atol=1e-6)
    np.testing.assert_allclose(ridge.weights, expected, atol=1e-6)


@settings(deadline=None)
@given(
    frames=st.integers(1, 12),
    features=st.integers(1, 12),
    penalty=st.floats(1e-2, 10),
    seed=st.integers(0, 99),
    parts=st.integers(1, 4),
)
def test_primal_and_dual_are_one(frames, features, penalty, seed, parts):
    numbers = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randn(frames, features, generator=numbers), torch.randn(frames, 3, generator=numbers)
    pairs = [*zip(inputs.tensor_split(parts), targets.tensor_split(parts), strict=True)]
    primal, dual = (accumulate(pairs, frames=frames, features=features, pixels=3, dual=d) for d in (False, True))
    torch.testing.assert_close(primal.weights(penalty), dual.weights(penalty), rtol=1e-3, atol=1e-5)
    only = torch.tensor([2])
    torch.testing.assert_close(primal.weights(penalty, only), primal.weights(penalty)[:, only])


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 1e-6), (0.6, 1.0)], ids=["clean", "noisy"])
def test_the_planted_noise_level_chooses_the_penalty(world, rng, noise, expected):
    # The best penalty for weights drawn from a Gaussian is noise variance over weight variance. Here a weight per
    # z-score is of the order of 0.01 to 0.02 and noise (clipped to 0..1) has a variance near 0.15: about 1,000, which
    # is some units of the Gram diagonal (200 frames); not 1e-6 of it, and not 1e3.
    world = dataclasses.replace(world, noise=noise)
    ridge = fit_ridge(world.trials(rng, 2, 100), world.trials(rng, 6, 200), **WIDE, penalties=[1e-6, 1.0, 1e3])
    assert ridge.penalty == expected
    assert ridge.scores[ridge.penalties.index(expected)] == max(ridge.scores)
    assert ridge.at_edge == (expected == 1e-6)


def test_many_small_trials_are_one_long_sum(world, rng, select):
    """Blocks, panels and chunks are an implementation detail."""
    trials = world.trials(rng, 6, 700)
    together = fit_ridge(trials, select, **WIDE, penalties=[0.1])
    reordered = fit_ridge(trials[::-1], select, **WIDE, penalties=[0.1])
    torch.testing.assert_close(together.weights, reordered.weights, rtol=1e-4, atol=1e-7)
    long = world.trial(rng, 2500)
    whole = together(long.observe(), SEED).movie
    cut = dataclasses.replace(long.observe(), response=long.response[1000:1100], behavior=torch.zeros(100, 0))
    part = together(cut, SEED).movie
    torch.testing.assert_close(whole[1002:1094], part[2:94])


def test_same_input_gives_the_same_bits(trials, select, ridge):
    again = fit_ridge(trials, select, **WIDE, penalties=[1e-6, 1e-2])
    assert torch.equal(ridge.weights, again.weights)
    observation = select[0].observe()
    assert torch.equal(ridge(observation, Seed(1)).movie, again(observation, Seed(2)).movie)


def test_the_movie_lies_in_its_range(ridge, select):
    loud = dataclasses.replace(select[0].observe(), response=100 * select[0].response)
    movie = ridge(loud, SEED).movie
    assert float(movie.min()) == 0.0
    assert float(movie.max()) == 1.0


def test_no_neuron_heard_is_the_mean_movie(ridge, select):
    silence = select[0].observe().hearing(torch.zeros(6, dtype=torch.bool))
    torch.testing.assert_close(ridge(silence, SEED).movie, ridge.image.expand(60, -1, -1))


def test_an_unheard_neuron_is_one_at_its_mean_whatever_it_did(ridge, select):
    observation = select[0].observe()
    heard = torch.tensor([True, False, True, True, True, True])
    at_mean, absurd = observation.response.clone(), observation.response.clone()
    at_mean[:, 1], absurd[:, 1] = ridge.lagging.center[1], 1e6
    expected = ridge(dataclasses.replace(observation, response=at_mean), SEED).movie
    for response in (observation.response, absurd):
        answer = ridge(dataclasses.replace(observation, response=response, heard=heard), SEED).movie
        torch.testing.assert_close(answer, expected)
    assert not torch.allclose(ridge(observation, SEED).movie, expected, atol=1e-2)


def test_frames_not_recorded_are_frames_at_the_mean(ridge, select):
    observation = select[0].observe()
    lost, at_mean = observation.response.clone(), observation.response.clone()
    lost[20:23], at_mean[20:23] = torch.nan, ridge.lagging.center
    answer = ridge(dataclasses.replace(observation, response=lost), SEED).movie
    torch.testing.assert_close(answer, ridge(dataclasses.replace(observation, response=at_mean), SEED).movie)
    assert bool(torch.isfinite(answer).all())


def test_training_on_lost_frames_uses_the_recorded_ones_only(world, rng, select):
    trials = world.trials(rng, 8, 60)
    clean = fit_ridge(trials, select, **WIDE, penalties=[1e-6])
    for trial in trials:
        trial.reader.recorded[50:] = torch.nan
    lost = fit_ridge(trials, select, **WIDE, penalties=[1e-6])
    kept = torch.cat([t.response[:50] for t in trials])
    torch.testing.assert_close(lost.lagging.center, kept.mean(0))
    torch.testing.assert_close(lost.lagging.gain, 1 / kept.std(0, correction=0))
    assert lost.scores[0] > 0.95
    assert not torch.equal(lost.weights, clean.weights)


def test_a_neuron_that_never_varies_carries_no_weight(world, rng, select):
    trials = world.trials(rng, 8, 60)
    for trial in (*trials, *select):
        trial.reader.recorded[:, 4] = 0.1
    ridge = fit_ridge(trials, select, **WIDE, penalties=[1e-3])
    assert float(ridge.lagging.gain[4]) == 0.0
    assert not ridge.weights.unflatten(0, (-1, 6))[:, 4].any()
    assert bool(torch.isfinite(ridge.weights).all())


def test_a_population_that_says_nothing_gives_the_mean_movie(trials, select):
    for trial in trials:
        trial.reader.recorded.zero_()
    ridge = fit_ridge(trials, select, **WIDE, penalties=[1e-3, 1.0])
    torch.testing.assert_close(ridge(select[0].observe(), SEED).movie, ridge.image.expand(60, -1, -1))
    assert ridge.penalty == 1.0


@settings(deadline=None)
@given(first=st.integers(-10, 10), span=st.integers(1, 60), bins=st.integers(1, 80))
def test_bins_cover_every_lag_once_and_grow(first, span, bins):
    edges = bin_edges((first, first + span - 1), bins)
    widths = np.diff(edges)
    assert (edges[0], edges[-1]) == (first, first + span)
    assert len(widths) <= bins
    assert widths.min() >= 1
    assert widths[-1] <= 3 * widths[0] + 3
    if bins >= span:
        assert set(widths) == {1}


def test_bins_are_sums_over_their_lags_of_unit_norm():
    response = torch.arange(12.0).reshape(6, 2).square()
    lagging = Lagging(edges=(-1, 0, 3), center=torch.zeros(2), gain=torch.ones(2))
    features = lagging.features_at(lagging.running_sums(response), range(0, 6))
    padded = torch.cat([torch.zeros(1, 2), response, torch.zeros(2, 2)])
    late = torch.stack([padded[t + 1 : t + 4].sum(0) for t in range(6)]) / 3**0.5
    torch.testing.assert_close(features, torch.cat([padded[:6], late], dim=1))
    torch.testing.assert_close(lagging.features_at(lagging.running_sums(response), range(2, 5)), features[2:5])


def test_the_number_of_features_is_bounded(trials, select):
    ridge = fit_ridge(trials, select, lags=(-2, 18), features=30, penalties=[1e-2])
    assert ridge.weights.shape == (30, 15)
    assert len(ridge.lagging.edges) == 6
    assert fit_ridge(trials, select, lags=(0, 4), features=5, penalties=[1e-2]).lagging.edges == (0, 5)


def test_a_saved_decoder_is_the_same_decoder(ridge, select, tmp_path):
    folder = tmp_path / "décodeur 1"
    ridge.save(folder)
    loaded = Ridge.load(folder)
    observation = select[0].observe()
    assert torch.equal(loaded(observation, SEED).movie, ridge(observation, SEED).movie)
    assert (loaded.penalty, loaded.penalties, loaded.scores) == (ridge.penalty, ridge.penalties, ridge.scores)
    assert sorted(path.name for path in folder.iterdir()) == ["decoder.json", "weights.safetensors"]


def _remove(folder, name):
    (folder / name).unlink()


def _cut(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-20])


def _alter(folder, name):
    facts = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**facts, "edges": [0, 1]}))


def _other_kind(folder, name):
    facts = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**facts, "kind": "nearest"}))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (_remove, "decoder.json"),
        (_remove, "weights.safetensors"),
        (_cut, "decoder.json"),
        (_cut, "weights.safetensors"),
        (_alter, "decoder.json"),
        (_other_kind, "decoder.json"),
    ],
)
def test_a_damaged_decoder_is_refused_by_name(ridge, tmp_path, damage, name):
    ridge.save(tmp_path)
    damage(tmp_path, name)
    with pytest.raises(BadData, match=name.replace(".", r"\.")) as refusal:
        Ridge.load(tmp_path)
    assert "fit the decoder again" in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"train": []}, "at least one train trial"),
        ({"select": []}, "at least one select trial"),
        ({"lags": (5, 2)}, "run backwards"),
        ({"penalties": []}, "positive"),
        ({"penalties": [1.0, -1.0]}, "positive"),
    ],
)
def test_wrong_use_is_refused(trials, select, change, complaint):
    with pytest.raises(WrongUse, match=complaint):
        fit_ridge(**{"train": trials, "select": select, **change})


def test_trials_that_do_not_fit_together_are_refused(trials, select, make_trial):
    movie = trials[0].movie
    odd_ones = (torch.zeros(60, 5), torch.zeros(59, 6))
    for odd in (make_trial(movie, response, "odd") for response in odd_ones):
        with pytest.raises(BadData, match="trial odd"):
            fit_ridge([*trials, odd], select, **WIDE)
    with pytest.raises(BadData, match="no recorded response"):
        fit_ridge([*trials, make_trial(movie, None, "odd")], select, **WIDE)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"frame_rate_hz": 60.0}, "frames per second"),
        ({"frame_size": (5, 3)}, "pixels"),
        ({"heard": torch.ones(5, dtype=torch.bool), "response": torch.zeros(60, 5)}, "neurons"),
    ],
)
def test_observations_of_another_recording_are_refused(ridge, select, change, complaint):
    with pytest.raises(WrongUse, match=complaint):
        ridge(dataclasses.replace(select[0].observe(), **change), SEED)
