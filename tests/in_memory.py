"""A trial whose arrays are at hand: no file, no behavior."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cinecortex.data import clip_identity


@dataclass(frozen=True, eq=False)
class InMemory:
    """What a `Trial` reads from.

    Attributes:
        shown: The movie.
        recorded: The response, or None where there is none.
    """

    shown: torch.Tensor
    recorded: torch.Tensor | None = None

    def movie(self) -> torch.Tensor:
        return self.shown

    def response(self) -> torch.Tensor | None:
        return self.recorded

    def behavior(self) -> torch.Tensor:
        return torch.zeros(len(self.shown), 0)

    def clip_id(self) -> str:
        return clip_identity(self.shown)
