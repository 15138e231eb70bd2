"""A study in one TOML file: everything that decides what comes out, and where it runs.

Paths are relative to the folder that the file is in. Whatever the file does not know stops it: a misspelt setting that
is silently left at its default would be a study that nobody meant.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cinecortex.errors import BadData, WrongUse
from cinecortex.execution.machines import Machines
from cinecortex.execution.slurm import Slurm
from cinecortex.methods import DRAWING, METHODS, PRIORS, PriorName

Kind = Literal["compact", "dwiseneuro", "linear_nonlinear"]
Count = Annotated[int, Field(strict=True, ge=1)]
Whole = Annotated[int, Field(strict=True, ge=0)]


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_list), Field(min_length=1)]
"""One word, or a list of them."""


class Section(BaseModel):
    """Part of a study; unknown keys are refused, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulated(Section):
    """An in-silico mouse to record from.

    Attributes:
        neurons: Of its visual cortex.
        clips: Training clips that it is shown.
        seconds: Duration of a clip.
    """

    neurons: Count = 1000
    clips: Count = 120
    seconds: Annotated[float, Field(ge=0.5)] = 10.0


class Recordings(Section):
    """What was recorded.

    Attributes:
        paths: Sensorium session folders, or folders of them, .npz or .zarr files.
        simulate: Or an in-silico mouse, which is then made.
        clip_frames: Length of the clips that a continuous recording is cut into.
        test_frames: First frame and end of the test region of a continuous recording; by default the last sixth.
    """

    paths: Annotated[tuple[Path, ...], BeforeValidator(_list), Field(min_length=1)] | None = None
    simulate: Simulated | None = None
    clip_frames: Count = 300
    test_frames: tuple[Whole, Count] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Recordings:
        if (self.paths is None) == (self.simulate is None):
            raise ValueError("give either paths or simulate")
        return self


class EncoderSection(Section):
    """The forward model.

    Attributes:
        folder: A fitted encoder; then nothing else is asked for.
        kind: What to fit; several, in turn, for the members of an ensemble.
        members: How many make an ensemble.
        by: Whether members differ by ``fold`` and seed, or by ``seed``.
        epochs: Most epochs.
        width, samples, batch: Of dwiseneuro: size of its layers, windows in an epoch and in a step.
        folds, select_fold: Folds of training clips, and which one is set aside to select on.
    """

    folder: Path | None = None
    kind: Annotated[tuple[Kind, ...], BeforeValidator(_list), Field(min_length=1)] = ("compact",)
    members: Count = 1
    by: Literal["fold", "seed"] = "fold"
    epochs: Count | None = None
    width: Annotated[float, Field(ge=0.01)] = 1.0
    samples: Count | None = None
    batch: Count | None = None
    folds: Annotated[int, Field(strict=True, ge=2)] = 8
    select_fold: Whole = 0

    @model_validator(mode="after")
    def _fitted_or_not(self) -> EncoderSection:
        if self.folder is not None and len(self.model_fields_set) > 1:
            other = sorted(self.model_fields_set - {"folder"})[0]
            raise ValueError(f"an encoder that is given by its folder is not fitted; leave out {other}")
        return self


class MethodSection(Section):
    """How the movies are reconstructed.

    Attributes:
        name: Such as ``map`` or ``ridge``; or ``MODULE:OBJECT``, an inverter of your own.
        prior: Prior of ``map``.
        behavior: What the encoder is told of behavior and gaze: as ``recorded``, or the ``mean``.
        mask: Where the population can see: ``sensitivity``, ``trained``, or a .npy or image file.
        samples: Posterior draws to keep, of the methods that draw.
        calibrate: Whether ``sample`` fits contrast and intervals to the encoder's select clips.
    """

    name: str = "map"
    prior: PriorName = "spectral"
    behavior: Literal["recorded", "mean"] = "recorded"
    mask: str = "sensitivity"
    samples: Annotated[int, Field(strict=True, ge=2)] | None = None
    calibrate: bool = True

    @model_validator(mode="after")
    def _known(self) -> MethodSection:
        if ":" not in self.name and self.name not in METHODS:
            raise ValueError(f"method {self.name!r} is unknown; {_nearest(self.name, METHODS)}, or give MODULE:OBJECT")
        if self.samples is not None and self.name not in DRAWING:
            raise ValueError(f"samples go with {', '.join(DRAWING)}; {self.name} draws nothing")
        if self.prior != PRIORS[0] and self.name != "map":
            raise ValueError(f"a prior goes with map; {self.name} has one of its own or none")
        return self


class Trials(Section):
    """Which trials are reconstructed; by default those of every tier but ``train``.

    Attributes:
        tier: Those of one tier.
        ids: Or these.
    """

    tier: str | None = None
    ids: Words | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Trials:
        if self.tier is not None and self.ids is not None:
            raise ValueError("choose trials by tier or by ids")
        return self


