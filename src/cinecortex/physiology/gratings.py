"""Drifting gratings shown to an encoder: the mean and the modulation of every neuron's rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.errors import WrongUse
from cinecortex.physiology.rest import lead_frames, rates_at_rest, tail_frames
from cinecortex.stimuli.gratings import drifting_grating
from cinecortex.tensors import PerNeuron

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)``."""

PerGrating = Float[Tensor, "neuron direction spatial temporal"]

DIRECTIONS = 24
SPATIAL_CYCLES_PER_PX = (0.02, 0.03, 0.045, 0.065, 0.095, 0.14, 0.2, 0.3)
TEMPORAL_HZ = (1.0, 2.0, 4.0, 8.0)
_LEAST_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class GratingResponses:
    """What every neuron made of every grating.

    Attributes:
        direction_deg: Directions of drift, evenly spaced over the circle: 0 rightwards, 90 upwards.
        spatial_frequency_cycles_per_px: Spatial frequencies, rising.
        temporal_frequency_hz: Temporal frequencies, rising.
        mean: Mean rate over whole cycles (F0).
        modulation: Amplitude of the rate at the temporal frequency of the grating (F1).
        gray: Rate in front of a uniform gray screen, ``neuron``.
    """

    direction_deg: Float[Tensor, " direction"]
    spatial_frequency_cycles_per_px: Float[Tensor, " spatial"]
    temporal_frequency_hz: Float[Tensor, " temporal"]
    mean: PerGrating
    modulation: PerGrating
    gray: PerNeuron


