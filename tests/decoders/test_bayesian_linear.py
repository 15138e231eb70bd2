import dataclasses
import itertools

import numpy as np
import pytest
import torch

from cinecortex.decoders.bayesian_fit import (
    evident_loading,
    factor_analysis,
    fit_bayesian,
    principal_components,
)
from cinecortex.decoders.bayesian_linear import BayesianLinear
from cinecortex.decoders.lags import Lagging
from cinecortex.decoders.moments import sum_up
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

SEED = Seed(0)
NEURONS, BINS, COMPONENTS, FACTORS, PIXELS = 4, 3, 2, 1, 6
EDGES = (-1, 0, 2, 3)


@pytest.fixture
def model(rng):
    def normal(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    root = 0.5 * normal(NEURONS, BINS, BINS)
    return BayesianLinear(
        image=torch.full((2, 3), 0.5),
        components=0.05 * normal(COMPONENTS, PIXELS),
        rest=0.001 * normal(PIXELS).square(),
        offset=0.1 * normal(NEURONS * BINS),
        loading=normal(NEURONS * BINS, COMPONENTS),
        shared=normal(NEURONS * BINS, FACTORS),
        noise=root @ root.transpose(1, 2) + 0.3 * torch.eye(BINS),
        lagging=Lagging(edges=EDGES, center=normal(NEURONS), gain=normal(NEURONS).square() + 0.5),
        frame_rate_hz=30.0,
    )


def joint_gaussian(model):
    """Covariance of features, and of features with pixels, written out entry by entry."""
    loading, shared = (part.double().numpy() for part in (model.loading, model.shared))
    covariance = loading @ loading.T + shared @ shared.T
    for one in range(BINS):
        for other in range(BINS):
            for neuron in range(NEURONS):
                covariance[one * NEURONS + neuron, other * NEURONS + neuron] += model.noise[neuron, one, other]
    components = model.components.double().numpy()
    pixels = components.T @ components + np.diag(model.rest.numpy())
    return covariance, loading @ components, pixels


def features_by_hand(model, response, heard):
    """Features and which of them are known, one frame, bin and neuron at a time."""
    frames = len(response)
    values = np.zeros((frames, BINS * NEURONS))
    known = np.zeros((frames, BINS * NEURONS), bool)
    for t in range(frames):
        for b, (first, end) in enumerate(itertools.pairwise(EDGES)):
            for n in range(NEURONS):
                at = range(t + first, t + end)
                if not heard[n] or min(at) < 0 or max(at) >= frames:
                    continue
                scores = [(response[i, n] - float(model.lagging.center[n])) * float(model.lagging.gain[n]) for i in at]
                if np.isfinite(scores).all():
                    known[t, b * NEURONS + n] = True
                    values[t, b * NEURONS + n] = np.sum(scores) / np.sqrt(len(scores))
    return values, known


@pytest.mark.parametrize("lost", ["nothing", "neurons", "frames", "both", "all"])
def test_the_answer_is_the_posterior_of_the_joint_gaussian(model, rng, lost):
    """Whatever is not known is integrated out: its rows are left out of the joint covariance (Bishop, 2.81, 2.82)."""
    response = rng.normal(size=(9, NEURONS))
    heard = np.ones(NEURONS, bool)
    if lost in ("neurons", "both"):
        heard[[1, 2]] = False
    if lost in ("frames", "both"):
        response[4] = np.nan
        response[6, 3] = np.nan
    if lost == "all":
        heard[:] = False
    observation = Observation(
        response=torch.from_numpy(response).float(),
        behavior=torch.zeros(9, 0),
        behavior_channels=(),
        frame_rate_hz=30.0,
        frame_size=(2, 3),
        heard=torch.from_numpy(heard),
    )
    features, known = features_by_hand(model, response, heard)
    covariance, cross, pixels = joint_gaussian(model)
    answer = model(observation, SEED)
    for t in range(9):
        rows = known[t]
        gain = np.linalg.solve(covariance[np.ix_(rows, rows)], cross[rows])
        mean = 0.5 + (features[t] - model.offset.numpy())[rows] @ gain
        variance = np.diag(pixels - cross[rows].T @ gain)
        np.testing.assert_allclose(answer.movie[t].flatten(), mean.clip(0, 1), atol=2e-5)
        np.testing.assert_allclose(answer.std[t].flatten() ** 2, variance, atol=1e-6)
        np.testing.assert_allclose(
            answer.upper[t].flatten(), (mean + 1.6448536 * np.sqrt(variance)).clip(0, 1), atol=5e-5
        )
    assert isinstance(model, Inverter)
    assert (known.sum() == 0) == (lost == "all")


def test_unheard_is_not_silent(model, rng):
    """Leaving a neuron out is another answer than filling in its mean, which is what a regression has to do."""
    response = torch.from_numpy(rng.normal(size=(9, NEURONS))).float()
    at_mean = response.clone()
    at_mean[:, 0] = model.lagging.center[0]
    heard = torch.tensor([False, True, True, True])
    observation = Observation(response, torch.zeros(9, 0), (), 30.0, (2, 3), heard)
    filled = dataclasses.replace(observation, response=at_mean, heard=torch.ones(NEURONS, dtype=torch.bool))
    one, other = model(observation, SEED), model(filled, SEED)
    assert float((one.movie - other.movie).abs().max()) > 1e-3
    assert bool((one.std >= other.std - 1e-6).all())


@dataclasses.dataclass(frozen=True)
class GenerativeWorld:
    """Movies of a few components, new in every frame; responses to them, one frame late, with shared noise."""

    basis: np.ndarray
    tuning: np.ndarray
    shared: np.ndarray
    noise: float = 0.7

    def responses(self, rng, scores):
        frames, neurons = len(scores), len(self.tuning)
        response = np.zeros((frames, neurons))
        response[1:] = scores[:-1] @ self.tuning.T
        response += rng.normal(size=(frames, 1)) * self.shared + self.noise * rng.normal(size=(frames, neurons))
        return 5 + response

    def trial(self, rng, make_trial, frames, name="0"):
        scores = rng.normal(size=(frames, len(self.basis)))
        movie = (0.5 + scores @ self.basis).reshape(frames, 4, 5)
        return make_trial(movie, self.responses(rng, scores), name)


@pytest.fixture
def generative(rng):
    return GenerativeWorld(0.03 * rng.normal(size=(3, 20)), rng.normal(size=(12, 3)), rng.normal(size=12))


def test_on_its_own_world_it_is_near_the_best_possible_answer(generative, rng, make_trial):
    train = [generative.trial(rng, make_trial, 400, str(i)) for i in range(8)]
    select = [generative.trial(rng, make_trial, 200, str(i)) for i in range(2)]
    # What is shared is drawn anew in every frame: one factor for each of the three lags.
    fitted = fit_bayesian(train, select, lags=(0, 2), correlation_times=[1.0, 30.0], factors=[0, 3])
    test = generative.trial(rng, make_trial, 2000)
    answer = fitted(test.observe(), SEED)
    inner = slice(5, -5)
    # The best: the posterior mean of the world that made the responses.
    covariance = generative.tuning @ generative.tuning.T + np.outer(generative.shared, generative.shared)
    covariance += generative.noise**2 * np.eye(12)
    gain = np.linalg.solve(covariance, generative.tuning)
    scores = (test.response.double().numpy()[1:] - 5) @ gain
    best = 0.5 + scores @ generative.basis
    movie = test.movie.flatten(1).double().numpy()
    least = np.square(best - movie[:-1])[inner].mean()
    error = np.square(answer.movie.flatten(1).numpy() - movie)[inner].mean()
    assert error < 1.05 * least
    assert fitted.components.shape[0] == 3
    assert fitted.shared.shape[1] == 3
    # The error bars are those of the posterior, and hold.
    remaining = generative.basis.T @ (np.eye(3) - generative.tuning.T @ gain) @ generative.basis
    np.testing.assert_allclose(
        answer.std[inner].flatten(1).square().mean(0), np.diag(remaining), rtol=0.15, atol=0.02 * remaining.max()
    )
    covered = ((test.movie >= answer.lower) & (test.movie <= answer.upper))[inner].float().mean()
    assert 0.88 < float(covered) < 0.92
    quiet = dataclasses.replace(test.observe(), heard=torch.arange(12) < 4)
    rows = slice(0, 4)
    gain = np.linalg.solve(covariance[rows, rows], generative.tuning[rows])
    best = 0.5 + (test.response.double().numpy()[1:, rows] - 5) @ gain @ generative.basis
    error = np.square(fitted(quiet, SEED).movie.flatten(1).numpy() - movie)[inner].mean()
    assert error < 1.05 * np.square(best - movie[:-1])[inner].mean()


def test_components_are_those_of_the_movie(generative, rng, make_trial):
    trials = [generative.trial(rng, make_trial, 50, str(i)) for i in range(3)]
    movie = torch.cat([trial.movie for trial in trials]).flatten(1).double()
    basis, rest = principal_components(trials, movie.mean(0).reshape(4, 5).float(), 2)
    values, vectors = np.linalg.eigh(np.cov(movie.numpy().T, bias=True))
    np.testing.assert_allclose(basis.T @ basis, (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T, atol=1e-6)
    np.testing.assert_allclose(rest, values[-3] * vectors[:, -3] ** 2, atol=1e-6)


def test_moments_are_those_of_the_complete_frames(generative, rng, make_trial):
    trials = [generative.trial(rng, make_trial, 30, str(i)) for i in range(3)]
    trials[1].reader.recorded[10, 4] = torch.nan
    lagging = Lagging((0, 1, 3), torch.full((12,), 5.0), torch.ones(12))
    image, basis = torch.full((4, 5), 0.5), torch.linalg.qr(torch.from_numpy(generative.basis.T).float())[0].T
    moments = (sum_up(trials[:1], lagging, image, basis) + sum_up(trials[1:], lagging, image, basis)).moments()
    rows, scores = [], []
    for trial in trials:
        z, movie = trial.response.double().numpy() - 5, trial.movie.flatten(1).double().numpy() - 0.5
        for t in range(28):
            row = np.concatenate([z[t], (z[t + 1] + z[t + 2]) / np.sqrt(2)])
            if np.isfinite(row).all():
                rows.append(row)
                scores.append(movie[t] @ basis.double().numpy().T)
    both = np.cov(np.concatenate([rows, scores], axis=1).T, bias=True)
    assert moments.frames == len(rows) == 3 * 28 - 3
    np.testing.assert_allclose(moments.mean, np.mean(rows, axis=0), atol=1e-5)
    np.testing.assert_allclose(moments.feature, both[:24, :24], atol=1e-4)
    np.testing.assert_allclose(moments.cross, both[:24, 24:], atol=1e-4)
    np.testing.assert_allclose(moments.score, both[24:, 24:], atol=1e-4)


def test_the_evidence_switches_off_components_that_say_nothing(generative, rng, make_trial):
    deaf = dataclasses.replace(generative, tuning=generative.tuning * np.array([1.0, 0.0, 1.0]))
    trials = [deaf.trial(rng, make_trial, 300, str(i)) for i in range(5)]
    lagging = Lagging((1, 2), torch.full((12,), 5.0), torch.ones(12))
    # Rows that give back the scores themselves, whose world is then that of the tuning.
    basis = torch.linalg.pinv(torch.from_numpy(deaf.basis).float()).T
    basis = basis / basis.square().sum(1, keepdim=True)
    moments = sum_up(trials, lagging, torch.full((4, 5), 0.5), basis).moments()
    loading, kept = evident_loading(moments, 1.0)
    assert kept.tolist() == [True, False, True]
    assert not loading[:, 1].any()


def test_factor_analysis_finds_what_was_planted(rng):
    neurons, bins = 30, 2
    shared = torch.from_numpy(rng.normal(size=(neurons * bins, 2))).float()
    root = torch.from_numpy(rng.normal(size=(neurons, bins, bins))).float()
    noise = root @ root.transpose(1, 2) + 0.5 * torch.eye(bins)
    covariance = shared @ shared.T
    for neuron in range(neurons):
        at = torch.arange(bins) * neurons + neuron
        covariance[at[:, None], at] += noise[neuron]
    found, own = factor_analysis(covariance, 2, neurons, iterations=200)
    torch.testing.assert_close(found @ found.T, shared @ shared.T, atol=0.02, rtol=0.02)
    torch.testing.assert_close(own, noise, atol=0.02, rtol=0.02)
    none, own = factor_analysis(covariance, 0, neurons)
    assert none.shape == (neurons * bins, 0)
    torch.testing.assert_close(own[:, 0, 0], covariance.diagonal()[:neurons])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"lags": (5, 2)}, "run backwards"),
        ({"factors": []}, "factors"),
        ({"correlation_times": [0.5]}, "correlation times"),
    ],
)
def test_wrong_use_is_refused(generative, rng, make_trial, change, complaint):
    trials = [generative.trial(rng, make_trial, 20)]
    with pytest.raises(WrongUse, match=complaint):
        fit_bayesian(trials, trials, **change)


def test_no_complete_frame_is_refused(generative, rng, make_trial):
    trials = [generative.trial(rng, make_trial, 20)]
    trials[0].reader.recorded[::2, 3] = torch.nan
    with pytest.raises(BadData, match="no frame"):
        fit_bayesian(trials, trials, lags=(0, 3), features=12)
