"""The linear-nonlinear baseline, as it is fitted: few separable space-time filters per neuron on coarse frames."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.compact import raised_cosine_bumps
from cinecortex.encoders.filtering import filter_in_time
from cinecortex.tensors import Behaviors, Movies, Rates

SPATIAL_SCALE = 0.02
"""A step of the optimizer moves a spatial weight by this much less than any other parameter."""


class SeparableEncoder(Encoder):
    """``rate = softplus(offset + sum over rank of temporal * (spatial . frame))``: what a linear neuron would do.

    The filters of `linear_nonlinear.LinearNonlinear` at low rank, which several thousand neurons on full-size frames
    need not to fill the memory. Behavior is ignored. Frames before the start of a movie are taken to equal its first.

    Args:
        neurons: Number of neurons.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.
        filter_frames: Length of the temporal filters.
        bumps: Raised-cosine bumps that make up a temporal filter.
        rank: Separable filters per neuron; 1 cannot tell directions of motion.
        coarse: Frames are averaged over squares of this many pixels.

    Sources: Chichilnisky 2001, Network 12:199 (the model); Linden et al. 2003, J Neurophysiol 90:2660 (low rank).
    """

    kind = "linear_nonlinear"
    mean_luminance: Tensor
    bump_basis: Tensor

    def __init__(
        self,
        *,
        neurons: int,
        frame_size: tuple[int, int],
        frame_rate_hz: float = 30.0,
        filter_frames: int = 20,
        bumps: int = 6,
        rank: int = 2,
        coarse: int = 1,
    ) -> None:
        super().__init__()
        self.settings = {
            "neurons": neurons,
            "frame_size": list(frame_size),
            "frame_rate_hz": frame_rate_hz,
            "filter_frames": filter_frames,
            "bumps": bumps,
            "rank": rank,
            "coarse": coarse,
        }
        self.frame_size, self.frame_rate_hz = frame_size, frame_rate_hz
        self.memory, self.coarse = filter_frames, coarse
        pixels = math.ceil(frame_size[0] / coarse) * math.ceil(frame_size[1] / coarse)
        self.spatial = nn.Parameter(torch.zeros(rank, neurons, pixels))
        self.temporal = nn.Parameter(torch.zeros(rank, neurons, bumps))
        self.offset = nn.Parameter(torch.zeros(neurons))
        self.register_buffer("mean_luminance", torch.tensor(0.5))
        self.register_buffer("bump_basis", raised_cosine_bumps(bumps, filter_frames), persistent=False)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.spatial.shape[1]

    def look(self, movies: Movies) -> Float[Tensor, "batch time pixel"]:
        """The frames as the filters see them: mean removed, averaged over squares."""
        pooled = functional.avg_pool2d(movies - self.mean_luminance, self.coarse, ceil_mode=True)
        return pooled.flatten(2)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses, in the unit of the recording."""
        pixels = self.look(movies)
        filters = SPATIAL_SCALE * self.spatial.flatten(0, 1)
        projected = (filters @ pixels.flatten(0, 1).T).reshape(*self.spatial.shape[:2], *movies.shape[:2])
        kernels = self.temporal @ self.bump_basis  # rank neuron lag
        drive = filter_in_time(projected[None], kernels[None, None])[0, 0]
        return functional.softplus(drive.permute(1, 2, 0) + self.offset) + 1e-4
