"""What a benchmark keeps in its folder between runs: a mask, whole answers of a method, and their scores."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from animals import SEED
from cinecortex import methods, study
from cinecortex.data import read_result, reconstructions, write_result
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Trial
from cinecortex.tensors import Mask


def slug(name: str) -> str:
    """A method's name as the name of a file."""
    return name.replace(", ", "_").replace(" ", "_")


def written(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    write(unfinished)
    unfinished.replace(path)


def kept_mask(path: Path, make: Callable[[], Mask]) -> Mask:
    """The mask in this file, made where it is not there: it takes minutes for many neurons."""
    if not path.exists():
        mask = make().numpy()
        written(path, lambda unfinished: np.save(unfinished, mask))
    return torch.from_numpy(np.load(path, allow_pickle=False))


def kept_answers(
    name: str, make: Callable[[], Inverter], trials: Sequence[Trial], folder: Path
) -> tuple[study.Results, dict[str, object]]:
    """The answers of a method, from the folder where they are there; and what the method says of its calibration."""
    path = folder / f"{slug(name)}.zarr"
    if not path.exists():
        began = time.perf_counter()
        inverter = make()
        fitted = time.perf_counter() - began
        results = study.invert_trials(inverter, trials, seed=SEED / "invert")
        found = inverter.recalibration.to_json() if isinstance(inverter, methods.Calibrated) else {}
        write_result(path, results, attrs={"fitted_seconds": fitted, "recalibration": found})
        print(name, np.mean([a.seconds for _, a in results]).round(1), "s per clip", flush=True)
    dataset = read_result(path)
    answers = reconstructions(dataset)
    return list(zip(trials, answers, strict=True)), dict(dataset.attrs)


def kept_scores(name: str, results: study.Results, mask: Mask, folder: Path) -> study.MethodScores:
    """The scores of these very answers inside this very mask, from the folder where they are there."""
    path, of = folder / f"{slug(name)}.json", digest(results, mask)
    stored = json.loads(path.read_text()) if path.exists() else {}
    if stored.get("of") != of:
        made = study.score_results(name, results, mask=mask)
        clips = [[clip.trial_id, dict(clip.values), list(clip.over_masks)] for clip in made.clips]
        stored = {"of": of, "frame_passes": made.frame_passes, "seconds": made.seconds, "clips": clips}
        written(path, lambda unfinished: unfinished.write_text(json.dumps(stored)))
    clips = tuple(study.ClipScores(trial_id, values, tuple(over)) for trial_id, values, over in stored["clips"])
    return study.MethodScores(name, clips, stored["frame_passes"], stored["seconds"])


def digest(results: study.Results, mask: Mask) -> str:
    """Of all that scores rest on: clips, movies, costs and mask."""
    content = hashlib.blake2b(mask.numpy().tobytes(), digest_size=16)
    for trial, answer in results:
        content.update(f"{trial.trial_id} {trial.clip_id} {answer.frame_passes} {answer.seconds}".encode())
        content.update(answer.movie.numpy().tobytes())
    return content.hexdigest()
