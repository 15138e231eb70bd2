"""Validation as a study runs it: who is judged, what is asked of whom, and the findings on disk."""

from cinecortex.validating.run import Options, Validation, validate

__all__ = ["Options", "Validation", "validate"]
