"""Which relay cells drive which cortical cell: the receptive fields, drawn one afferent at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.simulation.retina import SPACING_PX, Thalamus

SUBUNITS = 4
"""Rectified subunits that a complex cell pools."""

_AFFERENTS = 28
_ARBOR_PX = 1.1


@dataclass(frozen=True, eq=False)
class Plan:
    """What the receptive fields are meant to be before chance places the afferents; all arrays are per neuron.

    Attributes:
        centre_px: Row and column of the receptive field.
        tilt: Direction of drift that the subfields favour, radians, counterclockwise from rightwards.
        frequency: Cycles per pixel.
        width_px: Spread of the afferents across the subfields; along them it is ``length`` times as much.
        length: See ``width_px``.
        phase: Radians.
        lag: How much of the drive comes from lagged cells a quarter cycle away, 0..1; it makes direction selectivity.
        push_pull: How much the opposite sign inhibits, 0..1; at 1 the cell is linear up to its own threshold.
        complex_cell: Whether it pools several subunits.
    """

    centre_px: Float[np.ndarray, "neuron 2"]
    tilt: Float[np.ndarray, " neuron"]
    frequency: Float[np.ndarray, " neuron"]
    width_px: Float[np.ndarray, " neuron"]
    length: Float[np.ndarray, " neuron"]
    phase: Float[np.ndarray, " neuron"]
    lag: Float[np.ndarray, " neuron"]
    push_pull: Float[np.ndarray, " neuron"]
    simple: int

    @classmethod
    def draw(cls, neurons: int, generator: np.random.Generator, frame_size: tuple[int, int]) -> Plan:
        """Plans of a population; the first half are simple cells, the others complex."""
        width = np.exp(generator.uniform(np.log(1.5), np.log(4.0), neurons))
        # From a third of a cycle to a little over one within two widths: mostly one to three subfields.
        frequency = np.clip(generator.uniform(0.06, 0.36, neurons) / width, 0.02, 0.18)
        return cls(
            centre_px=pinhole(neurons, generator, frame_size),
            tilt=generator.uniform(0, 2 * np.pi, neurons),
            frequency=frequency,
            width_px=width,
            length=generator.uniform(1.1, 2.0, neurons),
            phase=generator.uniform(0, 2 * np.pi, neurons),
            lag=generator.beta(1.2, 1.2, neurons),
            push_pull=generator.uniform(0.5, 1.0, neurons),
            simple=(neurons + 1) // 2,
        )


def pinhole(neurons: int, generator: np.random.Generator, frame_size: tuple[int, int]) -> Float[np.ndarray, "neuron 2"]:
    """Receptive-field centres (row, column): they fill an ellipse over 55 % of the screen, fewer towards its edge."""
    height, width = frame_size
    # Half axes of 0.90 and 0.78 half screens: area 0.55 of the screen.
    radius = np.sqrt(1 - (1 - generator.random(neurons)) ** (2 / 3))  # density as sqrt(1 - radius^2)
    angle = generator.uniform(0, 2 * np.pi, neurons)
    row = (height - 1) / 2 + 0.90 * height / 2 * radius * np.sin(angle)
    column = (width - 1) / 2 + 0.78 * width / 2 * radius * np.cos(angle)
    return np.stack([row, column], axis=1)


def connect(
    plan: Plan, generator: np.random.Generator, thalamus: Thalamus
) -> tuple[Float[Tensor, "subunit 2 place"], Float[Tensor, " subunit"]]:
    """Signed weights from the prompt and the lagged cells at each place, and each subunit's push-pull.

    Positive weights are ON subfields, negative ones OFF. Simple cells come first, one subunit each; then the complex
    cells, ``SUBUNITS`` each, a quarter cycle and a little distance apart.
    """
    neurons = len(plan.tilt)
    cell = np.concatenate([np.arange(plan.simple), np.repeat(np.arange(plan.simple, neurons), SUBUNITS)])
    which = np.concatenate([np.zeros(plan.simple), np.tile(np.arange(SUBUNITS), neurons - plan.simple)])
    phase = plan.phase[cell] + which * np.pi / 2 + np.where(cell < plan.simple, 0, generator.normal(0, 0.2, len(cell)))
    stray = np.where(cell < plan.simple, 0, 0.35 * plan.width_px[cell])[:, None]
    centre = plan.centre_px[cell] + stray * generator.standard_normal((len(cell), 2))
    prompt = _afferents(plan, cell, centre, phase, generator, thalamus)
    lagged = _afferents(plan, cell, centre, phase - np.pi / 2, generator, thalamus)
    lag = torch.from_numpy(plan.lag[cell].astype(np.float32))[:, None]
    return torch.stack([prompt, lag * lagged], dim=1), torch.from_numpy(plan.push_pull[cell].astype(np.float32))


def _afferents(
    plan: Plan,
    cell: np.ndarray,
    centre: np.ndarray,
    phase: np.ndarray,
    generator: np.random.Generator,
    thalamus: Thalamus,
) -> Float[Tensor, "subunit place"]:
    """Scatter afferents over each receptive field; the subfield each falls in decides its sign and strength."""
    count = (len(cell), _AFFERENTS)
    across = plan.width_px[cell, None] * generator.standard_normal(count)
    along = (plan.width_px * plan.length)[cell, None] * generator.standard_normal(count)
    strength = np.exp(generator.normal(0, 0.4, count))
    strength *= np.cos(2 * np.pi * plan.frequency[cell, None] * across + phase[:, None])
    # ON and OFF nearly balance, or else uniform light would drive the cells more than contrast does.
    balance = generator.uniform(0.65, 1.0, (len(cell), 1))
    strength -= balance * strength.mean(axis=1, keepdims=True)
    cosine, sine = np.cos(plan.tilt)[cell, None], np.sin(plan.tilt)[cell, None]
    # Across the subfields is (cos, -sin) in (column, row), because rows count downwards.
    row = centre[:, :1] - sine * across - cosine * along
    column = centre[:, 1:] + cosine * across - sine * along

    def reach(place: Tensor, at: np.ndarray) -> Tensor:
        return torch.exp(-0.5 * ((place - torch.from_numpy(at.astype(np.float32))[..., None]) / _ARBOR_PX) ** 2)

    rows = reach(thalamus.rows_px, row) * torch.from_numpy(strength.astype(np.float32))[..., None]
    sheet = rows.transpose(1, 2) @ reach(thalamus.columns_px, column)
    return sheet.flatten(1) * (SPACING_PX**2 / _AFFERENTS)
