"""From the thalamus to the visual cortex: cells that leak, adapt, rectify and normalise each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.simulation.retina import Thalamus
from cinecortex.simulation.wiring import SUBUNITS, Plan, connect
from cinecortex.tensors import PerNeuron, Response

EXPONENT = 1.5
"""Of the output nonlinearity, as in normalisation models of V1 (Heeger 1992)."""

_BLOCK = 2048  # subunits worked on at once: bounds the memory for long movies and large populations
_REST = 1.1  # semi-saturation over mean pool activity: contrast enters with a power of about 0.7
_POOL_PX = 5.0
_NODE_SPACING_PX = 4.0

PerSubunit = Float[Tensor, " subunit"]


@dataclass(frozen=True, eq=False)
class Cortex:
    """The population between the thalamus and its firing rates.

    Attributes:
        simple: Number of simple cells; they come first, with one subunit each.
        weights: From every relay cell to every subunit.
        threshold: What the leaked input must exceed, in the unit of the input.
        leak, recovery: Share of the way that membrane and adaptation go in one frame.
        adaptation: 0 sustained .. 1 fully transient.
        to_pool, from_pool: Local averages over neurons, through nodes a few pixels apart.
        equal: Makes each neuron's mean drive by natural movies one.
        semi_saturation: Pool activity at which responses are halved: near its mean over natural movies, at the times
            when neurons are driven. Far below it contrast would not be encoded.
        gain: Makes each neuron's mean activity in natural movies one.
    """

    simple: int
    weights: Float[Tensor, "subunit afferent"]
    threshold: PerSubunit
    leak: PerSubunit
    recovery: PerSubunit
    adaptation: PerSubunit
    to_pool: Float[Tensor, "neuron node"]
    from_pool: Float[Tensor, "node neuron"]
    equal: PerNeuron
    semi_saturation: float
    gain: PerNeuron

    @classmethod
    def build(
        cls,
        plan: Plan,
        generator: np.random.Generator,
        thalamus: Thalamus,
        natural: Float[Tensor, "time afferent"],
        *,
        frame_size: tuple[int, int],
        frame_rate_hz: float,
    ) -> Cortex:
        """Wire a population and set thresholds, semi-saturation and gains on natural input, as development would."""
        wiring, push_pull = connect(plan, generator, thalamus)
        on, off = wiring.relu(), (-wiring).relu()
        pull = push_pull[:, None, None]
        weights = torch.stack([on - pull * off, off - pull * on], dim=2).flatten(1)
        neurons = len(plan.tilt)
        to_pool, from_pool = _pooling(plan.centre_px, frame_size)
        temporal = _temporal(neurons, generator, frame_rate_hz)
        cell = torch.cat([torch.arange(plan.simple), torch.arange(plan.simple, neurons).repeat_interleave(SUBUNITS)])
        raw = cls(
            simple=plan.simple,
            weights=weights,
            threshold=torch.zeros(len(weights)),
            leak=temporal[0][cell],
            recovery=temporal[1][cell],
            adaptation=temporal[2][cell],
            to_pool=to_pool,
            from_pool=from_pool,
            equal=torch.ones(neurons),
            semi_saturation=1.0,
            gain=torch.ones(neurons),
        )
        return raw._settle(natural, torch.from_numpy(generator.uniform(-0.1, 0.35, neurons).astype(np.float32))[cell])

    def _settle(self, natural: Float[Tensor, "time afferent"], threshold: PerSubunit) -> Cortex:
        """Thresholds in standard deviations of the natural input, semi-saturation at its mean, all means at one."""
        moments = [
            torch.stack([inputs.std(0), inputs.mean(0)]) for inputs in (self._input(natural, b) for b in self._blocks())
        ]
        std, mean = torch.cat(moments, dim=1)
        std = std.clamp_min(1e-6)
        settled = replace(self, weights=self.weights / std[:, None], threshold=mean / std + threshold)
        drive = settled.drive(natural)
        # Every cell weighs the same in the pool, whatever its sparseness.
        equal = 1 / drive.mean(0).clamp_min(1e-6)
        drive = drive * equal
        pool = drive @ self.to_pool @ self.from_pool
        semi_saturation = _REST * float((drive * pool).mean() / drive.mean())
        gain = 1 / (drive / (semi_saturation + pool)).mean(0).clamp_min(1e-6)
        return replace(settled, equal=equal, semi_saturation=semi_saturation, gain=gain)

    def _blocks(self) -> list[slice]:
        """Subunits in blocks that never part those of one complex cell."""
        edges = list(range(0, self.simple, _BLOCK)) + list(range(self.simple, len(self.weights), _BLOCK))
        return [slice(a, b) for a, b in zip(edges, [*edges[1:], len(self.weights)], strict=True)]

    def _input(self, afferents: Float[Tensor, "time afferent"], block: slice) -> Float[Tensor, "time subunits"]:
        """Input of some subunits: weighted relay cells through a leaky membrane, less a slower copy of itself."""
        steps = afferents @ self.weights[block].T
        leak, recovery, adaptation = self.leak[block], self.recovery[block], self.adaptation[block]
        # The animal watched a gray screen before: both stages start at rest in the first frame's gray activity.
        fast = slow = torch.zeros_like(steps[0])
        passed = []
        for step in steps.unbind(0):
            fast = torch.lerp(fast, step, leak)
            slow = torch.lerp(slow, fast, recovery)
            passed.append(fast - adaptation * slow)
        return torch.stack(passed)

    def drive(self, afferents: Float[Tensor, "time afferent"]) -> Response:
        """Rectified input of each neuron before normalisation, ``time neuron``."""
        parts = []
        for block in self._blocks():
            rectified = (self._input(afferents, block) - self.threshold[block]).relu() ** EXPONENT
            if block.start >= self.simple:
                rectified = rectified.reshape(len(rectified), -1, SUBUNITS).mean(2)
            parts.append(rectified)
        return torch.cat(parts, dim=1) * self.equal

    def __call__(self, afferents: Float[Tensor, "time afferent"]) -> Response:
        """Activity relative to each neuron's mean over natural movies, ``time neuron``."""
        drive = self.drive(afferents)
        pool = drive @ self.to_pool @ self.from_pool
        return drive / (self.semi_saturation + pool) * self.gain