def show_gratings(
    encoder: Encoder,
    *,
    directions: int = DIRECTIONS,
    spatial_cycles_per_px: Sequence[float] = SPATIAL_CYCLES_PER_PX,
    temporal_hz: Sequence[float] | None = None,
    contrast: float = 0.8,
    window: Float[Tensor, "height width"] | None = None,
    batch_frames: int = 2048,
    progress: Progress | None = None,
) -> GratingResponses:
    """Show gratings of every direction, spatial and temporal frequency; behavior stays at rest.

    A grating has drifted for the memory of the encoder before its first frame counts, so that no answer depends on
    the phase it began in; whole cycles count, of half a second at least.

    Args:
        encoder: Any encoder; all its neurons are asked at once.
        directions: How many directions, an even number, so that each has its opposite.
        spatial_cycles_per_px: Spatial frequencies, rising.
        temporal_hz: Temporal frequencies, rising; by default those of 1, 2, 4 and 8 Hz that the frame rate can show.
        contrast: Michelson contrast about a mean luminance of 1/2.
        window: Contrast of the grating at every pixel, 0..1; None shows it on the whole screen.
        batch_frames: About how many frames are shown in one call of the encoder; it bounds the memory needed.
        progress: Told after every batch.

    Raises:
        WrongUse: a frequency that the frames or the pixels cannot show, or gratings that cannot be compared.
    """
    if temporal_hz is None:
        temporal_hz = tuple(hz for hz in TEMPORAL_HZ if hz < encoder.frame_rate_hz / 2)
    _refuse(directions, spatial_cycles_per_px, temporal_hz, encoder.frame_rate_hz)
    angles = [360.0 * step / directions for step in range(directions)]
    shape = (encoder.neurons, directions, len(spatial_cycles_per_px), len(temporal_hz))
    mean, modulation = torch.zeros(shape), torch.zeros(shape)
    looks = list(product(range(directions), range(len(spatial_cycles_per_px))))
    total, done = len(looks) * len(temporal_hz), 0
    with evaluating(encoder):
        for at, frequency_hz in enumerate(temporal_hz):
            counted = _whole_cycles(frequency_hz, encoder.frame_rate_hz)
            lead = lead_frames(encoder)
            frames = lead + counted + tail_frames(encoder)
            kernel = _harmonics(counted, frequency_hz / encoder.frame_rate_hz)
            size = max(1, batch_frames // frames)
            for first in range(0, len(looks), size):
                chosen = looks[first : first + size]
                movies = torch.stack(
                    [
                        _grating(encoder, angles[d], spatial_cycles_per_px[s], frequency_hz, contrast, frames, window)
                        for d, s in chosen
                    ]
                )
                rates = rates_at_rest(encoder, movies)[:, lead : lead + counted]
                parts = torch.einsum("ht,btn->hnb", kernel, rates.double()).float()
                index = torch.tensor(chosen)
                mean[:, index[:, 0], index[:, 1], at] = parts[0]
                modulation[:, index[:, 0], index[:, 1], at] = torch.hypot(parts[1], parts[2])
                done += len(chosen)
                if progress is not None:
                    progress(done, total, "gratings")
        gray = torch.full((1, lead_frames(encoder) + 1 + tail_frames(encoder), *encoder.frame_size), 0.5)
        silent = rates_at_rest(encoder, gray)[0, lead_frames(encoder)].float()
    return GratingResponses(
        torch.tensor(angles), torch.tensor(spatial_cycles_per_px), torch.tensor(temporal_hz), mean, modulation, silent
    )


def _refuse(directions: int, spatial: Sequence[float], temporal: Sequence[float], frame_rate_hz: float) -> None:
    if directions < 4 or directions % 2:
        raise WrongUse(f"direction tuning needs an even number of directions, 4 or more, not directions={directions}.")
    for name, values in (("spatial", spatial), ("temporal", temporal)):
        if not values or list(values) != sorted(set(values)) or min(values) <= 0:
            raise WrongUse(f"{name} frequencies must be positive and rise, each named once, not {tuple(values)}.")
    if max(temporal) >= frame_rate_hz / 2:
        raise WrongUse(
            f"a grating of {max(temporal):g} Hz has no direction at {frame_rate_hz:g} frames per second; choose "
            f"temporal frequencies below {frame_rate_hz / 2:g} Hz, half the frame rate."
        )
    if max(spatial) >= 0.5:
        raise WrongUse(
            f"a grating of {max(spatial):g} cycles per pixel cannot be told from a coarser one; choose spatial "
            "frequencies below 0.5, the limit of the pixels."
        )


def _grating(
    encoder: Encoder,
    direction_deg: float,
    spatial: float,
    temporal_hz: float,
    contrast: float,
    frames: int,
    window: Float[Tensor, "height width"] | None,
) -> Tensor:
    movie = drifting_grating(
        direction_deg=direction_deg,
        spatial_frequency_cycles_per_px=spatial,
        temporal_frequency_hz=temporal_hz,
        contrast=contrast,
        frames=frames,
        frame_size=encoder.frame_size,
        frame_rate_hz=encoder.frame_rate_hz,
    )
    return movie if window is None else 0.5 + (movie - 0.5) * window


def _whole_cycles(frequency_hz: float, frame_rate_hz: float) -> int:
    """Frames, of half a second or more, that come nearest to holding whole cycles; the fewest where several do."""
    cycle = frame_rate_hz / frequency_hz
    least = math.ceil(max(cycle, _LEAST_SECONDS * frame_rate_hz))
    return min(
        range(least, least + math.ceil(cycle) + 1), key=lambda n: (round(abs(n / cycle - round(n / cycle)), 6), n)
    )


def _harmonics(frames: int, cycles_per_frame: float) -> Float[Tensor, "part time"]:
    """Rows that give a rate's mean and its cosine and sine parts at the frequency of the grating.

    Least squares on the mean and two harmonics, which are then kept apart also where frames do not divide a cycle.
    """
    phase = 2 * math.pi * cycles_per_frame * torch.arange(frames, dtype=torch.float64)
    columns = [torch.ones_like(phase), phase.cos(), phase.sin(), (2 * phase).cos(), (2 * phase).sin()]
    inverse: Tensor = torch.linalg.pinv(torch.stack(columns, 1))
    return inverse[:3]
