"""The linear-nonlinear encoder: one space-time filter per neuron and a pointwise nonlinearity; solvable by hand."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cinecortex.encoders.base import Encoder
from cinecortex.tensors import Behaviors, Movies, PerNeuron, Rates

Nonlinearity = Literal["identity", "softplus", "exponential"]


class LinearNonlinear(Encoder):
    """``rate_n(t) = f(offset_n + sum over lag, y, x of filter_n(lag, y, x) * (movie(t - lag, y, x) - 1/2))``.

    Frames before the start of the movie are gray (1/2). Behavior is ignored.

    Args:
        filters: Space-time filters, ``neuron lag height width``; lag 0 is the present frame.
        offset: Drive without a stimulus, ``neuron``.
        nonlinearity: ``identity`` makes the encoder exactly linear, ``softplus`` and ``exponential`` keep rates
            positive.
        frame_rate_hz: Frames per second.

    Source: Chichilnisky 2001, Network 12:199; Simoncelli et al. 2004.
    """

    kind = "linear_nonlinear"
    causal = True

    def __init__(
        self,
        filters: Float[Tensor, "neuron lag height width"],
        offset: PerNeuron,
        *,
        nonlinearity: Nonlinearity = "softplus",
        frame_rate_hz: float = 30.0,
    ) -> None:
        super().__init__()
        self.filters = nn.Parameter(filters)
        self.offset = nn.Parameter(offset)
        self.nonlinearity: Nonlinearity = nonlinearity
        self.frame_rate_hz = frame_rate_hz
        self.frame_size = (filters.shape[2], filters.shape[3])
        self.memory = filters.shape[1]
        self.settings = {
            "neurons": filters.shape[0],
            "filter_frames": filters.shape[1],
            "frame_size": list(self.frame_size),
            "nonlinearity": nonlinearity,
            "frame_rate_hz": frame_rate_hz,
        }

    @classmethod
    def blank(
        cls,
        *,
        neurons: int,
        filter_frames: int,
        frame_size: tuple[int, int],
        nonlinearity: Nonlinearity,
        frame_rate_hz: float,
    ) -> LinearNonlinear:
        """An encoder with these `settings` whose filters and offsets are all zero."""
        filters, offset = torch.zeros(neurons, filter_frames, *frame_size), torch.zeros(neurons)
        return cls(filters, offset, nonlinearity=nonlinearity, frame_rate_hz=frame_rate_hz)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.filters.shape[0]

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses, in the unit of the recording."""
        batch, time = movies.shape[:2]
        neuron, lag = self.filters.shape[:2]
        pixels = (movies - 0.5).reshape(batch, time, -1)
        projected = pixels @ self.filters.reshape(neuron * lag, -1).T
        by_lag = projected.reshape(batch, time, neuron, lag)
        drive = self.offset.expand(batch, time, neuron).clone()
        for delay in range(min(lag, time)):
            drive[:, delay:] = drive[:, delay:] + by_lag[:, : time - delay, :, delay]
        if self.nonlinearity == "identity":
            return drive
        return torch.exp(drive) if self.nonlinearity == "exponential" else nn.functional.softplus(drive)
