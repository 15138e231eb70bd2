"""The command that runs a whole study."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cinecortex.cli.app import app
from cinecortex.terminal import print_scores, progress, say


@app.command(epilog="Example: cinecortex run studies/demo.toml --workers 2")
def run(
    study: Annotated[Path, typer.Argument(help="A TOML file; studies/demo.toml shows what can be said in one.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes, whatever the file says.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, whatever the file says.")] = None,
) -> None:
    """Run a study: fit, invert, validate, report. A second run does only what is missing, and says so."""
    from cinecortex.running import run_study
    from cinecortex.studyfile import read_study

    asked = read_study(study).on(workers=workers, scheduler=scheduler)
    for ran in run_study(asked, command=shlex.join(["cinecortex", *sys.argv[1:]]), stage=progress, say=say):
        say(f"session {ran.session_id}")
        print_scores([ran.scores])
        say(f"{ran.verdict}: {ran.sentence}\nwrote {ran.folder}, with {ran.report.name}")
