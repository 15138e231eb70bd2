"""One figure for each finding: what was measured on every clip, beside the evidence that the verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from cinecortex.finding import Finding
from cinecortex.report.drawing import INK, MUTED, RULE, SERIES, SHEET, STYLE, as_svg, color_of, marker_of
from cinecortex.report.drawn import DRAWN, Columns, Curves, Drawn, Groups, Records, found_at
from cinecortex.report.page import Figure

Table = Float[np.ndarray, "clip column"]


def finding_figure(finding: Finding) -> Figure:
    """What was measured, and the value with its interval, its null and its threshold.

    Args:
        finding: Any; what its ``data`` does not hold is not drawn.
    """
    drawn = DRAWN.get(finding.id)
    there = drawn is not None and _has(finding, drawn)
    size = (6.4, 3.3) if there else (6.4, 1.5)
    with mpl.rc_context(STYLE | {"figure.figsize": size}):
        canvas = Canvas()
        FigureCanvasSVG(canvas)
        if drawn is not None and there:
            measured, evidence = canvas.subplots(1, 2, width_ratios=[2.6, 1])
            _draw(measured, finding, drawn)
            _evidence_upright(evidence, finding)
        else:
            _evidence_flat(canvas.subplots(), finding)
        svg = as_svg(canvas, f"{finding.id}: {finding.metric} {_said(finding.value)}, {finding.verdict}")
    return Figure(finding.metric, _caption(finding, drawn if there else None), svg)


def finding_figures(findings: Sequence[Finding]) -> Mapping[str, str]:
    """SVG markup of every finding's figure, by the id of the finding."""
    return {finding.id: finding_figure(finding).svg for finding in findings}


def _caption(finding: Finding, drawn: Drawn | None) -> str:
    evidence = "Diamond: the value with its interval."
    if _clips(finding).size:
        evidence = "Points: one for each clip. " + evidence
    if finding.null is not None:
        evidence += " Gray band: where it would be if the claim were false."
    if _threshold(finding) is not None:
        evidence += " Dashed: the threshold of the rule."
    if drawn is None:
        return evidence
    left = {
        Columns: "Left: every clip a point, joined by a line.",
        Groups: "Left: every clip a point, by group; the bar is their mean.",
        Curves: "Left: thin, every clip; strong, their mean.",
        Records: "Left: every movie shown a point, by kind; the bar is their mean.",
    }[type(drawn)]
    return f"{left} Right: {evidence[0].lower()}{evidence[1:]}"


def _numbers(content: Any) -> Float[np.ndarray, "..."]:
    """Numbers of any shape, NaN for what was None; empty where there are none."""
    try:
        return np.array(content if content is not None else [], dtype=float)
    except (TypeError, ValueError):
        return np.zeros(0)


def _has(finding: Finding, drawn: Drawn) -> bool:
    if isinstance(drawn, Records):
        return bool(found_at(finding, drawn.records))
    known = [_numbers(found_at(finding, place)) for _, place in drawn.series]
    if isinstance(drawn, Curves):
        return bool(_numbers(found_at(finding, drawn.dose)).size) and any(each.size for each in known)
    return any(np.isfinite(each).any() for each in known)


def _draw(axes: Axes, finding: Finding, drawn: Drawn) -> None:
    if isinstance(drawn, Columns):
        _draw_columns(axes, finding, drawn)
    elif isinstance(drawn, Groups):
        groups = found_at(finding, drawn.by) or []
        _draw_groups(axes, groups, {name: _numbers(found_at(finding, place)) for name, place in drawn.series})
    elif isinstance(drawn, Records):
        _draw_records(axes, found_at(finding, drawn.records), drawn)
    else:
        _draw_curves(axes, finding, drawn)
    axes.set_ylabel(drawn.measure)


