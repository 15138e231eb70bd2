"""Figures of the report as SVG text, from plain numbers. Same numbers, same bytes.

Colors are CSS variables of the page with their light values as fallback, so a figure follows the page into the dark and
still stands alone. Every series has a marker of its own besides its color (Okabe and Ito's palette, darkened where it
would be too faint on white).
"""

import hashlib
import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.tensors import Mask, PerNeuron

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


def scores_by_clip(
    scores: Mapping[str, Sequence[float]], *, metric: str, means: Mapping[str, Interval] | None = None
) -> str:
    """Every clip a point, every method a column; a thin line follows a clip from method to method.

    Args:
        scores: One value per clip for every method, the same clips in the same order; NaN is not drawn.
        metric: Name of the vertical axis.
        means: Mean and interval per method, drawn beside the points.

    Returns:
        SVG markup.

    Raises:
        WrongUse: there is no method, or methods differ in the number of clips.
    """
    _same_length(scores, "clips")
    table = np.array(list(scores.values()), dtype=float)
    with mpl.rc_context(STYLE):
        figure, axes = _figure()
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.plot(np.arange(len(table)), table, color=RULE, linewidth=1.1, zorder=1)
        for i, (method, values) in enumerate(zip(scores, table, strict=True)):
            axes.plot(np.full(len(values), i), values, _marker(i), color=_color(i), markersize=5.5, alpha=0.8)
            if means and method in means:
                _interval_bar(axes, i + 0.2, means[method], _color(i))
        axes.set_xticks(range(len(table)), [m.replace(" ", "\n", 1) for m in scores])
        axes.set_xlim(-0.45, len(table) - 0.4)
        axes.set_ylabel(metric)
        return _svg(figure, f"{metric} of every clip for {', '.join(scores)}")


def scores_by_mask(thresholds: Sequence[float], scores: Mapping[str, Sequence[float]], *, metric: str) -> str:
    """Score over the least mask weight of the pixels counted; 0 is the full field.

    Args:
        thresholds: Least mask weights, ascending.
        scores: One value per threshold for every method; NaN is not drawn.
        metric: Name of the vertical axis.

    Returns:
        SVG markup.

    Raises:
        WrongUse: there is no method, or a method lacks a threshold.
    """
    _same_length({**scores, "": thresholds}, "thresholds")
    with mpl.rc_context(STYLE):
        figure, axes = _figure()
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for i, (method, values) in enumerate(scores.items()):
            axes.plot(
                thresholds,
                values,
                _marker(i),
                linestyle="-",
                color=_color(i),
                markersize=5,
                linewidth=1.6,
                label=method,
            )
        axes.set_xticks(thresholds, ["full\nfield" if t == 0 else f"{t:g}" for t in thresholds])
        axes.set_xlabel("least mask weight of a pixel that counts")
        axes.set_ylabel(metric)
        _legend(figure, len(scores))
        return _svg(figure, f"{metric} over mask thresholds for {', '.join(scores)}")


def encoder_against_ceiling(correlation: PerNeuron, ceiling: PerNeuron) -> str:
    """Each neuron's correlation of rate and response against its noise ceiling; on the line an encoder is perfect.

    Args:
        correlation: From `cinecortex.metrics.response_correlation`; NaN is not drawn.
        ceiling: From `cinecortex.metrics.noise_ceiling`, same neurons.

    Returns:
        SVG markup. More than 2,000 neurons are thinned evenly, which the axis says.

    Raises:
        WrongUse: no neuron has both numbers.
    """
    x, y = (values.detach().cpu().double().numpy() for values in (ceiling, correlation))
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if not x.size:
        raise WrongUse("no neuron has both a correlation and a noise ceiling; give clips that repeat.")
    shown = np.unique(np.linspace(0, x.size - 1, min(x.size, 2000)).round().astype(int))
    with mpl.rc_context(STYLE | {"figure.figsize": (6.0, 4.4), "axes.grid.axis": "both"}):
        figure, axes = _figure()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(x[shown], y[shown], "o", color=SERIES[0], markersize=3.2, alpha=0.45, markeredgewidth=0)
        axes.plot(np.median(x), np.median(y), "D", color=SERIES[1], markersize=8, markeredgecolor=SHEET)
        axes.annotate(
            f"median {np.median(y):.2f} of {np.median(x):.2f}",
            (np.median(x), np.median(y)),
            xytext=(0.97, 0.06),
            textcoords="axes fraction",
            ha="right",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.8, "shrinkB": 6},
        )
        axes.set(xlim=(0, 1), ylim=(min(0.0, math.floor(10 * y.min()) / 10), 1))
        thinned = f", {len(shown):,} of {x.size:,} neurons" if len(shown) < x.size else f", {x.size:,} neurons"
        axes.set_xlabel(f"noise ceiling of one presentation{thinned}")
        axes.set_ylabel("correlation of rate and response")
        return _svg(figure, "encoder's correlation against the noise ceiling of every neuron")


