"""The published recipe against a second, slow writing of it: loops over windows and NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.inversion.paper import Paper
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

SIZE, NEURONS, LAGS = (5, 6), 7, 3
MASK = torch.ones(SIZE)
MASK[:, 4:] = 0.49
MASK[0, 0] = 0.5


def encoder_of(seed: int) -> LinearNonlinear:
    random = np.random.default_rng(seed)
    filters = torch.from_numpy(random.standard_normal((NEURONS, LAGS, *SIZE))).float()
    return LinearNonlinear(0.5 * filters, torch.from_numpy(random.standard_normal(NEURONS)).float())


def observed(frames: int, seed: int = 0) -> Observation:
    response = np.random.default_rng(seed).poisson(1.0, (frames, NEURONS)).astype(np.float32)
    return Observation(
        response=torch.from_numpy(response),
        behavior=torch.zeros(frames, 0),
        behavior_channels=(),
        frame_rate_hz=30.0,
        frame_size=SIZE,
        heard=torch.ones(NEURONS, dtype=torch.bool),
    )


def window_gradient(encoder: LinearNonlinear, window: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Derivative of the Poisson loss of one window by its pixels, written out: softplus'(u) = 1 / (1 + exp(-u))."""
    filters = encoder.filters.detach().double().numpy()
    offset = encoder.offset.detach().double().numpy()
    gradient = np.zeros_like(window)
    for t in range(len(window)):
        for n in range(NEURONS):
            drive = offset[n]
            for lag in range(min(LAGS, t + 1)):
                drive += (filters[n, lag] * (window[t - lag] / 255 - 0.5)).sum()
            rate = np.log1p(np.exp(drive))
            by_drive = (1 - response[t, n] / rate) / (1 + np.exp(-drive))
            for lag in range(min(LAGS, t + 1)):
                gradient[t - lag] += by_drive * filters[n, lag] / 255
    return gradient


def recipe(encoder: LinearNonlinear, observation: Observation, steps: int) -> np.ndarray:
    """The movie in gray levels after so many steps, before any blur."""
    response = observation.response.double().numpy()
    frames = len(response)
    movie = np.full((frames, *SIZE), 127.5)
    momentum = np.zeros_like(movie)
    for step in range(1, steps + 1):
        stacked = []
        starts = list(range(0, frames - 31, 8))
        if starts[-1] + 32 < frames:
            starts.append(frames - 32)
        for start in starts:
            gradient = window_gradient(encoder, movie[start : start + 32], response[start : start + 32])
            laid = np.full_like(movie, np.nan)
            laid[start : start + 32] = gradient / np.sqrt((gradient**2).sum())
            stacked.append(laid)
        momentum = 0.9 * momentum + 0.1 * np.nanmean(stacked, axis=0)
        moved = movie - 1000 * min(1, step / 10) * momentum / (1 - 0.9**step)
        moved = np.clip(moved, 0, 255)
        movie = np.where(MASK.numpy() >= 0.5, moved, 127.5)
    return movie


def paper(*encoders: LinearNonlinear, **options) -> Paper:
    return Paper(encoders=encoders, **{"mask": MASK, "sigma": 0.0, **options})


@pytest.mark.parametrize(("steps", "frames"), [(1, 48), (2, 45), (3, 32)])
def test_the_first_steps_are_those_of_the_recipe(steps, frames):
    encoder, observation = encoder_of(0), observed(frames)
    expected = recipe(encoder, observation, steps)
    # The step must neither be lost in rounding nor have hit black and white everywhere.
    assert np.abs(expected - 127.5).max() > 5
    found = paper(encoder, steps=steps)(observation, Seed(0))
    np.testing.assert_allclose(255 * found.movie.numpy(), expected, atol=2e-2)


def test_pixels_are_clipped_to_black_and_white():
    found = paper(encoder_of(0), steps=12, step_size=1e5)(observed(40), Seed(0)).movie
    assert float(found.min()) == 0
    assert float(found.max()) == 1


