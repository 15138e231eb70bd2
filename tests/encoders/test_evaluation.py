from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.encoders.gabor_cells import trial_of

from cinecortex.encoders.base import ObservationModel
from cinecortex.encoders.baselines import _difference, difference, difference_within_clips
from cinecortex.encoders.evaluation import mean_response, score_encoder, scored_frames, shown_repeatedly
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.metrics.calibration import calibration
from cinecortex.metrics.oracle import average_correlation, explainable_variance, oracle, oracle_jackknife
from cinecortex.metrics.responses import deviance_explained, noise_ceiling
from cinecortex.seeds import Seed

SIZE, NEURONS, FRAMES = (3, 3), 4, 120


def encoder_of(seed: int = 0) -> LinearNonlinear:
    filters = 0.6 * torch.randn(NEURONS, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
    return LinearNonlinear(filters, torch.zeros(NEURONS)).eval()


@pytest.fixture(scope="module")
def trials():
    """Two clips shown three times and one shown once; responses are Poisson counts of the encoder's rate."""
    random, encoder = np.random.default_rng(0), encoder_of()
    made = []
    for clip in range(3):
        movie = random.uniform(0, 1, (FRAMES, *SIZE))
        with torch.no_grad():
            rate = encoder(torch.from_numpy(movie).float()[None], torch.zeros(1, FRAMES, 0))[0].numpy()
        for repeat in range(3 if clip < 2 else 1):
            made.append(trial_of(movie, random.poisson(rate), f"{clip}.{repeat}"))
    return made


def kept(trial) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        rate = encoder_of()(trial.movie[None], trial.behavior[None])[0]
    return rate[50:], trial.response[50:]


def test_the_first_fifty_frames_do_not_count():
    encoder = encoder_of()
    assert scored_frames(encoder, 300) == slice(50, 300)
    assert scored_frames(encoder, 60) == slice(30, 60)
    encoder.memory = 80
    assert scored_frames(encoder, 300) == slice(79, 300)


def test_scores_are_those_of_the_metrics_on_what_is_kept(trials):
    encoder = encoder_of()
    encoder.observation_model = ObservationModel(torch.full((NEURONS,), 1.5), torch.full((NEURONS,), 2.0))
    mean = mean_response(trials)
    scores = score_encoder(encoder, trials, mean=mean)
    pairs = [kept(trial) for trial in trials]
    rates, responses = [r for r, _ in pairs], [y for _, y in pairs]
    joined = [torch.cat(side).numpy() for side in (rates, responses)]
    expected = [np.corrcoef(joined[0][:, n], joined[1][:, n])[0, 1] for n in range(NEURONS)]
    np.testing.assert_allclose(scores.correlation, expected, atol=1e-5)
    repeats = [torch.stack(responses[i : i + 3]) for i in (0, 3)]
    same = [torch.stack(rates[i : i + 3]) for i in (0, 3)]
    found = scores.repeats
    torch.testing.assert_close(found.oracle, oracle(repeats))
    torch.testing.assert_close(found.oracle_jackknife, oracle_jackknife(repeats))
    torch.testing.assert_close(found.explainable_variance, explainable_variance(repeats))
    torch.testing.assert_close(found.average_correlation, average_correlation(same, repeats))
    torch.testing.assert_close(found.ceiling, noise_ceiling(torch.cat(repeats, 1)))
    torch.testing.assert_close(scores.deviance_explained, deviance_explained(rates, responses, mean, burn_in=0))
    model = encoder.observation_model
    spread = calibration(rates, responses, model.dispersion, model.correlation_time, burn_in=0)
    torch.testing.assert_close(scores.calibration.coverage, spread.coverage)
    assert len(scores.clip_correlation) == 3


def test_without_repeats_mean_or_observation_model_less_is_said(trials):
    scores = score_encoder(encoder_of(), trials[-1:])
    assert (scores.repeats, scores.deviance_explained, scores.calibration, scores.ceiling) == (None,) * 4
    assert scores.summary()["median_ceiling"] is None
    assert list(scores.by_neuron()) == ["correlation"]
    twice = score_encoder(encoder_of(), trials[:2])
    assert twice.repeats.oracle_jackknife is None
    assert len(shown_repeatedly(trials)) == 6


def test_the_true_encoder_explains_more_than_the_mean_and_another_less(trials):
    mean = mean_response(trials)
    true, other = (score_encoder(encoder_of(seed), trials, mean=mean) for seed in (0, 1))
    assert float(true.deviance_explained.mean()) > 0 > float(other.deviance_explained.mean())
    better = difference_within_clips(true, other, seed=Seed(0))
    assert better.n == 3
    assert better.value == pytest.approx(
        np.mean([true.clip_correlation[c] - other.clip_correlation[c] for c in true.clip_correlation])
    )


def test_the_mean_response_is_over_recorded_frames(trials):
    response = trials[0].response.clone()
    response[60:, 1] = torch.nan
    holed = trial_of(trials[0].movie.numpy(), response.numpy())
    found = mean_response([holed, replace(trials[1])])
    expected = torch.cat([response, trials[1].response]).nanmean(0)
    torch.testing.assert_close(found, expected)


def test_the_difference_is_that_of_the_scores_and_its_interval_that_of_clips_drawn(trials):
    true, other = (score_encoder(encoder_of(seed), trials) for seed in (0, 1))
    found = difference(true, other, seed=Seed(0), draws=500)
    assert found.value == pytest.approx(float(true.correlation.mean() - other.correlation.mean()), abs=1e-6)
    assert 0 < found.low < found.value < found.high
    assert difference(true, true, seed=Seed(0), draws=10).high == 0
    # A clip counted twice is the same as one shown twice.
    doubled = score_encoder(encoder_of(0), [*trials, trials[-1]]), score_encoder(encoder_of(1), [*trials, trials[-1]])
    order = list(true.clip_correlation)
    times = torch.tensor([2.0 if clip == trials[-1].clip_id else 1.0 for clip in order])
    expected = float(doubled[0].correlation.mean() - doubled[1].correlation.mean())
    assert _difference(true, other, times) == pytest.approx(expected, abs=1e-6)
    assert np.isnan(difference(*(replace(s, clip_moments=s.clip_moments[:1]) for s in (true, other)), seed=Seed(0)).low)
