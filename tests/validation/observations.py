"""Activity to be changed, and what must not have changed with it."""

import torch

from cinecortex.recording import Observation
from cinecortex.seeds import Seed

CHANNELS = ("pupil dilation", "running speed")


def observed(frames: int = 40, neurons: int = 6, name: str = "a", *, heard: list[bool] | None = None) -> Observation:
    random = (Seed(11) / name).torch()
    return Observation(
        response=torch.rand(frames, neurons, generator=random) ** 3,
        behavior=torch.rand(frames, 2, generator=random),
        behavior_channels=CHANNELS,
        frame_rate_hz=30.0,
        frame_size=(4, 5),
        heard=torch.tensor(heard or [True] * neurons),
    )


def same_but_for(before: Observation, after: Observation, *changed: str) -> None:
    for name in ("response", "behavior", "heard"):
        if name not in changed:
            assert torch.equal(getattr(before, name), getattr(after, name)), name
    assert (before.frame_size, before.frame_rate_hz) == (after.frame_size, after.frame_rate_hz)
    assert before.behavior_channels == after.behavior_channels
