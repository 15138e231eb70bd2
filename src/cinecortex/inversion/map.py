"""`map`: the most probable movie given the responses, by preconditioned descent in whitened coordinates."""

from __future__ import annotations

import time
from functools import cached_property

import torch

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.likelihoods import Likelihood, likelihood_of
from cinecortex.inversion.priors import Prior, Spectral
from cinecortex.inversion.problem import Problem
from cinecortex.inversion.sensitivity import binned_fisher, population_mask
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask


class MAP:
    """argmin over z of ``-log p(response | movie(z)) - log p(z)``.

    Starts from a small random ``z``: for encoders that respond only to contrast, uniform gray is a stationary point.

    Args:
        encoder: Forward model of the population; its measured observation model and movie statistics are the defaults
            of the next two.
        likelihood: How responses scatter; by default the tempered Poisson of the encoder's observation model.
        prior: What movies are like; by default the spectral prior of the encoder's training clips.
        evaluations: Most evaluations of energy and gradient.
        tolerance_nats: Five steps that together gain less than this end the descent.
        start_scale: Standard deviation of the first ``z``.

    Raises:
        WrongUse: a default was needed that the encoder does not carry.
    """

    name = "map"

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
        evaluations: int = 100,
        tolerance_nats: float = 0.5,
        start_scale: float = 0.3,
    ) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.likelihood = likelihood if likelihood is not None else default_likelihood(encoder)
        self.prior = prior if prior is not None else default_prior(encoder)
        self.evaluations, self.tolerance_nats, self.start_scale = evaluations, tolerance_nats, start_scale
        self._preconditioners: dict[int, torch.Tensor] = {}

    @cached_property
    def mask(self) -> Mask:
        """Where the population can see, from the encoder's own sensitivity."""
        return population_mask(self.encoder, self.likelihood, self.prior, seed=Seed(0) / "mask")

    def _inverse_hessian(self, frames: int) -> torch.Tensor:
        # Once for each clip length; it shapes the path of the descent, not its end, so its seed is its own.
        if frames not in self._preconditioners:
            seed = Seed(0) / "preconditioner"
            fisher = binned_fisher(self.encoder, self.likelihood, self.prior, frames=frames, seed=seed)
            self._preconditioners[frames] = 1 / (1 + fisher)
        return self._preconditioners[frames]

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial.

        Raises:
            WrongUse: the observation does not fit the encoder.
        """
        began = time.perf_counter()
        problem = Problem(self.encoder, self.likelihood, self.prior, observation)
        start = self.start_scale * torch.randn(
            problem.shape, generator=(seed / "start").torch(), dtype=self.encoder.dtype
        )
        if not (observation.heard & observation.response.isfinite().any(0)).any():
            # With nothing heard the energy is the prior's alone, and its minimum is known.
            start = torch.zeros_like(start)
        found = minimise(
            problem.energy,
            start.to(self.encoder.device),
            inverse_hessian=self._inverse_hessian(observation.frames),
            evaluations=self.evaluations,
            tolerance_nats=self.tolerance_nats,
        )
        return Reconstruction(
            movie=self.prior.movie(found.position).clamp(0, 1).cpu(),
            mask=self.mask.cpu(),
            energy=found.energy,
            ended=found.ended,
            frame_passes=found.evaluations * observation.frames,
            seconds=time.perf_counter() - began,
        )


def default_likelihood(encoder: Encoder) -> Likelihood:
    """The tempered Poisson likelihood of the encoder's observation model, with shared gains where some were found."""
    if encoder.observation_model is None:
        raise WrongUse("the encoder carries no observation model: fit it, or measure one with `cinecortex calibrate`.")
    return likelihood_of(encoder.observation_model)


def default_prior(encoder: Encoder) -> Spectral:
    """The spectral prior of the encoder's training clips."""
    if encoder.movie_statistics is None:
        raise WrongUse("the encoder carries no movie statistics: fit it, or measure them with `cinecortex calibrate`.")
    return Spectral.of(encoder.movie_statistics)
