"""Observation -> Reconstruction, trained directly: the baselines that an inversion must beat."""

from cinecortex.decoders.bayesian_fit import fit_bayesian
from cinecortex.decoders.bayesian_linear import BayesianLinear
from cinecortex.decoders.convolutional import Convolutional
from cinecortex.decoders.convolutional_fit import fit_convolutional
from cinecortex.decoders.mean import TrainingMean, fit_mean
from cinecortex.decoders.nearest import Nearest, fit_nearest
from cinecortex.decoders.ridge import Ridge, fit_ridge

__all__ = [
    "BayesianLinear",
    "Convolutional",
    "Nearest",
    "Ridge",
    "TrainingMean",
    "fit_bayesian",
    "fit_convolutional",
    "fit_mean",
    "fit_nearest",
    "fit_ridge",
]
