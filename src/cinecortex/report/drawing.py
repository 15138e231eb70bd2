"""What all figures of the report share: their look, and how they become text. Same numbers, same bytes.

Colors are CSS variables of the page with their light values as fallback, so a figure follows the page into the dark and
still stands alone. Every series has a marker of its own besides its color (Okabe and Ito's palette, darkened where it
would be too faint on white).
"""

import hashlib
import html
import io
import math
import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cinecortex.metrics import Interval

INK, MUTED, RULE, SHEET = "#1d1c1a", "#5a5751", "#dad6cc", "#fbfaf7"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b07d00", "#555555")
MARKERS = ("o", "s", "^", "v", "P", "X")
VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", SHEET: "--paper"} | {
    color: f"--series-{i + 1}" for i, color in enumerate(SERIES)
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cinecortex",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "figure.figsize": (6.0, 3.7),
    "figure.constrained_layout.use": True,
}


def one_axes() -> tuple[Figure, Axes]:
    """A figure with one axes."""
    figure = Figure()
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def color_of(i: int) -> str:
    """The color of a series, by its number."""
    return SERIES[i % len(SERIES)]


def marker_of(i: int) -> str:
    """The marker of a series, by its number."""
    return MARKERS[i % len(MARKERS)]


def legend(figure: Figure, entries: int) -> None:
    """The names of the series above the axes."""
    figure.legend(loc="outside upper left", ncols=min(entries, 4), handlelength=1.8, columnspacing=1.4)


def interval_bar(axes: Axes, x: float, interval: Interval, color: str) -> None:
    """A diamond at the value on its interval, with the number beside it."""
    if not math.isnan(interval.low):
        axes.plot([x, x], [interval.low, interval.high], color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot(x, interval.value, "D", color=color, markersize=5, markeredgecolor=SHEET, markeredgewidth=0.6)
    axes.annotate(f"{interval.value:.2f}", (x, interval.value), xytext=(7, 0), textcoords="offset points", va="center")


def as_svg(figure: Figure, label: str) -> str:
    """The figure as markup to stand in a page: no prolog, no date, no ids but those it refers to itself."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    # matplotlib names a marker by its shape, so two figures of one page would share ids.
    own = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>f{own}-", text)
    text = re.sub(r'<svg width="[^"]*" height="[^"]*"', "<svg", text, count=1)
    text = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 var(--sans, sans-serif)", text)
    for color, variable in VARIABLES.items():
        text = text.replace(f": {color}", f": var({variable}, {color})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1).strip()
