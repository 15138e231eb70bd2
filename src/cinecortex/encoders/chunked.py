"""Long clips in little memory: rates a stretch of time at a time, each with the frames its rates rest on."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cinecortex.encoders.altered import Altered
from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.tensors import Behaviors, Movies, Rates

_NEGLIGIBLE = 1e-6
"""Of the largest derivative: what a filter by FFT leaves on frames it does not reach is smaller."""


class Chunked(Altered):
    """The same rates and gradients, computed some frames at a time.

    The rates of frames ``t0 .. t1 - 1`` are asked of the frames ``t0 - (memory - 1) .. t1 - 1 + ahead``, as far as the
    clip goes, and those of the frames beside are thrown away. For the gradient nothing but the movie is kept: each
    stretch goes through the encoder once more when its gradient is due, and the gradients of overlapping stretches
    add up. Exact for an encoder that keeps its promise of finite memory, but for rounding.

    Args:
        encoder: Any encoder of finite memory.
        frames_at_once: Frames whose rates are computed together.
        ahead: How many frames after its own a rate rests on; measured by `frames_ahead` where None.

    Raises:
        WrongUse: ``frames_at_once`` is not positive, or the encoder looks too far ahead.
    """

    def __init__(self, encoder: Encoder, frames_at_once: int, *, ahead: int | None = None) -> None:
        super().__init__(encoder)
        ahead = frames_ahead(encoder) if ahead is None else ahead
        if ahead is None or frames_at_once < 1:
            raise WrongUse(
                f"rates cannot be computed {frames_at_once} frames at a time: at least one frame is needed, and an "
                "encoder whose rates rest on no more than a few frames after their own."
            )
        self.frames_at_once, self.ahead = frames_at_once, ahead

    def stretches(self, frames: int) -> list[tuple[int, int, int, int]]:
        """Of each stretch the first frame and the end of what is asked for, and of what is shown for it."""
        # Stretches of equal length, so that the last is not mostly overlap.
        count = math.ceil(frames / self.frames_at_once)
        edges = [frames * number // count for number in range(count + 1)]
        found = []
        for start, stop in pairwise(edges):
            last = min(frames, stop + self.ahead)
            # Some encoders need a few frames more than their memory; more than is needed does no harm.
            first = max(0, min(start - (self.memory - 1), last - self.memory - 1))
            found.append((start, stop, first, last))
        return found

    def passed(self, frames: int) -> int:
        """Frames that the encoder within is shown, overlaps included; the second time for the gradient is not."""
        return sum(last - first for _, _, first, last in self.stretches(frames))

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses on every frame of every movie, in the unit of the recording."""
        parts = []
        for start, stop, first, last in self.stretches(movies.shape[1]):
            shown = movies[:, first:last], behaviors[:, first:last]
            if torch.is_grad_enabled():
                rates: Tensor = checkpoint(self.encoder, *shown, use_reentrant=False)
            else:
                rates = self.encoder(*shown)
            parts.append(rates[:, start - first : stop - first])
        return torch.cat(parts, 1)


def frames_ahead(encoder: Encoder) -> int | None:
    """How many frames after its own a rate rests on: 0 for a causal encoder, else measured; None where it is many.

    Measured by the derivative of all rates of one frame, randomly weighted, on a random movie that goes on for twice
    the encoder's memory; derivatives below a millionth of the largest do not count.
    """
    if encoder.causal:
        return 0
    seed = Seed(0) / "frames ahead"
    room = 2 * encoder.memory + 8
    frames = encoder.memory + room
    movie = torch.rand(1, frames, *encoder.frame_size, generator=(seed / "movie").torch())
    rest = encoder.behavior_at_rest.expand(1, frames, -1)
    weight = torch.randn(encoder.neurons, generator=(seed / "weight").torch()).to(encoder.device, encoder.dtype)
    movie = movie.to(encoder.device, encoder.dtype).requires_grad_()
    own = encoder.memory - 1
    with evaluating(encoder), torch.enable_grad():
        (gradient,) = torch.autograd.grad((encoder(movie, rest)[0, own] * weight).sum(), movie)
    strength = gradient[0].abs().amax((1, 2))
    felt = int((strength > _NEGLIGIBLE * strength.max()).nonzero().max()) if float(strength.max()) > 0 else own
    return felt - own if felt < frames - encoder.memory // 2 - 1 else None
