"""Commands that reconstruct."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cinecortex.choosing import (
    ClipFramesOption,
    ConsentOption,
    EncoderOption,
    JsonOption,
    RecordingArgument,
    SecondsOption,
    SeedOption,
    TestFramesOption,
    TierOption,
    TrialsOption,
    choose_methods,
    choose_trials,
    cut_of,
    load_with_model,
    refuse_output,
)
from cinecortex.cli.app import app
from cinecortex.errors import WrongUse
from cinecortex.terminal import print_columns, print_json, print_scores, progress, say


@app.command(epilog="Example: cinecortex invert mouse1 --encoder encoders/pair --out map.zarr --tier final_test_main")
def invert(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path, typer.Option("--out", help="Result to write, by custom ending in .zarr.")],
    method: Annotated[
        str,
        typer.Option(
            help="map, sample, information (map, and how much of it is data), paper, mean, nearest, ridge, bayesian, "
            "convolutional; langevin and hmc (slow)."
        ),
    ] = "map",
    tier: TierOption = None,
    trials: TrialsOption = None,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Keep this many posterior draws; methods sample, langevin and hmc.")
    ] = None,
    mask: Annotated[
        str,
        typer.Option(help="Where the population can see: sensitivity, trained (as published), or a .npy or image."),
    ] = "sensitivity",
    behavior: Annotated[
        str, typer.Option(help="What the encoder is told of behavior and gaze: recorded, or mean (held at it).")
    ] = "recorded",
    prior: Annotated[
        str, typer.Option(help="Prior of map: spectral, parametric, bounded, smooth or flat.")
    ] = "spectral",
    calibrate: Annotated[
        bool, typer.Option(help="Fit contrast and intervals of sample to the encoder's select clips.")
    ] = True,
    shuffle_neurons: Annotated[
        bool, typer.Option(help="A control: permute the identities of the neurons; the score should fall to chance.")
    ] = False,
    consent: ConsentOption = None,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct movies from recorded responses, blind to the movies that were shown; then score them."""
    from cinecortex import methods, study
    from cinecortex.consent import stated_consent
    from cinecortex.data import write_result
    from cinecortex.inversion.map import MAP
    from cinecortex.seeds import Seed

    for option, value, known in (
        ("--method", method, methods.METHODS),
        ("--behavior", behavior, ("recorded", "mean")),
        ("--prior", prior, methods.PRIORS),
    ):
        if value not in known:
            raise WrongUse(f"{option} {value!r} is unknown; choose one of {', '.join(known)}.")
    if samples is not None and method not in methods.DRAWING:
        raise WrongUse(f"--samples goes with --method {', '.join(methods.DRAWING)}; {method} draws nothing.")
    refuse_output(out, out / "ended")
    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    stated = stated_consent(loaded, consent)
    chosen = choose_trials(loaded, tier, trials)
    root = Seed(seed)
    forward = model.session(loaded.session_id)
    where = methods.mask_of(mask, model, loaded)
    choices = methods.Choices(
        mask=where,
        behavior=behavior,  # type: ignore[arg-type]  # checked above, like the next
        prior=prior,  # type: ignore[arg-type]
        draws=methods.DRAWS if samples is None else samples,
        keep=samples is not None,
        calibrate=calibrate,
    )
    with progress(f"preparing {method}", quiet=as_json) as report:
        inverter = methods.make_inverter(method, model, loaded, seed=root, choices=choices, progress=report)  # type: ignore[arg-type]
    fitted = inverter.recalibration.to_json() if isinstance(inverter, methods.Calibrated) else None
    if shuffle_neurons:
        inverter = study.Controlled(inverter, study.shuffled_neurons)
    command = shlex.join(["cinecortex", *sys.argv[1:]])
    facts = study.provenance(model, loaded, seed=seed, command=command, consent=stated)
    with progress(f"inverting by {inverter.name}", quiet=as_json) as report:
        results = study.invert_trials(inverter, chosen, seed=root / "invert", progress=report)
    options = {"mask": mask, "behavior": behavior, "prior": prior, "recalibration": fitted}
    write_result(out, results, attrs={"method": inverter.name, **options, **facts})
    # Scored where the population can see, wherever pixels were allowed to change.
    scored = where if where is not None else MAP(encoder=forward).mask.cpu()
    scores = study.score_results(inverter.name, results, mask=scored, encoder=forward)
    unseen = study.unseen_trials(model, [loaded], chosen)
    if as_json:
        print_json({"result": str(out), "unseen": [trial.trial_id for trial in unseen], **scores.to_json()})
        return
    print_scores([scores])
    seen = len(chosen) - len(unseen)
    note = "none of the clips was fitted to" if not seen else f"{seen} of {len(chosen)} clips WERE fitted to"
    say(f"{note}\nwrote {out}")


@app.command(
    epilog="Example: cinecortex compare mouse1 --encoder encoders/pair --methods map,paper,ridge --out out/compared"
)
def compare(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; what an earlier run finished is used again.")],
    methods: Annotated[str, typer.Option(help="Methods with commas; differences are to the first.")] = "map,ridge,mean",
    tier: TierOption = None,
    trials: TrialsOption = None,
    consent: ConsentOption = None,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run several methods on the same trials: one table with paired intervals, seconds, encoder passes and memory."""
    from cinecortex.compare.run import compare as run
    from cinecortex.errors import CinecortexError

    asked = choose_methods(methods)
    loaded, model = load_with_model(recording, encoder, clip_frames, test_frames)
    found = run(
        loaded,
        model,
        encoder,
        choose_trials(loaded, tier, trials),
        methods=asked,
        out=out,
        seed=seed,
        cut=cut_of(clip_frames, test_frames),
        command=shlex.join(["cinecortex", *sys.argv[1:]]),
        stage=partial(progress, quiet=as_json),
        consent=consent,
    )
    if as_json:
        print_json(found.to_json())
    else:
        say("mean over clips [95 % interval]")
        print_columns(found.header(), found.rows())
        say(f"{found.seen_note}\n{found.floor_note}\nwrote {out}")
    failed = [outcome.method for outcome in found.outcomes if outcome.failed is not None]
    if failed:
        raise CinecortexError(f"{len(failed)} of {len(asked)} methods failed ({', '.join(failed)}); {out} says why.")


@app.command(epilog="Example: cinecortex demo --out out/demo")
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything that is made.")] = Path("out/demo"),
    neurons: Annotated[int, typer.Option(min=1, help="Neurons of the in-silico mouse.")] = 1000,
    clips: Annotated[int, typer.Option(min=8, help="Training clips.")] = 120,
    seconds: SecondsOption = 10.0,
    paper_steps: Annotated[int, typer.Option(min=0, help="Steps of the published recipe on one clip.")] = 1000,
    seed: SeedOption = 0,
) -> None:
    """Run the whole story on the in-silico mouse and write a report."""
    from cinecortex.demo import run_demo

    page, scores, sentence = run_demo(
        out, neurons=neurons, clips=clips, seconds=seconds, paper_steps=paper_steps, seed=seed, stage=progress
    )
    print_scores(scores)
    say(sentence)
    say(f"The report is at {page.resolve()}")
