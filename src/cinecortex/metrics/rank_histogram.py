"""Rank histograms: how often does the truth come first, second, ... among the draws?

Flat where the truth might as well have been one of the draws (Talagrand, Vautard & Strauss 1997; Hamill 2001, Mon
Weather Rev 129:550). A flat histogram does not prove that draws are right: faults of opposite kinds in different
pixels can cancel.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from cinecortex.metrics.intervals import Samples
from cinecortex.metrics.pit import pit_histogram, sample_pit
from cinecortex.tensors import Mask, Movie


def rank_histogram(
    truth: Movie, samples: Samples, mask: Mask | None = None, *, threshold: float = 0.5
) -> Float[Tensor, "rank"]:
    """Share of the pixels whose truth is above 0, 1, ... of the K draws; ``1 / (K + 1)`` each where draws are right.

    Of a truth that equals draws, every rank that it could have gets an equal part. Pixels of one clip err together, so
    that one clip's histogram is never as flat as its many pixels would make it; average over clips.

    Raises:
        WrongUse: there is no draw, or no pixel of the mask counts.
    """
    return pit_histogram(sample_pit(truth, samples, mask, threshold=threshold), bins=len(samples) + 1)
