"""The command line. Each function is a command; what it does is elsewhere."""

from __future__ import annotations

import os

# Before torch is loaded: threads that spin while they wait slow everything down on a machine with few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import json
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cinecortex.errors import BadData, CinecortexError, WrongUse

if TYPE_CHECKING:
    from cinecortex.data import Cut
    from cinecortex.encoders.train import Architecture, Settings
    from cinecortex.recording import Recording, Trial
    from cinecortex.study import MethodScores
    from cinecortex.study import Progress as Report

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reconstruct what an animal saw from its visual cortex, and tell the truth about the result.",
)
console = Console()
errors = Console(stderr=True)
_INTERRUPTED = 130

RecordingsArgument = Annotated[
    list[Path], typer.Argument(help="Sensorium session folders (or a folder of them), .npz or .zarr files.")
]
RecordingArgument = Annotated[Path, typer.Argument(help="A Sensorium session folder, an .npz or a .zarr file.")]
EncoderOption = Annotated[Path, typer.Option("--encoder", help="An encoder folder written by `cinecortex fit`.")]
SeedOption = Annotated[int, typer.Option(help="Root of every random number; same seed, same result.")]
SecondsOption = Annotated[float, typer.Option(min=0.5, help="Duration of a clip.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
ClipFramesOption = Annotated[
    int, typer.Option(help="Length of the clips that a continuous recording is cut into, in frames.")
]
TestFramesOption = Annotated[
    str | None,
    typer.Option(help="Test region of a continuous recording, FIRST:END in frames; by default the last sixth."),
]
TierOption = Annotated[str | None, typer.Option(help="Only trials of this tier; by default every tier but train.")]
TrialsOption = Annotated[str | None, typer.Option(help="Only these trials, by id, separated by commas.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command; `main` takes --debug out itself, wherever it stands."""


def main() -> None:
    """Run a command; turn every expected error into one sentence and an exit code."""
    # --debug is welcome before and after the command.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(arguments or ["--help"], prog_name="cinecortex", standalone_mode=False)
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        _fail(*_sentence(error))
    if code == _INTERRUPTED:
        _fail("stopped by the keyboard; finished work was kept.", code)
    sys.exit(code)


def _sentence(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit code."""
    if isinstance(error, CinecortexError):
        return str(error), error.exit_code
    # Typer brings its own copy of click along, or none: its usage errors are known by what they can do.
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "cinecortex"
        return f"{error.format_message().rstrip('.')}; see `{command} --help`.", 2
    what = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {what} (run again with --debug for the traceback).", 1


def _fail(sentence: str, code: int) -> NoReturn:
    errors.print(f"cinecortex: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


@contextmanager
def _progress(title: str, *, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on a terminal, plain lines when piped, nothing when the output is JSON."""
    if quiet:
        yield lambda done, total, message: None
    elif console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, TextColumn("{task.fields[message]}"), console=console) as bars:
            task = bars.add_task(title, total=None, message="")
            yield lambda done, total, message: bars.update(task, completed=done, total=total, message=message)
    else:
        tenth = [-1]

        def line(done: int, total: int, message: str) -> None:
            if total <= 40 or done * 10 // total > tenth[0]:
                tenth[0] = done * 10 // total
                console.print(f"{title}: {done}/{total} {message}", markup=False, highlight=False, soft_wrap=True)

        yield line


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

    with _progress("simulating") as report:
        write_session(
            out,
            seed=Seed(seed),
            neurons=neurons,
            clips=clips,
            seconds=seconds,
            progress=lambda done, total: report(done, total, ""),
        )
    console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: cinecortex inspect recordings/mouse1 --json")
def inspect(
    recordings: RecordingsArgument,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a recording holds, and every problem found in it with what to do about it."""
    from cinecortex.data import summarise

    summaries = [summarise(recording) for recording in _load(recordings, clip_frames, test_frames)]
    if as_json:
        content = [summary.to_json() for summary in summaries]
        _print_json(content[0] if len(content) == 1 else content)
        return
    for summary in summaries:
        _print_rows(f"session {summary.session_id}", _summary_rows(summary))
        for problem in summary.problems:
            console.print(f"problem in {problem.where}: {problem.what} {problem.remedy}", markup=False, soft_wrap=True)
        if not summary.problems:
            console.print("no problem found")


def _summary_rows(summary: Any) -> list[tuple[str, str]]:
    def known(value: float | None, unknown: str) -> str:
        return unknown if value is None else f"{value:.3f}"

    height, width = summary.frame_size
    tiers = ", ".join(f"{count} {tier}" for tier, count in summary.trials.items())
    return [
        ("source", summary.source),
        ("neurons", str(summary.neurons)),
        ("trials", tiers),
        ("clips", f"{summary.clips} distinct, shown up to {summary.repeats} times"),
        ("duration", f"{summary.minutes:.1f} minutes"),
        ("movie", f"{height}x{width} px at {summary.frame_rate_hz:g} Hz"),
        ("response", summary.response_unit),
        ("mean response", known(summary.mean_response, "no responses")),
        ("zeros among responses", known(summary.zero_fraction, "no responses")),
        ("reliability between repeats", known(summary.reliability, "no repeats")),
        ("single-trial noise ceiling", known(summary.noise_ceiling, "no repeats")),
        ("behavior", ", ".join(summary.behavior_channels) or "none"),
        ("species", summary.metadata.get("species", "unknown")),
        ("simulated", "yes" if summary.simulated else "no"),
        ("fingerprint", summary.fingerprint),
    ]


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

    _refuse_output(out, out / "encoder.json")
    asked = _architectures(encoder, members, epochs=epochs, width=width, samples=samples, batch=batch)
    if by not in ("fold", "seed"):
        raise WrongUse(f"--by {by!r} is unknown; members differ by fold or by seed.")
    loaded = _load(recordings, clip_frames, test_frames)
    state = out.with_name(out.name + ".unfinished")
    options: dict[str, Any] = {"seed": Seed(seed), "folds": folds, "select_fold": select_fold, "resume": resume}
    with _progress("fitting") as report:
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
        _print_rows(f"session {facts['session_id']}: {facts['ended']}", _score_rows(facts))
    console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


def _architectures(
    names: str, members: int, *, epochs: int | None, width: float, samples: int | None, batch: int | None
) -> list[tuple[Architecture, Settings]]:
    """What ``--encoder`` asks for, and how to fit it."""
    from dataclasses import replace

    from cinecortex.encoders.linear_start import LinearNonlinearSettings
    from cinecortex.encoders.recipe import DwiseNeuro, Recipe
    from cinecortex.encoders.train import Compact, default_settings, kind_of

    known = {kind_of(each): each for each in (Compact(), DwiseNeuro(width=width), LinearNonlinearSettings())}
    asked: list[tuple[Architecture, Settings]] = []
    for name in dict.fromkeys(name.strip() for name in names.split(",")):
        if name not in known:
            raise WrongUse(f"--encoder {name!r} is unknown; choose from {', '.join(known)}.")
        settings = default_settings(known[name])
        if epochs is not None:
            settings = replace(settings, epochs=epochs)
        if isinstance(settings, Recipe):
            settings = replace(settings, samples_per_epoch=samples or settings.samples_per_epoch)
            settings = replace(settings, batch_size=batch or settings.batch_size)
        asked.append((known[name], settings))
    if len(asked) > members:
        raise WrongUse(f"--encoder names {len(asked)} architectures but --members is {members}; give at least as many.")
    return asked


@app.command("import-weights", epilog="Example: cinecortex import-weights model.pth --out encoders/winner")
def import_weights(
    file: Annotated[Path, typer.Argument(help="A published checkpoint (.pth); nothing in it is run.")],
    out: Annotated[Path, typer.Option("--out", help="Encoder folder to write.")],
    sessions: Annotated[str | None, typer.Option(help="Session ids of its animals in order, with commas.")] = None,
) -> None:
    """Make an encoder of the published weights of DwiseNeuro."""
    from cinecortex.encoders import published
    from cinecortex.encoders.checkpoint import Model, save_model

    _refuse_output(out, out / "encoder.json")
    names = [name.strip() for name in sessions.split(",")] if sessions is not None else None
    encoders, facts = published.import_weights(file, names)
    save_model(Model(encoders, facts), out)
    rows = [(name, f"{encoder.neurons} neurons") for name, encoder in encoders.items()]
    _print_rows(f"{file.name}: {len(encoders)} animals", rows)
    console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


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
    from cinecortex.encoders.checkpoint import load_model, save_model
    from cinecortex.encoders.train import session_facts

    (loaded,) = _load([recording], clip_frames, test_frames, one=True)
    model = load_model(encoder)
    model.session(loaded.session_id)
    measured = measure(model, loaded, _choose(loaded, tier, trials))
    save_model(measured, encoder)
    facts = session_facts(measured, loaded.session_id)
    _print_rows(f"session {loaded.session_id}: {facts['ended']}", _score_rows(facts))


def _score_rows(facts: Any) -> list[tuple[str, str]]:
    rows = []
    for trials, scores in facts["scores"].items():
        for name, value in scores.items():
            text = "unknown" if value is None else (f"{value:.3f}" if isinstance(value, float) else str(value))
            rows.append((f"{trials}: {name.replace('_', ' ')}", text))
    return rows


@app.command(epilog="Example: cinecortex invert mouse1 --encoder encoders/pair --out map.zarr --tier final_test_main")
def invert(
    recording: RecordingArgument,
    encoder: EncoderOption,
    out: Annotated[Path, typer.Option("--out", help="Result to write, by custom ending in .zarr.")],
    method: Annotated[str, typer.Option(help="map, paper, mean or ridge.")] = "map",
    tier: TierOption = None,
    trials: TrialsOption = None,
    shuffle_neurons: Annotated[
        bool, typer.Option(help="A control: permute the identities of the neurons; the score should fall to chance.")
    ] = False,
    seed: SeedOption = 0,
    clip_frames: ClipFramesOption = 300,
    test_frames: TestFramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct movies from recorded responses, blind to the movies that were shown; then score them."""
    from cinecortex import study
    from cinecortex.data import write_result
    from cinecortex.encoders.checkpoint import load_model
    from cinecortex.inversion.map import MAP
    from cinecortex.seeds import Seed

    if method not in study.METHODS:
        raise WrongUse(f"--method {method!r} is unknown; choose one of {', '.join(study.METHODS)}.")
    _refuse_output(out, out / "ended")
    (loaded,) = _load([recording], clip_frames, test_frames, one=True)
    model = load_model(encoder)
    chosen = _choose(loaded, tier, trials)
    root = Seed(seed)
    inverter = study.make_inverter(method, model, loaded)
    if shuffle_neurons:
        inverter = study.Controlled(inverter, study.shuffled_neurons)
    facts = study.provenance(model, loaded, seed=seed, command=shlex.join(["cinecortex", *sys.argv[1:]]))
    with _progress(f"inverting by {inverter.name}", quiet=as_json) as report:
        results = study.invert_trials(inverter, chosen, seed=root / "invert", progress=report)
    write_result(out, results, attrs={"method": inverter.name, **facts})
    forward = model.session(loaded.session_id)
    scores = study.score_results(inverter.name, results, mask=MAP(encoder=forward).mask.cpu(), encoder=forward)
    unseen = study.unseen_trials(model, [loaded], chosen)
    if as_json:
        _print_json({"result": str(out), "unseen": [trial.trial_id for trial in unseen], **scores.to_json()})
        return
    _print_scores([scores])
    seen = len(chosen) - len(unseen)
    note = "none of the clips was fitted to" if not seen else f"{seen} of {len(chosen)} clips WERE fitted to"
    console.print(f"{note}\nwrote {out}", markup=False, highlight=False, soft_wrap=True)


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
    from cinecortex.encoders.checkpoint import load_model

    _refuse_output(out, out / "rate")
    (loaded,) = _load([recording], clip_frames, test_frames, one=True)
    forward = load_model(encoder).session(loaded.session_id)
    chosen = _choose(loaded, tier, trials, needs_response=False)
    rates = study.expected_rates(forward, chosen)
    attrs = {"session_id": loaded.session_id, "unit": loaded.response_unit, "memory_frames": forward.memory}
    write_rates(out, rates, attrs=attrs, disagreement=study.disagreements(forward, chosen))
    console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


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
    from cinecortex.encoders.checkpoint import load_model, save_model
    from cinecortex.study import plain

    (loaded,) = _load([recording], clip_frames, test_frames, one=True)
    model = load_model(encoder)
    found = simple.evaluate(model, loaded, _choose(loaded, tier, trials), baselines=baselines)
    if store:
        save_model(simple.with_evaluation(model, loaded.session_id, plain(found)), encoder)
    if as_json:
        _print_json(found)
    else:
        beside = found.pop("baselines", {})
        parts = {"chosen trials": {name: value for name, value in found.items() if not isinstance(value, dict | list)}}
        _print_rows(f"session {loaded.session_id}", _score_rows({"scores": parts | beside}))


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
    from cinecortex.encoders.checkpoint import load_model
    from cinecortex.physiology.measure import measure_physiology, write_table
    from cinecortex.seeds import Seed

    if (
        out is not None
        and out.exists()
        and not (out.is_file() and out.read_bytes().startswith(b"neuron,center_row_px"))
    ):
        raise WrongUse(f"{out} exists and holds something else; choose another name, it would be overwritten.")
    (loaded,) = _load([recording], clip_frames, test_frames, one=True)
    forward = load_model(encoder).session(loaded.session_id)
    with _progress("tuning", quiet=as_json) as report:
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
        _print_json(cells.to_json())
        return
    _print_rows(
        f"session {loaded.session_id}",
        [
            (name.replace("_", " "), "unknown" if value is None else f"{value:g}")
            for name, value in cells.summary().items()
        ],
    )
    if out is not None:
        console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


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

    page, scores = run_demo(
        out, neurons=neurons, clips=clips, seconds=seconds, paper_steps=paper_steps, seed=seed, stage=_progress
    )
    _print_scores(scores)
    console.print(f"The report is at {page.resolve()}", markup=False, highlight=False, soft_wrap=True)


def _load(paths: list[Path], clip_frames: int, test_frames: str | None, *, one: bool = False) -> tuple[Recording, ...]:
    from cinecortex.data import load_all

    cut = _cut(clip_frames, test_frames)
    loaded = tuple(recording for path in paths for recording in load_all(path, cut=cut))
    names = [recording.session_id for recording in loaded]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadData(f"session {sorted(twice)[0]!r} was given more than once; give every session a name of its own.")
    if one and len(loaded) != 1:
        raise WrongUse(f"{paths[0]} holds {len(loaded)} sessions ({', '.join(names)}); name one of them.")
    return loaded


def _cut(clip_frames: int, test_frames: str | None) -> Cut:
    from cinecortex.data import Cut

    if test_frames is None:
        return Cut(clip_frames=clip_frames)
    first, colon, last = test_frames.partition(":")
    if not (colon and first.isdigit() and last.isdigit()):
        raise WrongUse(f"--test-frames {test_frames!r} is not FIRST:END, such as 30000:36000.")
    return Cut(clip_frames=clip_frames, test_frames=(int(first), int(last)))


def _choose(recording: Recording, tier: str | None, trials: str | None, *, needs_response: bool = True) -> list[Trial]:
    if tier is not None and trials is not None:
        raise WrongUse("--tier and --trials were both given; choose trials by one of them.")
    if trials is not None:
        # Not filtered: whoever names a trial without a response is told so.
        return [_named(recording, name.strip()) for name in dict.fromkeys(trials.split(","))]
    if tier is not None and tier not in recording.tiers:
        raise WrongUse(f"--tier {tier!r} is not in {recording.source}; it has {', '.join(recording.tiers)}.")
    chosen = recording.tier(tier) if tier is not None else [t for t in recording.trials if t.tier != "train"]
    usable = [trial for trial in chosen if not needs_response or trial.response is not None]
    if not usable:
        raise BadData(
            f"{recording.source} has no {'trial with a response' if needs_response else 'trial'} among those asked "
            "for; choose others with --tier or --trials."
        )
    return usable


def _named(recording: Recording, name: str) -> Trial:
    try:
        return recording.trial(name)
    except BadData as error:
        raise WrongUse(f"--trials: {error}") from error


def _refuse_output(out: Path, mark: Path) -> None:
    """Before any work is done: what this command did not write is never overwritten."""
    if out.exists() and not mark.exists():
        raise WrongUse(f"{out} exists and holds something else; choose another name, it would be overwritten.")


def _print_json(content: Any) -> None:
    from cinecortex.study import plain

    print(json.dumps(plain(content), indent=1, allow_nan=False))


def _print_rows(title: str, rows: list[tuple[str, str]]) -> None:
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Not as the table's own title, which would be broken to the table's width.
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    _print_table(table)


def _print_scores(scores: list[MethodScores]) -> None:
    metrics = scores[0].metrics
    table = Table(box=None)
    for name in ("method", "clips", *metrics, "frame-passes", "seconds"):
        table.add_column(name)
    for score in scores:
        cells = [str(score.interval(metric)) for metric in metrics]
        table.add_row(score.method, str(len(score.clips)), *cells, f"{score.frame_passes:,.0f}", f"{score.seconds:.1f}")
    console.print("mean over clips [95 % interval]", markup=False, highlight=False)
    _print_table(table)


def _print_table(table: Table) -> None:
    # Piped, a row is a line: programs read it.
    Console(width=None if console.is_terminal else 1000).print(table)


if __name__ == "__main__":
    main()