def _draw_columns(axes: Axes, finding: Finding, drawn: Columns) -> None:
    series = {name: _numbers(found_at(finding, place)) for name, place in drawn.series}
    series = {name: values for name, values in series.items() if values.ndim == 1 and values.size}
    longest = max(values.size for values in series.values())
    table = np.full((len(series), longest), np.nan)
    for place, values in enumerate(series.values()):
        table[place, : values.size] = values
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if len({values.size for values in series.values()}) == 1:
        axes.plot(np.arange(len(table)), table, color=RULE, linewidth=1.0, zorder=1)
    for place, values in enumerate(table):
        axes.plot(np.full(longest, place), values, marker_of(place), color=color_of(place), markersize=5, alpha=0.8)
        _mean_bar(axes, place, values)
    _name_columns(axes, list(series))
    axes.set_xlim(-0.5, len(series) - 0.5)


def _name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Names under the columns, on as many lines as keep them apart."""
    axes.set_xticks(
        range(len(names)),
        [_wrapped(name, max(8, 44 // len(names))) for name in names],
        fontsize=9 if len(names) < 6 else 8,
    )


def _draw_records(axes: Axes, records: Sequence[Mapping[str, Any]], drawn: Records) -> None:
    groups = [str(record[drawn.by]) for record in records]
    names = dict.fromkeys(str(record[drawn.split]) for record in records)
    series = {
        name: _numbers([record[drawn.value] if record[drawn.split] == name else None for record in records])
        for name in names
    }
    _draw_groups(axes, groups, series)


def _draw_groups(axes: Axes, groups: Sequence[str], series: Mapping[str, Float[np.ndarray, " clip"]]) -> None:
    """Points in the column of their group, several series side by side; what is not known is not drawn."""
    names = list(dict.fromkeys(groups))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    width = 0.7 / len(series)
    for number, (name, values) in enumerate(series.items()):
        for column, group in enumerate(names):
            own = np.array([value for value, of in zip(values, groups, strict=False) if of == group])
            at = column + (number - (len(series) - 1) / 2) * width
            label = name if column == 0 else None
            points: dict[str, Any] = {"color": color_of(number), "markersize": 5, "alpha": 0.8, "label": label}
            axes.plot(np.full(own.size, at), own, marker_of(number), **points)
            _mean_bar(axes, at, own, width=width * 0.8)
    _name_columns(axes, names)
    if len(series) > 1:
        axes.legend(loc="best", fontsize=9, handlelength=1.2)


def _draw_curves(axes: Axes, finding: Finding, drawn: Curves) -> None:
    doses = _numbers(found_at(finding, drawn.dose))
    if drawn.diagonal:
        axes.axline((0, 0), slope=1, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for number, (name, place) in enumerate(drawn.series):
        values = np.atleast_2d(_numbers(found_at(finding, place)))
        _curve(axes, doses, values, number, name)
    if drawn.expected is not None:
        name, place = drawn.expected
        expected = _numbers(found_at(finding, place))
        if expected.size:
            mean = np.nanmean(np.atleast_2d(expected), axis=0)
            axes.plot(
                _mean_dose(doses), mean, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), label=_wrapped(name, 34)
            )
    if drawn.doubling:
        axes.set_xscale("log", base=2)
        axes.set_xticks(_mean_dose(doses), [f"{dose:g}" for dose in _mean_dose(doses)], minor=False)
    if len(drawn.series) > 1 or drawn.expected is not None:
        axes.legend(loc="best", fontsize=8.5, handlelength=1.6)
    axes.set_xlabel(drawn.over)


def _curve(axes: Axes, doses: Float[np.ndarray, "..."], values: Table, number: int, name: str) -> None:
    color = color_of(number)
    for place, row in enumerate(values):
        own = doses if doses.ndim == 1 else doses[place]
        axes.plot(own, row, color=color, linewidth=0.7, alpha=0.35)
    with np.errstate(all="ignore"):
        counted = np.isfinite(values).any(0)
        mean = np.full(values.shape[1], np.nan)
        mean[counted] = np.nanmean(values[:, counted], axis=0)
    axes.plot(
        _mean_dose(doses), mean, marker_of(number), linestyle="-", color=color, linewidth=2, markersize=5, label=name
    )


def _mean_dose(doses: Float[np.ndarray, "..."]) -> Float[np.ndarray, " dose"]:
    return doses if doses.ndim == 1 else doses.mean(0)


def _mean_bar(axes: Axes, at: int | float, values: Float[np.ndarray, " clip"], *, width: float = 0.3) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        axes.plot([at - width / 2, at + width / 2], [known.mean()] * 2, color=INK, linewidth=1.8, zorder=3)


def _clips(finding: Finding) -> Float[np.ndarray, " clip"]:
    """One number for each clip, whose mean is the value; none where what is kept by clip is something else."""
    values = _numbers(finding.data.get("difference"))
    known = values[np.isfinite(values)] if values.ndim == 1 else np.zeros(0)
    low, high = finding.interval
    return known if known.size and low <= known.mean() <= high else np.zeros(0)


def _threshold(finding: Finding) -> float | None:
    """The threshold that the value is held against; None where there is none, or it is that of something else."""
    threshold = finding.data.get("threshold")
    other = bool(_numbers(finding.data.get("difference")).size) and not _clips(finding).size
    return float(threshold) if isinstance(threshold, int | float) and not other else None


def _evidence_upright(axes: Axes, finding: Finding) -> None:
    """Value, interval, null and threshold along the vertical axis."""
    clips = _clips(finding)
    if finding.null is not None and np.isfinite(finding.null.interval).all():
        axes.axhspan(*finding.null.interval, color=RULE, zorder=0)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if (threshold := _threshold(finding)) is not None:
        axes.axhline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    # Spread sideways by their order, so that equal ones are told apart; the same each time.
    aside = (np.arange(clips.size) * 0.618) % 1 * 0.3 - 0.15
    axes.plot(aside, clips, "o", color=MUTED, markersize=4, alpha=0.7)
    if math.isfinite(finding.value):
        if np.isfinite(finding.interval).all():
            axes.plot([0.36] * 2, finding.interval, color=SERIES[0], linewidth=2.6, solid_capstyle="butt")
        axes.plot(0.36, finding.value, "D", color=SERIES[0], markersize=7, markeredgecolor=SHEET, markeredgewidth=0.6)
        at: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center", "color": INK}
        axes.annotate(_said(finding.value), (0.36, finding.value), **at)
    axes.set_xlim(-0.35, 0.85)
    axes.set_xticks([])
    axes.set_ylabel(_wrapped(finding.metric, 30), fontsize=9)
    axes.set_xlabel(f"n = {finding.n} {finding.unit}")


def _evidence_flat(axes: Axes, finding: Finding) -> None:
    """The same along the horizontal axis, where nothing else is drawn."""
    clips = _clips(finding)
    if finding.null is not None and np.isfinite(finding.null.interval).all():
        axes.axvspan(*finding.null.interval, color=RULE, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    if (threshold := _threshold(finding)) is not None:
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(clips, -0.5 + (np.arange(clips.size) * 0.618) % 1 * 0.3, "o", color=MUTED, markersize=4, alpha=0.7)
    if math.isfinite(finding.value):
        if np.isfinite(finding.interval).all():
            axes.plot(finding.interval, [0] * 2, color=SERIES[0], linewidth=2.6, solid_capstyle="butt")
        axes.plot(finding.value, 0, "D", color=SERIES[0], markersize=7, markeredgecolor=SHEET, markeredgewidth=0.6)
        axes.annotate(_said(finding.value), (finding.value, 0), xytext=(0, 7), textcoords="offset points", ha="center")
    axes.set(ylim=(-0.8, 0.7), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(f"{finding.metric}, n = {finding.n} {finding.unit}")


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if math.isfinite(value) else "not known"


def _wrapped(text: str, width: int = 16) -> str:
    """Words on lines of about ``width`` letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
