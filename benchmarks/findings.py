"""The findings of a validation as a page of docs/results/.

    cinecortex validate RECORDING --encoder ENCODER --out out/validated
    python benchmarks/findings.py out/validated/findings.json --title "..." --command "cinecortex validate ..."

The page holds the sentence and a row for each check; the numbers behind the figures stay in findings.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import publish, remarks, table

ABOUT = "Intervals of 95 %; rules fixed before the run."


def number(value: float | None) -> str:
    """As tables show it; what could not be estimated is a dash."""
    return "-" if value is None else f"{value:.3f}"


def row(finding: Mapping[str, Any]) -> list[str]:
    """One check."""
    low, high = (number(end) for end in finding["interval"])
    null = "" if finding["null"] is None else number(finding["null"]["value"])
    p = "" if finding["p"] is None else f"{finding['p']:.2g}"
    evidence = [f"{number(finding['value'])} [{low}, {high}]", null, p, f"{finding['n']} {finding['unit']}"]
    return [f"`{finding['id']}`", finding["verdict"], finding["metric"], *evidence]


def lines_of(content: Mapping[str, Any]) -> list[str]:
    """Sentence, table and notes."""
    header = ["check", "verdict", "metric", "value", "null", "p", "n"]
    notes = [f"`{finding['id']}`: {finding['notes']}" for finding in content["findings"] if finding["notes"]]
    notes += [f"`{name}` was not asked: {why}." for name, why in content["not_asked"].items()]
    recording = content["recording"]
    what = f"{'Simulated' if recording['simulated'] else 'Recorded'}: {recording['neurons']} neurons"
    judged = f"{what}; {len(recording['judged'])} clips judged; method {content['method']['name']}."
    verdict = f"**{content['summary']['verdict'].capitalize()}.** {content['summary']['sentence']}"
    return [judged, "", verdict, "", *table(header, [row(finding) for finding in content["findings"]]), *remarks(notes)]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("findings", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True, help="what made the findings")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    content = json.loads(options.findings.read_text(encoding="utf-8"))
    publish(options.out, options.title, lines_of(content), command=options.command, about=ABOUT)


if __name__ == "__main__":
    main()
