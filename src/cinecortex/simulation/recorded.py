"""What turns activity into recordings, whatever the receptive fields: mean rates, arousal, shared noise, microscope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import Arousal
from cinecortex.simulation.drift import drift
from cinecortex.simulation.microscope import Microscope
from cinecortex.tensors import Behavior, PerNeuron, Response

MEAN_RATE_HZ = 0.75
"""Median over neurons of the mean firing rate to natural movies."""

_SHARED = 3
_PLANES = 8


@dataclass(frozen=True, eq=False)
class Recorded:
    """A population as it is recorded.

    Attributes:
        rate_hz: Mean firing rate of each neuron to natural movies, at rest.
        spontaneous: Share of that rate which no movie drives.
        arousal: Gain by running and pupil.
        loadings: Of slow shared noise (log gain), ``source neuron``; the last source of each neuron is its own.
        microscope: Makes responses of spikes.
        coordinates_um: Position in the tissue, ``neuron 3``.
    """

    rate_hz: PerNeuron
    spontaneous: PerNeuron
    arousal: Arousal
    loadings: Float[Tensor, "source neuron"]
    private: float
    microscope: Microscope
    coordinates_um: Float[np.ndarray, "neuron 3"]

    @classmethod
    def draw(cls, rf_center_px: Float[np.ndarray, "neuron 2"], seed: Seed, *, frame_rate_hz: float) -> Recorded:
        """Recording conditions for neurons with these receptive-field centres."""
        neurons = len(rf_center_px)
        generator = seed.numpy()

        def lognormal(median: float, spread: float) -> Tensor:
            return torch.from_numpy((median * np.exp(generator.normal(0, spread, neurons))).astype(np.float32))

        plane = generator.integers(0, _PLANES, neurons)
        # Retinotopy: about 20 um of cortex per pixel (2.5 degrees) of the screen, and scatter.
        surface = 20.0 * rf_center_px[:, ::-1] + generator.normal(0, 40.0, (neurons, 2))
        loadings = generator.normal(0, 0.2, (_SHARED, neurons))
        loadings[0] += 0.5  # one source that moves all together
        return cls(
            rate_hz=lognormal(MEAN_RATE_HZ, 0.6),
            spontaneous=torch.from_numpy(generator.uniform(0.02, 0.15, neurons).astype(np.float32)),
            arousal=Arousal.draw(neurons, seed / "arousal"),
            loadings=torch.from_numpy(loadings.astype(np.float32)),
            private=0.3,
            microscope=Microscope(
                frame_rate_hz=frame_rate_hz,
                scan_interval_s=0.125,
                delay_s=torch.from_numpy((plane * (0.125 / _PLANES)).astype(np.float32)),
                amplitude=lognormal(1.0, 0.3),
                decay=0.8,
                noise=0.2,
            ),
            coordinates_um=np.column_stack([surface, 150.0 + 25.0 * plane]),
        )

    def firing_rate(self, activity: Response, behavior: Behavior) -> Response:
        """Spikes per second of each neuron, ``time neuron``, from activity of mean one."""
        driven = self.spontaneous + (1 - self.spontaneous) * activity
        return self.rate_hz * driven * self.arousal.gain(behavior)

    def expect(self, activity: Response, behavior: Behavior) -> Response:
        """The expected response: shared noise has mean one."""
        return self.microscope.expect(self.firing_rate(activity, behavior))

    def record(self, activity: Response, behavior: Behavior, seed: Seed) -> Response:
        """One trial."""
        noise = self._gain((seed / "shared noise").numpy(), len(activity))
        return self.microscope.record(self.firing_rate(activity, behavior) * noise, (seed / "microscope").numpy())

    def _gain(self, generator: np.random.Generator, frames: int) -> Response:
        """Slow fluctuations of excitability, mean one: some shared by all, some each neuron's own."""
        sources, neurons = self.loadings.shape
        fluctuate = partial(drift, generator, frames=frames, frame_rate_hz=self.microscope.frame_rate_hz)
        shared = fluctuate(time_constant_s=1.5, paths=sources).astype(np.float32)
        own = fluctuate(time_constant_s=0.7, paths=neurons).astype(np.float32)
        log_gain = torch.from_numpy(shared) @ self.loadings + self.private * torch.from_numpy(own)
        variance = (self.loadings**2).sum(0) + self.private**2
        return torch.exp(log_gain - variance / 2)