def test_pixels_below_the_mask_threshold_stay_gray():
    found = paper(encoder_of(1), steps=15)(observed(40), Seed(0)).movie
    assert bool((found[:, MASK < 0.5] == 0.5).all())
    assert bool((found[:, MASK >= 0.5] != 0.5).any(0).all())


def test_before_the_first_step_the_movie_is_gray():
    found = paper(encoder_of(1), steps=0)(observed(40), Seed(0))
    assert bool((found.movie == 0.5).all())


@pytest.mark.parametrize(("frames", "windows"), [(300, 35), (32, 1), (40, 2), (41, 3)])
def test_frame_passes_are_windows_of_32_frames(frames, windows):
    found = paper(encoder_of(0), encoder_of(1), steps=2)(observed(frames), Seed(0))
    assert found.frame_passes == 2 * 2 * windows * 32
    assert found.ended == "all 2 steps were made"
    assert found.movie.shape == (frames, *SIZE)


def test_answers_of_an_ensemble_are_averaged_and_then_blurred():
    observation = observed(40)
    first, second = (paper(encoder_of(s), steps=4)(observation, Seed(0)).movie.numpy() for s in (0, 1))
    both = Paper(encoders=(encoder_of(0), encoder_of(1)), mask=MASK, steps=4)(observation, Seed(0)).movie.numpy()
    np.testing.assert_allclose(both, gaussian_filter((first + second) / 2, 0.5), atol=1e-6)
    assert np.abs(both - (first + second) / 2).max() > 0.01


def test_unheard_neurons_and_missing_entries_change_nothing():
    observation = observed(40)
    heard = torch.arange(NEURONS) != 2
    response = observation.response.clone()
    response[:, 2], response[20, 4] = 50.0, torch.nan
    other = response.clone()
    other[:, 2] = torch.nan
    first, second = (
        paper(encoder_of(0), steps=3)(replace(observation, response=r, heard=heard), Seed(0)).movie
        for r in (response, other)
    )
    assert torch.equal(first, second)
    assert bool(torch.isfinite(first).all())
    # The rest of the population alone says the same.
    whole = encoder_of(0)
    kept = LinearNonlinear(whole.filters[heard].detach(), whole.offset[heard].detach())
    alone = replace(observation, response=response[:, heard], heard=heard[heard])
    torch.testing.assert_close(paper(kept, steps=3)(alone, Seed(0)).movie, first, atol=1e-5, rtol=0)


def test_a_movie_shorter_than_a_window_is_one_window():
    found = paper(encoder_of(0), steps=2)(observed(20), Seed(0))
    assert found.frame_passes == 2 * 20
    assert found.movie.shape == (20, *SIZE)


def test_the_movie_can_be_watched_step_by_step():
    seen = {}
    inverter = paper(encoder_of(0), encoder_of(1), steps=3, watch=lambda step, movie: seen.update({step: movie}))
    inverter(observed(33), Seed(0))
    assert list(seen) == [1, 2, 3]
    for steps, movie in seen.items():
        assert torch.equal(movie, paper(encoder_of(0), steps=steps)(observed(33), Seed(0)).movie)


def test_the_answer_does_not_depend_on_the_seed():
    inverter = paper(encoder_of(0), steps=2)
    assert torch.equal(inverter(observed(33), Seed(0)).movie, inverter(observed(33), Seed(1)).movie)


def test_an_observation_of_another_population_is_refused():
    short = replace(observed(33), response=torch.zeros(33, 3), heard=torch.ones(3, dtype=torch.bool))
    with pytest.raises(WrongUse, match="3 neurons, but the encoder was fitted to 7"):
        paper(encoder_of(0), steps=1)(short, Seed(0))


def test_number_formats_follow_the_encoder():
    observation = observed(40)
    single = paper(encoder_of(0), steps=3)(observation, Seed(0)).movie
    double = paper(encoder_of(0).double(), steps=3)(observation, Seed(0)).movie
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=0)
