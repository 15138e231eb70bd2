"""All stages of a study, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cinecortex.reporting import report
from cinecortex.running.made import Made
from cinecortex.running.session import REPORT, Session, inverted, reported, validated
from cinecortex.running.stages import Run, Say, Stage, fitted, recorded
from cinecortex.study import MethodScores
from cinecortex.studyfile import Study


@dataclass(frozen=True, eq=False)
class Ran:
    """What a study came to, for one session.

    Attributes:
        session_id: The session.
        scores: How its reconstructions score.
        verdict, sentence: The summary of its findings.
        folder: Where the reconstructions are, and ``findings.json``.
        report: The page that lays them out.
    """

    session_id: str
    scores: MethodScores
    verdict: str
    sentence: str
    folder: Path
    report: Path


def run_study(study: Study, *, command: str, stage: Stage, say: Say) -> Iterator[Ran]:
    """Run what is missing: the recording where it is simulated, the encoder, reconstructions, findings, report.

    Args:
        study: From `read_study`.
        command: For the record.
        stage: Opens a stage.
        say: Told what is there already, the plan of the inversions, and what was done.

    Yields:
        One for each session, as soon as it is judged.

    Raises:
        WrongUse: the study asks for what these recordings do not have, or its folder holds something else.
        BadData: a recording, the encoder or the folder cannot be used.
        CinecortexError: inversions failed; those that did not are kept.
    """
    run = Run(study, Made.open(study.out, study), command, stage, say)
    recordings = recorded(run)
    model = fitted(run, recordings)
    # All of them before the first is begun: what cannot be is known early.
    sessions = [Session.of(run, recording, recordings, model) for recording in recordings]
    for session in sessions:
        scores, findings = inverted(session), validated(session)
        page, summary = reported(session, findings), findings["summary"]
        name = session.recording.session_id
        yield Ran(name, scores, summary["verdict"], summary["sentence"], session.folder, page)
    if len(recordings) > 1:
        with stage("laying out all sessions"):
            report([session.folder for session in sessions], run.made.folder / REPORT)
