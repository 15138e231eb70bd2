"""The stages of one session: its movies reconstructed, and judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinecortex import study
from cinecortex.choosing import choose_trials
from cinecortex.consent import stated_consent
from cinecortex.data import read_result, reconstructions, words, write_result
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.errors import WrongUse
from cinecortex.methods import DRAWS, Choices, mask_of
from cinecortex.recording import Recording, Trial
from cinecortex.reporting import report
from cinecortex.running.stages import Run
from cinecortex.validating.answering import Answering, population_mask
from cinecortex.validating.panel import Panelist, encoder_fingerprint, foreign, named
from cinecortex.validating.run import Options, validate
from cinecortex.validation.check import JUDGED, Question

RESULT, FINDINGS, ANSWERS, REPORT = "reconstructions.zarr", "findings.json", "answers", "report.html"


@dataclass(frozen=True, eq=False)
class Session:
    """One session in a run.

    Attributes:
        run: The run.
        recording: What was recorded.
        others: The other recordings that the encoder was fitted to.
        model: Holds the encoder.
        trials: What is reconstructed.
        method: By whom.
    """

    run: Run
    recording: Recording
    others: tuple[Recording, ...]
    model: Model
    trials: list[Trial]
    method: Panelist

    @staticmethod
    def of(run: Run, recording: Recording, recordings: tuple[Recording, ...], model: Model) -> Session:
        """The session, with the trials and the method that the study names.

        Raises:
            WrongUse: the recording does not have such trials, or there is no such method.
        """
        asked = run.study.trials
        try:
            trials = choose_trials(recording, asked.tier, None if asked.ids is None else ",".join(asked.ids))
        except WrongUse as error:
            raise WrongUse(f"trials: {str(error).removeprefix('--')}") from error
        others = tuple(other for other in recordings if other is not recording)
        return Session(run, recording, others, model, trials, _method(run, recording, model))

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.recording.session_id.replace("/", "_").replace("\\", "_")

    @property
    def folder(self) -> Path:
        """Where everything about it is."""
        return self.run.made.folder / self.name

    @property
    def encoder(self) -> Encoder:
        """Of its population."""
        return self.model.session(self.recording.session_id)

    @property
    def consent(self) -> dict[str, str]:
        """What the study states of consent, by that word; nothing where it states nothing."""
        stated = stated_consent(self.recording, self.run.study.recordings.consent)
        return {"consent": stated} if stated else {}


def _method(run: Run, recording: Recording, model: Model) -> Panelist:
    asked = run.study.method
    if ":" in asked.name:
        return foreign(asked.name, model.session(recording.session_id))
    choices = Choices(
        mask=mask_of(asked.mask, model, recording),
        behavior=asked.behavior,
        prior=asked.prior,
        draws=DRAWS if asked.samples is None else asked.samples,
        keep=asked.samples is not None,
        calibrate=asked.calibrate,
    )
    return named(asked.name, model, recording, seed=run.seed, choices=choices)


def inverted(session: Session) -> study.MethodScores:
    """Reconstruct all trials into one result, unless it is there; how they score.

    Raises:
        CinecortexError: inversions failed; those that did not are kept.
    """
    run, made = session.run, session.run.made
    trials = [trial.trial_id for trial in session.trials]
    key = run.key({"method": dict(session.method.identity), "trials": trials, **session.consent})
    name = f"{session.name}/{RESULT}"
    if made.there(name, key, f"reconstructions of {session.recording.session_id}", run.say):
        results = _read(session)
    else:
        results = _invert(session)
        write_result(session.folder / RESULT, results, attrs=_facts(session))
        made.note(name, key)
    mask = population_mask(session.encoder, session.folder / ANSWERS)
    return study.score_results(session.method.name, results, mask=mask, encoder=session.encoder)


def _invert(session: Session) -> study.Results:
    run, folder = session.run, session.folder / ANSWERS
    asked = {Question.of(trial): trial.observe() for trial in session.trials}
    with run.stage(f"inverting by {session.method.name}") as progress:
        # Validation asks the same of the same in the same words, and finds these answers where they are.
        answering = Answering({JUDGED: session.method}, folder, run.study.execution.machines(), run.say, progress)
        answers = answering(asked, run.seed)
    return [(trial, answers[Question.of(trial)]) for trial in session.trials]


def _read(session: Session) -> study.Results:
    kept = read_result(session.folder / RESULT)
    found = dict(zip(words(kept, "trial_id"), reconstructions(kept, drawn=False), strict=True))
    return [(trial, found[trial.trial_id]) for trial in session.trials]


def _facts(session: Session) -> dict[str, Any]:
    run = session.run
    options: dict[str, Any] = {"seed": run.study.seed, "command": run.command, **session.consent}
    facts = study.provenance(session.model, session.recording, **options)
    return {**run.study.method.model_dump(mode="json"), "method": session.method.name, **facts}


def validated(session: Session) -> Mapping[str, Any]:
    """Judge the method, unless its findings are there; what ``findings.json`` holds.

    Raises:
        CinecortexError: as for `validate`.
    """
    run, made, asked = session.run, session.run.made, session.run.study.validation
    content = {
        "method": dict(session.method.identity),
        "encoder": encoder_fingerprint(session.encoder),
        "trials": [trial.trial_id for trial in session.trials],
        "recordings": [recording.fingerprint for recording in (session.recording, *session.others)],
        "validation": asked.model_dump(mode="json"),
        **session.consent,
    }
    key, name = run.key(content), f"{session.name}/{FINDINGS}"
    if not made.there(name, key, f"findings on {session.recording.session_id}", run.say):
        with run.stage("validating") as progress:
            options = Options(
                checks=asked.checks,
                quick=asked.quick,
                deep=asked.deep,
                clips=asked.clips,
                also=session.others,
                held_out=asked.held_out,
                baselines=asked.baselines,
                machines=run.study.execution.machines(),
                command=run.command,
                tell=run.say,
                progress=progress,
            )
            validate(
                session.recording,
                session.model,
                session.method,
                out=session.folder,
                trials=session.trials,
                options=options,
                consent=run.study.recordings.consent,
                seed=run.seed,
            )
        made.note(name, key)
    findings: Mapping[str, Any] = json.loads((session.folder / FINDINGS).read_text())
    return findings


def reported(session: Session, findings: Mapping[str, Any]) -> Path:
    """Lay the findings out on a page, unless it is there; where it is.

    Raises:
        BadData, WrongUse: as for `cinecortex.reporting.report`.
    """
    run, made = session.run, session.run.made
    name, path = f"{session.name}/{REPORT}", session.folder / REPORT
    key = run.key({"findings": json.dumps(findings, sort_keys=True)})
    if not made.there(name, key, f"report on {session.recording.session_id}", run.say):
        with run.stage("laying out the report"):
            report([session.folder], path)
        made.note(name, key)
    return path
