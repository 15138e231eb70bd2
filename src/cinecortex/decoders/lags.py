"""Lagged features of a response: what a population did around a frame, in a few bins of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.tensors import Heard, PerNeuron, Response

Features = Float[Tensor, "time feature"]
"""One row for each frame of the movie; features are ordered bin by bin, neurons within a bin."""

KnownFeatures = Bool[Tensor, "moment feature"]
"""Which features of some frames were recorded in full."""

RunningSums = Float[Tensor, "edge neuron"]
"""Sum of the z-scores before each frame of a trial, with one more row for its end."""

GROWTH = 3.0
"""How many times wider the last bin is than the first: responses smear out with the time since the stimulus."""


def bin_edges(lags: tuple[int, int], bins: int) -> tuple[int, ...]:
    """Edges of at most ``bins`` lag bins that cover ``lags``, growing threefold in width from first to last.

    Bin ``b`` holds the lags ``edges[b] .. edges[b + 1] - 1``, in frames after the movie frame; negative lags come
    before it. With as many bins as lags, every lag has its own.

    >>> bin_edges((-2, 18), 8)
    (-2, -1, 1, 3, 5, 8, 11, 15, 19)
    >>> bin_edges((0, 3), 4)
    (0, 1, 2, 3, 4)
    """
    first, last = lags
    span = last - first + 1
    if bins >= span:
        return tuple(range(first, last + 2))
    widths = GROWTH ** np.linspace(0.0, 1.0, bins) if bins > 1 else np.ones(1)
    inner = np.round(first + span * np.cumsum(widths) / widths.sum()).astype(int)
    return tuple(int(edge) for edge in np.unique([first, *inner]))


@dataclass(frozen=True, eq=False)
class Lagging:
    """How a response becomes features.

    Each neuron is z-scored with the statistics of training trials; then each lag bin takes the sum of its z-scores
    over the square root of its width. The bins are thus an orthonormal basis of the lags, and a ridge penalty on the
    features is the same penalty on lag weights that are constant within bins.

    A frame that was not recorded (NaN), a neuron that was not heard, and frames outside the trial enter with the
    neuron's training mean, that is 0: no information. A linear decoder cannot do better without being fitted anew for
    the neurons that are left.

    Attributes:
        edges: Edges of the lag bins in frames, ascending; the last one is exclusive.
        center: Training mean of each neuron, ``neuron``.
        gain: One over its training standard deviation; 0 for a neuron that never varied, ``neuron``.
    """

    edges: tuple[int, ...]
    center: PerNeuron
    gain: PerNeuron

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.center.shape[0]

    @property
    def features(self) -> int:
        """Number of features: neurons times bins."""
        return self.neurons * (len(self.edges) - 1)

    def running_sums(self, response: Response, heard: Heard | None = None) -> RunningSums:
        """Sums of the z-scores up to each frame; what was not recorded or not heard adds 0."""
        scores = (response.to(self.center) - self.center) * self.gain
        known = torch.isfinite(scores) if heard is None else torch.isfinite(scores) & heard.to(scores.device)
        sums = scores.new_zeros((scores.shape[0] + 1, self.neurons), dtype=torch.float64)
        sums[1:] = torch.where(known, scores, 0.0).cumsum(0, dtype=torch.float64)
        return sums

    def features_at(self, sums: RunningSums, frames: range) -> Features:
        """Features of some movie frames, from the running sums of the whole trial."""
        edges = torch.tensor(self.edges, device=sums.device)
        at = torch.arange(frames.start, frames.stop, device=sums.device)[:, None] + edges
        upto = sums[at.clamp(0, sums.shape[0] - 1)]
        return (upto.diff(dim=1) / edges.diff().double().sqrt()[:, None]).flatten(1).to(self.center)

    def known_at(self, response: Response, frames: range, heard: Heard | None = None) -> KnownFeatures:
        """Which features rest on recorded responses of heard neurons alone, inside the trial throughout."""
        known = torch.isfinite(response) if heard is None else torch.isfinite(response) & heard.to(response.device)
        missing = torch.zeros((len(response) + 1, self.neurons), dtype=torch.int64, device=response.device)
        missing[1:] = (~known).cumsum(0)
        edges = torch.tensor(self.edges, device=response.device)
        at = torch.arange(frames.start, frames.stop, device=response.device)[:, None] + edges
        inside = (at[:, :-1] >= 0) & (at[:, 1:] <= len(response))
        complete = missing[at.clamp(0, len(response))].diff(dim=1) == 0
        return (complete & inside[:, :, None]).flatten(1)
