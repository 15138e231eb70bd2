"""One figure for each finding."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np

from cinecortex.finding import Finding
from cinecortex.report.figures import INK, MUTED, SERIES, SHEET, STYLE, _figure, _svg


def finding_figures(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Value, interval and null of each finding, as far as they are known.

    Args:
        findings: In any order.

    Returns:
        SVG markup by the id of the finding.
    """
    return {finding.id: _forest(finding) for finding in findings}


def _forest(finding: Finding) -> str:
    """The value with its interval, and below it the null with its own."""
    rows = [(finding.metric, finding.value, finding.interval, SERIES[0], "D")]
    if finding.null is not None:
        rows.append(("if the claim were false", finding.null.value, finding.null.interval, SERIES[1], "s"))
    with mpl.rc_context(STYLE | {"figure.figsize": (6.0, 0.9 + 0.5 * len(rows)), "axes.grid.axis": "x"}):
        figure, axes = _figure()
        for place, (_, value, (low, high), color, marker) in enumerate(rows):
            if np.isfinite([low, high]).all():
                axes.plot([low, high], [place, place], color=color, linewidth=2.6, solid_capstyle="butt")
            if np.isfinite(value):
                axes.plot(value, place, marker, color=color, markersize=7, markeredgecolor=SHEET, markeredgewidth=0.6)
                text = f"{value:.3g}"
            else:
                text = "not known"
            at = value if np.isfinite(value) else 0.0
            axes.annotate(text, (at, place), xytext=(0, 7), textcoords="offset points", ha="center", color=INK)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.7)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{finding.level * 100:g} % interval, n = {finding.n} {finding.unit}; {finding.verdict}")
        return _svg(figure, f"{finding.id}: {finding.metric} {finding.value:.3g}, {finding.verdict}")
