"""Findings on disk: ``findings.json``, as `cinecortex validate` writes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinecortex.data.faults import Fault
from cinecortex.finding import Finding, Null

FINDINGS = "findings.json"
SCHEMA = "cinecortex.findings/1"


@dataclass(frozen=True, eq=False)
class Findings:
    """The content of the file.

    Attributes:
        findings: In the order of the suite.
        content: Everything that the file says.
    """

    findings: tuple[Finding, ...]
    content: Mapping[str, Any]


def read_findings(folder: Path) -> Findings:
    """Read ``findings.json`` of a folder; numbers that JSON could not hold are NaN again.

    Raises:
        BadData: it is not there, or cannot be what it claims to be.
    """
    path = folder / FINDINGS
    remedy = "run cinecortex validate again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fault(path, f"cannot be read ({error.strerror})", "name a folder that validate wrote") from error
    except ValueError as error:
        raise Fault(path, "is not valid JSON", remedy) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise Fault(path, f"does not say that it is {SCHEMA}", remedy)
    try:
        return Findings(tuple(_finding(each) for each in content["findings"]), content)
    except (KeyError, TypeError, ValueError) as error:
        raise Fault(path, f"has a finding that cannot be read ({error!r})", remedy) from error


def _finding(stored: Mapping[str, Any]) -> Finding:
    null = stored["null"]
    return Finding(
        **{
            **stored,
            "value": _number(stored["value"]),
            "interval": _interval(stored["interval"]),
            "null": None if null is None else Null(_number(null["value"]), _interval(null["interval"])),
        }
    )


def _interval(ends: Any) -> tuple[float, float]:
    low, high = ends
    return _number(low), _number(high)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