class ValidationSection(Section):
    """What is asked about the reconstructions.

    Attributes:
        checks: Checks, or groups of them; by default all.
        quick: Only those that would sink the claim at once.
        clips: Most clips to judge; by default 10, and 8 when quick.
        baselines: Methods that the judged one is held against.
        held_out: Folders of encoders that the method had nothing to do with; by default two are fitted.
    """

    checks: Words | None = None
    quick: bool = False
    clips: Count | None = None
    baselines: Words = ("mean", "nearest", "ridge")
    held_out: Annotated[tuple[Path, ...], BeforeValidator(_list)] = ()

    @model_validator(mode="after")
    def _one_choice(self) -> ValidationSection:
        if self.checks is not None and self.quick:
            raise ValueError("choose checks by quick or by name")
        return self


class SlurmSection(Section):
    """Jobs to ask Slurm for; see `cinecortex.execution.slurm.Slurm`."""

    jobs: Count
    cores: Count
    memory: str
    interface: str
    walltime: str = "01:00:00"
    partition: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    log_folder: str | None = None


class Execution(Section):
    """Where inversions run; by default in threads of one process, one for each core. It changes no result.

    Attributes:
        workers: Worker processes on this machine.
        threads: Or threads of this process.
        scheduler: Or the address of a Dask scheduler that exists.
        slurm: Or jobs of Slurm.
    """

    workers: Count | None = None
    threads: Count | None = None
    scheduler: str | None = None
    slurm: SlurmSection | None = None

    def machines(self) -> Machines:
        """Where tasks run.

        Raises:
            WrongUse: several places were given.
        """
        slurm = Slurm(**self.slurm.model_dump()) if self.slurm is not None else None
        return Machines(workers=self.workers, threads=self.threads, scheduler=self.scheduler, slurm=slurm)


class ReportSection(Section):
    """Where everything goes.

    Attributes:
        out: Folder for all that is made; by default beside the file, of its name.
    """

    out: Path | None = None


class Study(Section):
    """One experiment from data to report.

    Attributes:
        seed: Root of every random number.
        recordings, encoder, method, trials, validation, execution, report: See the sections.
    """

    seed: Whole = 0
    recordings: Recordings
    encoder: EncoderSection = EncoderSection()
    method: MethodSection = MethodSection()
    trials: Trials = Trials()
    validation: ValidationSection = ValidationSection()
    execution: Execution = Execution()
    report: ReportSection = ReportSection()


def read_study(file: Path) -> Study:
    """Read a study; its paths come back absolute.

    Raises:
        WrongUse: it asks for what does not exist or does not go together; the sentence says where, and names the
            nearest thing that does exist.
        BadData: it cannot be read, or is not TOML.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadData(f"{file} cannot be read ({error.strerror}); give the TOML file of a study.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(f"{file} is not TOML: {error}.") from error
    try:
        study = Study.model_validate(content)
        study.execution.machines()
    except ValidationError as error:
        raise WrongUse(f"{file}: {_sentence(error, content)}.") from error
    except WrongUse as error:
        raise WrongUse(f"{file}: execution: {error}") from error
    return _absolute(study, file)


def _absolute(study: Study, file: Path) -> Study:
    folder = file.resolve().parent
    parts: dict[str, tuple[Section, dict[str, Any]]] = {
        "recordings": (study.recordings, {"paths": study.recordings.paths}),
        "encoder": (study.encoder, {"folder": study.encoder.folder}),
        "validation": (study.validation, {"held_out": study.validation.held_out}),
        "report": (study.report, {"out": study.report.out or Path(file.stem)}),
    }

    def at_home(path: Any) -> Any:
        return tuple(map(at_home, path)) if isinstance(path, tuple) else path and (folder / path).resolve()

    update = {
        name: section.model_copy(update={key: at_home(value) for key, value in paths.items()})
        for name, (section, paths) in parts.items()
    }
    return study.model_copy(update=update)


def _sentence(error: ValidationError, content: dict[str, Any]) -> str:
    """The first thing that is wrong; what is unknown goes before what is wrong because it is missing."""
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = [str(part) for part in first["loc"] if not str(part).startswith("tuple[")]
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        return f"{where} is unknown; {_nearest(place[-1], _keys(place[:-1]))}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}"
    if first["type"] == "literal_error":
        known = [word.strip(" '") for word in first["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"{where} = {first['input']!r} is unknown; {_nearest(str(first['input']), known)}"
    asked = first["msg"][0].lower() + first["msg"][1:].removeprefix("nput ")
    return f"{where} = {first['input']!r}: {asked.removeprefix('i')}"


def _keys(place: Sequence[str]) -> list[str]:
    """What a section may hold."""
    section: type[BaseModel] = Study
    for name in place:
        of = section.model_fields[name].annotation
        section = next(each for each in (of, *getattr(of, "__args__", ())) if isinstance(each, type(BaseModel)))
    return list(section.model_fields)


def _nearest(word: str, known: Sequence[str]) -> str:
    (nearest,) = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    return f"the nearest is {nearest!r}, and there are {', '.join(known)}"
