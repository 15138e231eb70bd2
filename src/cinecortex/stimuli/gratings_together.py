"""One grating or several at once: the probe of transfer at every frequency they hold.

Several sinusoids shown together tell the transfer at all their frequencies from one answer, as in the sum-of-sinusoids
method of Victor & Shapley 1980 (Biophys J 29:459).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.tensors import Movie

Waves = Complex[Tensor, "wave time height width"]

NYQUIST = 0.5
"""Cycles per pixel and cycles per frame that pixels and frames can carry at most."""


@dataclass(frozen=True)
class Wave:
    """A drifting sinusoid, ``cos(2 pi (k.x - f t) + phase)``.

    Attributes:
        cycles_per_px: Length of ``k``, above 0; along each axis it is at most 0.5.
        cycles_per_frame: ``f``, 0 to 0.5; 0 stands still.
        direction_deg: Direction of drift: 0 rightwards, 90 upwards.
        phase_deg: Phase at the centre of the first frame.
    """

    cycles_per_px: float
    cycles_per_frame: float
    direction_deg: float = 0.0
    phase_deg: float = 0.0

    def __post_init__(self) -> None:
        refuse_aliasing(self.cycles_per_px, self.cycles_per_frame, self.direction_deg)


def refuse_aliasing(cycles_per_px: float, cycles_per_frame: float, direction_deg: float = 0.0) -> None:
    """Refuse what pixels or frames cannot carry: it would be shown, and scored, as something coarser.

    Raises:
        WrongUse: a frequency is above the limit of Nyquist, below 0, or in space 0.
    """
    if not 0 <= cycles_per_frame <= NYQUIST:
        raise WrongUse(
            f"a temporal frequency of {cycles_per_frame:g} cycles per frame would be shown as another one; choose one "
            f"from 0 to {NYQUIST:g}, half the frame rate, and turn direction_deg to drift backwards."
        )
    angle = math.radians(direction_deg)
    steepest = cycles_per_px * max(abs(math.cos(angle)), abs(math.sin(angle)))
    if not 0 < cycles_per_px or steepest > NYQUIST + 1e-12:
        raise WrongUse(
            f"a spatial frequency of {cycles_per_px:g} cycles per pixel towards {direction_deg:g} degrees would be "
            f"shown as another one; choose one above 0 and, along each axis, of at most {NYQUIST:g}."
        )


def waves_of(shown: Sequence[Wave], *, frames: int, frame_size: tuple[int, int]) -> Waves:
    """``exp(i phase)`` of every wave at every pixel and frame; its real part is what is shown.

    Raises:
        WrongUse: there is nothing to fill, or no wave.
    """
    if frames < 1 or min(frame_size) < 1 or not shown:
        raise WrongUse(
            f"gratings need at least one wave, frame and pixel, not {len(shown)} waves, frames={frames}, "
            f"frame_size={frame_size}."
        )
    height, width = frame_size
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    y = (height - 1) / 2 - torch.arange(height, dtype=torch.float64)  # upwards, while rows count downwards
    time = torch.arange(frames, dtype=torch.float64)
    phases = []
    for wave in shown:
        angle = math.radians(wave.direction_deg)
        along = x * math.cos(angle) + y[:, None] * math.sin(angle)
        cycles = wave.cycles_per_px * along - wave.cycles_per_frame * time[:, None, None]
        phases.append(2 * math.pi * cycles + math.radians(wave.phase_deg))
    phase = torch.stack(phases)
    return torch.polar(torch.ones_like(phase), phase)


def gratings_together(
    shown: Sequence[Wave], *, contrast: float, frames: int, frame_size: tuple[int, int], mean_luminance: float = 0.5
) -> Movie:
    """Luminance ``mean * (1 + contrast * sum of the waves)``; of one wave a drifting grating.

    Args:
        shown: What is shown at once.
        contrast: Michelson contrast of each wave, 0..1.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        mean_luminance: Between 0 and 1.

    Raises:
        WrongUse: a luminance that no screen can show, or nothing to fill.
    """
    most = len(shown) * contrast
    if not (0 <= contrast and most <= 1 + 1e-6 and mean_luminance >= 0 and mean_luminance * (1 + most) <= 1 + 1e-6):
        raise WrongUse(
            f"{len(shown)} waves of contrast {contrast:g} about a mean luminance of {mean_luminance:g} leave the "
            "screen's range 0 to 1; lower one of them."
        )
    waves = waves_of(shown, frames=frames, frame_size=frame_size)
    return (mean_luminance * (1 + contrast * waves.real.sum(0))).float().clamp(0, 1)
