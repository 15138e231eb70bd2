"""Ask every check, invert what they ask once, and judge."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cinecortex import study
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.errors import WrongUse
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.execution.machines import Machines
from cinecortex.finding import Finding
from cinecortex.identifiability.identified import Identified
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie
from cinecortex.validating.answering import Answering, population_mask
from cinecortex.validating.panel import (
    Panelist,
    encoder_fingerprint,
    foreign,
    measurer,
    named,
    other_priors,
    own,
    solver,
    stored,
)
from cinecortex.validating.subject import choose_clips, fitted_trials, held_out_encoders, seen_clips
from cinecortex.validation.check import INTACT, JUDGED, Asked, Check, Question
from cinecortex.validation.deep import DEEP
from cinecortex.validation.entry import Entry, Subject
from cinecortex.validation.error_budget import SOLVED
from cinecortex.validation.noisy_encoder import NoisyEncoder
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.suite import SUITE, entries
from cinecortex.validation.summary import Summary, corrected, summarise

SCHEMA = "cinecortex.findings/1"
CLIPS, QUICK_CLIPS = 10, 8
"""Of eight clips a sign-flip test can still reach 0.05 among a handful of questions."""
Tell = Callable[[str], None]
Progress = Callable[[int, int, str], None]


def _silent(*_: object) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Options:
    """How a validation is run.

    Attributes:
        checks: Names of checks or of their groups; None for all.
        quick: Only the checks of the quick suite.
        deep: The deep checks, too: how much of what is shown is in the neurons.
        clips: Most clips to judge, drawn at random; None for 10, and 8 for the quick suite.
        also: The other recordings that the encoder was fitted to, for the audit of leaks.
        held_out: Folders of encoders that the method had nothing to do with; by default two are fitted.
        baselines: Methods that the judged one is held against.
        machines: Where inversions run.
        tell: Told the plan and what was done, in sentences.
        progress: Told of every inversion.
    """

    checks: Sequence[str] | None = None
    quick: bool = False
    deep: bool = False
    clips: int | None = None
    also: Sequence[Recording] = ()
    held_out: Sequence[Path] = ()
    baselines: Sequence[str] = ("mean", "nearest", "ridge")
    machines: Machines = field(default_factory=Machines)
    tell: Tell = _silent
    progress: Progress = _silent


@dataclass(frozen=True, eq=False)
class Validation:
    """What came out.

    Attributes:
        summary: The verdict and the sentence.
        findings: In the order of the suite.
        missing: Why a check was not asked, by its id.
        answers: What every question was answered.
        trials: The trials that were judged.
        mask: Where scores count.
        content: What ``findings.json`` holds.
    """

    summary: Summary
    findings: tuple[Finding, ...]
    missing: Mapping[str, str]
    answers: Mapping[Question, Reconstruction]
    trials: tuple[Trial, ...]
    mask: Mask
    content: Mapping[str, Any]


def validate(
    recording: Recording,
    model: Model | Encoder,
    method: str | Inverter | Panelist = "map",
    *,
    out: Path | None = None,
    trials: Sequence[Trial] | None = None,
    movies: Mapping[str, Movie] | None = None,
    options: Options = Options(),
    seed: Seed = Seed(0),  # noqa: B008 - frozen
) -> Validation:
    """Judge a method on a recording, and write ``findings.json``.

    Args:
        recording: The session.
        model: The encoder, and what it says it was fitted to. An encoder alone says nothing: what was leaked to it
            remains open.
        method: One of ours by name, ``module:object``, or an inverter; or any of these as a `Panelist`.
        out: Folder for the findings, and for all that a second run need not do again; None keeps nothing.
        trials: Trials to choose clips from; by default all with a response that are not of tier ``train``.
        movies: Finished reconstructions by trial id, to be judged instead of a method; only the checks that need no
            other answer are asked.
        options: See `Options`.
        seed: Root of everything random.

    Raises:
        WrongUse: a check or method is unknown, or there is no trial to judge.
        CinecortexError: inversions failed; those that did not are kept.
    """
    if out is None:
        with TemporaryDirectory() as folder:
            again = {"trials": trials, "movies": movies, "options": options, "seed": seed}
            return validate(recording, model, method, out=Path(folder), **again)  # type: ignore[arg-type]
    known = Model({recording.session_id: model}, {"kind": model.kind}) if isinstance(model, Encoder) else model
    pool = [t for t in recording.trials if t.tier != "train"] if trials is None else list(trials)
    pool = [t for t in pool if t.response is not None and (movies is None or t.trial_id in movies)]
    if not pool:
        raise WrongUse(f"{recording.source} has no trial to judge: none with a response outside tier train.")
    most = options.clips or (QUICK_CLIPS if options.quick else CLIPS)
    judged, repeats = choose_clips(pool, most, seed=seed / "clips")
    run = _Run(recording, known, out, _entries(options), options, seed)
    panel = run.panel(method, movies)
    checks, missing = run.checks(run.subject(panel, repeats))
    asked: dict[Question, Observation] = {}
    for name, check in list(checks.items()):
        wanted = check.ask(judged)
        if reason := _unanswerable(wanted, panel, movies):
            missing[name] = reason
            del checks[name]
        else:
            asked |= wanted
    options.tell(f"{len(judged)} of {len({t.clip_id for t in pool})} clips are judged, by {len(checks)} checks.")
    answers = _handed_in(asked, movies or {})
    rest = {question: seen for question, seen in asked.items() if question not in answers}
    answers |= Answering(panel, out / "answers", options.machines, options.tell, options.progress)(rest, seed)
    findings = corrected([check.judge(judged, answers) for check in checks.values()], run.chosen)
    summary = summarise(findings, run.chosen, method=panel[JUDGED].name, clips=len(judged), missing=missing)
    content = run.content(panel[JUDGED], judged, findings, summary, missing)
    _write_json(out / "findings.json", content)
    return Validation(summary, findings, missing, answers, tuple(judged), run.mask, content)


@dataclass(frozen=True, eq=False)
class _Run:
    """One validation, as it was asked for."""

    recording: Recording
    model: Model
    out: Path
    chosen: tuple[Entry, ...]
    options: Options
    seed: Seed

    @property
    def encoder(self) -> Encoder:
        return self.model.session(self.recording.session_id)

    @property
    def mask(self) -> Mask:
        return population_mask(self.encoder, self.out / "answers")

    def panel(self, method: str | Inverter | Panelist, movies: Mapping[str, Movie] | None) -> dict[str, Panelist]:
        """Everybody who may be asked, by the name that questions have for them."""
        if movies is not None:
            judged = stored()
        elif isinstance(method, Panelist):
            judged = method
        elif not isinstance(method, str):
            judged = own(method)
        elif ":" in method:
            judged = foreign(method, self.encoder)
        else:
            judged = named(method, self.model, self.recording, seed=self.seed)
        panel = {JUDGED: judged}
        if "fitted" in self.model.facts:
            panel |= {n: named(n, self.model, self.recording, seed=self.seed) for n in self.options.baselines}
        if judged.name == "map" and movies is None:
            panel |= other_priors(self.model, self.recording, seed=self.seed)
            # The most probable movie has no error bars; those of the posterior around it are its own.
            panel["sample"] = named("sample", self.model, self.recording, seed=self.seed)
        if self.encoder.movie_statistics is not None:
            panel[Identified.name] = measurer(self.model, self.recording)
        if None not in (self.encoder.movie_statistics, self.encoder.observation_model):
            panel[SOLVED] = solver(self.model, self.recording)
        return panel

    def subject(self, panel: Mapping[str, Panelist], repeats: Sequence[Trial]) -> Subject:
        """What the checks need beside answers."""
        recording, options = self.recording, self.options
        held_out: dict[str, Encoder] = {}
        if any(entry.needs_held_out for entry in self.chosen):
            folder, stream = self.out / "held-out", self.seed / "held out"
            held_out |= held_out_encoders(
                recording, folder, options.held_out, seed=stream, tell=options.tell, progress=options.progress
            )
        training = fitted_trials(self.model, [recording, *options.also])
        if not panel[JUDGED].ours:
            # Nobody knows what somebody else's method has seen: all that it could have been fitted to.
            training = tuple(dict.fromkeys((*training, *recording.tier("train"))))
        told = [facts for facts in self.model.facts.get("fitted", ()) if facts["session_id"] == recording.session_id]
        roles = {role: {name for facts in told for name in facts["trials"][role]} for role in ("train", "select")}
        return Subject(
            encoder=self.encoder,
            scoring=Scoring(mask=self.mask),
            seed=self.seed,
            training=training,
            own_training=tuple(trial for trial in recording.trials if trial.trial_id in roles["train"]),
            own_select=tuple(trial for trial in recording.trials if trial.trial_id in roles["select"]),
            seen=seen_clips(self.model),
            left_out={name: why for facts in told for name, why in facts.get("dropped", {}).items()},
            held_out=held_out,
            animal=NoisyEncoder(next(iter(held_out.values()))) if held_out else None,
            repeats=tuple(repeats),
            baselines=tuple(name for name in options.baselines if name in panel),
            drawn_by="sample" if "sample" in panel else "",
            priors={name: name.removeprefix("map, ") for name in panel if name.startswith("map, ")},
        )

    def checks(self, subject: Subject) -> tuple[dict[str, Check], dict[str, str]]:
        """The checks that can be asked, and why others cannot."""
        checks, missing = {}, {}
        for entry in self.chosen:
            made = entry.make(subject)
            if isinstance(made, str):
                missing[entry.id] = made
            else:
                checks[entry.id] = made
        return checks, missing

    def content(
        self,
        judged: Panelist,
        trials: Sequence[Trial],
        findings: Sequence[Finding],
        summary: Summary,
        missing: Mapping[str, str],
    ) -> dict[str, Any]:
        """What ``findings.json`` says."""
        recording, model = self.recording, self.model
        kinds = {"kind": str(model.facts["kind"]), "fingerprint": encoder_fingerprint(self.encoder)}
        content: dict[str, Any] = study.plain(
            {
                "schema": SCHEMA,
                "recording": {
                    "session_id": recording.session_id,
                    "source": recording.source.name,
                    "fingerprint": recording.fingerprint,
                    "neurons": len(recording.neurons),
                    "simulated": recording.simulated,
                    "metadata": dict(recording.metadata),
                    "judged": [trial.trial_id for trial in trials],
                },
                "encoder": kinds | {"fitted": [f["session_id"] for f in model.facts.get("fitted", ())]},
                "method": {"name": judged.name, "fingerprint": fingerprint(judged.identity)},
                "summary": asdict(summary),
                "findings": [finding.to_json() for finding in findings],
                "not_asked": dict(missing),
                "seed": self.seed.root,
                "versions": study.versions(),
            }
        )
        return content


def _entries(options: Options) -> tuple[Entry, ...]:
    try:
        return entries(options.checks, quick=options.quick, deep=options.deep)
    except KeyError as error:
        known = [entry.id for entry in (*SUITE, *DEEP)]
        (nearest,) = difflib.get_close_matches(str(error.args[0]), known, n=1, cutoff=0.0)
        raise WrongUse(
            f"--checks {error.args[0]!r} is unknown; the nearest is {nearest!r}, and there are {', '.join(known)}."
        ) from error


def _unanswerable(asked: Asked, panel: Mapping[str, Panelist], movies: Mapping[str, Movie] | None) -> str:
    """Why these questions cannot be answered, in a clause; empty where they can."""
    absent = sorted({question.method for question in asked} - set(panel))
    if absent:
        return f"it needs answers by {', '.join(absent)}"
    if movies is not None:
        for question in asked:
            if question.method == JUDGED and (question.control != INTACT or question.trial_id not in movies):
                return "it needs new inversions, and movies were handed in"
    return ""


def _handed_in(asked: Asked, movies: Mapping[str, Movie]) -> dict[Question, Reconstruction]:
    return {
        question: Reconstruction(movies[question.trial_id], ended="handed in")
        for question in asked
        if question.method == JUDGED and question.control == INTACT and question.trial_id in movies
    }


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(content, indent=1, allow_nan=False))
    unfinished.replace(path)
