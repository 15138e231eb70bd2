"""Answers of `sample` to stretches of clips, kept on disk: what benchmarks/calibration.py judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.inversion.sample import Sample
from cinecortex.methods import CALIBRATION_CLIPS, CALIBRATION_DRAWS, trials_of
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.tensors import Mask, Movie
from cinecortex.validation.controls import no_neurons
from cinecortex.validation.stretch import first_frames

KEPT = ("movie", "mask", "std", "lower", "upper", "samples")


@dataclass(frozen=True, eq=False)
class Asked:
    """What was shown, and what was answered.

    Attributes:
        trials: The test trials, whole.
        truths: Movies of their stretches.
        drawn: Answers to them, with draws.
        prior_only: Answers without any neuron.
        select_truths, select: The same for the select stretches, of fewer draws.
        mask: Where the population can see.
    """

    trials: tuple[Trial, ...]
    truths: tuple[Movie, ...]
    drawn: tuple[Reconstruction, ...]
    prior_only: tuple[Reconstruction, ...]
    select_truths: tuple[Movie, ...]
    select: tuple[Reconstruction, ...]
    mask: Mask

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the test trials."""
        return tuple(trial.trial_id for trial in self.trials)


def ask(folder: Path, kept: Path, *, clips: int, frames: int, draws: int) -> Asked:
    """Ask `sample` about every stretch, or read what it answered before."""
    recording, model = prepare(folder)
    encoder = model.session(recording.session_id)
    trials = recording.tier(TEST_TIER)[:clips]
    test = [first_frames(trial, frames) for trial in trials]
    select = [first_frames(trial, frames) for trial in trials_of(model, recording, "select")[:CALIBRATION_CLIPS]]
    full = Sample(encoder=encoder, draws=draws, keep=True)
    lean = Sample(encoder=encoder, draws=draws, mask=full.mask)
    few = Sample(encoder=encoder, draws=CALIBRATION_DRAWS, mask=full.mask)
    kept = kept / f"{frames} frames, {draws} draws"
    return Asked(
        trials,
        _movies(test),
        _answers(full, test, kept / "drawn", lambda seen: seen),
        _answers(lean, test, kept / "prior only", lambda seen: no_neurons(seen, SEED)),
        _movies(select),
        _answers(few, select, kept / "select", lambda seen: seen),
        full.mask,
    )


def _movies(trials: Sequence[Trial]) -> tuple[Movie, ...]:
    return tuple(trial.movie for trial in trials)


def _answers(
    inverter: Inverter, trials: Sequence[Trial], folder: Path, changed: Callable[[Observation], Observation]
) -> tuple[Reconstruction, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for trial in trials:
        path = folder / f"{trial.trial_id.partition(',')[0]}.npz"
        if not path.exists():
            answer = inverter(changed(trial.observe()), SEED / "calibration" / trial.trial_id)
            _write(path, answer)
            print(f"{folder.name}, trial {trial.trial_id}: {answer.ended}", flush=True)
        found.append(_read(path))
    return tuple(found)


def _write(path: Path, answer: Reconstruction) -> None:
    held = {name: getattr(answer, name) for name in KEPT}
    unfinished = path.with_name(f".{path.name}")
    with unfinished.open("wb") as file:
        np.savez(file, **{name: values.numpy() for name, values in held.items() if values is not None})
    unfinished.replace(path)


def _read(path: Path) -> Reconstruction:
    assert set(KEPT) <= {field.name for field in fields(Reconstruction)}
    with np.load(path, allow_pickle=False) as held:
        return Reconstruction(ended="kept", **{name: torch.from_numpy(held[name]) for name in held})
