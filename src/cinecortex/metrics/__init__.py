"""How alike two movies are, how well a rate tells a response, and how sure a mean over clips is.

Pure functions on tensors, on any device: no files, no figures, no randomness but the seed handed in.
"""

from cinecortex.metrics.bootstrap import Interval, bootstrap_mean, paired_difference
from cinecortex.metrics.movies import (
    FrameCorrelation,
    MaskScore,
    frame_correlation,
    motion_energy,
    motion_energy_correlation,
    movie_correlation,
    scores_over_masks,
    structural_similarity,
)
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.metrics.responses import fraction_of_ceiling, noise_ceiling, reliability, response_correlation

__all__ = [
    "FrameCorrelation",
    "Interval",
    "MaskScore",
    "bootstrap_mean",
    "correlation_time",
    "dispersion",
    "fraction_of_ceiling",
    "frame_correlation",
    "motion_energy",
    "motion_energy_correlation",
    "movie_correlation",
    "noise_ceiling",
    "paired_difference",
    "reliability",
    "response_correlation",
    "scores_over_masks",
    "structural_similarity",
]
