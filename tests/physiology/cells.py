"""Cells whose receptive fields are written down: Gabors in space, short filters in time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.tensors import Behaviors, Movies, Rates

SIZE = (18, 22)


def gabor(
    *,
    centre: tuple[float, float] = (8.3, 11.6),
    direction_deg: float = 0.0,
    cycles_per_px: float = 0.12,
    width_px: float = 2.2,
    phase_deg: float = 0.0,
    size: tuple[int, int] = SIZE,
) -> Tensor:
    """Bars at right angles to the direction (0 rightwards, 90 upwards), in a round Gaussian."""
    row = torch.arange(size[0], dtype=torch.float64)[:, None] - centre[0]
    column = torch.arange(size[1], dtype=torch.float64) - centre[1]
    angle = math.radians(direction_deg)
    along = column * math.cos(angle) - row * math.sin(angle)  # rows count downwards
    envelope = torch.exp(-(row**2 + column**2) / (2 * width_px**2))
    return (envelope * torch.cos(2 * math.pi * cycles_per_px * along + math.radians(phase_deg))).float()


def linear(spatial: Tensor, temporal: Tensor, **options) -> LinearNonlinear:
    """Separable cells: ``neuron height width`` times ``lag``."""
    filters = spatial[:, None] * temporal[None, :, None, None]
    return LinearNonlinear(filters, torch.zeros(len(spatial)), **options)


def quadrature(**options) -> Tensor:
    """The even and the odd Gabor."""
    return torch.stack([gabor(phase_deg=0, **options), gabor(phase_deg=-90, **options)])


class EnergyCells(Encoder):
    """``rate = sum over two filters of (filter . movie)^2``: responds alike to a movie and to its negative.

    Args:
        filters: ``neuron 2 lag height width``.
    """

    kind = "energy"
    causal = True

    def __init__(self, filters: Tensor) -> None:
        super().__init__()
        neurons, _, lags, *size = filters.shape
        self.linear = LinearNonlinear(
            filters.flatten(0, 1), torch.zeros(2 * neurons), nonlinearity="identity", frame_rate_hz=30.0
        )
        self.frame_size, self.frame_rate_hz, self.memory = (size[0], size[1]), 30.0, lags

    @property
    def neurons(self) -> int:
        return len(self.linear.filters) // 2

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        return self.linear(movies, behaviors).unflatten(2, (-1, 2)).square().sum(3)