def _temporal(neurons: int, generator: np.random.Generator, frame_rate_hz: float) -> Float[Tensor, "3 neuron"]:
    """Leak and recovery per frame, and adaptation; a third of the cells are nearly sustained."""
    membrane_s = np.exp(generator.normal(np.log(0.04), 0.6, neurons))
    adaptation_s = np.exp(generator.normal(np.log(0.25), 0.5, neurons))
    adaptation = np.where(
        generator.random(neurons) < 0.35, generator.uniform(0, 0.3, neurons), generator.uniform(0.3, 1, neurons)
    )
    stages = np.stack([-np.expm1(-1 / (frame_rate_hz * tau)) for tau in (membrane_s, adaptation_s)])
    return torch.from_numpy(np.concatenate([stages, adaptation[None]]).astype(np.float32))


def _pooling(
    centre_px: Float[np.ndarray, "neuron 2"], frame_size: tuple[int, int]
) -> tuple[Float[Tensor, "neuron node"], Float[Tensor, "node neuron"]]:
    """Two steps of local averaging, neurons to nodes and nodes to neurons: far cheaper than all pairs."""
    rows, columns = (np.arange(_NODE_SPACING_PX / 2, length, _NODE_SPACING_PX) for length in frame_size)
    nodes = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    squared = ((centre_px[:, None] - nodes) ** 2).sum(-1)
    nearness = torch.from_numpy(np.exp(-0.5 * squared / _POOL_PX**2).astype(np.float32)) + 1e-6
    return nearness / nearness.sum(0), (nearness / nearness.sum(1, keepdim=True)).T.contiguous()
