"""Commands that make encoders, and say how good they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from cinecortex.choosing import (
    ClipFramesOption,
    EncoderOption,
    JsonOption,
    RecordingArgument,
    RecordingsArgument,
    SeedOption,
    TestFramesOption,
    TierOption,
    TrialsOption,
    choose_architectures,
    choose_trials,
    load_recordings,
    load_with_model,
    refuse_output,
)
from cinecortex.cli.app import app
from cinecortex.errors import WrongUse
from cinecortex.terminal import print_json, print_rows, progress, say, score_rows


@app.command(epilog="Example: cinecortex fit mouse1 mouse2 --out encoders/pair --seed 1")
def fit(
    recordings: RecordingsArgument,
    out: Annotated[Path, typer.Option("--out", help="Encoder folder to write.")],
    encoder: Annotated[
        str, typer.Option(help="compact, dwiseneuro or linear_nonlinear; several, for an ensemble, with commas.")
    ] = "compact",
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs.")] = None,
    width: Annotated[float, typer.Option(min=0.01, help="dwiseneuro: features of its layers, 1 as published.")] = 1.0,
    samples: Annotated[int | None, typer.Option(min=1, help="dwiseneuro: windows in an epoch.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="dwiseneuro: windows in a step.")] = None,
    members: Annotated[int, typer.Option(min=1, help="Fit an ensemble of this many.")] = 1,
    by: Annotated[str, typer.Option(help="Members of an ensemble differ by fold (and seed) or by seed.")] = "fold",
    workers: Annotated[int, typer.Option(min=1, help="Members fitted at a time.")] = 1,
    folds: Annotated[int, typer.Option(min=2, help="Folds of training clips; one is set aside for selection.")] = 8,
    select_fold: Annotated[int, typer.Option(min=0, help="Which fold is set aside.")] = 0,
    resume: Annotated[bool, typer.Option(help="Go on with a fit that was stopped.")] = False,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
) -> None:
    """Fit the forward model: from movie and behavior to the expected response of every neuron."""
    from cinecortex.encoders.checkpoint import save_model
    from cinecortex.encoders.members import fit_ensemble
    from cinecortex.encoders.train import fit_model
    from cinecortex.seeds import Seed

    refuse_output(out, out / "encoder.json")
    asked = choose_architectures(encoder, members, epochs=epochs, width=width, samples=samples, batch=batch)
    if by not in ("fold", "seed"):
        raise WrongUse(f"--by {by!r} is unknown; members differ by fold or by seed.")
    loaded = load_recordings(recordings, clip_frames, test_frames)
    state = out.with_name(out.name + ".unfinished")
    options: dict[str, Any] = {"seed": Seed(seed), "folds": folds, "select_fold": select_fold, "resume": resume}
    with progress("fitting") as report:
        if members == 1:
            architecture, settings = asked[0]
            model = fit_model(loaded, architecture, settings=settings, state=state, progress=report, **options)
        else:
            kinds, ways = zip(*asked, strict=True)
            options |= {"members": members, "by": by, "settings": ways, "workers": workers}
            model = fit_ensemble(loaded, kinds, state=state, progress=report, **options)
    save_model(model, out)
    shutil.rmtree(state, ignore_errors=True)
    for facts in model.facts["fitted"]:
        print_rows(f"session {facts['session_id']}: {facts['ended']}", score_rows(facts))
    say(f"wrote {out}")


@app.command("import-weights", epilog="Example: cinecortex import-weights model.pth --out encoders/winner")
def import_weights(
    file: Annotated[Path, typer.Argument(help="A published checkpoint (.pth); nothing in it is run.")],
    out: Annotated[Path, typer.Option("--out", help="Encoder folder to write.")],
    sessions: Annotated[str | None, typer.Option(help="Session ids of its animals in order, with commas.")] = None,
) -> None:
    """Make an encoder of the published weights of DwiseNeuro."""
    from cinecortex.encoders import published
    from cinecortex.encoders.checkpoint import Model, save_model

    refuse_output(out, out / "encoder.json")
    names = [name.strip() for name in sessions.split(",")] if sessions is not None else None
    encoders, facts = published.import_weights(file, names)
    save_model(Model(encoders, facts), out)
    rows = [(name, f"{encoder.neurons} neurons") for name, encoder in encoders.items()]
    print_rows(f"{file.name}: {len(encoders)} animals", rows)
    say(f"wrote {out}")


@app.command(epilog="Example: cinecortex calibrate mouse1 --encoder encoders/winner --tier oracle")
def calibrate(
    recording: RecordingArgument,
    encoder: EncoderOption,
    tier: TierOption = None,
    trials: TrialsOption = None,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
) -> None:
    """Measure, for imported weights, what an inversion must know besides: noise on held-out trials, and movies."""
    from cinecortex.encoders.calibrate import calibrate as measure
    from cinecortex.encoders.checkpoint import save_model
    from cinecortex.encoders.train import session_facts

    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    measured = measure(model, loaded, choose_trials(loaded, tier, trials))
    save_model(measured, encoder)
    facts = session_facts(measured, loaded.session_id)
    print_rows(f"session {loaded.session_id}: {facts['ended']}", score_rows(facts))


@app.command(epilog="Example: cinecortex evaluate mouse1 --encoder encoders/pair --tier oracle --baselines")
def evaluate(
    recording: RecordingArgument,
    encoder: EncoderOption,
    tier: TierOption = None,
    trials: TrialsOption = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also fit a linear-nonlinear encoder to the same trials, and compare.")
    ] = False,
    store: Annotated[bool, typer.Option("--store", help="Keep the scores in the encoder's encoder.json too.")] = False,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how well the encoder predicts: against the noise ceiling and the oracle where clips repeat, and baselines."""
    from cinecortex.encoders import baselines as simple
    from cinecortex.encoders.checkpoint import save_model
    from cinecortex.study import plain

    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    found = simple.evaluate(model, loaded, choose_trials(loaded, tier, trials), baselines=baselines)
    if store:
        save_model(simple.with_evaluation(model, loaded.session_id, plain(found)), encoder)
    if as_json:
        print_json(found)
    else:
        beside = found.pop("baselines", {})
        parts = {"chosen trials": {name: value for name, value in found.items() if not isinstance(value, dict | list)}}
        print_rows(f"session {loaded.session_id}", score_rows({"scores": parts | beside}))


