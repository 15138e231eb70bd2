"""What the animal does while it watches: pupil, running and gaze, and how they act on its responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.drift import drift
from cinecortex.tensors import Behavior, PerNeuron

BEHAVIOR_CHANNELS = ("pupil dilation", "running speed", "gaze x", "gaze y")
"""Camera pixels; cm/s; pixels of the movie to the right; pixels of the movie downwards."""

PUPIL_AT_REST = 30.0


def draw_behavior(frames: int, seed: Seed, *, frame_rate_hz: float = 30.0) -> Behavior:
    """Behavior of one trial: bouts of running, a pupil that follows arousal, and a gaze that wanders and jumps.

    Args:
        frames: Number of frames.
        seed: The stream it is drawn from; same seed, same bits.
        frame_rate_hz: Frames per second.

    Returns:
        ``time channel`` in the order of ``BEHAVIOR_CHANNELS``. Pupil dilation is positive, running speed not negative;
        gaze is centred and strays by about one pixel of the movie.
    """
    generator = seed.numpy()

    def slow(time_constant_s: float) -> np.ndarray:
        return drift(generator, frames=frames, frame_rate_hz=frame_rate_hz, time_constant_s=time_constant_s)[:, 0]

    arousal = slow(8.0)
    running = 12.0 * np.maximum(arousal - 0.4, 0.0) * np.exp(0.3 * slow(0.4))
    pupil = PUPIL_AT_REST * np.exp(0.16 * arousal + 0.08 * slow(3.0))
    saccades = generator.random(frames) < 0.4 / frame_rate_hz
    fixation = np.cumsum(saccades)  # the gaze stays where the last saccade has put it
    targets = generator.standard_normal((int(fixation[-1]) + 1, 2))[fixation]
    gaze_x = 0.9 * targets[:, 0] + 0.5 * slow(2.0)
    gaze_y = 0.6 * targets[:, 1] + 0.4 * slow(2.0)
    return torch.from_numpy(np.stack([pupil, running, gaze_x, gaze_y], axis=1).astype(np.float32))


def resting_behavior(frames: int) -> Behavior:
    """An animal that stands still and looks ahead, ``time channel`` in the order of ``BEHAVIOR_CHANNELS``."""
    return torch.tensor([PUPIL_AT_REST, 0.0, 0.0, 0.0]).repeat(frames, 1)


def gaze_of(behavior: Behavior) -> Float[Tensor, "time 2"]:
    """Gaze x and gaze y in pixels of the movie.

    Raises:
        WrongUse: the channels are not those of ``BEHAVIOR_CHANNELS``.
    """
    if behavior.shape[1] != len(BEHAVIOR_CHANNELS):
        raise WrongUse(
            f"an in-silico mouse needs the {len(BEHAVIOR_CHANNELS)} channels {', '.join(BEHAVIOR_CHANNELS)}, "
            f"not {behavior.shape[1]}; draw them with draw_behavior."
        )
    return behavior[:, 2:4]


@dataclass(frozen=True, eq=False)
class Arousal:
    """How running and pupil scale each neuron's rate (Niell & Stryker 2010; Reimer et al. 2014).

    Attributes:
        running: Relative gain at full speed; positive in most neurons.
        pupil: Relative gain per doubling of the pupil.
    """

    running: PerNeuron
    pupil: PerNeuron

    @classmethod
    def draw(cls, neurons: int, seed: Seed) -> Arousal:
        """Gains of a population, different for each neuron."""
        generator = seed.numpy()
        return cls(
            running=torch.from_numpy(generator.normal(0.5, 0.35, neurons).astype(np.float32)),
            pupil=torch.from_numpy(generator.normal(0.4, 0.4, neurons).astype(np.float32)),
        )

    def gain(self, behavior: Behavior) -> Float[Tensor, "time neuron"]:
        """Factor on the rate, one at rest, never below 0.2."""
        running = behavior[:, 1:2] / (behavior[:, 1:2] + 5.0)
        pupil = torch.log2(behavior[:, 0:1].clamp_min(1e-3) / PUPIL_AT_REST)
        return (1.0 + running * self.running + pupil * self.pupil).clamp_min(0.2)
