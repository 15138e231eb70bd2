"""CSV of findings: a row for each, for a spreadsheet or a data frame; where they come from lies beside it as JSON."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from cinecortex.data.findings import Findings
from cinecortex.exports.provenance import provenance
from cinecortex.finding import Finding

COLUMNS = (
    *("id", "claim", "verdict", "metric", "value", "low", "high", "level", "n", "unit"),
    *("null_value", "null_low", "null_high", "p", "rule", "notes"),
    *("session_id", "method", "simulated", "consent"),
)


def write_csv(path: Path, found: Findings) -> None:
    """Write one row for each finding, in their order; what is not known is an empty cell.

    Args:
        path: The file to write.
        found: From `read_findings`.
    """
    path.write_text(csv_text(found), encoding="utf-8", newline="")


def csv_text(found: Findings) -> str:
    """The same as text, lines ended by a line feed."""
    about = found.content
    recording = about["recording"]
    same = [
        recording["session_id"],
        about["method"]["name"],
        str(recording["simulated"]).lower(),
        recording.get("consent", ""),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in found.findings:
        writer.writerow([*_cells(finding), *same])
    return text.getvalue()


def write_sidecar(path: Path, found: Findings) -> None:
    """Write what `write_csv` could not: everything in ``findings.json`` but the findings."""
    about = {name: value for name, value in found.content.items() if name != "findings"}
    path.write_text(provenance("csv", about), encoding="ascii")


def _cells(finding: Finding) -> list[str | int]:
    null = finding.null
    nulls = (math.nan, math.nan, math.nan) if null is None else (null.value, *null.interval)
    return [
        *(finding.id, finding.claim, finding.verdict, finding.metric),
        *(_number(value) for value in (finding.value, *finding.interval, finding.level)),
        *(finding.n, finding.unit),
        *(_number(value) for value in nulls),
        *("" if finding.p is None else _number(finding.p), finding.rule, finding.notes),
    ]


def _number(value: float) -> str:
    """All its digits; nothing where it is not a number."""
    return "" if math.isnan(value) else repr(value)
