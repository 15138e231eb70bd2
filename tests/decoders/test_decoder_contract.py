"""What every decoder owes: the protocol, its range, its refusals, and the same bits for the same seed."""

import dataclasses

import pytest
import torch

from cinecortex.decoders import fit_bayesian, fit_convolutional, fit_mean, fit_nearest, fit_ridge
from cinecortex.decoders.convolutional import Shape
from cinecortex.decoders.convolutional_fit import Training
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed

FITS = {
    "mean": lambda train, select: fit_mean(train),
    "nearest": lambda train, select: fit_nearest(train),
    "ridge": lambda train, select: fit_ridge(train, select, lags=(-2, 5), penalties=[1e-3]),
    "bayesian": lambda train, select: fit_bayesian(
        train, select, lags=(-2, 5), correlation_times=[1.0], factors=[1], components=5
    ),
    "convolutional": lambda train, select: fit_convolutional(
        train,
        select,
        seed=Seed(4),
        lags=(-2, 5),
        components=8,
        factors=1,
        correlation_time=1.0,
        shape=Shape(channels=4, taps=3, blocks=1),
        training=Training(epochs=1, frames_per_step=40, window=20, folds=2),
    ),
}
LISTENING = [name for name in FITS if name != "mean"]


@pytest.fixture(scope="module", params=FITS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def decoder(name, shared_trials):
    return FITS[name](*shared_trials)


@pytest.fixture
def observation(shared_trials):
    return shared_trials[1][0].observe()


def test_it_is_an_inverter_and_says_what_it_did(decoder, name, observation):
    answer = decoder(observation, Seed(1))
    assert isinstance(decoder, Inverter)
    assert decoder.name == name
    assert answer.movie.shape == (60, 3, 5)
    assert answer.movie.dtype == torch.float32
    assert answer.ended
    assert answer.frame_passes == 0
    assert answer.seconds >= 0
    assert answer.samples is None


def test_the_movie_lies_in_its_range_whatever_was_recorded(decoder, observation):
    for factor in (0.0, 1.0, 300.0):
        loud = dataclasses.replace(observation, response=factor * observation.response)
        movie = decoder(loud, Seed(1)).movie
        assert bool(torch.isfinite(movie).all())
        assert float(movie.min()) >= 0.0
        assert float(movie.max()) <= 1.0


def test_same_trials_and_seed_give_the_same_bits(decoder, name, shared_trials, observation):
    again = FITS[name](*shared_trials)
    assert torch.equal(decoder(observation, Seed(1)).movie, again(observation, Seed(1)).movie)
    assert torch.equal(decoder(observation, Seed(1)).movie, decoder(observation, Seed(1)).movie)


def test_the_response_is_only_read(decoder, observation):
    before = observation.response.clone()
    decoder(observation, Seed(1))
    assert torch.equal(observation.response, before)


def test_what_an_unheard_neuron_did_does_not_matter(decoder, observation):
    heard = torch.tensor([True, False, True, True, True, False])
    other = observation.response.clone()
    other[:, ~heard] = 1e6
    absurd = dataclasses.replace(observation, response=other)
    one, two = (decoder(seen.hearing(heard), Seed(1)) for seen in (observation, absurd))
    assert torch.equal(one.movie, two.movie)
    assert one.std is None or torch.equal(one.std, two.std)


def test_nothing_heard_is_the_mean_movie(decoder, observation):
    silence = observation.hearing(torch.zeros(6, dtype=torch.bool))
    torch.testing.assert_close(decoder(silence, Seed(1)).movie, decoder.image.expand(60, -1, -1))
    lost = dataclasses.replace(observation, response=torch.full((60, 6), torch.nan))
    torch.testing.assert_close(decoder(lost, Seed(1)).movie, decoder.image.expand(60, -1, -1))


def test_lost_frames_spoil_no_answer(decoder, observation):
    lost = observation.response.clone()
    lost[20:23], lost[40, 2] = torch.nan, torch.nan
    assert bool(torch.isfinite(decoder(dataclasses.replace(observation, response=lost), Seed(1)).movie).all())


@pytest.mark.parametrize("frames", [1, 2, 30, 75])
def test_any_length_is_answered(decoder, observation, frames):
    response = observation.response.repeat(2, 1)[:frames]
    other = dataclasses.replace(observation, response=response, behavior=torch.zeros(frames, 0))
    assert decoder(other, Seed(1)).movie.shape == (frames, 3, 5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"frame_size": (5, 3)}, "5"),
        ({"frame_rate_hz": 60.0}, "frames per second"),
        ({"heard": torch.ones(5, dtype=torch.bool), "response": torch.zeros(60, 5)}, "neurons"),
    ],
)
def test_an_observation_of_another_recording_is_refused(decoder, name, observation, change, complaint):
    other = dataclasses.replace(observation, **change)
    if name == "mean" and "frame_size" not in change:
        # It does not listen: whoever speaks, and how fast, it answers all the same.
        assert torch.equal(decoder(other, Seed(1)).movie, decoder(observation, Seed(1)).movie)
        return
    with pytest.raises(WrongUse, match=complaint):
        decoder(other, Seed(1))


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_no_trials_are_refused(fit, shared_trials):
    with pytest.raises(WrongUse, match="at least one"):
        fit([], shared_trials[1])


@pytest.mark.parametrize("listening", LISTENING)
def test_trials_that_do_not_fit_together_are_refused(listening, shared_trials, make_trial):
    train, select = shared_trials
    for odd in (make_trial(train[0].movie, torch.zeros(60, 5), "odd"), make_trial(train[0].movie, None, "odd")):
        with pytest.raises(BadData, match="trial odd"):
            FITS[listening]([*train, odd], select)
