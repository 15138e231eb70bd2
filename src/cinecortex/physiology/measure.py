"""All of it for one encoder: where every neuron looks and what it prefers, as one table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.physiology.gratings import DIRECTIONS, SPATIAL_CYCLES_PER_PX, Progress, show_gratings
from cinecortex.physiology.local import show_gratings_nearby
from cinecortex.physiology.preferences import preferences
from cinecortex.physiology.receptive_fields import extent, map_receptive_fields
from cinecortex.seeds import Seed
from cinecortex.tensors import PerNeuron

ORIENTED = 0.2
"""Orientation selectivity (1 - circular variance) from which a neuron counts as oriented."""

DIRECTIONAL = 1 / 3
"""Direction selectivity from which a neuron counts as directional: twice as strong as in the opposite direction."""

_SUMMED_UP = (
    "radius_px",
    "linear_share",
    "orientation_selectivity",
    "direction_selectivity",
    "spatial_frequency_cycles_per_px",
    "spatial_frequency_cycles_per_deg",
    "temporal_frequency_hz",
    "modulation_ratio",
    "response",
)
"""Quantities whose median over neurons means something; that of a place or an angle does not."""


@dataclass(frozen=True, eq=False)
class Physiology:
    """What an experimenter would write down about every neuron of an encoder; NaN where nothing excites a neuron.

    Attributes:
        center_px: Row and column of the receptive field, ``neuron 2``; row 0 is the top, pixel centres are whole
            numbers.
        radius_px: Standard deviation of the receptive field's envelope.
        linear_share: Share of the sensitivity that keeps its sign over movies: 1 linear, 0 energy cell.
        direction_deg: Preferred direction of drift: 0 rightwards, 90 upwards, below 360.
        orientation_deg: Preferred orientation of bars: 0 lying, 90 upright, below 180.
        orientation_selectivity: 0 to 1, one minus the circular variance.
        direction_selectivity: 0 to 1, (preferred - opposite) / (preferred + opposite).
        spatial_frequency_cycles_per_px: Preferred spatial frequency.
        temporal_frequency_hz: Preferred temporal frequency.
        modulation_ratio: F1 over F0 at the preferred grating.
        response: Response to the preferred grating, in the unit of the rate.
        degrees_per_px: How large a pixel was on the screen of the experiment, or None where nobody said.
    """

    center_px: Float[Tensor, "neuron 2"]
    radius_px: PerNeuron
    linear_share: PerNeuron
    direction_deg: PerNeuron
    orientation_deg: PerNeuron
    orientation_selectivity: PerNeuron
    direction_selectivity: PerNeuron
    spatial_frequency_cycles_per_px: PerNeuron
    temporal_frequency_hz: PerNeuron
    modulation_ratio: PerNeuron
    response: PerNeuron
    degrees_per_px: float | None = None

    @property
    def spatial_frequency_cycles_per_deg(self) -> PerNeuron:
        """Preferred spatial frequency in cycles per degree of visual angle.

        Raises:
            WrongUse: the size of a pixel is not known.
        """
        if self.degrees_per_px is None:
            raise WrongUse("cycles per degree need the size of a pixel; hand degrees_per_px to measure_physiology.")
        return self.spatial_frequency_cycles_per_px / self.degrees_per_px

    def columns(self) -> dict[str, list[float | None]]:
        """One list per quantity, one entry per neuron, None where a value is unknown or infinite."""
        named: dict[str, Tensor] = {"center_row_px": self.center_px[:, 0], "center_column_px": self.center_px[:, 1]}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor) and value.ndim == 1:
                named[field.name] = value
        if self.degrees_per_px is not None:
            named["spatial_frequency_cycles_per_deg"] = self.spatial_frequency_cycles_per_deg
        return {
            name: [round(value, 6) if math.isfinite(value) else None for value in values.tolist()]
            for name, values in named.items()
        }

    def rows(self) -> list[dict[str, float | int | None]]:
        """One entry per neuron: its number from 0, then its `columns`."""
        named = self.columns()
        return [
            {"neuron": number, **{name: values[number] for name, values in named.items()}}
            for number in range(len(self.center_px))
        ]

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold: a summary and one list per quantity."""
        return {"summary": self.summary(), "degrees_per_px": self.degrees_per_px, "neurons": self.columns()}

    def summary(self) -> dict[str, float | int | None]:
        """Medians over the neurons that have a value, and how many are selective."""
        named = self.columns()
        return {
            "neurons": len(self.center_px),
            "oriented": int((self.orientation_selectivity >= ORIENTED).sum()),
            "directional": int((self.direction_selectivity >= DIRECTIONAL).sum()),
            "simple": int((self.modulation_ratio > 1).sum()),
            **{f"median_{name}": _median(named[name]) for name in _SUMMED_UP if name in named},
        }

    def __repr__(self) -> str:
        told = self.summary()
        return (
            f"Physiology({told['neurons']} neurons: {told['oriented']} oriented, {told['directional']} directional, "
            f"{told['simple']} simple; median radius {told['median_radius_px']} px)"
        )


