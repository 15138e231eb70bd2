"""From a result or findings to files, in the format that is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from cinecortex.data.findings import FINDINGS, Findings, read_findings
from cinecortex.errors import WrongUse
from cinecortex.exports.av1 import write_av1
from cinecortex.exports.clip import MOVIE, Clip, Result
from cinecortex.exports.csv_table import write_csv, write_sidecar
from cinecortex.exports.gif import write_gif
from cinecortex.exports.mp4 import write_mp4
from cinecortex.exports.nwb import write_nwb
from cinecortex.exports.png import write_png
from cinecortex.exports.provenance import refuse_unless_ours, replacing, sidecar
from cinecortex.exports.svg import write_svg
from cinecortex.exports.tiff import write_tiff
from cinecortex.report.finding_figures import finding_figures

Format = Literal["mp4", "av1", "gif", "tiff", "png", "nwb", "csv", "svg"]
Progress = Callable[[int, int, str], None]
OF_FINDINGS = ("csv", "svg")
ENDINGS: Mapping[Format, tuple[str, ...]] = {
    "mp4": (".mp4",),
    "av1": (".mp4",),
    "gif": (".gif",),
    "tiff": (".tif", ".tiff"),
    "png": (".png",),
    "nwb": (".nwb",),
    "csv": (".csv",),
    "svg": (".svg",),
}
FORMATS: tuple[Format, ...] = tuple(ENDINGS)


@dataclass(frozen=True)
class Request:
    """What is exported, and how.

    Attributes:
        trials: Ids of trials; None for all.
        variable: What of each pixel; None for the movie, and for NWB everything there is.
        scale: Times that a pixel is enlarged; None for what can be watched (TIFF: not at all).
        top: The value drawn as white; None for 1, and 0.25 for standard deviations.
        bits: Of a TIFF: 8 for gray levels, 32 for the numbers as stored.
        lossless: Of a video: every level exactly.
        frame_rate_hz: Of a result that does not say its own.
    """

    trials: Sequence[str] | None = None
    variable: str | None = None
    scale: int | None = None
    top: float | None = None
    bits: Literal[8, 32] = 8
    lossless: bool = False
    frame_rate_hz: float | None = None


def export(
    source: Path,
    kind: str,
    out: Path,
    *,
    request: Request = Request(),
    progress: Progress = lambda done, total, message: None,
) -> list[Path]:
    """Write files, each whole or not at all; what anything else wrote is never overwritten.

    Args:
        source: A result (.zarr); for ``csv`` and ``svg`` a folder with ``findings.json``.
        kind: One of `FORMATS`.
        out: One file, if it ends as files of this format do; otherwise a folder, with one file for each trial
            (``svg``: for each finding). Of several trials only NWB makes one file.
        request: What, and how.
        progress: Told of every file.

    Returns:
        The files written.

    Raises:
        WrongUse: what is asked for is not there, several trials do not go into one file, or something else lies at
            ``out``.
        BadData: the source is not what it should be, or ``out`` cannot be written.
    """
    if kind not in FORMATS:
        (nearest,) = difflib.get_close_matches(kind, FORMATS, n=1, cutoff=0.0)
        raise WrongUse(f"--format {kind!r} is unknown; the nearest is {nearest!r}, and there are {', '.join(FORMATS)}.")
    if kind in OF_FINDINGS:
        jobs = _of_findings(source, kind, out)
    else:
        jobs = _of_result(Result.open(source, request.frame_rate_hz), kind, out, request)
    for path in jobs:
        refuse_unless_ours(path, kind)
    for number, (path, write) in enumerate(jobs.items(), 1):
        with replacing(path) as unfinished:
            write(unfinished)
        progress(number, len(jobs), path.name)
    return list(jobs)


Write = Callable[[Path], None]
"""Writes one file under the name that it is given."""


def _of_result(result: Result, kind: Format, out: Path, request: Request) -> dict[Path, Write]:
    """What is to be written where; nothing is read before its turn but what may refuse it."""
    places = result.places(request.trials)
    result.refuse(places, request.variable or MOVIE)
    if kind == "nwb":
        wanted = result.variables if request.variable is None else (request.variable,)

        def nwb(places: Sequence[int], path: Path) -> None:
            write_nwb(path, [c for place in places for c in _clips(result, place, wanted, request)])

        if out.suffix.lower() in ENDINGS[kind]:
            return {out: partial(nwb, places)}
        return {out / f"{_name(result, place)}.nwb": partial(nwb, [place]) for place in places}

    def movie(place: int, path: Path) -> None:
        write = _writer(kind, request)
        write(path, result.clip(place, request.variable or MOVIE, request.top))

    if out.suffix.lower() not in ENDINGS[kind]:
        ending = f".av1{ENDINGS[kind][0]}" if kind == "av1" else ENDINGS[kind][0]
        about = "" if request.variable in (None, MOVIE) else f"-{request.variable}"
        return {out / f"{_name(result, place)}{about}{ending}": partial(movie, place) for place in places}
    if len(places) > 1:
        raise WrongUse(
            f"{result.path} holds {len(places)} of the trials asked for, and {out} is one file; name a folder with "
            "--out, or one trial with --trials."
        )
    return {out: partial(movie, places[0])}


def _clips(result: Result, place: int, variables: Sequence[str], request: Request) -> list[Clip]:
    """The variables that this trial has; the movie it always has."""
    here = [name for name in variables if len(variables) == 1 or result.has(place, name)]
    return [result.clip(place, name, request.top) for name in here]


def _writer(kind: Format, request: Request) -> Callable[[Path, Clip], None]:
    if kind == "mp4":
        return partial(write_mp4, scale=request.scale, lossless=request.lossless)
    if kind == "av1":
        return partial(write_av1, scale=request.scale, lossless=request.lossless)
    if kind == "tiff":
        return partial(write_tiff, scale=request.scale, bits=request.bits)
    return partial(write_gif if kind == "gif" else write_png, scale=request.scale)


def _name(result: Result, place: int) -> str:
    """Name of a file: of the session too where there are several; whatever an id holds, it stays in the folder."""
    several = len(set(result.sessions)) > 1
    trial = f"trial-{quote(result.trials[place], safe='')}"
    return f"{quote(result.sessions[place], safe='')}-{trial}" if several else trial


def _of_findings(source: Path, kind: Format, out: Path) -> dict[Path, Write]:
    if (source / "zarr.json").exists():
        raise WrongUse(f"{source} is a result, and {kind} is of findings; name the folder that holds {FINDINGS}.")
    found = read_findings(source)
    return _table(found, out) if kind == "csv" else _figures(found, out)


def _table(found: Findings, out: Path) -> dict[Path, Write]:
    path = out if out.suffix.lower() in ENDINGS["csv"] else out / "findings.csv"
    # What lies beside the table goes first: by it the table is known again.
    return {sidecar(path): partial(write_sidecar, found=found), path: partial(write_csv, found=found)}


def _figures(found: Findings, out: Path) -> dict[Path, Write]:
    if out.suffix.lower() in ENDINGS["svg"]:
        raise WrongUse(f"{out} is one file, and there is a figure for each finding; name a folder with --out.")
    about = {name: value for name, value in found.content.items() if name != "findings"}
    figures = finding_figures(found.findings)
    return {
        out / f"{quote(one.id, safe='')}.svg": partial(write_svg, figure=figures[one.id], finding=one, about=about)
        for one in found.findings
    }
