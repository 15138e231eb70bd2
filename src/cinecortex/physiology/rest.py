"""How an encoder is asked: behavior at rest, and only rates that neither end of a movie has touched."""

from __future__ import annotations

import torch

from cinecortex.encoders.base import Encoder
from cinecortex.tensors import Movies, Rates


def lead_frames(encoder: Encoder) -> int:
    """Frames at the start of a movie whose rates still rest on what was before it."""
    return encoder.memory - 1


def tail_frames(encoder: Encoder) -> int:
    """Frames at the end of a movie whose rates may rest on what comes after it; none for a causal encoder.

    How far an encoder looks ahead is not stated anywhere; that it looks back at least as far is taken for granted.
    """
    return 0 if encoder.causal else encoder.memory - 1


@torch.no_grad()
def rates_at_rest(encoder: Encoder, movies: Movies) -> Rates:
    """Rates with behavior at rest throughout, on the CPU."""
    rest = encoder.behavior_at_rest.to(encoder.device, encoder.dtype)
    behaviors = rest.expand(*movies.shape[:2], -1)
    rates: Rates = encoder(movies.to(encoder.device, encoder.dtype), behaviors)
    return rates.cpu()
