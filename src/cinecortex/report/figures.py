"""Figures of the report as SVG text, from plain numbers. Same numbers, same bytes."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.report.drawing import (
    MUTED,
    RULE,
    SERIES,
    SHEET,
    STYLE,
    as_svg,
    color_of,
    interval_bar,
    legend,
    marker_of,
    one_axes,
)
from cinecortex.tensors import Mask, PerNeuron


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
        figure, axes = one_axes()
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.plot(np.arange(len(table)), table, color=RULE, linewidth=1.1, zorder=1)
        for i, (method, values) in enumerate(zip(scores, table, strict=True)):
            axes.plot(np.full(len(values), i), values, marker_of(i), color=color_of(i), markersize=5.5, alpha=0.8)
            if means and method in means:
                interval_bar(axes, i + 0.2, means[method], color_of(i))
        axes.set_xticks(range(len(table)), [m.replace(" ", "\n", 1) for m in scores])
        axes.set_xlim(-0.45, len(table) - 0.4)
        axes.set_ylabel(metric)
        return as_svg(figure, f"{metric} of every clip for {', '.join(scores)}")


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
        figure, axes = one_axes()
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for i, (method, values) in enumerate(scores.items()):
            axes.plot(
                thresholds,
                values,
                marker_of(i),
                linestyle="-",
                color=color_of(i),
                markersize=5,
                linewidth=1.6,
                label=method,
            )
        axes.set_xticks(thresholds, ["full\nfield" if t == 0 else f"{t:g}" for t in thresholds])
        axes.set_xlabel("least mask weight of a pixel that counts")
        axes.set_ylabel(metric)
        legend(figure, len(scores))
        return as_svg(figure, f"{metric} over mask thresholds for {', '.join(scores)}")


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
        figure, axes = one_axes()
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
        return as_svg(figure, "encoder's correlation against the noise ceiling of every neuron")


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
        figure, axes = one_axes()
        for i, (name, values) in enumerate(curves.items()):
            epochs = range(1, len(values) + 1)
            axes.plot(
                epochs, values, marker_of(i), linestyle="-", color=color_of(i), markersize=4, linewidth=1.6, label=name
            )
            known = [(value, epoch) for epoch, value in zip(epochs, values, strict=True) if not math.isnan(value)]
            if known:
                value, epoch = max(known)
                axes.plot([epoch], [value], "o", markersize=11, fillstyle="none", color=color_of(i))
        axes.set_xlabel("epoch")
        axes.set_ylabel("correlation on select clips")
        legend(figure, len(curves))
        return as_svg(figure, f"correlation on select clips after each epoch for {', '.join(curves)}")


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
        figure, axes = one_axes()
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
        return as_svg(figure, "mask weight of every pixel")


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
