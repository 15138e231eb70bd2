"""What a command is asked for: recordings, trials, encoders and outputs; refused before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinecortex.errors import BadData, WrongUse

if TYPE_CHECKING:
    from cinecortex.data import Cut
    from cinecortex.encoders.checkpoint import Model
    from cinecortex.encoders.train import Architecture, Settings
    from cinecortex.recording import Recording, Trial
    from cinecortex.study import Method

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
ConsentOption = Annotated[
    str | None,
    typer.Option(help="Of human subjects: what consent and ethics approval there is. Kept with all that is made."),
]


def load_recordings(paths: list[Path], clip_frames: int, test_frames: str | None) -> tuple[Recording, ...]:
    """Every session that the paths hold, each once."""
    from cinecortex.data import load_all

    cut = cut_of(clip_frames, test_frames)
    loaded = tuple(recording for path in paths for recording in load_all(path, cut=cut))
    names = [recording.session_id for recording in loaded]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadData(f"session {sorted(twice)[0]!r} was given more than once; give every session a name of its own.")
    return loaded


def load_with_model(path: Path, encoder: Path, clip_frames: int, test_frames: str | None) -> tuple[Recording, Model]:
    """The one session that the path holds, and the encoder folder that knows it."""
    from cinecortex.encoders.checkpoint import load_model

    loaded = load_recordings([path], clip_frames, test_frames)
    if len(loaded) != 1:
        names = ", ".join(recording.session_id for recording in loaded)
        raise WrongUse(f"{path} holds {len(loaded)} sessions ({names}); name one of them.")
    model = load_model(encoder)
    model.session(loaded[0].session_id)
    return loaded[0], model


def cut_of(clip_frames: int, test_frames: str | None) -> Cut:
    """How a continuous recording is cut."""
    from cinecortex.data import Cut

    if test_frames is None:
        return Cut(clip_frames=clip_frames)
    first, colon, last = test_frames.partition(":")
    if not (colon and first.isdigit() and last.isdigit()):
        raise WrongUse(f"--test-frames {test_frames!r} is not FIRST:END, such as 30000:36000.")
    return Cut(clip_frames=clip_frames, test_frames=(int(first), int(last)))


def choose_trials(
    recording: Recording, tier: str | None, trials: str | None, *, needs_response: bool = True
) -> list[Trial]:
    """The trials that ``--tier`` and ``--trials`` name; by default those of every tier but train."""
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


def choose_methods(names: str) -> list[Method]:
    """The methods that ``--methods`` names, each once, in their order."""
    import difflib

    from cinecortex.study import METHODS

    known = {str(method): method for method in METHODS}
    asked = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in asked:
        if name not in known:
            (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise WrongUse(
                f"--methods {name!r} is unknown; the nearest is {nearest!r}, and there are {', '.join(known)}."
            )
    return [known[name] for name in asked]


def choose_architectures(
    names: str, members: int, *, epochs: int | None, width: float, samples: int | None, batch: int | None
) -> list[tuple[Architecture, Settings]]:
    """What ``--encoder`` of `fit` asks for, and how to fit it."""
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


def refuse_output(out: Path, mark: Path) -> None:
    """Before any work is done: what this command did not write is never overwritten."""
    if out.exists() and not mark.exists():
        raise WrongUse(f"{out} exists and holds something else; choose another name, it would be overwritten.")
