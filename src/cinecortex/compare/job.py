"""One method on some trials, in a process of its own: its memory is then nobody else's.

`run` starts it as ``python -m cinecortex.compare.job``, hands in a `Job` as JSON, and is told of progress, and of
failure, in lines of JSON. What was found is in the result file, which is written on the way too, at most once a minute,
and when it is stopped: it goes on from there.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from cinecortex import methods, study
from cinecortex.compare.memory import peak_memory_bytes
from cinecortex.data import Cut, load, read_result, reconstructions, words, write_result
from cinecortex.encoders.checkpoint import load_model
from cinecortex.errors import BadData, CinecortexError
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.seeds import Seed

WRITE_EVERY_SECONDS = 60.0
Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """What to run, in values that JSON can hold.

    Attributes:
        method: One of `study.METHODS`.
        recording, encoder: Where they are.
        trials: Their ids, in the order of the answer.
        seed: Root of every random number.
        out: The result to write.
        identity: What makes two answers comparable: fingerprints of recording and encoder, seed, version.
        attrs: What else the result is to say about itself.
        clip_frames, guard_frames, test_frames: How a continuous recording is cut.
    """

    method: study.Method
    recording: str
    encoder: str
    trials: tuple[str, ...]
    seed: int
    out: str
    identity: Mapping[str, Any]
    attrs: Mapping[str, Any]
    clip_frames: int
    guard_frames: int
    test_frames: tuple[int, int] | None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @staticmethod
    def of_json(text: str) -> Job:
        """The reverse of `to_json`."""
        content = json.loads(text)
        frames = content.pop("test_frames")
        trials = tuple(content.pop("trials"))
        return Job(**content, trials=trials, test_frames=tuple(frames) if frames is not None else None)


@dataclass(frozen=True, eq=False)
class Kept:
    """What a result file already holds of a method.

    Attributes:
        answers: Reconstruction by trial id.
        cost: What the method cost besides: see `run_job`.
    """

    answers: Mapping[str, Reconstruction]
    cost: Mapping[str, Any]


def kept_answers(path: Path, identity: Mapping[str, Any], *, drawn: bool = True) -> Kept:
    """The answers in a result, if it is one of the same method on the same recording, encoder and seed.

    Args:
        path: The result; it need not be there.
        identity: As in `Job`.
        drawn: Whether to read what was drawn, too.
    """
    if not path.exists():
        return Kept({}, {})
    try:
        dataset = read_result(path)
    except BadData:
        return Kept({}, {})
    found, cost = dataset.attrs.get("compared", {}), dataset.attrs.get("cost", {})
    if {**identity, "code": code_of(found.get("package"))} != {k: v for k, v in found.items() if k != "package"}:
        return Kept({}, {})
    answers = reconstructions(dataset, drawn=drawn)
    return Kept(dict(zip(words(dataset, "trial_id"), answers, strict=True)), cost)


def code_of(package: str | None) -> str | None:
    """Digest of the source of a package of methods, and of how methods are made: their settings are in there."""
    spec = importlib.util.find_spec(package) if package is not None else None
    if spec is None:
        return None
    digest = blake2b(inspect.getsource(methods).encode(), digest_size=8)
    for folder in spec.submodule_search_locations or ():
        for path in sorted(Path(folder).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def run_job(job: Job, tell: Tell) -> None:
    """Run what is missing and write the result; the ``cost`` among its attributes says what it took.

    ``fitting_seconds`` is what it took to make the method (to fit a decoder), ``floor_bytes`` the most memory held
    before anything was loaded, ``peak_bytes`` until all was done, ``accelerator_bytes`` the same of the accelerator.
    """
    cost: dict[str, Any] = {"floor_bytes": peak_memory_bytes()}
    cut = Cut(clip_frames=job.clip_frames, guard_frames=job.guard_frames, test_frames=job.test_frames)
    recording, model = load(job.recording, cut=cut), load_model(Path(job.encoder))
    began = time.perf_counter()
    inverter = methods.make_inverter(job.method, model, recording, seed=Seed(job.seed))
    cost["fitting_seconds"] = time.perf_counter() - began
    kept = kept_answers(Path(job.out), job.identity)
    missing = [recording.trial(name) for name in job.trials if name not in kept.answers]
    method, recalibration = inverter, None
    if isinstance(inverter, methods.Calibrated):
        method, recalibration = inverter.inverter, inverter.recalibration.to_json()
    package = type(method).__module__.rpartition(".")[0]
    attrs = {
        **job.attrs,
        "method": inverter.name,
        "settings": settings_of(method),
        "recalibration": recalibration,
        "compared": {**job.identity, "package": package, "code": code_of(package)},
    }
    done: study.Results = [(recording.trial(name), answer) for name, answer in kept.answers.items()]
    stored, written = len(done), time.perf_counter()
    try:
        for number, trial in enumerate(missing, 1):
            done += study.invert_trials(inverter, [trial], seed=Seed(job.seed) / "invert")
            tell({"done": number, "total": len(missing), "message": f"trial {trial.trial_id}: {done[-1][1].ended}"})
            if time.perf_counter() - written > WRITE_EVERY_SECONDS:
                write_result(Path(job.out), done, attrs={**attrs, "cost": _cost_now(cost, kept.cost)})
                stored, written = len(done), time.perf_counter()
    finally:
        # Also when a trial fails, or the keyboard says stop: what was done so far is kept.
        if len(done) > stored:
            write_result(Path(job.out), done, attrs={**attrs, "cost": _cost_now(cost, kept.cost)})


def _cost_now(cost: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    accelerator = torch.cuda.max_memory_allocated()  # 0 where none was used
    return {
        **cost,
        "peak_bytes": max(peak_memory_bytes(), before.get("peak_bytes", 0)),
        "accelerator_bytes": max(accelerator, before.get("accelerator_bytes", 0)),
    }


def settings_of(inverter: Inverter) -> dict[str, Any]:
    """The settings of a method that are words or numbers."""
    plain = {name: value for name, value in vars(inverter).items() if isinstance(value, str | int | float | bool)}
    return {name: value for name, value in plain.items() if not name.startswith("_")}


def main() -> int:
    """Read the job from standard input; say what happens on standard output."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a method prints must not get among the answers

    def tell(message: Mapping[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        run_job(Job.of_json(sys.stdin.read()), tell)
    except CinecortexError as error:
        tell({"failed": str(error)})
    except Exception as error:
        what = " ".join(str(error).split())
        tell({"failed": f"unexpected {type(error).__name__}: {what}"})
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
