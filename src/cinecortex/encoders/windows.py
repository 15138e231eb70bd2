"""Whole clips from a network that sees windows of alternate frames: a frame is the mean over the windows with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cinecortex.errors import WrongUse
from cinecortex.tensors import Behaviors, Movies, Rates

WindowRates = Float[Tensor, "window frame neuron"]
Predict = Callable[[Float[Tensor, "window frame height width"], Float[Tensor, "window frame channel"]], WindowRates]


@dataclass(frozen=True)
class Sliding:
    """Every window of ``frames`` frames, ``step`` frames apart, at every place of a clip.

    The rate of frame ``t`` is the mean of what the windows that hold ``t`` say about it. It rests on the frames
    ``t - (reach - 1) .. t + (reach - 1)`` that lie a multiple of ``step`` from ``t``, and on no other: also on frames
    after its own, unless the network itself is causal. In the middle of a clip a frame is held by ``frames`` windows,
    the first and the last by one. No frame beyond the ends of the clip is ever made up.

    Attributes:
        frames: Frames of a window.
        step: Distance between them.
        at_once: Windows that are handed to the network together; the result does not depend on it.
        checkpointed: Keep only the windows' inputs for the gradient and evaluate a batch of windows once more when its
            gradient is due, so that memory is that of one batch. Leave it out for a network that does so by itself.

    Source: the predictor of lRomul/sensorium with equal weights.
    """

    frames: int = 16
    step: int = 2
    at_once: int = 8
    checkpointed: bool = True

    @property
    def reach(self) -> int:
        """Frames from the first to the last of a window."""
        return (self.frames - 1) * self.step + 1

    @property
    def shortest(self) -> int:
        """The shortest clip of which every frame is held by some window."""
        return self.reach + self.step - 1

    def places(self, frames: int) -> Int[Tensor, "window frame"]:
        """Which frames of a clip each window holds.

        Raises:
            WrongUse: some frame of the clip would be held by no window.
        """
        if frames < self.shortest:
            raise WrongUse(
                f"a movie of {frames} frames is too short for windows of {self.frames} frames, {self.step} apart: some "
                f"frame would be in no window; use movies of at least {self.shortest} frames."
            )
        starts = torch.arange(frames - self.reach + 1)
        return starts[:, None] + torch.arange(0, self.reach, self.step)

    def __call__(self, predict: Predict, movies: Movies, behaviors: Behaviors) -> Rates:
        """Rates of whole clips, differentiable where ``predict`` is.

        Args:
            predict: The network: videos and behaviors of some windows to the rates of their frames.
            movies: Clips of equal length, in whatever unit ``predict`` takes.
            behaviors: Behavior on the same frames.

        Raises:
            WrongUse: the clips are too short, see `places`.
        """
        places = self.places(movies.shape[1]).to(movies.device)
        batch, time = movies.shape[:2]
        # Windows of all clips in one row: frame t of clip i is row i * time + t.
        rows = (torch.arange(batch, device=movies.device)[:, None, None] * time + places).flatten(0, 1)
        video, behavior = movies.flatten(0, 1), behaviors.flatten(0, 1)
        held = torch.bincount(rows.flatten(), minlength=batch * time)
        summed = []
        for chosen in torch.split(rows, self.at_once):
            arguments = video[chosen], behavior[chosen]
            if self.checkpointed and torch.is_grad_enabled():
                rates: Tensor = checkpoint(predict, *arguments, use_reentrant=False)
            else:
                rates = predict(*arguments)
            # Only the few frames that this batch of windows holds: a clip's worth per batch would fill the memory.
            first = int(chosen.min())
            part = rates.new_zeros(int(chosen.max()) + 1 - first, rates.shape[2])
            summed.append((first, part.index_add(0, chosen.flatten() - first, rates.flatten(0, 1))))
        total = movies.new_zeros(batch * time, summed[0][1].shape[1])
        for first, part in summed:
            total[first : first + len(part)] += part
        return (total / held[:, None]).view(batch, time, -1)
