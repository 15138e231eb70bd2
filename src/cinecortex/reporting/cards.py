"""Findings as cards: what each means for a reader, in one sentence."""

from __future__ import annotations

from cinecortex.finding import Finding
from cinecortex.report import Card
from cinecortex.report.finding_figures import finding_figure
from cinecortex.validation.deep import DEEP
from cinecortex.validation.suite import SUITE

STATES = {entry.id: entry.states for entry in (*SUITE, *DEEP)}


def card(finding: Finding) -> Card:
    """The finding with its figure and its meaning."""
    return Card(finding, meaning(finding), finding_figure(finding))


def meaning(finding: Finding) -> str:
    """What a reader may take from it; nothing where the check is none of ours."""
    states = STATES.get(finding.id)
    if states is None:
        return ""
    if finding.verdict == "supported":
        return f"It may be claimed that {states}."
    if finding.verdict == "refuted":
        return f"It may not be claimed that {states}."
    needed = finding.data.get("needed")
    more = f"; about {needed:,} independent clips would decide" if isinstance(needed, int) else ""
    return f"Whether {states} stays open{more}."
