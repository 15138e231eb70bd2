"""log p(response | rate): how recorded responses scatter around what the encoder expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from cinecortex.encoders.base import ObservationModel
from cinecortex.tensors import Heard, PerNeuron, Response, Scalar


@runtime_checkable
class Likelihood(Protocol):
    """How responses scatter around rates."""

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, up to a constant that does not depend on the rate.

        Unheard neurons and entries of ``response`` that are NaN are left out of the sum.
        """
        ...

    def precision(self, rate: Response) -> Response:
        """Fisher information about the rate, per frame and neuron, where the rate is ``rate``."""
        ...


def _known(response: Response, heard: Heard) -> Tensor:
    return torch.isfinite(response) & heard


@dataclass(frozen=True, eq=False)
class Poisson:
    """Poisson log-likelihood, tempered per neuron.

    ``sum of temper_n * (y log r - r)``, with ``temper_n = 1 / (dispersion_n * correlation_time_n)``: over-dispersed
    responses that repeat themselves from frame to frame count for as much as they tell, not for as many as they are.

    Attributes:
        temper: Weight per neuron, ``neuron``.
    """

    temper: PerNeuron

    @staticmethod
    def of(model: ObservationModel) -> Poisson:
        """The likelihood that an encoder's measured observation model calls for."""
        return Poisson(model.temper)

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, without the ``log y!`` term."""
        known = _known(response, heard)
        response = torch.where(known, response, torch.zeros_like(response))
        terms = response * torch.log(rate.clamp_min(1e-6)) - rate
        return (torch.where(known, terms, torch.zeros_like(terms)) * self.temper.to(rate)).sum()

    def precision(self, rate: Response) -> Response:
        """``temper / rate``."""
        return self.temper.to(rate) / rate.clamp_min(1e-6)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Independent Gaussian noise of a given variance per neuron.

    Attributes:
        variance: Noise variance, ``neuron``.
    """

    variance: PerNeuron

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, without the normalising constant."""
        known = _known(response, heard)
        residual = torch.where(known, response - rate, torch.zeros_like(rate))
        return -0.5 * (residual**2 / self.variance.to(rate)).sum()

    def precision(self, rate: Response) -> Response:
        """``1 / variance``."""
        return (1 / self.variance.to(rate)).expand_as(rate)
