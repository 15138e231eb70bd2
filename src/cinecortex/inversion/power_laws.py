"""A spectrum as power laws of temporal and spatial frequency: what is left of it when its bins are too noisy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cinecortex.errors import BadData
from cinecortex.stimuli.spectrum import MovieStatistics


@dataclass(frozen=True, eq=False)
class PowerLaws:
    """``power = c * temporal frequency^-temporal_exponent * spatial frequency^-spatial_exponent``.

    Attributes:
        temporal_exponent: Fall of power with temporal frequency.
        spatial_exponent: Fall of power with spatial frequency.
        statistics: The statistics that were fitted, with the laws in place of the bins.

    Source of the form: Dong & Atick 1995, Network 6:345.
    """

    temporal_exponent: float
    spatial_exponent: float
    statistics: MovieStatistics


def fit_power_laws(statistics: MovieStatistics) -> PowerLaws:
    """Fit power laws to a binned spectrum by least squares over the logarithms.

    Zero frequency has no place in a power law. Stillness (zero temporal frequency) and uniform luminance (zero spatial
    frequency) therefore keep levels of their own, with the same exponent over the other axis, and the mean luminance
    of a clip keeps its measured power. Bins that no coefficient fell into, which repeat their lower neighbour, and
    bins without power do not count.

    Raises:
        BadData: too few bins hold any power for the exponents to be found.
    """
    power = statistics.power.double()
    bins = power.shape[0]
    temporal, spatial = _log_centres(bins, 1 / 600), _log_centres(bins, 1 / 128)
    counts = _measured(power)[:, None] & _measured(power.T)[None, :] & (power > 0)
    still, uniform = torch.zeros(bins, bins, dtype=torch.bool), torch.zeros(bins, bins, dtype=torch.bool)
    still[0], uniform[:, 0] = True, True
    moving = ~still & ~uniform
    # Columns: the two exponents, then one level each for moving patterns, still patterns and uniform flicker.
    columns = [-temporal[:, None].expand(bins, bins), -spatial[None, :].expand(bins, bins)]
    columns += [part.double() for part in (moving, still & ~uniform, uniform & ~still)]
    design = torch.stack(columns, -1)
    counts[0, 0] = False
    if int((counts & ~still).any(1).sum()) < 2 or int((counts & ~uniform).any(0).sum()) < 2:
        raise BadData("the spectrum of the training clips has power in too few bins for power laws to be fitted to it.")
    found = torch.linalg.lstsq(design[counts], torch.log(power[counts])[:, None], driver="gelsd").solution[:, 0]
    smooth = torch.exp(design @ found)
    # A level that no bin speaks for, and the one bin without a law, stay as they were measured.
    for part in (moving, still, uniform):
        if not bool((counts & part).any()):
            smooth[part] = power[part]
    smooth[0, 0] = power[0, 0]
    return PowerLaws(float(found[0]), float(found[1]), replace(statistics, power=smooth.to(statistics.power.dtype)))


def _log_centres(bins: int, lowest: float) -> Tensor:
    """Log of the middle frequency of every bin of `frequency_bins`; zero for the bin of zero frequency."""
    width = (math.log(0.5) - math.log(lowest)) / (bins - 1)
    middle = math.log(lowest) + (torch.arange(bins, dtype=torch.float64) - 0.5) * width
    return torch.where(torch.arange(bins) == 0, torch.zeros_like(middle), middle)


def _measured(power: Tensor) -> Tensor:
    """Which rows are not mere repetitions of the row before."""
    repeats = torch.zeros(len(power), dtype=torch.bool)
    repeats[1:] = (power[1:] == power[:-1]).all(1)
    return ~repeats
