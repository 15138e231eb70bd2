"""The command that lays findings out for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecortex.cli.app import app
from cinecortex.errors import WrongUse
from cinecortex.terminal import say


@app.command(epilog="Example: cinecortex report out/validation --out out/validation/report.html")
def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders that validate or run wrote; several are compared on the same clips.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    baseline: Annotated[
        str | None, typer.Option(help="Which other method to show beside the judged one; by default the best known.")
    ] = None,
    limit_mb: Annotated[
        float, typer.Option(min=0.1, help="How heavy the page may be; clips beyond it lie in a folder beside it.")
    ] = 4.5,
) -> None:
    """Lay findings and movies out on one page; it needs no recording, no encoder and no network."""
    from cinecortex.reporting import report as write

    if out.suffix.lower() not in (".html", ".htm"):
        raise WrongUse(f"--out {out} is no HTML file; name one, such as {out.with_suffix('.html')}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    path, page = write(folders, out, baseline=baseline, limit_bytes=int(limit_mb * 1e6))
    say(f"wrote {path}: {len(page.clips)} clips, {len(page.findings)} findings, {path.stat().st_size / 1e6:.1f} MB")