def measure_physiology(
    encoder: Encoder,
    *,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    movies: int = 1,
    directions: int = DIRECTIONS,
    spatial_cycles_per_px: Sequence[float] = SPATIAL_CYCLES_PER_PX,
    temporal_hz: Sequence[float] | None = None,
    contrast: float = 0.8,
    aperture_px: float | None = None,
    degrees_per_px: float | None = None,
    batch_frames: int = 2048,
    progress: Progress | None = None,
) -> Physiology:
    """Map the receptive fields and the tuning of every neuron of an encoder, with behavior (and gaze) at rest.

    Args:
        encoder: Any encoder, fitted or wrapped.
        seed: Where the noise of the mapping comes from.
        movies: Noise movies of the mapping; see `map_receptive_fields`.
        directions: How many directions of drift; an even number.
        spatial_cycles_per_px: Spatial frequencies, rising.
        temporal_hz: Temporal frequencies, rising; by default those of 1, 2, 4 and 8 Hz that the frame rate can show.
        contrast: Of the gratings.
        aperture_px: Standard deviation of a round window around the receptive field through which gratings are shown,
            so that surrounds are not; None shows them on the whole screen. The screen is covered by apertures one
            standard deviation apart and every neuron is judged by the nearest, at that many times the cost.
        degrees_per_px: How large a pixel was on the screen of the experiment.
        batch_frames: About how many frames are shown in one call of the encoder; it bounds the memory needed.
        progress: Told after every batch.

    Raises:
        WrongUse: a frequency that the frames or the pixels cannot show, or another impossible choice.
    """
    if degrees_per_px is not None and not 0 < degrees_per_px < math.inf:
        raise WrongUse(f"degrees_per_px={degrees_per_px:g} is not the size of a pixel; give a positive number.")
    options: dict[str, Any] = {
        "directions": directions,
        "spatial_cycles_per_px": spatial_cycles_per_px,
        "temporal_hz": temporal_hz,
        "contrast": contrast,
        "batch_frames": batch_frames,
        "progress": _half(progress, 1),
    }
    mapped = map_receptive_fields(
        encoder, seed=seed, movies=movies, batch_frames=batch_frames, progress=_half(progress, 0)
    )
    place = extent(mapped)
    if aperture_px is None:
        responses = show_gratings(encoder, **options)
    else:
        responses = show_gratings_nearby(encoder, place.centre_px, aperture_px=aperture_px, **options)
    preferred = preferences(responses)
    return Physiology(
        center_px=place.centre_px,
        radius_px=place.radius_px,
        linear_share=mapped.linear_share,
        **{field.name: getattr(preferred, field.name) for field in fields(preferred)},
        degrees_per_px=degrees_per_px,
    )


def write_table(physiology: Physiology, path: Path) -> None:
    """Write one line per neuron as CSV, whole or not at all; an unknown value is an empty cell."""
    rows = physiology.rows()
    temporary = path.with_name(path.name + ".tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def _half(progress: Progress | None, number: int) -> Progress | None:
    """One of two stages, told as percent of both."""
    if progress is None:
        return None
    return lambda done, total, message: progress(50 * number + 50 * done // total, 100, message)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(torch.tensor(known).median()), 4) if known else None
