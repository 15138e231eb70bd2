"""What behavior predicts of responses: all that follows it, and nothing of what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.validation.aroused import wandering
from tests.validation.methods import trials

from cinecortex.errors import WrongUse
from cinecortex.metrics import response_correlation
from cinecortex.seeds import Seed
from cinecortex.validation.behavior_predicted import behavior_predicted, features, fit_behavior_model

SEED = Seed(1)


@pytest.fixture(scope="module")
def felt():
    return fit_behavior_model(wandering(40, first=100, coupled=1.0, seen=False))


def test_responses_that_follow_behavior_are_predicted_up_to_their_noise(felt):
    for trial in wandering(3, coupled=1.0, seen=False):
        behavior = trial.reader.running()
        driven = torch.cat([behavior[:1], behavior[:-1]])
        expected = 5 + driven + 0.3 * driven.square()
        predicted = felt.predict(trial.behavior)
        assert predicted.shape == trial.response.shape
        assert response_correlation(predicted, expected[:, None].expand(60, 20).clone(), burn_in=0).min() > 0.97
        assert float((predicted - expected[:, None]).square().mean().sqrt()) < 0.3


def test_of_a_movie_that_does_not_go_with_behavior_nothing_is_predicted():
    model = fit_behavior_model(wandering(40, first=100, coupled=0.0, seen=True))
    trial = wandering(1, coupled=0.0, seen=True)[0]
    spread = model.predict(trial.behavior).std(0) / trial.response.std(0)
    assert float(spread.max()) < 0.25
    assert model.penalty >= 0.1


def test_it_is_the_ridge_solution_on_all_trials(felt):
    train = wandering(40, first=100, coupled=1.0, seen=False)
    known = torch.cat([features(trial.behavior, felt.mean, felt.scale, felt.lags) for trial in train])
    response = torch.cat([trial.response for trial in train]).double()
    average = response.mean(0)
    penalty = felt.penalty * len(known) * torch.eye(known.shape[1], dtype=torch.float64)
    penalty[0, 0] = 0.0
    weights = torch.linalg.solve(known.T @ known + penalty, known.T @ (response - average))
    weights[0] += average
    torch.testing.assert_close(felt.weights, weights)
    assert torch.equal(felt.lowest, response.amin(0).float())
    assert felt.lags == (-4, -2, -1, 0, 1, 2, 4, 8)


def test_features_look_back_and_stand_still_beyond_the_ends():
    behavior = torch.arange(5.0)[:, None]
    seen = features(behavior, torch.zeros(1).double(), torch.ones(1).double(), (0, 2, -1))
    assert seen.shape == (5, 1 + 3 * 3)
    assert seen[:, 0].tolist() == [1.0] * 5
    assert seen[:, 1].tolist() == [0, 1, 2, 3, 4]
    assert seen[:, 4].tolist() == [0, 0, 0, 1, 2], "two frames ago"
    assert seen[:, 7].tolist() == [1, 2, 3, 4, 4], "the frame after"
    far = features(1000 * behavior, torch.zeros(1).double(), torch.ones(1).double(), (0,))
    assert far.abs().max() == 15.0, "four standard deviations squared, less one"


def test_predictions_stay_within_what_was_recorded(felt):
    wild = 1e6 * torch.randn(30, 2, generator=SEED.torch())
    predicted = felt.predict(wild)
    assert (predicted >= felt.lowest).all()
    assert (predicted <= felt.highest).all()


def test_gaps_stay_gaps_and_do_not_spoil_the_fit(felt):
    train = wandering(40, first=100, coupled=1.0, seen=False)

    class Gaps:
        def __init__(self, reader, place):
            self.reader, self.place = reader, place

        def response(self):
            response = self.reader.response()
            response[self.place % 7 :: 7] = torch.nan
            response[:, 3] = torch.nan
            return response if self.place else None

        def __getattr__(self, name):
            return getattr(self.reader, name)

    holed = [replace(trial, reader=Gaps(trial.reader, place)) for place, trial in enumerate(train)]
    model = fit_behavior_model(holed)
    assert (model.weights[:, 3] == 0).all()
    trial = wandering(1, coupled=1.0, seen=False)[0]
    whole, spoilt = felt.predict(trial.behavior)[:, :3], model.predict(trial.behavior)[:, :3]
    assert float((whole - spoilt).abs().mean()) < 0.3

    observation = trial.observe()
    observation.response[4:6] = torch.nan
    after = behavior_predicted(observation, SEED, model=felt)
    assert torch.equal(after.response.isnan(), observation.response.isnan())
    assert torch.equal(after.behavior, observation.behavior)
    assert torch.equal(after.response[:4], felt.predict(observation.behavior)[:4])


def test_what_cannot_be_fitted_or_predicted_is_refused(felt):
    still = [replace(trial, behavior_channels=()) for trial in trials(3)]
    for none in ([], still):
        with pytest.raises(WrongUse, match="with responses and behavior"):
            fit_behavior_model(none)
    observation = wandering(1, coupled=1.0, seen=True)[0].observe()
    fewer = replace(observation, response=observation.response[:, :4], heard=observation.heard[:4])
    with pytest.raises(WrongUse, match="of 20 neurons cannot predict 4"):
        behavior_predicted(fewer, SEED, model=felt)
