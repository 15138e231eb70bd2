"""What an encoder is: a differentiable function from movie and behavior to expected responses of one population."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cinecortex.stimuli.spectrum import MovieStatistics
from cinecortex.tensors import Behaviors, Movies, PerNeuron, Rates


@dataclass(frozen=True, eq=False)
class SharedGain:
    """Slow gains that many neurons share: arousal, attention, drift, and what the encoder gets wrong for all alike.

    The response of neuron ``n`` scatters around ``rate_n * exp(sum over k of loading_nk * f_k(t))``, where each factor
    ``f_k`` is a stationary first-order autoregression of unit variance.

    Attributes:
        loading: Change of the log-rate per unit of each factor, ``neuron factor``.
        correlation_time: ``1 + 2 * sum of the autocorrelation`` of each factor, in frames, ``factor``.

    Sources: Goris, Movshon & Simoncelli 2014, Nat Neurosci 17:858; Rabinowitz et al. 2015, eLife 4:e08998.
    """

    loading: Float[Tensor, "neuron factor"]
    correlation_time: Float[Tensor, " factor"]


@dataclass(frozen=True, eq=False)
class ObservationModel:
    """How recorded responses scatter around the rate; measured on clips held out from the fit.

    Deconvolved calcium is over-dispersed and correlated in time. The Poisson log-likelihood of neuron ``n`` is
    therefore tempered by ``1 / (dispersion_n * correlation_time_n)``. What all neurons do together is counted once
    rather than once per neuron: see `SharedGain`.

    Attributes:
        dispersion: Residual variance over rate, ``neuron``; without the shared gain, where there is one.
        correlation_time: ``1 + 2 * sum of the residual autocorrelation``, in frames, ``neuron``; likewise.
        shared_gain: What the neurons share, or None where nothing shared was found.
    """

    dispersion: PerNeuron
    correlation_time: PerNeuron
    shared_gain: SharedGain | None = None

    @property
    def temper(self) -> PerNeuron:
        """Weight of each neuron's log-likelihood."""
        return 1.0 / (self.dispersion * self.correlation_time)


class Encoder(nn.Module, ABC):
    """The forward model of one population: ``encoder(movies, behaviors) -> rates``.

    Attributes:
        kind: Name of the architecture, as the command line and ``encoder.json`` spell it.
        frame_size: Height and width of the movies it takes, in pixels.
        frame_rate_hz: Frames per second of the movies it takes.
        memory: A rate depends on at most this many frames up to and including its own; the first ``memory - 1`` rates
            of a movie rest on frames before its start and are left out of fits and scores.
        causal: Whether it promises that no rate depends on a later frame.
        settings: The arguments it was made with, as JSON values.
        observation_model: How responses scatter around the rates, once measured.
        movie_statistics: Statistics of the training clips, once measured; the prior is made of them.
    """

    kind: str
    frame_size: tuple[int, int]
    frame_rate_hz: float
    memory: int
    causal: bool = False
    settings: dict[str, Any]
    observation_model: ObservationModel | None = None
    movie_statistics: MovieStatistics | None = None

    @property
    @abstractmethod
    def neurons(self) -> int:
        """Number of neurons predicted."""

    @abstractmethod
    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses on every frame of every movie, in the unit of the recording."""

    def settled(self, frames: int) -> slice:
        """The frames of a movie of this length whose rate does not rest on frames before its start."""
        return slice(min(self.memory - 1, frames - 1), frames)

    @property
    def resolution(self) -> tuple[int, int]:
        """Along height and width, how many of the coarsest DCT-II coefficients of a frame its rates depend on at all.

        All of them, unless an encoder promises to be blind to finer ones. An inversion need not look for those.
        """
        return self.frame_size

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        """Typical behavior, one number per channel; empty for an encoder without behavior."""
        return torch.zeros(0, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights; movies and behavior must come in the same."""
        return next(self.parameters()).dtype


@contextmanager
def evaluating(encoder: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every part of the encoder is left in the mode it was found in."""
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
