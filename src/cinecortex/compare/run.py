"""Run methods one after another, each in a process of its own; what is finished is kept and used again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cinecortex import study
from cinecortex.compare.job import Job, kept_answers
from cinecortex.compare.tables import Comparison, Outcome
from cinecortex.consent import stated_consent
from cinecortex.data import Cut
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.errors import BadData, WrongUse
from cinecortex.inversion.map import MAP
from cinecortex.recording import Recording, Trial
from cinecortex.tensors import Mask

Stage = Callable[[str], AbstractContextManager[study.Progress]]
"""Opens a stage by its title and gives what reports its progress."""

NAME = "compare"
PATIENCE_SECONDS = 20.0


def compare(
    recording: Recording,
    model: Model,
    encoder: Path,
    trials: Sequence[Trial],
    *,
    methods: Sequence[study.Method],
    out: Path,
    seed: int,
    cut: Cut,
    command: str,
    stage: Stage,
    consent: str | None = None,
) -> Comparison:
    """Run methods on the same trials, score them, and write the tables.

    A method that fails is in the table with its sentence, and the others run. After every method the tables are
    written anew, and its reconstructions are in ``out/<method>.zarr``. Those that are there already are used again
    if they come from the same recording, encoder, seed, version and code of the method.

    Args:
        recording: The session.
        model: Holds its encoder.
        encoder: The folder that the model was read from.
        trials: Trials with responses; some may have been fitted to, which the tables say.
        methods: The methods; paired differences are to the first.
        out: Folder to write: a result for each method, ``compare.json``, ``compare.md`` and ``compare.csv``.
        seed: Root of every random number.
        cut: How the recording was cut, if it is continuous.
        command: For the record.
        stage: Opens a stage.
        consent: Of a human subject, what was stated; answers that another statement was made for are not used again.

    Raises:
        WrongUse: ``out`` holds something else, no method was named, the encoder was not calibrated, or the subject is
            human and nothing was stated.
        BadData: ``out`` cannot be made.
    """
    if not methods:
        raise WrongUse("no method was named; give at least one.")
    stated = stated_consent(recording, consent)
    _refuse(out)
    forward = model.session(recording.session_id)
    mask = MAP(encoder=forward).mask.cpu()
    _open(out)
    identity = {
        "recording": recording.fingerprint,
        "encoder": encoder_fingerprint(encoder),
        "seed": seed,
        "version": version("cinecortex"),
        **({"consent": stated} if stated else {}),
    }
    facts = study.provenance(model, recording, seed=seed, command=command, consent=stated)
    facts |= {"encoder": str(identity["encoder"]), "session": recording.session_id}
    job = Job(
        method=methods[0],
        recording=str(recording.source),
        encoder=str(encoder),
        trials=tuple(trial.trial_id for trial in trials),
        seed=seed,
        out="",
        identity=identity,
        attrs=facts,
        clip_frames=cut.clip_frames,
        guard_frames=cut.guard_frames,
        test_frames=cut.test_frames,
    )
    comparison = Comparison(
        facts=facts,
        trials=job.trials,
        unseen=[trial.trial_id for trial in study.unseen_trials(model, [recording], trials)],
        mask=(int((mask >= study.MASK_THRESHOLD).sum()), mask.numel()),
        outcomes=(),
    )
    for method in methods:
        part = replace(job, method=method, out=str(out / f"{method}.zarr"), identity=identity | {"method": method})
        with stage(f"comparing {method}") as progress:
            outcome = _outcome(part, trials, mask, forward, progress)
        comparison = replace(comparison, outcomes=(*comparison.outcomes, outcome))
        write_tables(comparison, out)
    return comparison


def _refuse(out: Path) -> None:
    """What no comparison wrote is never overwritten."""
    if out.exists() and not (out / f"{NAME}.json").exists() and not (out.is_dir() and not any(out.iterdir())):
        raise WrongUse(f"{out} exists and holds something else; choose another folder with --out.")


def _open(out: Path) -> None:
    """Make the folder, and mark it as ours before anything else is in it."""
    mark = out / f"{NAME}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            _write(mark, "{}\n")
    except OSError as error:
        raise BadData(f"{out} cannot be written ({error.strerror}); choose another folder with --out.") from error


def _outcome(job: Job, trials: Sequence[Trial], mask: Mask, encoder: Encoder, progress: study.Progress) -> Outcome:
    out = Path(job.out)
    if out.exists() and not (out / "zarr.json").exists():
        return Outcome(job.method, failed=f"{out} exists and is not a result; move it away.")
    before = kept_answers(out, job.identity, drawn=False).answers.keys() & set(job.trials)
    if len(before) == len(trials):
        progress(len(trials), len(trials), "all reconstructions were there already")
    else:
        if before:
            progress(0, len(trials) - len(before), f"{len(before)} of {len(trials)} were there already")
        failed = run_apart(job, progress)
        if failed is not None:
            return Outcome(job.method, failed=failed)
    kept = kept_answers(out, job.identity, drawn=False)
    results = [(trial, kept.answers[trial.trial_id]) for trial in trials]
    return Outcome(
        method=job.method,
        scores=study.score_results(job.method, results, mask=mask, encoder=encoder),
        reused=len(before),
        ended={trial.trial_id: answer.ended for trial, answer in results},
        cost=kept.cost,
    )


def run_apart(job: Job, progress: study.Progress) -> str | None:
    """Run a job in a process of its own; None, or one sentence on why it failed."""
    failed = None
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "cinecortex.compare.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # the keyboard reaches it once, through this process
        )
        assert process.stdin is not None and process.stdout is not None, "both are pipes"  # noqa: S101, PT018
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(job.to_json())
                process.stdin.close()
            for line in process.stdout:
                told: Mapping[str, Any] = json.loads(line)
                if "failed" in told:
                    failed = str(told["failed"])
                else:
                    progress(told["done"], told["total"], told["message"])
            code = process.wait()
        finally:
            _stop(process)
            process.stdout.close()
        if failed is None and code != 0:
            said.seek(0)
            failed = _died(code, said.read().strip().rpartition("\n")[2])
    return failed


def _stop(process: subprocess.Popen[str]) -> None:
    """Whatever interrupts the wait, nothing goes on behind the back of whoever stopped it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # it then cleans up what it was writing
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _died(code: int, last: str) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed, most likely because memory ran out; give fewer or shorter trials."
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return f"its process ended {how}" + (f": {last}" if last else ".")


def encoder_fingerprint(folder: Path) -> str:
    """Digest of the weights, of what was measured, and of the trials that were fitted to; not of scores kept beside."""
    content = json.loads((folder / "encoder.json").read_text())
    matters = {name: content.get(name) for name in ("kind", "networks", "sessions")}
    matters["fitted"] = [[facts["session_id"], facts["trials"]] for facts in content.get("fitted", ())]
    digest = blake2b(json.dumps(matters, sort_keys=True).encode(), digest_size=8)
    digest.update((folder / "weights.safetensors").read_bytes())
    return digest.hexdigest()


def write_tables(comparison: Comparison, out: Path) -> None:
    """Write ``compare.json``, ``compare.md`` and ``compare.csv``."""
    _write(out / f"{NAME}.json", json.dumps(comparison.to_json(), indent=1, allow_nan=False))
    _write(out / f"{NAME}.md", comparison.to_markdown())
    _write(out / f"{NAME}.csv", comparison.to_csv())


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