def learning_curves(curves: Mapping[str, Sequence[float]]) -> str:
    """Score on the select clips after each epoch of a fit; the best epoch, whose weights were kept, is ringed.

    Args:
        curves: One value per epoch for every fit (a session, or a member of an ensemble); NaN is not drawn.

    Returns:
        SVG markup.

    Raises:
        WrongUse: there is no fit, or one without an epoch.
    """
    if not curves or not all(len(values) for values in curves.values()):
        raise WrongUse("there is no epoch to draw.")
    with mpl.rc_context(STYLE):
        figure, axes = _figure()
        for i, (name, values) in enumerate(curves.items()):
            epochs = range(1, len(values) + 1)
            axes.plot(
                epochs, values, _marker(i), linestyle="-", color=_color(i), markersize=4, linewidth=1.6, label=name
            )
            known = [(value, epoch) for epoch, value in zip(epochs, values, strict=True) if not math.isnan(value)]
            if known:
                value, epoch = max(known)
                axes.plot([epoch], [value], "o", markersize=11, fillstyle="none", color=_color(i))
        axes.set_xlabel("epoch")
        axes.set_ylabel("correlation on select clips")
        _legend(figure, len(curves))
        return _svg(figure, f"correlation on select clips after each epoch for {', '.join(curves)}")


def mask_picture(mask: Mask, scored: Bool[Tensor, "height width"] | None = None) -> str:
    """Where the population can see, with the border of the pixels that are scored.

    Args:
        mask: Weight per pixel 0..1, ``height width``.
        scored: Pixels that scores count, or None.

    Returns:
        SVG markup.
    """
    height, width = mask.shape
    # One hue from the page's gray to blue: readable on light and dark alike, and in gray print.
    colors = LinearSegmentedColormap.from_list("weight", ["#e9e6de", "#56b4e9", "#08306b"])
    size = (6.0, max(1.6, 5.2 * height / width))
    with mpl.rc_context(STYLE | {"figure.figsize": size, "axes.grid": False}):
        figure, axes = _figure()
        image = axes.imshow(
            mask.detach().cpu().numpy(),
            cmap=colors,
            vmin=0,
            vmax=1,
            interpolation="none",
            extent=(0, width, height, 0),
        )
        if scored is not None:
            _border(axes, scored.cpu().numpy())
        axes.set(xticks=[0, width], yticks=[0, height], xlabel="pixels")
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.03, ticks=[0, 0.5, 1])
        bar.set_label("mask weight")
        bar.outline.set_visible(False)
        return _svg(figure, "mask weight of every pixel")


def _figure() -> tuple[Figure, Axes]:
    figure = Figure()
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _color(i: int) -> str:
    return SERIES[i % len(SERIES)]


def _marker(i: int) -> str:
    return MARKERS[i % len(MARKERS)]


def _legend(figure: Figure, entries: int) -> None:
    figure.legend(loc="outside upper left", ncols=min(entries, 4), handlelength=1.8, columnspacing=1.4)


def _interval_bar(axes: Axes, x: float, interval: Interval, color: str) -> None:
    if not math.isnan(interval.low):
        axes.plot([x, x], [interval.low, interval.high], color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot(x, interval.value, "D", color=color, markersize=5, markeredgecolor=SHEET, markeredgewidth=0.6)
    axes.annotate(f"{interval.value:.2f}", (x, interval.value), xytext=(7, 0), textcoords="offset points", va="center")


def _border(axes: Axes, scored: Bool[np.ndarray, "height width"]) -> None:
    padded = np.pad(scored.astype(np.int8), 1)
    rows, columns = np.nonzero(np.diff(padded, axis=0)[:, 1:-1])
    axes.hlines(rows, columns, columns + 1, color=SERIES[1], linewidth=1.4)
    rows, columns = np.nonzero(np.diff(padded, axis=1)[1:-1])
    axes.vlines(columns, rows, rows + 1, color=SERIES[1], linewidth=1.4)


def _same_length(series: Mapping[str, Sequence[float]], of: str) -> None:
    lengths = {len(values) for values in series.values()}
    if len(lengths) != 1:
        raise WrongUse(f"a figure needs methods with equal numbers of {of}, not {sorted(lengths)}.")


def _svg(figure: Figure, label: str) -> str:
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
