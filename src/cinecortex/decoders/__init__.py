"""Observation -> Reconstruction, trained directly: the baselines that an inversion must beat."""

from cinecortex.decoders.mean import TrainingMean, fit_mean
from cinecortex.decoders.ridge import Ridge, fit_ridge

__all__ = ["Ridge", "TrainingMean", "fit_mean", "fit_ridge"]
