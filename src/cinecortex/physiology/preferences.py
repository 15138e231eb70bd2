"""From responses to gratings to what each neuron prefers and how selective it is. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.physiology.gratings import GratingResponses, PerGrating
from cinecortex.tensors import PerNeuron

_HARMONICS = 6
_FINE = 720
_EXCITED = 0.25

PerDirection = Float[Tensor, "neuron direction"]


@dataclass(frozen=True, eq=False)
class Preferences:
    """What each neuron prefers among drifting gratings, ``neuron``; NaN for a neuron that none of them excites.

    Attributes:
        direction_deg: Preferred direction of drift, 0 to 360: 0 rightwards, 90 upwards.
        orientation_deg: Preferred orientation of the bars, 0 to 180: 0 lying, 90 upright. Where one direction is
            preferred it is that direction plus 90; it is found on the mean over opposite directions.
        spatial_frequency_cycles_per_px: At the peak, within the range that was shown.
        temporal_frequency_hz: Likewise.
        orientation_selectivity: ``|sum R exp(2i direction)| / sum R``, 0 (none) to 1: one minus the circular variance
            (Ringach et al. 2002, J Neurosci 22:5639), also known as global OSI.
        direction_selectivity: ``(R preferred - R opposite) / (R preferred + R opposite)``, 0 to 1 (definitions as in
            Mazurek et al. 2014, Front Neural Circuits 8:92).
        modulation_ratio: F1 over F0, F0 less the rate at gray, at the preferred grating: above 1 for simple cells,
            below for complex ones (Skottun et al. 1991, Vision Res 31:1079); infinite where only the modulation is
            excited. Smoothing in time, as by calcium, lowers it.
        response: To the preferred grating, in the unit of the rate; see `excitation`.
    """

    direction_deg: PerNeuron
    orientation_deg: PerNeuron
    spatial_frequency_cycles_per_px: PerNeuron
    temporal_frequency_hz: PerNeuron
    orientation_selectivity: PerNeuron
    direction_selectivity: PerNeuron
    modulation_ratio: PerNeuron
    response: PerNeuron


def excitation(responses: GratingResponses) -> PerGrating:
    """How strongly each grating excites each neuron, never negative.

    F0 less the rate at gray. F1 is customary for simple cells, but calcium, and encoders fitted to it, are smoothed in
    time, which takes from F1 more the faster a grating drifts and leaves F0 alone. F1 therefore stands in only for
    neurons whose strongest F0 is below a quarter of their strongest F1: those that modulate without being excited.
    """
    raised = (responses.mean - responses.gray[:, None, None, None]).clamp_min(0)
    follows = raised.flatten(1).amax(1) < _EXCITED * responses.modulation.flatten(1).amax(1)
    return torch.where(follows[:, None, None, None], responses.modulation, raised)


def preferences(responses: GratingResponses) -> Preferences:
    """Preferences of every neuron.

    Direction and orientation are the peaks of the tuning curve at the best spatial and temporal frequency, interpolated
    by its first harmonics; frequencies are the peaks of a parabola through the best point and its neighbours on a
    logarithmic axis.
    """
    strength = excitation(responses)
    neuron = torch.arange(len(strength))
    best = strength.flatten(1).argmax(1)
    temporal = best % strength.shape[3]
    spatial = best // strength.shape[3] % strength.shape[2]
    direction = best // (strength.shape[3] * strength.shape[2])
    curve = strength[neuron, :, spatial, temporal]
    fine = _interpolated(curve)
    opposite = fine.roll(_FINE // 2, 1)
    both = (fine + opposite)[:, : _FINE // 2]
    peak = fine.argmax(1)
    angle = torch.deg2rad(responses.direction_deg)
    vector = (curve * torch.exp(2j * angle)).sum(1).abs()
    preferred, other = fine[neuron, peak], opposite[neuron, peak].clamp_min(0)
    raised = (responses.mean - responses.gray[:, None, None, None]).flatten(1)[neuron, best]
    silent = strength.flatten(1).amax(1) <= 0

    def known(values: Tensor) -> Tensor:
        return torch.where(silent, torch.nan, values)

    return Preferences(
        direction_deg=known(peak * (360 / _FINE)),
        orientation_deg=known((both.argmax(1) * (360 / _FINE) + 90) % 180),
        spatial_frequency_cycles_per_px=known(
            _peak(strength[neuron, direction, :, temporal], responses.spatial_frequency_cycles_per_px)
        ),
        temporal_frequency_hz=known(_peak(strength[neuron, direction, spatial], responses.temporal_frequency_hz)),
        orientation_selectivity=known(vector / curve.sum(1)),
        direction_selectivity=known((preferred - other) / (preferred + other)),
        modulation_ratio=known(responses.modulation.flatten(1)[neuron, best] / raised.clamp_min(0)),
        response=strength.flatten(1).amax(1),
    )


def _interpolated(curve: PerDirection) -> Float[Tensor, "neuron fine"]:
    """The curve on a grid of half a degree, by its first harmonics: a peak that no single point decides."""
    spectrum = torch.fft.rfft(curve.double(), dim=1)
    kept = min(_HARMONICS, (curve.shape[1] - 1) // 2)
    spectrum[:, kept + 1 :] = 0
    fine: Tensor = torch.fft.irfft(spectrum[:, : kept + 1], n=_FINE, dim=1) * (_FINE / curve.shape[1])
    return fine.float()


def _peak(curve: Float[Tensor, "neuron frequency"], frequency: Float[Tensor, " frequency"]) -> PerNeuron:
    """Where a parabola in log frequency through the best point and its neighbours peaks; the end where it is one."""
    if len(frequency) < 3:
        return frequency[curve.argmax(1)]
    best = curve.argmax(1)
    inner = best.clamp(1, len(frequency) - 2)
    neuron = torch.arange(len(curve))
    x = frequency.double().log()
    left, middle, right = (x[inner + step] for step in (-1, 0, 1))
    low, top, high = (curve[neuron, inner + step].double() for step in (-1, 0, 1))
    # Slopes of the two chords; the parabola is level where they would meet.
    rise, fall = (top - low) / (middle - left), (high - top) / (right - middle)
    bend = (fall - rise) / (right - left)
    level = (left + middle) / 2 - rise / (2 * bend).clamp_max(-1e-12)
    peak = torch.where((best == inner) & (bend < 0), level.clamp(left, right), x[best])
    return peak.exp().float()


def apart_deg(first: Tensor, second: Tensor, *, period_deg: float) -> Tensor:
    """Difference of two angles on a circle of 180 (orientation) or 360 (direction) degrees, 0 to half of that."""
    return ((first - second + period_deg / 2) % period_deg - period_deg / 2).abs()
