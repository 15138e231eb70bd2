"""The energy: minus log p(response | movie) - log p(movie), over whitened coordinates, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.errors import WrongUse
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.priors import Prior, Whitened
from cinecortex.recording import Observation
from cinecortex.tensors import Behavior, Movie, Movies, Scalar

SettledRates = Float[Tensor, "settled neuron"]
"""Rates of the frames that do not rest on frames before the start of the movie."""

BehaviorGiven = Literal["recorded", "mean"]
"""What the encoder is told of the behavior: as it was recorded, or its training mean on every frame."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One observation to invert.

    Attributes:
        encoder: Forward model of the population that was observed. An `Ensemble` is asked for its mean rate.
        likelihood: How its responses scatter.
        prior: What movies are like.
        observation: What was recorded.
        behavior: What the encoder is told of the behavior.
        member_likelihoods: One for each member of the encoder, which then must be an ensemble: the data term is no
            longer the log-likelihood of the mean rate but the mean of the members' own log-likelihoods, so that the
            gradients of the members are averaged ("gradient ensembling"). Every member must then explain the
            responses by itself: a movie on which the members disagree has the higher energy. With Gaussian noise the
            difference is exactly half their variance about the mean rate over the noise variance. The two agree where
            the members do.

    Raises:
        WrongUse: the observation does not fit the encoder, or there is not one likelihood for each member.
    """

    encoder: Encoder
    likelihood: Likelihood
    prior: Prior
    observation: Observation
    behavior: BehaviorGiven = "recorded"
    member_likelihoods: tuple[Likelihood, ...] = ()

    def __post_init__(self) -> None:
        check_fits(self.encoder, self.observation)
        members = len(self.encoder.members) if isinstance(self.encoder, Ensemble) else 0
        if self.member_likelihoods and len(self.member_likelihoods) != members:
            raise WrongUse(
                f"{len(self.member_likelihoods)} likelihoods were given for an encoder of {members} members; give one "
                "for each member of an ensemble, or none."
            )

    @cached_property
    def _data(self) -> tuple[Tensor, Tensor, Tensor]:
        device, dtype = self.encoder.device, self.encoder.dtype
        observation = self.observation
        told = behavior_told(self.encoder, observation, self.behavior)
        return observation.response.to(device, dtype), told.to(device, dtype)[None], observation.heard.to(device)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width of the movie to find."""
        return (self.observation.frames, *self.observation.frame_size)

    def log_likelihood(self, movie: Movie) -> Tensor:
        """Log p(response | movie) in nats over the settled frames, up to a constant."""
        return log_likelihoods([self], movie[None])[0]

    def energy(self, z: Whitened) -> tuple[float, Whitened]:
        """Energy in nats at ``z``, and its gradient. One forward and one backward pass of the encoder."""
        z = z.detach().requires_grad_()
        energy = self.prior.energy(z) - self.log_likelihood(self.prior.movie(z))
        (gradient,) = torch.autograd.grad(energy, z)
        return float(energy.detach()), gradient

    def tilted_energy(
        self, z: Whitened, *, center: Whitened, slope: SettledRates, rate: SettledRates
    ) -> tuple[float, Whitened]:
        """Energy with the prior moved to ``center`` and the log-likelihood tilted, and its gradient.

        Its minimum is a posterior draw where ``center`` is a draw from a white prior and ``slope`` one from the
        likelihood's `Curvature`.

        Args:
            z: Where, in whitened coordinates.
            center: What stands in for the prior's mean.
            slope: Added to the derivative of the log-likelihood by the settled rates.
            rate: The settled rates at which the slope is just this; see `Likelihood.tilt`.
        """
        z = z.detach().requires_grad_()
        response, behavior, heard = self._data
        settled = self.encoder.settled(len(z))
        found = self.encoder(self.prior.movie(z)[None], behavior)[0][settled]
        known = self.likelihood.log_prob(response[settled], found, heard) + self.likelihood.tilt(found, rate, slope)
        energy = 0.5 * ((z - center) ** 2).sum() - known
        (gradient,) = torch.autograd.grad(energy, z)
        return float(energy.detach()), gradient

    def pull_back(self, movie: Movie, probe: Tensor) -> Movie:
        """``J^T W^(1/2) probe`` at ``movie``: J the derivative of the rates by the movie, W the likelihood's precision.

        Args:
            movie: Where to linearise.
            probe: ``time neuron``; unheard neurons and unsettled frames are ignored.
        """
        response, behavior, heard = self._data
        settled = self.encoder.settled(len(movie))
        movie = movie.detach().requires_grad_()
        rate = self.encoder(movie[None], behavior)[0]
        weight = self.likelihood.precision(rate.detach()).sqrt()
        known = torch.isfinite(response) & heard
        weighted = torch.where(known, weight * probe, torch.zeros_like(weight))[settled]
        (gradient,) = torch.autograd.grad((rate[settled] * weighted).sum(), movie)
        return gradient


def log_likelihoods(problems: Sequence[Problem], movies: Movies, *, encoder: Encoder | None = None) -> list[Scalar]:
    """Log p(response | movie) of every problem at its own movie, in nats over the settled frames, up to constants.

    Args:
        problems: Problems of one encoder and one length, all with member likelihoods or all without.
        movies: One movie for each.
        encoder: What to ask for all movies at once, in place of the encoder that the problems share: the same one,
            asked in another way.
    """
    encoder = problems[0].encoder if encoder is None else encoder
    settled = encoder.settled(movies.shape[1])
    behaviors = torch.cat([problem._data[1] for problem in problems])
    judged = [problem.member_likelihoods or (problem.likelihood,) for problem in problems]
    asked = encoder.members if isinstance(encoder, Ensemble) and problems[0].member_likelihoods else (encoder,)
    found: list[list[Tensor]] = [[] for _ in problems]
    for part, one in enumerate(asked):
        rates = one(movies, behaviors)
        for number, problem in enumerate(problems):
            response, _, heard = problem._data
            found[number].append(judged[number][part].log_prob(response[settled], rates[number][settled], heard))
    return [each[0] if len(each) == 1 else torch.stack(each).mean() for each in found]


def behavior_told(encoder: Encoder, observation: Observation, behavior: BehaviorGiven) -> Behavior:
    """The behavior that an encoder is told during inversion.

    Pupil, running and gaze are inputs of the encoder, not answers of the inversion. With ``recorded`` they move the
    frame and set the gain as they did in the animal; with ``mean`` they are held at their training mean, and what they
    did to the responses must be explained by the movie or by noise.
    """
    rest = encoder.behavior_at_rest
    # An encoder that knows no behavior takes whatever is handed in.
    if behavior == "recorded" or not len(rest):
        return observation.behavior
    return rest.detach().expand(observation.frames, -1)


def check_fits(encoder: Encoder, observation: Observation) -> None:
    """Refuse an observation that this encoder cannot have made.

    Raises:
        WrongUse: the number of neurons, the frame size or the frame rate differ.
    """
    neurons = observation.response.shape[1]
    if neurons != encoder.neurons:
        raise WrongUse(f"the observation has {neurons} neurons, but the encoder was fitted to {encoder.neurons}.")
    if observation.frame_size != encoder.frame_size:
        raise WrongUse(
            f"the observation is of {observation.frame_size} px, but the encoder sees {encoder.frame_size} px."
        )
    if abs(observation.frame_rate_hz - encoder.frame_rate_hz) > 1e-3:
        raise WrongUse(
            f"the observation runs at {observation.frame_rate_hz:g} Hz, "
            f"but the encoder at {encoder.frame_rate_hz:g} Hz."
        )