@app.command(epilog="Example: cinecortex tune mouse1 --encoder encoders/pair --out out/cells.csv")
def tune(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path | None, typer.Option("--out", help="CSV file to write, one line per neuron.")] = None,
    degrees_per_px: Annotated[
        float | None, typer.Option(help="Size of a pixel on the screen, for cycles per degree.")
    ] = None,
    aperture_px: Annotated[
        float | None, typer.Option(help="Show gratings through windows of this standard deviation; else full screen.")
    ] = None,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine the encoder's cells: receptive fields, orientation, direction, spatial and temporal frequency."""
    from cinecortex.physiology.measure import measure_physiology, write_table
    from cinecortex.seeds import Seed

    if (
        out is not None
        and out.exists()
        and not (out.is_file() and out.read_bytes().startswith(b"neuron,center_row_px"))
    ):
        raise WrongUse(f"{out} exists and holds something else; choose another name, it would be overwritten.")
    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    forward = model.session(loaded.session_id)
    with progress("tuning", quiet=as_json) as report:
        cells = measure_physiology(
            forward,
            seed=Seed(seed) / "physiology",
            degrees_per_px=degrees_per_px,
            aperture_px=aperture_px,
            progress=report,
        )
    if out is not None:
        write_table(cells, out)
    if as_json:
        print_json(cells.to_json())
        return
    print_rows(
        f"session {loaded.session_id}",
        [
            (name.replace("_", " "), "unknown" if value is None else f"{value:g}")
            for name, value in cells.summary().items()
        ],
    )
    if out is not None:
        say(f"wrote {out}")


@app.command(epilog="Example: cinecortex predict mouse1 --encoder encoders/pair --out rates.zarr")
def predict(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path, typer.Option("--out", help="Zarr store to write: rate (trial, time, neuron).")],
    tier: TierOption = None,
    trials: TrialsOption = None,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
) -> None:
    """Write the responses that the encoder expects."""
    from cinecortex import study
    from cinecortex.data.rates import write_rates

    refuse_output(out, out / "rate")
    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    forward = model.session(loaded.session_id)
    chosen = choose_trials(loaded, tier, trials, needs_response=False)
    rates = study.expected_rates(forward, chosen)
    attrs = {"session_id": loaded.session_id, "unit": loaded.response_unit, "memory_frames": forward.memory}
    write_rates(out, rates, attrs=attrs, disagreement=study.disagreements(forward, chosen))
    say(f"wrote {out}")
