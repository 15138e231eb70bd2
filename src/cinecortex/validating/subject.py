"""What the checks need beside answers: what the encoder was fitted to, encoders held out from it, repeats, a mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cinecortex import study
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.train import Architecture, Compact, fit_model, kind_of
from cinecortex.errors import BadData, CinecortexError
from cinecortex.execution.mapping import Failed, Task, map_tasks
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed

HELD_OUT: Sequence[tuple[Architecture, FitSettings]] = (
    (Compact(), FitSettings(epochs=6)),
    (LinearNonlinearSettings(), FitSettings(epochs=4)),
)
"""What is fitted to be held out: of one of them the judged encoder may be another seed, of one another architecture.
They judge and need not win: the last epochs, which gain little, are left out."""
Progress = Callable[[int, int, str], None]


def choose_clips(trials: Sequence[Trial], clips: int, *, seed: Seed) -> tuple[list[Trial], list[Trial]]:
    """The trials to judge, one for each of so many clips drawn at random, and other trials of clips that repeat.

    Returns:
        The trials to judge in their own order; and, of up to so many clips that were shown more than once, two
        presentations each, those of clips that are judged anyway first.
    """
    shown: dict[str, list[Trial]] = {}
    for trial in trials:
        shown.setdefault(trial.clip_id, []).append(trial)
    order = torch.randperm(len(shown), generator=seed.torch()).tolist()
    drawn = {list(shown)[place] for place in order[:clips]}
    judged = [presentations[0] for clip, presentations in shown.items() if clip in drawn]
    repeated = [clip for clip, presentations in shown.items() if len(presentations) > 1]
    repeated.sort(key=lambda clip: clip not in drawn)
    return judged, [trial for clip in repeated[:clips] for trial in shown[clip][:2]]


def fitted_trials(model: Model, recordings: Sequence[Recording]) -> tuple[Trial, ...]:
    """The trials of these recordings that the model says it was fitted to or selected on."""
    return _told(model, recordings, lambda facts: {name for role in facts["trials"].values() for name in role})


def left_out_trials(model: Model, recordings: Sequence[Recording]) -> tuple[Trial, ...]:
    """The training trials of these recordings that the model says its fit left out because their clip is tested."""
    return _told(model, recordings, lambda facts: set(facts.get("dropped", ())))


def _told(
    model: Model, recordings: Sequence[Recording], names: Callable[[Mapping[str, Any]], set[str]]
) -> tuple[Trial, ...]:
    """The trials whose names are told by what the model says of their session."""
    told = {(facts["session_id"], name) for facts in model.facts.get("fitted", ()) for name in names(facts)}
    return tuple(
        trial
        for recording in recordings
        for trial in recording.trials
        if (recording.session_id, trial.trial_id) in told
    )


def seen_clips(model: Model) -> frozenset[str]:
    """Identity of every clip that the model says it saw; none where it says nothing."""
    return study.seen_clips(model) if "fitted" in model.facts else frozenset()


def held_out_encoders(
    recording: Recording,
    folder: Path,
    given: Sequence[Path],
    *,
    seed: Seed,
    tell: Callable[[str], None],
    progress: Progress,
) -> Mapping[str, Encoder]:
    """Encoders of this session that the judged method had nothing to do with.

    Args:
        recording: The session.
        folder: Where those that are fitted here are kept.
        given: Folders of encoders to take instead.
        seed: Another one than the judged encoder's.
        tell: Told what is fitted.
        progress: Told of every fit.
    """
    if given:
        return {path.name: load_model(path).session(recording.session_id) for path in given}
    folders = {kind_of(architecture): folder / f"{kind_of(architecture)}-{seed.root}" for architecture, _ in HELD_OUT}
    missing = [
        Task(kind, f"a {kind} encoder that the method has nothing to do with", (architecture, settings))
        for (architecture, settings), (kind, own) in zip(HELD_OUT, folders.items(), strict=True)
        if not _is_of(own, recording)
    ]
    if missing:
        tell(f"fitting {' and '.join(task.name for task in missing)}")
    # In threads of this process, wherever inversions run: only here the recording is sure to be at hand.
    for fitted in map_tasks(_Fit(recording, seed / "held out"), missing, progress=progress):
        if isinstance(fitted, Failed):
            raise CinecortexError(fitted.sentence)
        save_model(fitted.value, folders[fitted.key])
    return {f"{kind}, fitted anew": load_model(own).session(recording.session_id) for kind, own in folders.items()}


@dataclass(frozen=True, eq=False)
class _Fit:
    recording: Recording
    seed: Seed

    def __call__(self, asked: tuple[Architecture, FitSettings]) -> Model:
        architecture, settings = asked
        return fit_model([self.recording], architecture, settings=settings, seed=self.seed)


def _is_of(folder: Path, recording: Recording) -> bool:
    try:
        facts = load_model(folder).facts["fitted"]
    except BadData:
        return False
    return any(told["recording_fingerprint"] == recording.fingerprint for told in facts)
