"""Commands that hand results on: as files for other programs, and to a browser on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecortex.choosing import JsonOption, TrialsOption
from cinecortex.cli.app import app
from cinecortex.errors import WrongUse
from cinecortex.terminal import print_json, progress, say


@app.command(epilog="Example: cinecortex export out/map.zarr --format mp4 --out out/movies")
def export(
    source: Annotated[Path, typer.Argument(help="A result (.zarr); for csv and svg a folder with findings.json.")],
    kind: Annotated[str, typer.Option("--format", help="mp4, av1, gif, tiff, png, nwb; of findings csv, svg.")],
    out: Annotated[
        Path, typer.Option("--out", help="One file, by its ending; or else a folder, with one file for each trial.")
    ],
    trials: TrialsOption = None,
    variable: Annotated[
        str | None,
        typer.Option(help="movie, std, data_share, ...: what of each pixel; by default the movie, for nwb everything."),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(min=1, help="Draw each pixel as a square of this many, not smoothed; by default watchable."),
    ] = None,
    top: Annotated[float | None, typer.Option(help="The value drawn as white; by default 1, and 0.25 for std.")] = None,
    bits: Annotated[int, typer.Option(help="tiff: 8 for gray levels, 32 for the numbers as stored.")] = 8,
    lossless: Annotated[bool, typer.Option("--lossless", help="mp4, av1: keep every level exactly.")] = False,
    frame_rate_hz: Annotated[
        float | None, typer.Option(help="Of an older result that does not say its frame rate.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write reconstructions or findings for other programs, with where they come from in every file."""
    from cinecortex.exports import Request
    from cinecortex.exports import export as write

    if bits not in (8, 32):
        raise WrongUse(f"--bits {bits} is unknown; choose 8 or 32.")
    for option, value in (("--top", top), ("--frame-rate-hz", frame_rate_hz)):
        if value is not None and not 0 < value < float("inf"):
            raise WrongUse(f"{option} {value:g} is not a positive number.")
    request = Request(
        trials=None if trials is None else [name.strip() for name in trials.split(",")],
        variable=variable,
        scale=scale,
        top=top,
        bits=8 if bits == 8 else 32,
        lossless=lossless,
        frame_rate_hz=frame_rate_hz,
    )
    with progress(f"exporting {kind}", quiet=as_json) as report:
        written = write(source, kind, out, request=request, progress=report)
    if as_json:
        print_json({"written": [str(path) for path in written]})
    else:
        for path in written:
            say(f"wrote {path}")


@app.command(epilog="Example: cinecortex view out/validation --open")
def view(
    folder: Annotated[Path, typer.Argument(help="A folder with report.html.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="By default any that is free.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser, too.")] = False,
) -> None:
    """Show a report in a browser on this machine: on 127.0.0.1 only, read only, until Ctrl-C."""
    import webbrowser

    from cinecortex.viewing import view as serve

    def ready(address: str) -> None:
        say(f"The report is at {address}\nCtrl-C ends this.")
        if open_browser:
            webbrowser.open(address)

    serve(folder, port=port, ready=ready)
