"""What ``findings.json`` says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cinecortex import study
from cinecortex.data.findings import SCHEMA
from cinecortex.encoders.checkpoint import Model
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.finding import Finding
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.validating.panel import Panelist, encoder_fingerprint
from cinecortex.validation.check import Answers
from cinecortex.validation.summary import Summary


def document(
    recording: Recording,
    model: Model,
    judged: Panelist,
    trials: Sequence[Trial],
    findings: Sequence[Finding],
    *,
    summary: Summary,
    missing: Mapping[str, str],
    consent: str,
    command: str,
    answers: Answers,
    seed: Seed,
) -> dict[str, Any]:
    """The whole of ``findings.json``.

    Args:
        recording: The session.
        model: The encoder and what it says it was fitted to.
        judged: Who was judged.
        trials: On what.
        findings: What was found, in the order of the suite.
        summary: The verdict and the sentence.
        missing: Why a check was not asked, by its id.
        consent: What was stated of consent, or nothing.
        command: What was asked for, for the record.
        answers: All reconstructions that the findings rest on, for the time that they took.
        seed: Root of everything random.
    """
    kinds = {"kind": str(model.facts["kind"]), "fingerprint": encoder_fingerprint(model.session(recording.session_id))}
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
                "consent": consent,
                "judged": [trial.trial_id for trial in trials],
            },
            "encoder": kinds | {"fitted": [f["session_id"] for f in model.facts.get("fitted", ())]},
            "method": {
                "name": judged.name,
                "fingerprint": fingerprint(judged.identity),
                "settings": settings_of(judged),
            },
            "summary": asdict(summary),
            "findings": [finding.to_json() for finding in findings],
            "not_asked": dict(missing),
            "seed": seed.root,
            "command": command,
            "machine": study.machine(),
            "spent": {"inversions": len(answers), "seconds": sum(one.seconds for one in answers.values())},
            "versions": study.versions(),
        }
    )
    return content


def settings_of(judged: Panelist) -> dict[str, Any]:
    """What was chosen about a method, as far as it is told in words and numbers."""
    choices = judged.identity.get("choices", {})
    told = {name: value for name, value in choices.items() if isinstance(value, str | int | float | bool)}
    return {**told, **({"mask": "from a file"} if choices.get("mask") is not None else {})}


def origin(content: Mapping[str, Any]) -> dict[str, Any]:
    """Where a result that is kept beside the findings comes from, in the words of every result."""
    recording = content["recording"]
    metadata, consent = recording["metadata"], recording["consent"]
    return {
        "species": metadata.get("species", "unknown"),
        "subject": metadata.get("subject", "unknown"),
        "simulated": str(recording["simulated"]).lower(),
        **({"consent": consent} if consent else {}),
        "method": content["method"]["name"],
        "command": content["command"],
        "seed": str(content["seed"]),
        "recording": recording["fingerprint"],
        "encoder": content["encoder"]["fingerprint"],
    }


def write_json(path: Path, content: object) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(content, indent=1, allow_nan=False))
    unfinished.replace(path)
