"""cinecortex: reconstruct the movie an animal watched from its visual cortex, and tell the truth about the result."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cinecortex.data import load, load_all
    from cinecortex.encoders.checkpoint import Model, load_model, save_model
    from cinecortex.encoders.ensemble import Ensemble
    from cinecortex.encoders.fit import FitSettings
    from cinecortex.encoders.linear_start import LinearNonlinearSettings
    from cinecortex.encoders.members import fit, fit_ensemble
    from cinecortex.encoders.recipe import DwiseNeuro, Recipe
    from cinecortex.encoders.self_check import check_encoder
    from cinecortex.encoders.train import Compact, fit_model
    from cinecortex.encoders.wrap import wrap
    from cinecortex.identifiability.identified import Identified
    from cinecortex.inversion.averaged import Averaged
    from cinecortex.inversion.langevin import Langevin
    from cinecortex.inversion.map import MAP
    from cinecortex.inversion.paper import Paper
    from cinecortex.inversion.priors import Flat, Spectral
    from cinecortex.inversion.restricted import Bounded, Masked
    from cinecortex.inversion.sample import Sample
    from cinecortex.inversion.smooth import Smooth
    from cinecortex.physiology.measure import Physiology, measure_physiology
    from cinecortex.seeds import Seed
    from cinecortex.validating.run import validate

# Resolved on first use, so that `cinecortex --help` does not wait for torch.
_HOMES = {
    "load": "cinecortex.data",
    "load_all": "cinecortex.data",
    "Model": "cinecortex.encoders.checkpoint",
    "load_model": "cinecortex.encoders.checkpoint",
    "save_model": "cinecortex.encoders.checkpoint",
    "Ensemble": "cinecortex.encoders.ensemble",
    "FitSettings": "cinecortex.encoders.fit",
    "LinearNonlinearSettings": "cinecortex.encoders.linear_start",
    "DwiseNeuro": "cinecortex.encoders.recipe",
    "Recipe": "cinecortex.encoders.recipe",
    "check_encoder": "cinecortex.encoders.self_check",
    "wrap": "cinecortex.encoders.wrap",
    "Compact": "cinecortex.encoders.train",
    "fit": "cinecortex.encoders.members",
    "fit_ensemble": "cinecortex.encoders.members",
    "fit_model": "cinecortex.encoders.train",
    "Identified": "cinecortex.identifiability.identified",
    "MAP": "cinecortex.inversion.map",
    "Paper": "cinecortex.inversion.paper",
    "Sample": "cinecortex.inversion.sample",
    "Langevin": "cinecortex.inversion.langevin",
    "Spectral": "cinecortex.inversion.priors",
    "Flat": "cinecortex.inversion.priors",
    "Smooth": "cinecortex.inversion.smooth",
    "Bounded": "cinecortex.inversion.restricted",
    "Masked": "cinecortex.inversion.restricted",
    "Averaged": "cinecortex.inversion.averaged",
    "Physiology": "cinecortex.physiology.measure",
    "measure_physiology": "cinecortex.physiology.measure",
    "Seed": "cinecortex.seeds",
    "validate": "cinecortex.validating.run",
}

__all__ = [
    "MAP",
    "Averaged",
    "Bounded",
    "Compact",
    "DwiseNeuro",
    "Ensemble",
    "FitSettings",
    "Flat",
    "Identified",
    "Langevin",
    "LinearNonlinearSettings",
    "Masked",
    "Model",
    "Paper",
    "Physiology",
    "Recipe",
    "Sample",
    "Seed",
    "Smooth",
    "Spectral",
    "check_encoder",
    "fit",
    "fit_ensemble",
    "fit_model",
    "load",
    "load_all",
    "load_model",
    "measure_physiology",
    "save_model",
    "validate",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
