"""Ask every check, invert what they ask once, and judge."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cinecortex.consent import stated_consent
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.errors import WrongUse
from cinecortex.execution.energy import Energy
from cinecortex.execution.machines import Machines
from cinecortex.finding import Finding
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.metamer import Metamer
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.screen import ScreenGeometry, screen_of
from cinecortex.tensors import Mask, Movie
from cinecortex.validating.answering import Answering, population_mask
from cinecortex.validating.document import document, origin, write_json
from cinecortex.validating.panel import (
    Panelist,
    foreign,
    measurer,
    metamer,
    named,
    other_priors,
    own,
    solver,
    stored,
)
from cinecortex.validating.showing import asked_to_show, keep_shown
from cinecortex.validating.subject import choose_clips, fitted_trials, held_out_encoders, left_out_trials, seen_clips
from cinecortex.validation.check import INTACT, JUDGED, Asked, Check, Question
from cinecortex.validation.deep import DEEP
from cinecortex.validation.entry import Entry, Subject
from cinecortex.validation.error_budget import SOLVED
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.suite import SUITE, entries
from cinecortex.validation.summary import Summary, corrected, summarise

CLIPS, QUICK_CLIPS = 10, 8
"""Of eight clips a sign-flip test can still reach 0.05 among a handful of questions."""
MEASURED = 1
"""Clips of which a report of the plain suite shows how much is data: the one that the page opens with."""
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
        shown: Whether what a report shows is kept, too.
        measured: Of how many clips it is measured for the report how much of each pixel is data; None for one of the
            suite, all with the deep checks, and none where haste or single checks were asked for.
        screen: What a pixel is in degrees of visual angle; None for what the recording's metadata say, if anything.
        machines: Where inversions run.
        command: What was asked for, for the record.
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
    shown: bool = True
    measured: int | None = None
    screen: ScreenGeometry | None = None
    machines: Machines = field(default_factory=Machines)
    command: str = "cinecortex.validate"
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
    consent: str | None = None,
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
        consent: Of a human subject, what consent and ethics approval there is; kept with the findings.
        seed: Root of everything random.

    Raises:
        WrongUse: a check or method is unknown, there is no trial to judge, or the subject is human and nothing was
            stated of consent.
        CinecortexError: inversions failed; those that did not are kept.
    """
    stated = stated_consent(recording, consent)
    if out is None:
        with TemporaryDirectory() as folder:
            unshown = replace(options, shown=False)
            again = {"trials": trials, "movies": movies, "options": unshown, "consent": consent, "seed": seed}
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
    if options.shown and movies is None:
        asked |= asked_to_show(judged, measured=_measured(options) if Identified.name in panel else 0, seed=seed)
    options.tell(f"{len(judged)} of {len({t.clip_id for t in pool})} clips are judged, by {len(checks)} checks.")
    answers = _handed_in(asked, movies or {})
    rest = {question: seen for question, seen in asked.items() if question not in answers}
    before = Energy.read()
    answers |= Answering(panel, out / "answers", options.machines, options.tell, options.progress)(rest, seed)
    joules = before.joules_until(Energy.read())
    findings = corrected(_judged(checks.values(), judged, answers, options.machines), run.chosen)
    summary = summarise(findings, run.chosen, method=panel[JUDGED].name, clips=len(judged), missing=missing)
    content = document(
        *(recording, known, panel[JUDGED], judged, findings),
        summary=summary,
        missing=missing,
        consent=stated,
        command=options.command,
        answers=answers,
        joules=joules,
        seed=seed,
    )
    if options.shown:
        keep_shown(
            out,
            judged,
            answers,
            methods=[name for name in panel if name in (*options.baselines, Identified.name, "sample")],
            mask=run.mask,
            seen=seen_clips(known),
            attrs=origin(content),
        )
    write_json(out / "findings.json", content)
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
            panel[Metamer.name] = metamer(self.model, self.recording)

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
            left_out=left_out_trials(self.model, [recording, *options.also]),
            held_out=held_out,
            animal=NoisyEncoder(next(iter(held_out.values()))) if held_out else None,
            noiseless=NoiselessEncoder(next(iter(held_out.values()))) if held_out else None,
            screen=options.screen or screen_of(recording.metadata, recording.frame_size[1]),
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


def _measured(options: Options) -> int:
    """Of how many clips a report shows how much is data: dearer than several reconstructions, each of them."""
    if options.measured is not None:
        return options.measured
    if options.checks is not None or options.quick:
        return 0
    return (options.clips or CLIPS) if options.deep else MEASURED


def _judged(
    checks: Collection[Check], trials: Sequence[Trial], answers: Mapping[Question, Reconstruction], machines: Machines
) -> list[Finding]:
    """What every check says, several at once where inversions ran so: none waits for another."""
    with ThreadPoolExecutor(max_workers=machines.at_once) as pool:
        return list(pool.map(lambda check: check.judge(trials, answers), checks))


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
