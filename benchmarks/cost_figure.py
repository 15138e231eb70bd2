"""The figure of benchmarks/cost.py: a row for each mouse; passes on the left, seconds on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b07d00", "#555555", "#332288", "#882255")
MARKERS = ("o", "s", "^", "v", "P", "X", "D", "*")
LABELS = (
    "frame-passes of a clip (dashed: needs none)",
    "seconds of a clip (open: with what is made once)",
)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cinecortex",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dad6cc",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


class Place(Protocol):
    """A point of a curve."""

    @property
    def passes(self) -> float:
        """Frame-passes of a clip."""
        ...

    @property
    def seconds(self) -> float:
        """Seconds of a clip."""
        ...

    @property
    def score(self) -> float:
        """Movie correlation."""
        ...


class Method(Protocol):
    """A method with its curve."""

    method: str
    fitting_seconds: float
    curves: list[Any]

    def means(self) -> Sequence[Place]:
        """Mean over clips."""
        ...


def draw(path: Path, mice: Mapping[str, Sequence[Any]]) -> Figure:
    """Write the figure as SVG. Same numbers, same bytes.

    Args:
        path: File to write.
        mice: Methods by the title of their row, in the same order in every row.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.6 * len(mice) + 0.6), layout="constrained")
        grid = figure.subplots(len(mice), 2, squeeze=False, sharey="row")
        for (title, methods), axes in zip(mice.items(), grid, strict=True):
            for number, method in enumerate(methods):
                style = {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)], "ms": 4.5}
                _passes(axes[0], method, style)
                _seconds(axes[1], method, style)
            axes[0].set_ylabel(f"{title}\nmovie correlation")
        for axes, label in zip(grid[-1], LABELS, strict=True):
            axes.set_xlabel(label)
        handles, labels = grid[0][1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        FigureCanvasSVG(figure).print_svg(unfinished, metadata={"Date": None})
        unfinished.replace(path)
    return figure


def _passes(axes: Axes, method: Method, style: Mapping[str, Any]) -> None:
    axes.set_xscale("log")
    means = method.means()
    if means[-1].passes > 0:
        axes.plot([p.passes for p in means], [p.score for p in means], **style)
    else:
        # No pass at all: the logarithmic axis has no place for it, so it is a level across.
        axes.axhline(means[-1].score, color=style["color"], linestyle="--", linewidth=1.2)


def _seconds(axes: Axes, method: Method, style: Mapping[str, Any]) -> None:
    axes.set_xscale("log")
    means = method.means()
    axes.plot([p.seconds for p in means], [p.score for p in means], label=method.method, **style)
    share = method.fitting_seconds / len(method.curves)
    if len(means) == 1 and share > 0:
        # Open: what was made once is charged to the clips in equal shares.
        seconds = [means[0].seconds, means[0].seconds + share]
        axes.plot(seconds, [means[0].score] * 2, color=style["color"], linewidth=0.8, linestyle=":")
        axes.plot(seconds[1:], [means[0].score], **{**style, "markerfacecolor": "none"})
