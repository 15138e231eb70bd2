"""What behavior alone says about the responses, learnt on training trials.

Every neuron's response is regressed on the behavior around it: each channel at several lags, with its square and a
saturating form. The regression sees no movie and, unless it is handed one, no test trial. Responses that it predicts
carry what a movie that goes with the animal's behavior shares with the neurons, and nothing else of the movie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, PerNeuron, Response

LAGS_S = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0)
"""How long before a response the behavior is looked at, in seconds; a pupil follows what it tells of by a second."""

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Ridge penalties to choose from, per frame, for features of unit variance."""

FARTHEST = 4.0
"""Behavior is held within this many standard deviations of its training mean, or its squares would run away."""

PerChannel = Float[Tensor, "channel"]
Features = Float[Tensor, "frame feature"]


@dataclass(frozen=True, eq=False)
class BehaviorModel:
    """A regression of the responses of one session on its behavior.

    Attributes:
        mean, scale: Of each behavior channel on the training trials.
        lags: How many frames before a response the behavior is looked at.
        weights: ``feature neuron``; the first feature is 1.
        lowest, highest: Of each neuron's training responses; predictions stay within.
        penalty: The ridge penalty that was chosen.
    """

    mean: PerChannel
    scale: PerChannel
    lags: tuple[int, ...]
    weights: Float[Tensor, "feature neuron"]
    lowest: PerNeuron
    highest: PerNeuron
    penalty: float

    def predict(self, behavior: Behavior) -> Response:
        """The responses that go with a behavior, in the unit of the recording."""
        rate = features(behavior, self.mean, self.scale, self.lags) @ self.weights
        return torch.minimum(torch.maximum(rate.float(), self.lowest), self.highest)


def behavior_predicted(observation: Observation, seed: Seed, *, model: BehaviorModel) -> Observation:
    """Every response replaced by what behavior alone predicts of it.

    Destroys all that the neurons said beyond behavior. Keeps behavior, length, which neurons are heard and which
    frames were recorded.

    Args:
        observation: What is changed.
        seed: Not used.
        model: Fitted to training trials of the same session.

    Raises:
        WrongUse: the model is of other neurons.
    """
    neurons = observation.response.shape[1]
    if model.weights.shape[1] != neurons:
        raise WrongUse(
            f"a regression of {model.weights.shape[1]} neurons cannot predict {neurons}; fit it to trials of the same "
            "session."
        )
    predicted = model.predict(observation.behavior).to(observation.response)
    return replace(observation, response=predicted.masked_fill(observation.response.isnan(), torch.nan))


def fit_behavior_model(trials: Sequence[Trial]) -> BehaviorModel:
    """Ridge regression of responses on behavior; the penalty is the best of `PENALTIES` on every fifth trial.

    A frame on which a neuron was not recorded counts as its mean. Trials are read one after another, twice.

    Args:
        trials: Training trials of one session. Those without a response are left out.

    Raises:
        WrongUse: no trial has both a response and behavior.
    """
    told = [trial for trial in trials if trial.behavior_channels and trial.response is not None]
    if not told:
        raise WrongUse("a regression on behavior needs training trials with responses and behavior; there are none.")
    lags = tuple(dict.fromkeys(round(lag * told[0].frame_rate_hz) for lag in LAGS_S))
    behavior = torch.cat([trial.behavior for trial in told]).double()
    mean, scale = behavior.mean(0), behavior.std(0, correction=0)
    scale[scale == 0] = 1.0
    average, lowest, highest = _ranges(told)
    fitted, held_out = _Moments(), _Moments()
    for place, trial in enumerate(told):
        part = held_out if place % 5 == 4 else fitted
        centred = (_response(trial).double() - average).nan_to_num(0.0)
        part.add(features(trial.behavior, mean, scale, lags), centred)
    penalty = PENALTIES[-1]
    if held_out.frames:
        penalty = min(PENALTIES, key=lambda penalty: held_out.error(fitted.weights(penalty)))
        fitted.merge(held_out)
    weights = fitted.weights(penalty)
    weights[0] += average
    return BehaviorModel(mean, scale, lags, weights, lowest, highest, penalty)


def features(behavior: Behavior, mean: PerChannel, scale: PerChannel, lags: Sequence[int]) -> Features:
    """1, then every channel at every lag: standardised, squared and saturating. Beyond the ends it stands still."""
    frames = len(behavior)
    standard = ((behavior.double() - mean) / scale).clamp(-FARTHEST, FARTHEST)
    forms = torch.cat([standard, standard.square() - 1, (2 * standard).tanh()], 1)
    at = torch.arange(frames)[:, None] - torch.tensor(lags)
    lagged = forms[at.clamp(0, frames - 1)].flatten(1)
    return torch.cat([torch.ones(frames, 1, dtype=torch.float64), lagged], 1)


class _Moments:
    """Sums of products of features and responses, all that a regression needs of the trials."""

    def __init__(self) -> None:
        self.frames = 0
        self.features = self.products = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, known: Features, response: Float[Tensor, "frame neuron"]) -> None:
        """One more trial; its responses are centred."""
        self.frames += len(known)
        self.features = self.features + known.T @ known
        self.products = self.products + known.T @ response
        self.squares = self.squares + response.square().sum(0)

    def merge(self, other: _Moments) -> None:
        """All that another has seen."""
        self.frames += other.frames
        self.features = self.features + other.features
        self.products = self.products + other.products
        self.squares = self.squares + other.squares

    def weights(self, penalty: float) -> Float[Tensor, "feature neuron"]:
        """The ridge solution; the constant is not penalised."""
        ridge = penalty * self.frames * torch.eye(len(self.features), dtype=torch.float64)
        ridge[0, 0] = 0.0
        solved: Tensor = torch.linalg.solve(self.features + ridge, self.products)
        return solved

    def error(self, weights: Float[Tensor, "feature neuron"]) -> float:
        """What these weights leave of the responses seen here: mean over neurons of the share that is not explained."""
        explained = 2 * (weights * self.products).sum(0) - (weights * (self.features @ weights)).sum(0)
        varies = self.squares > 0
        return 1 - float((explained[varies] / self.squares[varies]).mean()) if bool(varies.any()) else 0.0


def _ranges(trials: Sequence[Trial]) -> tuple[Float[Tensor, "neuron"], PerNeuron, PerNeuron]:
    """Mean, lowest and highest response of each neuron; 0 where a neuron was never recorded."""
    neurons = _response(trials[0]).shape[1]
    total, count = torch.zeros(neurons, dtype=torch.float64), torch.zeros(neurons, dtype=torch.float64)
    lowest, highest = torch.full((neurons,), torch.inf), torch.full((neurons,), -torch.inf)
    for trial in trials:
        response = _response(trial)
        gone = response.isnan()
        total += response.double().nan_to_num(0.0).sum(0)
        count += (~gone).sum(0)
        lowest = torch.minimum(lowest, response.masked_fill(gone, torch.inf).amin(0))
        highest = torch.maximum(highest, response.masked_fill(gone, -torch.inf).amax(0))
    never = count == 0
    return total / count.clamp(min=1), lowest.masked_fill(never, 0.0), highest.masked_fill(never, 0.0)


def _response(trial: Trial) -> Response:
    response = trial.response
    if response is None:
        raise WrongUse(f"trial {trial.trial_id} of session {trial.session_id} has no response; leave it out.")
    return response
