"""How narrow predictions are: the half of the story that coverage leaves out.

Intervals from black to white always hold. Of methods that are calibrated the sharper is the better one (Gneiting,
Balabdaoui & Raftery 2007, J R Stat Soc B 69:243), so coverage is never shown without this beside it.
"""

from __future__ import annotations

from cinecortex.metrics.intervals import counted, mean_of
from cinecortex.tensors import Mask, Movie


def sharpness(lower: Movie, upper: Movie, mask: Mask | None = None, *, threshold: float = 0.5) -> float:
    """Mean width of the intervals, in units of luminance; smaller is sharper.

    Args:
        lower: Lower ends of the intervals.
        upper: Upper ends.
        mask: Pixels with at least ``threshold`` count; None counts the full field.
        threshold: Least weight of a pixel that counts.

    Raises:
        WrongUse: no pixel of the mask counts.
    """
    low, high = counted(mask, threshold, lower, upper)
    return mean_of(high - low)
