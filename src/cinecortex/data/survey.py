"""The deep check: one pass over everything that a recording holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from cinecortex.data.copies import NearCopy, Sketch, compare, sketch
from cinecortex.data.faults import Fault, problem
from cinecortex.data.identity import clip_identity
from cinecortex.recording import Problem, Recording, Trial

_T = TypeVar("_T")
_APART = "trust a score on it only after cinecortex.data.split, which drops the training trial"


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over a recording found.

    Attributes:
        clips: The trials that showed each clip, by clip identity.
        frames: Frames of all readable movies.
        mean_response: Mean response per neuron, ``neuron``; NaN where there is none.
        zero_fraction: Share of all response values that are exactly zero; NaN where there is none.
        problems: Everything that is wrong.
    """

    clips: Mapping[str, tuple[Trial, ...]]
    frames: int
    mean_response: np.ndarray
    zero_fraction: float
    problems: tuple[Problem, ...]


def find_problems(recording: Recording) -> tuple[Problem, ...]:
    """Read every array of a recording and say everything that is wrong with it, each with its file and a remedy."""
    return survey(recording).problems


def survey(recording: Recording) -> Survey:
    """Read every array of a recording once, holding one trial at a time."""
    problems = list(recording.problems)
    clips: dict[str, list[Trial]] = {}
    sketches: dict[str, Sketch] = {}
    total, frames, recorded, zeros = np.zeros(len(recording.neurons)), 0, 0, 0
    for trial in recording.trials:
        movie = _attempt(trial.reader.movie, problems)
        if movie is not None:
            frames += len(movie)
            clip = clip_identity(movie)
            clips.setdefault(clip, []).append(trial)
            if clip not in sketches:
                sketches[clip] = sketch(movie)
        response = _attempt(trial.reader.response, problems)
        if response is not None:
            total += response.sum(0, dtype=torch.float64).numpy()
            recorded += len(response)
            zeros += response.numel() - int(response.count_nonzero())
            if trial.tier == "train" and not response.any():
                what = f"records nothing but zeros for the training trial {trial.trial_id}"
                problems.append(problem(recording.source, what, "leave the trial out"))
        _attempt(trial.reader.behavior, problems)
    problems.extend(_silent(recording, total, recorded))
    problems.extend(_shared(recording, clips, compare(sketches)))
    return Survey(
        clips={clip: tuple(trials) for clip, trials in clips.items()},
        frames=frames,
        mean_response=total / recorded if recorded else np.full_like(total, np.nan),
        zero_fraction=zeros / (recorded * len(total)) if recorded else float("nan"),
        problems=tuple(dict.fromkeys(problems)),
    )


def _attempt(read: Callable[[], _T], problems: list[Problem]) -> _T | None:
    try:
        return read()
    except Fault as fault:
        problems.append(fault.problem)
    return None


def _silent(recording: Recording, total: np.ndarray, recorded: int) -> Iterator[Problem]:
    silent = recording.neurons.unit_ids[total == 0]
    if recorded and len(silent):
        named = ", ".join(map(str, silent[:5])) + (", ..." if len(silent) > 5 else "")
        what = f"holds {len(silent)} neurons that never respond (unit ids {named})"
        yield problem(recording.source, what, "leave them out of scores per neuron")


def _shared(recording: Recording, clips: Mapping[str, list[Trial]], copies: tuple[NearCopy, ...]) -> Iterator[Problem]:
    """Clips that are shown for training and for something else."""
    for trials in clips.values():
        yield from _across(recording, trials, trials, "show the same clip")
    for copy in copies:
        same = (
            f"share frames (frames {copy.first_frames[0]}-{copy.first_frames[1] - 1} and "
            f"{copy.second_frames[0]}-{copy.second_frames[1] - 1}, {copy.mirrored}, similarity {copy.similarity:.2f})"
        )
        yield from _across(recording, clips[copy.first], clips[copy.second], same)
        yield from _across(recording, clips[copy.second], clips[copy.first], same, turned=True)


def _across(
    recording: Recording, some: list[Trial], others: list[Trial], same: str, *, turned: bool = False
) -> Iterator[Problem]:
    train = [trial.trial_id for trial in some if trial.tier == "train"]
    tested = [trial for trial in others if trial.tier != "train"]
    if train and tested:
        pair = (f"training trial {train[0]}", f"trial {tested[0].trial_id} of tier {tested[0].tier!r}")
        first, second = reversed(pair) if turned else pair
        yield problem(recording.source, f"has two trials that {same}: {first} and {second}", _APART)
