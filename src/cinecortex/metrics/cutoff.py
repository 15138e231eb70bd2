"""The frequency where a curve, such as a data share, falls below one half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cinecortex.errors import WrongUse
from cinecortex.information import Information

Axis = Literal["spatial", "temporal"]
Where = Literal["at", "below", "above"]

HALF = 0.5


@dataclass(frozen=True)
class Cutoff:
    """Where a curve falls below a threshold.

    Attributes:
        frequency: The frequency.
        where: ``at`` it; ``below`` it, as the curve is under the threshold at every frequency above 0 and this is the
            lowest; ``above`` it, as the curve is not yet under it at the highest, which this is.
    """

    frequency: float
    where: Where

    def words(self, unit: str, per: float = 1.0) -> str:
        """Such as ``falls below one half at 0.1 cycles per px``; ``per`` turns the frequency into the unit."""
        if self.where == "below":
            return f"is below one half from {self.frequency * per:.3g} {unit} on"
        if self.where == "above":
            return f"is not below one half up to {self.frequency * per:.3g} {unit}"
        return f"falls below one half at {self.frequency * per:.3g} {unit}"


def cutoff(frequencies: Sequence[float], values: Sequence[float], *, threshold: float = HALF) -> Cutoff:
    """Where a curve first falls below a threshold beyond its peak.

    From the peak on, since neurons that prefer some frequency may tell less of lower ones. Between two frequencies the
    curve is a line over log frequency. Between 0 and the lowest other one nothing is made up.

    Args:
        frequencies: Rising, from 0 on.
        values: The curve.
        threshold: What it falls below.

    Raises:
        WrongUse: there is nothing, or frequencies do not rise.
    """
    if not values or len(values) != len(frequencies) or list(frequencies) != sorted(set(frequencies)):
        raise WrongUse("a cutoff needs one value for each of some rising frequencies.")
    peak = max(range(len(values)), key=lambda place: values[place])
    lowest = min((each for each in frequencies if each > 0), default=frequencies[0])
    if values[peak] < threshold:
        return Cutoff(lowest, "below")
    for place in range(peak, len(values) - 1):
        low, high = frequencies[place], frequencies[place + 1]
        if values[place + 1] < threshold:
            if low == 0:
                return Cutoff(lowest, "below")
            part = (values[place] - threshold) / (values[place] - values[place + 1])
            return Cutoff(math.exp((1 - part) * math.log(low) + part * math.log(high)), "at")
    return Cutoff(frequencies[-1], "above")


def share_over_frequency(measured: Sequence[Information], axis: Axis) -> tuple[list[float], list[float]]:
    """Data share over spatial frequency whatever the temporal one, or the reverse: frequencies, and shares.

    Variances are summed over clips and over bands before the ratio, but for the band of the mean luminance, which a
    few neurons tell. A band stands at the geometric mean of its edges, the lowest above 0 at half its upper one.

    Args:
        measured: Information about some clips, in the same bands.
        axis: ``spatial``: cycles per pixel; ``temporal``: cycles per frame.
    """
    prior, taken = dict[tuple[float, float], float](), dict[tuple[float, float], float]()
    for band in (band for one in measured for band in one.bands):
        if band.spatial[1] > 0 or band.temporal[1] > 0:
            edges = band.spatial if axis == "spatial" else band.temporal
            prior[edges] = prior.get(edges, 0.0) + band.prior_variance
            taken[edges] = taken.get(edges, 0.0) + band.prior_variance * band.share
    ordered = sorted(edges for edges, variance in prior.items() if variance > 0)
    return [_middle(edges) for edges in ordered], [taken[edges] / prior[edges] for edges in ordered]


def _middle(edges: tuple[float, float]) -> float:
    low, high = edges
    return math.sqrt(low * high) if low > 0 else high / 2
