"""What a study file may say, section by section; each refuses what it does not know."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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


def nearest_of(word: str, known: Sequence[str]) -> str:
    """What was probably meant, and all that could have been, in a clause."""
    (nearest,) = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    return f"the nearest is {nearest!r}, and there are {', '.join(known)}"


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
        consent: Of human subjects, what consent and ethics approval there is; kept with all that is made.
    """

    paths: Annotated[tuple[Path, ...], BeforeValidator(_list), Field(min_length=1)] | None = None
    simulate: Simulated | None = None
    clip_frames: Count = 300
    test_frames: tuple[Whole, Count] | None = None
    consent: str = ""

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
        if len(set(self.kind)) > self.members:
            raise ValueError(f"{len(set(self.kind))} kinds need as many members, and there are {self.members}")
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
            raise ValueError(
                f"method {self.name!r} is unknown; {nearest_of(self.name, METHODS)}, or give MODULE:OBJECT"
            )
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
        deep: Those, too, that ask how much of what is shown is in the neurons.
        clips: Most clips to judge; by default 10, and 8 when quick.
        baselines: Methods that the judged one is held against.
        held_out: Folders of encoders that the method had nothing to do with; by default two are fitted.
    """

    checks: Words | None = None
    quick: bool = False
    deep: bool = False
    clips: Count | None = None
    baselines: Annotated[tuple[str, ...], BeforeValidator(_list)] = ("mean", "nearest", "ridge")
    held_out: Annotated[tuple[Path, ...], BeforeValidator(_list)] = ()

    @model_validator(mode="after")
    def _one_choice(self) -> ValidationSection:
        if (self.checks is not None) + self.quick + self.deep > 1:
            raise ValueError("choose checks by quick, by deep or by name")
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

    @property
    def out(self) -> Path:
        """Folder for all that is made."""
        return self.report.out if self.report.out is not None else Path("out")

    def on(self, *, workers: int | None = None, scheduler: str | None = None) -> Study:
        """The same on other machines; as the file says where none are named.

        Raises:
            WrongUse: both were named.
        """
        if workers is None and scheduler is None:
            return self
        elsewhere = Execution(workers=workers, scheduler=scheduler)
        elsewhere.machines()
        return self.model_copy(update={"execution": elsewhere})
