"""All stages of a study, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cinecortex.running.made import Made
from cinecortex.running.session import Session, inverted, validated
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
    """

    session_id: str
    scores: MethodScores
    verdict: str
    sentence: str
    folder: Path


def run_study(study: Study, *, command: str, stage: Stage, say: Say) -> Iterator[Ran]:
    """Run what is missing: the recording where it is simulated, the encoder, reconstructions, findings.

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
    for session in [Session.of(run, recording, recordings, model) for recording in recordings]:
        scores, findings = inverted(session), validated(session)
        summary = findings["summary"]
        yield Ran(session.recording.session_id, scores, summary["verdict"], summary["sentence"], session.folder)
