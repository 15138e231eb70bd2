"""SVG: one figure for each finding, as the report draws it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cinecortex.exports.provenance import provenance
from cinecortex.finding import Finding

STANDING_ALONE = 'xmlns="http://www.w3.org/2000/svg"'


def write_svg(path: Path, figure: str, finding: Finding, about: Mapping[str, Any]) -> None:
    """Write a figure with what it shows and where it comes from as its metadata.

    Args:
        path: The file to write.
        figure: Markup from `cinecortex.report`.
        finding: What it shows.
        about: What ``findings.json`` says beside the findings.
    """
    shown = {name: value for name, value in finding.to_json().items() if name != "data"}
    told = html.escape(provenance("svg", about, finding=shown))
    head, close, rest = figure.partition(">")
    if STANDING_ALONE not in head:
        head += f" {STANDING_ALONE}"
    path.write_text(f"{head}{close}<metadata>{told}</metadata>{rest}\n", encoding="utf-8")
