"""A world in which the animal's behavior wanders, and may drive the neurons, the movie, or both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tests.validation.methods import SIZE

from cinecortex.recording import Trial
from cinecortex.seeds import Seed

CHANNELS = ("pupil dilation", "running speed")
RATE_HZ = 4.0


@dataclass(frozen=True, eq=False)
class Wandering:
    """A clip that carries ``coupled`` times the running speed as brightness; neurons see it, or feel the speed only."""

    number: int
    frames: int
    coupled: float
    seen: bool

    def movie(self) -> torch.Tensor:
        own = torch.randn(self.frames, *SIZE, generator=(Seed(40) / self.number).torch())
        return 0.5 + 0.1 * own + 0.1 * self.coupled * self.running()[:, None, None]

    def response(self) -> torch.Tensor:
        noise = torch.randn(self.frames, SIZE[0] * SIZE[1], generator=(Seed(41) / self.number).torch())
        felt = torch.cat([self.running()[:1], self.running()[:-1]])[:, None]
        driven = 10 * self.movie().flatten(1) if self.seen else 5 + felt + 0.3 * felt.square()
        return driven + 0.5 * noise

    def behavior(self) -> torch.Tensor:
        running = self.running()
        pupil = running.roll(1) + 0.5 * torch.randn(self.frames, generator=(Seed(42) / self.number).torch())
        return torch.stack([30 + 3 * pupil, 10 * running], 1)

    def clip_id(self) -> str:
        return f"wandering {self.number}"

    def running(self) -> torch.Tensor:
        """Smooth, of variance one or so."""
        steps = torch.randn(self.frames + 5, generator=(Seed(43) / self.number).torch())
        return steps.unfold(0, 6, 1).mean(1) * 6**0.5


def wandering(clips: int, *, first: int = 0, coupled: float, seen: bool, session: str = "a") -> list[Trial]:
    return [
        Trial(f"{n}", session, "test", RATE_HZ, SIZE, CHANNELS, Wandering(n, 60, coupled, seen))
        for n in range(first, first + clips)
    ]
