"""From firing rates to what a two-photon microscope and a deconvolution make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import norm, poisson
from torch import Tensor

from cinecortex.tensors import PerNeuron, Response

_THRESHOLD = 2.0  # standard deviations of noise, below which an event is no event
_PHASES = 4  # of the scan, over which the expectation averages
_TABLE_STEP = 0.02
_TABLE_TOP = 12.0


@dataclass(frozen=True, eq=False)
class Microscope:
    """Scans slower than the movie runs, adds noise, deconvolves, and resamples to the movie's frames.

    Spikes are Poisson. The calcium of a cell jumps with each spike and decays; it is seen once per scan, with noise.
    Deconvolution by the known decay gives back the count of each scan interval plus noise; events smaller than twice
    that noise are set to zero. Values between scans are interpolated, so neighbouring frames share one measurement.

    Attributes:
        frame_rate_hz: Of the movie and of the response.
        scan_interval_s: Time between two looks at the same cell.
        delay_s: When, within a scan, each cell is passed.
        amplitude: Response per spike: the arbitrary unit of each cell.
        decay: Share of the calcium that is left after one scan.
        noise: Standard deviation of the fluorescence noise, in spikes.
    """

    frame_rate_hz: float
    scan_interval_s: float
    delay_s: PerNeuron
    amplitude: PerNeuron
    decay: float
    noise: float

    def expect(self, rate_hz: Response) -> Response:
        """The response to be expected: over spikes, noise, and the scan's phase, ``time neuron``.

        Exact for Poisson spikes up to the quadrature over the phase: the mean of a noisy count after the threshold is
        a smooth function of the mean count.
        """
        table = _mean_event(self._event_noise)
        total: Tensor | float = 0.0
        for phase in range(_PHASES):
            start = torch.full_like(self.delay_s, (phase + 0.5) / _PHASES * self.scan_interval_s)
            counts = self._counts(rate_hz, start)
            total = total + self._resample(_look_up(table, counts), start, len(rate_hz))
        return total / _PHASES * self.amplitude

    def record(self, rate_hz: Response, generator: np.random.Generator) -> Response:
        """One recording: spikes, calcium, fluorescence, deconvolution, ``time neuron``."""
        # The scan runs on its own clock: its phase differs from trial to trial.
        start = (self.delay_s + float(generator.uniform(0, self.scan_interval_s))) % self.scan_interval_s
        mean = self._counts(rate_hz, start)
        spikes = generator.poisson(mean.double().clamp_min(0).numpy()).astype(np.float32)
        noise = self.noise * generator.standard_normal((len(spikes) + 1, spikes.shape[1]), dtype=np.float32)
        # (calcium + noise) deconvolved by the decay is exactly the spikes plus the difference of the noise.
        events = spikes + noise[1:] - self.decay * noise[:-1]
        events[events < _THRESHOLD * self._event_noise] = 0
        return self._resample(torch.from_numpy(events), start, len(rate_hz)) * self.amplitude

    @property
    def _event_noise(self) -> float:
        """Standard deviation of a deconvolved event, in spikes."""
        return float(self.noise * np.sqrt(1 + self.decay**2))

    def _scans(self, frames: int) -> int:
        """Scans that begin before the movie and end after it, whatever the phase."""
        return int(np.ceil(frames / self.frame_rate_hz / self.scan_interval_s)) + 3

    def _counts(self, rate_hz: Response, start_s: PerNeuron) -> Float[Tensor, "scan neuron"]:
        """Mean spike count in the interval before each look; before and after the movie rates stay as they were."""
        frames = len(rate_hz)
        elapsed = torch.cat([torch.zeros(1, rate_hz.shape[1], dtype=torch.float64), rate_hz.double().cumsum(0)])
        elapsed = elapsed / self.frame_rate_hz
        looks = start_s + self.scan_interval_s * torch.arange(-2.0, self._scans(frames) - 1)[:, None]
        position = looks * self.frame_rate_hz
        index = position.floor().clamp(0, frames - 1).long()
        below = elapsed.gather(0, index)
        spikes = below + (position - index) * (elapsed.gather(0, index + 1) - below)
        return spikes.diff(dim=0).float()

    def _resample(self, scans: Float[Tensor, "scan neuron"], start_s: PerNeuron, frames: int) -> Response:
        """Straight lines between the looks at each cell, read at the middle of each movie frame."""
        time_s = (torch.arange(frames) + 0.5)[:, None] / self.frame_rate_hz
        position = (time_s - start_s) / self.scan_interval_s + 1  # the first interval ends one scan before the start
        index = position.floor().long()
        below = scans.gather(0, index)
        return below + (position - index) * (scans.gather(0, index + 1) - below)


def _mean_event(noise: float) -> Float[Tensor, " mean"]:
    """Mean of a thresholded event ``k + noise * z``, Poisson ``k`` of mean 0, ``_TABLE_STEP``, ... ``_TABLE_TOP``."""
    k = np.arange(80)[:, None]
    short = _THRESHOLD - k / noise
    passed = k * norm.sf(short) + noise * norm.pdf(short)
    means = np.arange(0, _TABLE_TOP + _TABLE_STEP / 2, _TABLE_STEP)
    return torch.from_numpy((poisson.pmf(k, means) * passed).sum(0).astype(np.float32))


def _look_up(table: Float[Tensor, " mean"], counts: Float[Tensor, "scan neuron"]) -> Float[Tensor, "scan neuron"]:
    """Linear interpolation in the table; above its top, where nothing is rectified any more, along its last line."""
    position = counts / _TABLE_STEP
    index = position.floor().clamp(0, len(table) - 2).long()
    below = table[index]
    return below + (position - index) * (table[index + 1] - below)
