"""The answer to one question about a reconstruction, with its evidence whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["supported", "refuted", "undecided"]
"""The claim is phrased so that ``supported`` is good news for the reconstruction."""


@dataclass(frozen=True)
class Null:
    """What the metric is when the claim is false: a value and an interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Finding:
    """One question, answered.

    Attributes:
        id: Name of the check, such as ``controls.no_neurons``.
        claim: What ``supported`` would mean, in one sentence.
        verdict: ``supported``, ``refuted`` or ``undecided``.
        metric: Name of the quantity measured.
        value: Its value.
        interval: Interval of ``value`` at ``level``.
        level: Coverage of the interval, such as 0.95.
        n: Number of independent units behind the value.
        unit: What was counted in ``n``, such as ``clip``.
        rule: The threshold, in words, fixed before the run.
        null: The metric where the claim is false, or None.
        p: p-value against the null, or None.
        notes: What a careful reader should know.
        data: The numbers behind the figure.
    """

    id: str
    claim: str
    verdict: Verdict
    metric: str
    value: float
    interval: tuple[float, float]
    level: float
    n: int
    unit: str
    rule: str
    null: Null | None = None
    p: float | None = None
    notes: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The finding as ``findings.json`` stores it."""
        return asdict(self)

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"Finding({self.id}: {self.verdict}; {self.metric} = {self.value:.3f} [{low:.3f}, {high:.3f}], "
            f"n = {self.n} {self.unit})"
        )


def plain(content: Any) -> Any:
    """The same content with None for every number that JSON cannot hold (infinite, or not a number)."""
    if isinstance(content, Mapping):
        return {key: plain(item) for key, item in content.items()}
    if isinstance(content, list | tuple):
        return [plain(item) for item in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
