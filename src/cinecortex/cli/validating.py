"""The command that judges."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cinecortex.choosing import (
    ClipFramesOption,
    ConsentOption,
    EncoderOption,
    JsonOption,
    RecordingArgument,
    SeedOption,
    TestFramesOption,
    TierOption,
    TrialsOption,
    choose_trials,
    load_recordings,
    load_with_model,
    refuse_output,
)
from cinecortex.cli.app import app
from cinecortex.errors import WrongUse
from cinecortex.terminal import print_columns, print_json, progress, say


@app.command(epilog="Example: cinecortex validate mouse1 --encoder encoders/pair --out out/validation --quick")
def validate(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; what an earlier run finished is used again.")],
    method: Annotated[
        str, typer.Option(help="map, sample, paper, ridge, ...; or MODULE:OBJECT, an inverter of your own.")
    ] = "map",
    reconstructions: Annotated[
        Path | None,
        typer.Option(help="Judge finished movies instead: .zarr, or a .tif stack in the order of the trials."),
    ] = None,
    checks: Annotated[
        str | None, typer.Option(help="Checks, or groups such as controls, with commas; by default all.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Only the checks that would sink the claim at once.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Ask, too, how much of what is shown is in the neurons; takes longer.")
    ] = False,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Most clips to judge, drawn at random; by default 10, and 8 with --quick.")
    ] = None,
    tier: TierOption = None,
    trials: TrialsOption = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Another recording that the encoder was fitted to, to audit."),
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(help="An encoder that the method has nothing to do with; by default two are fitted."),
    ] = None,
    baselines: Annotated[
        str, typer.Option(help="Methods that the judged one is held against, with commas.")
    ] = "mean,nearest,ridge",
    screen_deg: Annotated[
        float | None, typer.Option(help="Degrees of visual angle that the width of the movies filled, if known.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes on this machine.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that exists.")] = None,
    consent: ConsentOption = None,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whether the movies come from the neurons: findings with evidence, by rules fixed before the run."""
    from cinecortex import validating
    from cinecortex.data.stored import read_movies
    from cinecortex.execution.machines import Machines
    from cinecortex.seeds import Seed
    from cinecortex.stimuli.screen import ScreenGeometry

    refuse_output(out, out / "findings.json" if (out / "findings.json").exists() else out / "answers")
    given = {"--quick": quick, "--deep": deep, "--checks": checks is not None}
    if sum(given.values()) > 1:
        named = " and ".join(name for name, there in given.items() if there)
        raise WrongUse(f"{named} were both given; choose checks by one of them.")
    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    others = load_recordings(list(also or ()), clip_frames, test_frames)
    asked = None if tier is None and trials is None else choose_trials(loaded, tier, trials)
    movies = None
    if reconstructions is not None:
        movies = read_movies(reconstructions, asked if asked is not None else loaded.trials)
    with progress("validating", quiet=as_json) as report:
        options = validating.Options(
            checks=None if checks is None else [name.strip() for name in checks.split(",")],
            quick=quick,
            deep=deep,
            clips=clips,
            also=others,
            held_out=list(held_out or ()),
            baselines=[name.strip() for name in baselines.split(",")],
            screen=None if screen_deg is None else ScreenGeometry(loaded.frame_size[1], screen_deg),
            machines=Machines(workers=workers, scheduler=scheduler),
            # How it is told changes nothing about what is found.
            command=shlex.join(["cinecortex", *(word for word in sys.argv[1:] if word not in ("--json", "--debug"))]),
            tell=(lambda sentence: None) if as_json else say,
            progress=report,
        )
        found = validating.validate(
            loaded,
            model,
            method,
            out=out,
            trials=asked,
            movies=movies,
            options=options,
            consent=consent,
            seed=Seed(seed),
        )
    if as_json:
        print_json(found.content)
        return
    rows = [
        [
            finding.id,
            finding.verdict,
            f"{finding.value:.3f}",
            _interval(finding.interval),
            f"{finding.n} {finding.unit}",
        ]
        for finding in found.findings
    ]
    print_columns(["check", "verdict", "value", "95 % interval", "n"], rows)
    say(f"{found.summary.verdict}: {found.summary.sentence}\nwrote {out / 'findings.json'}")
    say(f"to see it: cinecortex report {out} --out {out / 'report.html'}")


def _interval(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"
