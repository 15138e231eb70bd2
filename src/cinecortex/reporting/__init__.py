"""Findings and what was kept beside them, laid out on one page: no recording, no encoder, no accelerator needed."""

from cinecortex.reporting.gathered import Gathered, gather
from cinecortex.reporting.report import compose, report

__all__ = ["Gathered", "compose", "gather", "report"]
