"""How alike two movies are, how well a rate tells a response, and how sure a mean over clips is.

Pure functions on tensors, on any device: no files, no figures, no randomness but the seed handed in.
"""

from cinecortex.metrics.bands import band_agreement
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean, paired_difference
from cinecortex.metrics.calibration import Calibration, calibration
from cinecortex.metrics.equivalence import Equivalence, equivalence
from cinecortex.metrics.hierarchical_bootstrap import hierarchical_bootstrap
from cinecortex.metrics.holm import holm
from cinecortex.metrics.movies import (
    FrameCorrelation,
    MaskScore,
    frame_correlation,
    mean_squared_error,
    motion_energy,
    motion_energy_correlation,
    movie_correlation,
    scores_over_masks,
    structural_similarity,
)
from cinecortex.metrics.oracle import average_correlation, explainable_variance, oracle, oracle_jackknife
from cinecortex.metrics.permutation import Permutation, label_permutation, pairing_permutation, sign_flip
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.metrics.responses import (
    deviance_explained,
    fraction_of_ceiling,
    noise_ceiling,
    reliability,
    response_correlation,
)
from cinecortex.metrics.sample_size import needed_sample_size, paired_power

__all__ = [
    "Calibration",
    "Equivalence",
    "FrameCorrelation",
    "Interval",
    "MaskScore",
    "Permutation",
    "average_correlation",
    "band_agreement",
    "bootstrap_mean",
    "calibration",
    "correlation_time",
    "deviance_explained",
    "dispersion",
    "equivalence",
    "explainable_variance",
    "fraction_of_ceiling",
    "frame_correlation",
    "hierarchical_bootstrap",
    "holm",
    "label_permutation",
    "mean_squared_error",
    "motion_energy",
    "motion_energy_correlation",
    "movie_correlation",
    "needed_sample_size",
    "noise_ceiling",
    "oracle",
    "oracle_jackknife",
    "paired_difference",
    "paired_power",
    "pairing_permutation",
    "reliability",
    "response_correlation",
    "scores_over_masks",
    "sign_flip",
    "structural_similarity",
]
