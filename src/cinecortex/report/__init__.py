"""One self-contained HTML page that carries the movies and their evidence in the same glance."""

from cinecortex.report import figures
from cinecortex.report.page import (
    Card,
    ClipView,
    Figure,
    Headline,
    Page,
    Panel,
    Raster,
    ScoreRow,
    Trace,
    Verdicts,
    VerdictTable,
)
from cinecortex.report.write import render_page, write_page

__all__ = [
    "Card",
    "ClipView",
    "Figure",
    "Headline",
    "Page",
    "Panel",
    "Raster",
    "ScoreRow",
    "Trace",
    "VerdictTable",
    "Verdicts",
    "figures",
    "render_page",
    "write_page",
]
