"""An encoder that is asked in another way: what wrappers share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.ensemble import Ensemble


class Altered(Encoder):
    """Everything about it is as it is for the encoder within, but how rates are computed.

    Args:
        encoder: The encoder within; its observation model and movie statistics are taken over.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind, self.settings = encoder.kind, getattr(encoder, "settings", {})
        self.frame_size, self.frame_rate_hz = encoder.frame_size, encoder.frame_rate_hz
        self.memory, self.causal = encoder.memory, encoder.causal
        self.observation_model, self.movie_statistics = encoder.observation_model, encoder.movie_statistics

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.encoder.neurons

    @property
    def resolution(self) -> tuple[int, int]:
        """That of the encoder within."""
        return self.encoder.resolution

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        """That of the encoder within."""
        return self.encoder.behavior_at_rest

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights."""
        return self.encoder.dtype

    def settled(self, frames: int) -> slice:
        """The settled frames of the encoder within."""
        return self.encoder.settled(frames)

    def passed(self, frames: int) -> int:
        """Frames that the encoder within is shown for a movie of this length."""
        return frames


def frames_passed(encoder: Encoder, frames: int) -> int:
    """Movie frames that go through a network when this encoder is asked for the rates of ``frames`` frames.

    Every member of an ensemble counts.
    """
    if isinstance(encoder, Ensemble):
        return sum(frames_passed(member, frames) for member in encoder.members)
    if isinstance(encoder, Altered):
        return frames_passed(encoder.encoder, encoder.passed(frames))
    return frames


def networks(encoder: Encoder) -> list[Encoder]:
    """The encoders at the bottom: neither ensembles nor wrapped."""
    if isinstance(encoder, Ensemble):
        return [network for member in encoder.members for network in networks(member)]
    return networks(encoder.encoder) if isinstance(encoder, Altered) else [encoder]
