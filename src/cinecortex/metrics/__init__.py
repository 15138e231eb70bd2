"""How alike two movies are, how well a rate tells a response, and how sure a mean over clips is.

Pure functions on tensors, on any device: no files, no figures, no randomness but the seed handed in.
"""

from cinecortex.metrics.bootstrap import Interval, bootstrap_mean, paired_difference
from cinecortex.metrics.calibration import Calibration, calibration
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
from cinecortex.metrics.oracle import average_correlation, explainable_variance, oracle, oracle_jackknife
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.metrics.responses import (
    deviance_explained,
    fraction_of_ceiling,
    noise_ceiling,
    reliability,
    response_correlation,
)

__all__ = [
    "Calibration",
    "FrameCorrelation",
    "Interval",
    "MaskScore",
    "average_correlation",
    "bootstrap_mean",
    "calibration",
    "correlation_time",
    "deviance_explained",
    "dispersion",
    "explainable_variance",
    "fraction_of_ceiling",
    "frame_correlation",
    "motion_energy",
    "motion_energy_correlation",
    "movie_correlation",
    "noise_ceiling",
    "oracle",
    "oracle_jackknife",
    "paired_difference",
    "reliability",
    "response_correlation",
    "scores_over_masks",
    "structural_similarity",
]
