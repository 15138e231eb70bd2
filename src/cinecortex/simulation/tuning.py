"""The truth about each neuron, from its wiring: what its linear filters prefer among drifting gratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from cinecortex.simulation.cortex import Cortex
from cinecortex.simulation.retina import CENTRE_PX, SURROUND_PX, SURROUND_WEIGHT, Thalamus
from cinecortex.simulation.wiring import SUBUNITS
from cinecortex.tensors import PerNeuron

_DIRECTIONS = 36
_SPATIAL = torch.from_numpy(np.geomspace(0.02, 0.2, 12).astype(np.float32))
_TEMPORAL = torch.from_numpy(np.geomspace(0.5, 8.0, 9).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Tuning:
    """Preferences of each neuron, ``neuron``.

    Attributes:
        direction_deg: Preferred direction of drift: 0 rightwards, 90 upwards, below 360.
        orientation_deg: Of the bars that drift so: direction plus 90, below 180.
        spatial_frequency_cycles_per_px: Preferred spatial frequency.
        temporal_frequency_hz: Preferred temporal frequency.
        orientation_selectivity: 1 minus the circular variance over orientations.
        direction_selectivity: (preferred - opposite) / (preferred + opposite) amplitude.
    """

    direction_deg: PerNeuron
    orientation_deg: PerNeuron
    spatial_frequency_cycles_per_px: PerNeuron
    temporal_frequency_hz: PerNeuron
    orientation_selectivity: PerNeuron
    direction_selectivity: PerNeuron


def linear_tuning(cortex: Cortex, thalamus: Thalamus, frame_rate_hz: float) -> Tuning:
    """Tuning of the linear receptive fields, read from the wiring and not from responses."""
    amplitude = _amplitudes(cortex, thalamus, frame_rate_hz)
    neurons = len(amplitude)
    best = amplitude.flatten(1).argmax(1)
    direction, spatial, temporal = (torch.from_numpy(i) for i in np.unravel_index(best.numpy(), amplitude.shape[1:]))
    curve = amplitude[torch.arange(neurons), :, spatial, temporal]
    opposite = curve[torch.arange(neurons), (direction + _DIRECTIONS // 2) % _DIRECTIONS]
    preferred = curve.amax(1)
    angle = torch.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    selectivity = (curve * torch.exp(2j * angle)).sum(1).abs() / curve.sum(1)
    direction_deg = direction * (360.0 / _DIRECTIONS)
    return Tuning(
        direction_deg=direction_deg,
        orientation_deg=(direction_deg + 90.0) % 180.0,
        spatial_frequency_cycles_per_px=_SPATIAL[spatial],
        temporal_frequency_hz=_TEMPORAL[temporal],
        orientation_selectivity=selectivity,
        direction_selectivity=(preferred - opposite) / (preferred + opposite),
    )


def _amplitudes(
    cortex: Cortex, thalamus: Thalamus, frame_rate_hz: float
) -> Float[Tensor, "neuron direction spatial temporal"]:
    """Response amplitude of each neuron's linear filters to unit gratings; complex cells: root mean square."""
    on_prompt, off_prompt, on_lagged, off_lagged = cortex.weights.reshape(-1, 4, thalamus.cells).unbind(1)
    waves = _waves(thalamus).flatten(1)
    prompt = (on_prompt - off_prompt).to(waves.dtype) @ waves
    lagged = (on_lagged - off_lagged).to(waves.dtype) @ waves
    times = torch.exp(-2j * np.pi / frame_rate_hz * torch.outer(_TEMPORAL, torch.arange(thalamus.kernels.shape[1])))
    kernels = thalamus.kernels.to(times.dtype) @ times.T
    membrane = _membrane(cortex, frame_rate_hz)
    power = []
    for index in range(len(_TEMPORAL)):
        total = (prompt * kernels[0, index] + lagged * kernels[1, index]) * membrane[:, index : index + 1]
        squared = total.abs() ** 2
        pooled = squared[cortex.simple :].reshape(-1, SUBUNITS, squared.shape[1]).mean(1)
        power.append(torch.cat([squared[: cortex.simple], pooled]))
    return torch.stack(power, dim=-1).sqrt().reshape(-1, _DIRECTIONS, len(_SPATIAL), len(_TEMPORAL))


def _waves(thalamus: Thalamus) -> Complex[Tensor, "place direction spatial"]:
    """What each place of the sheet makes of a grating that drifts in each direction (complex: amplitude and phase)."""
    angle = torch.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    row, column = torch.meshgrid(thalamus.rows_px, thalamus.columns_px, indexing="ij")
    # A grating cos(k.x - w t) drifts along k; the filter answers with its transform at (k, -w), here conjugated.
    along = column.flatten()[:, None] * angle.cos() - row.flatten()[:, None] * angle.sin()
    radians = 2 * np.pi * _SPATIAL
    passed = torch.exp(-0.5 * (radians * CENTRE_PX) ** 2) - SURROUND_WEIGHT * torch.exp(
        -0.5 * (radians * SURROUND_PX) ** 2
    )
    return torch.exp(-1j * along[..., None] * radians) * passed


def _membrane(cortex: Cortex, frame_rate_hz: float) -> Complex[Tensor, "subunit temporal"]:
    """Transfer of membrane and adaptation at each temporal frequency."""
    delay = torch.exp(-2j * np.pi / frame_rate_hz * _TEMPORAL)

    def stage(share: Tensor) -> Tensor:
        return share[:, None] / (1 - (1 - share[:, None]) * delay)

    return stage(cortex.leak) * (1 - cortex.adaptation[:, None] * stage(cortex.recovery))
