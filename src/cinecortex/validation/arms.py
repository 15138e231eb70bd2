"""Several comparisons that must all hold: the weakest one speaks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cinecortex.finding import Finding, Verdict
from cinecortex.metrics.holm import holm

_FROM_WORST: tuple[Verdict, ...] = ("refuted", "undecided", "supported")


def weakest(findings: Mapping[str, Finding]) -> Finding:
    """The finding that holds least, with the p-value of the claim that all of them hold.

    That claim is false if one of them is, so its p-value is the largest (intersection-union test, Berger 1982,
    Technometrics 24:295) and needs no correction. ``data`` tells of each: its verdict, value and interval, its p-value
    alone and corrected for their number (Holm), and what lies behind it.

    Args:
        findings: One for each comparison, by its name; at least one.
    """
    name = min(findings, key=lambda name: _standing(findings[name]))
    corrected = holm({name: 1.0 if one.p is None else one.p for name, one in findings.items()})
    arms = {
        arm: {
            "verdict": one.verdict,
            "value": one.value,
            "interval": list(one.interval),
            "n": one.n,
            "p": one.p,
            "p, Holm": corrected[arm],
            **one.data,
        }
        for arm, one in findings.items()
    }
    p = max((one.p for one in findings.values() if one.p is not None), default=None)
    notes = " ".join(filter(None, (f"The weakest comparison is that with {name}.", findings[name].notes)))
    data = {**findings[name].data, "weakest": name, "arms": arms}
    return replace(findings[name], p=p, notes=notes, data=data)


def _standing(finding: Finding) -> tuple[int, float]:
    """First the verdict, then the value; a comparison with nothing to compare comes after those with something."""
    return _FROM_WORST.index(finding.verdict), finding.value if finding.value == finding.value else float("inf")
