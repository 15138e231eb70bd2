"""Drifting gratings: the probe of tuning and of what a reconstruction can resolve."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.tensors import Movie


def drifting_grating(
    *,
    direction_deg: float = 0.0,
    spatial_frequency_cycles_per_px: float = 0.08,
    temporal_frequency_hz: float = 2.0,
    contrast: float = 0.8,
    mean_luminance: float = 0.5,
    phase_deg: float = 0.0,
    frames: int = 300,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
) -> Movie:
    """A sinusoidal grating that drifts: luminance ``mean * (1 + contrast * cos(2 pi (k.x - f t) + phase))``.

    Args:
        direction_deg: Direction of drift: 0 rightwards, 90 upwards. The bars stand at right angles to it.
        spatial_frequency_cycles_per_px: Cycles per pixel, above 0 and at most 0.5.
        temporal_frequency_hz: Cycles per second, at most half the frame rate; 0 stands still.
        contrast: Michelson contrast, 0..1.
        mean_luminance: Between 0 and 1, such that the brightest bar is not above 1.
        phase_deg: Phase at the centre of the first frame.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.

    Returns:
        Luminance 0..1, ``time height width``.

    Raises:
        WrongUse: a frequency that pixels or frames cannot carry, or a luminance that no screen can show.
    """
    if not 0 <= temporal_frequency_hz <= frame_rate_hz / 2:
        raise WrongUse(
            f"a temporal frequency of {temporal_frequency_hz:g} Hz cannot be shown at {frame_rate_hz:g} frames per "
            f"second; choose one from 0 to {frame_rate_hz / 2:g} Hz, and turn direction_deg to drift backwards."
        )
    if not 0 < spatial_frequency_cycles_per_px <= 0.5:
        raise WrongUse(
            f"a spatial frequency of {spatial_frequency_cycles_per_px:g} cycles per pixel cannot be shown; choose one "
            f"above 0 and at most 0.5, the limit of the pixels."
        )
    if not (0 <= contrast <= 1 and mean_luminance >= 0 and mean_luminance * (1 + contrast) <= 1 + 1e-6):
        raise WrongUse(
            f"contrast {contrast:g} about a mean luminance of {mean_luminance:g} leaves the screen's range 0 to 1; "
            f"lower one of them."
        )
    if frames < 1 or min(frame_size) < 1:
        raise WrongUse(f"a grating needs at least one frame and pixel, not frames={frames}, frame_size={frame_size}.")
    phase = grating_phase(
        direction_deg=direction_deg,
        cycles_per_px=spatial_frequency_cycles_per_px,
        cycles_per_frame=temporal_frequency_hz / frame_rate_hz,
        phase_deg=phase_deg,
        frames=frames,
        frame_size=frame_size,
    )
    return (mean_luminance * (1 + contrast * torch.cos(phase))).float().clamp(0, 1)


def grating_phase(
    *,
    direction_deg: float,
    cycles_per_px: float,
    cycles_per_frame: float,
    phase_deg: float = 0.0,
    frames: int,
    frame_size: tuple[int, int],
) -> Float[Tensor, "time height width"]:
    """Phase of a drifting grating at every pixel and frame, in radians and double precision.

    Args:
        direction_deg: Direction of drift: 0 rightwards, 90 upwards.
        cycles_per_px: Cycles per pixel along it.
        cycles_per_frame: Cycles per frame.
        phase_deg: Phase at the centre of the first frame.
        frames: Number of frames.
        frame_size: Height and width in pixels.
    """
    height, width = frame_size
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    y = (height - 1) / 2 - torch.arange(height, dtype=torch.float64)  # upwards, while rows count downwards
    angle = math.radians(direction_deg)
    along = x * math.cos(angle) + y[:, None] * math.sin(angle)
    cycles = torch.arange(frames, dtype=torch.float64) * cycles_per_frame
    return 2 * math.pi * (cycles_per_px * along - cycles[:, None, None]) + math.radians(phase_deg)
