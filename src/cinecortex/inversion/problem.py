"""The energy: minus log p(response | movie) - log p(movie), over whitened coordinates, with its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.priors import Prior, Whitened
from cinecortex.recording import Observation
from cinecortex.tensors import Movie


@dataclass(frozen=True, eq=False)
class Problem:
    """One observation to invert.

    Attributes:
        encoder: Forward model of the population that was observed.
        likelihood: How its responses scatter.
        prior: What movies are like.
        observation: What was recorded.
    """

    encoder: Encoder
    likelihood: Likelihood
    prior: Prior
    observation: Observation

    def __post_init__(self) -> None:
        check_fits(self.encoder, self.observation)

    @cached_property
    def _data(self) -> tuple[Tensor, Tensor, Tensor]:
        device, dtype = self.encoder.device, self.encoder.dtype
        observation = self.observation
        behavior = observation.behavior.to(device, dtype)[None]
        return observation.response.to(device, dtype), behavior, observation.heard.to(device)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width of the movie to find."""
        return (self.observation.frames, *self.observation.frame_size)

    def log_likelihood(self, movie: Movie) -> Tensor:
        """Log p(response | movie) in nats over the settled frames, up to a constant."""
        response, behavior, heard = self._data
        settled = self.encoder.settled(len(movie))
        rate = self.encoder(movie[None], behavior)[0]
        return self.likelihood.log_prob(response[settled], rate[settled], heard)

    def energy(self, z: Whitened) -> tuple[float, Whitened]:
        """Energy in nats at ``z``, and its gradient. One forward and one backward pass of the encoder."""
        z = z.detach().requires_grad_()
        energy = self.prior.energy(z) - self.log_likelihood(self.prior.movie(z))
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
