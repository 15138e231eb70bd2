"""What goes through the encoder together: as much as fits into memory, and less where it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from cinecortex.encoders.altered import networks
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.chunked import Chunked, frames_ahead
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.errors import CinecortexError
from cinecortex.inversion.memory import free_bytes, is_out_of_memory, kept_bytes

Answer = TypeVar("Answer")

SHARE = 0.25
"""Of the free memory that is planned for. What is kept for the gradient can be counted beforehand; what comes and goes
while the gradient is taken cannot, and may be more than that."""
MOST_CLIPS_CPU = 8
"""On a processor larger batches hardly save time."""
_WINDOWS_AT_ONCE = 8


class OutOfMemory(CinecortexError):
    """Not even the smallest piece of the work fits into memory."""


@dataclass(frozen=True)
class Plan:
    """What goes through the encoder together.

    Attributes:
        clips: Most clips.
        frames: Most frames whose rates are computed together (`Chunked`); None for whole clips.
    """

    clips: int
    frames: int | None = None

    def shaped(self, encoder: Encoder) -> Encoder:
        """The encoder as this plan asks it."""
        if self.frames is None:
            return encoder
        if isinstance(encoder, Ensemble):
            # Member by member, so that no more than one member's stretch is held.
            shaped = Ensemble([Chunked(member, self.frames) for member in encoder.members])
            shaped.observation_model, shaped.movie_statistics = encoder.observation_model, encoder.movie_statistics
            return shaped.eval().requires_grad_(False)
        return Chunked(encoder, self.frames)


def plan_for(
    encoder: Encoder, *, clips: int, frames: int, free: int | None = None, kept: tuple[float, float] | None = None
) -> Plan:
    """The largest pieces that fit: all clips, fewer, or stretches of one.

    Args:
        encoder: What is asked.
        clips: How many there are.
        frames: Their length.
        free: Bytes to plan for; those free on the encoder's device where None.
        kept: What `kept_bytes` counted; counted anew where None.
    """
    budget = SHARE * (free_bytes(encoder.device) if free is None else free)
    fixed, per_frame = kept_bytes(encoder) if kept is None else kept
    clip = max(fixed + per_frame * frames, 1.0)
    if clip <= budget or not _can_be_chunked(encoder):
        most = clips if encoder.device.type == "cuda" else min(clips, MOST_CLIPS_CPU)
        return Plan(max(1, min(most, int(budget / clip))))
    overlap = encoder.memory + max(frames_ahead(member) or 0 for member in _members(encoder))
    affordable = int((budget - fixed) / max(per_frame, 1.0)) - overlap
    return Plan(1, max(min(affordable, frames // 2), _shortest_stretch(encoder)))


def smaller(plan: Plan, encoder: Encoder, frames: int) -> tuple[Plan, str] | None:
    """The next smaller plan and what it is, in words; None where there is none.

    Half as many clips; for a network that goes by windows half as many of those together, which is set on the encoder
    itself and changes no result but by rounding; otherwise stretches of half the length.
    """
    if plan.clips > 1:
        clips = plan.clips // 2
        return replace(plan, clips=clips), f"{clips} clip{'s' if clips > 1 else ''} at a time"
    windowed = [network for network in networks(encoder) if isinstance(network, DwiseNeuroEncoder)]
    windows = max((network.windows_at_once or _WINDOWS_AT_ONCE for network in windowed), default=1) // 2
    if windows:
        for network in windowed:
            network.windows_at_once = min(network.windows_at_once or _WINDOWS_AT_ONCE, windows)
        return plan, f"{windows} window{'s' if windows > 1 else ''} at a time"
    stretch = (plan.frames or frames) // 2
    if _can_be_chunked(encoder) and stretch >= _shortest_stretch(encoder):
        return Plan(1, stretch), f"{stretch} frames at a time"
    return None


def while_it_fits(
    work: Callable[[Plan], Answer], plan: Plan, encoder: Encoder, frames: int
) -> tuple[Answer, Plan, str]:
    """Do some work, in smaller pieces where memory runs out.

    Args:
        work: What to do, by a plan.
        plan: What to begin with.
        encoder: The encoder that the work asks.
        frames: Length of the clips.

    Returns:
        The answer, the plan that worked, and in words what it came down to; no words where the first plan did.

    Raises:
        OutOfMemory: not even the smallest pieces fit.
    """
    words = ""
    while True:
        try:
            return work(plan), plan, words
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Past the handler the error is gone, and with it all that its traceback held on to.
        if encoder.device.type == "cuda":
            torch.cuda.empty_cache()
        found = smaller(plan, encoder, frames)
        if found is None:
            height, width = encoder.frame_size
            raise OutOfMemory(
                f"there is not enough memory on {encoder.device} to invert {frames} frames of {height}x{width} px with "
                f"{encoder.neurons} neurons, not even piece by piece; use a shorter clip, a smaller encoder, or a "
                "machine with more memory."
            )
        plan, words = found


def _members(encoder: Encoder) -> tuple[Encoder, ...]:
    return encoder.members if isinstance(encoder, Ensemble) else (encoder,)


def _can_be_chunked(encoder: Encoder) -> bool:
    """Whether stretches save memory; a network that goes by windows and keeps their inputs only has no use for them."""
    windowed = any(isinstance(network, DwiseNeuroEncoder) for network in networks(encoder))
    return not windowed and all(frames_ahead(member) is not None for member in _members(encoder))


def _shortest_stretch(encoder: Encoder) -> int:
    """Shorter ones would be mostly overlap."""
    return max(1, encoder.memory // 2)
