"""Commands that make recordings, and look into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecortex.choosing import (
    ClipFramesOption,
    JsonOption,
    RecordingsArgument,
    SecondsOption,
    SeedOption,
    TestFramesOption,
    load_recordings,
)
from cinecortex.cli.app import app
from cinecortex.terminal import console, print_json, print_rows, progress, say, summary_rows


@app.command(epilog="Example: cinecortex simulate out/mouse --neurons 500 --clips 60")
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist yet.")],
    neurons: Annotated[int, typer.Option(min=1, help="Number of neurons.")] = 1000,
    clips: Annotated[int, typer.Option(min=1, help="Number of training clips.")] = 120,
    seconds: SecondsOption = 10.0,
    seed: SeedOption = 0,
) -> None:
    """Show movies to an in-silico mouse and write the session as a Sensorium folder."""
    from cinecortex.seeds import Seed
    from cinecortex.simulation.session import write_session

    with progress("simulating") as report:
        write_session(
            out,
            seed=Seed(seed),
            neurons=neurons,
            clips=clips,
            seconds=seconds,
            progress=lambda done, total: report(done, total, ""),
        )
    say(f"wrote {out}")


@app.command(epilog="Example: cinecortex inspect recordings/mouse1 --json")
def inspect(
    recordings: RecordingsArgument,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a recording holds, and every problem found in it with what to do about it."""
    from cinecortex.data import summarise

    summaries = [summarise(recording) for recording in load_recordings(recordings, clip_frames, test_frames)]
    if as_json:
        content = [summary.to_json() for summary in summaries]
        print_json(content[0] if len(content) == 1 else content)
        return
    for summary in summaries:
        print_rows(f"session {summary.session_id}", summary_rows(summary))
        for problem in summary.problems:
            console.print(f"problem in {problem.where}: {problem.what} {problem.remedy}", markup=False, soft_wrap=True)
        if not summary.problems:
            console.print("no problem found")
