"""Stretches of trials, as recorded or shown to an animal in silico: dose-response checks ask too much to ask it whole.

Checks that are given the same seed, animal and number of frames name and make them alike, so that what several of
them ask is inverted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.animal import Animal, shown_to
from cinecortex.validation.scoring import MASK_THRESHOLD, Scoring

STRETCH = 100
"""Frames of a stretch; more than twice the memory of the encoders that ship, and not much of a descent."""

Alteration = Callable[[Movie], Movie]

NO_ANIMAL = "No animal in silico was given to show other movies to: a held-out encoder is needed."


def first_frames(trial: Trial, frames: int) -> Trial:
    """The trial's first frames, as a trial of the same clip with an id of its own; a shorter trial as it is."""
    if len(trial.behavior) <= frames:
        return trial
    return replace(trial, trial_id=f"{trial.trial_id}, first {frames} frames", reader=_Stretch(trial, frames))


def one_of_each_clip(trials: Sequence[Trial]) -> list[Trial]:
    """The first trial of each clip in each session."""
    first: dict[tuple[str, str], Trial] = {}
    for trial in trials:
        first.setdefault((trial.session_id, trial.clip_id), trial)
    return list(first.values())


def shown_as_it_was(animal: Animal, trial: Trial, *, frames: int, seed: Seed) -> Trial:
    """The first frames of the trial's movie, shown to the animal unaltered: what altered ones are held against."""
    return shown_altered(animal, trial, lambda movie: movie, name="as it was", frames=frames, seed=seed)


def shown_altered(animal: Animal, trial: Trial, alter: Alteration, *, name: str, frames: int, seed: Seed) -> Trial:
    """The first frames of the trial's movie, altered and shown to the animal.

    Args:
        animal: Who watches.
        trial: Where movie and behavior come from.
        alter: What is done to the movie.
        name: What is done, such as ``contrast 0.5``; two checks that do the same name it alike.
        frames: Length of the stretch.
        seed: The seed that the checks share.
    """
    stretch = first_frames(trial, frames)
    return shown_to(animal, stretch, alter(stretch.movie), name=name, seed=seed / "in silico")


def seen(movie: Movie, scoring: Scoring) -> Float[Tensor, "frame pixel"]:
    """What is scored of a movie: the pixels inside the mask, after the burn-in."""
    burn_in = min(scoring.burn_in, len(movie) // 2)
    if scoring.mask is None:
        return movie[burn_in:].flatten(1)
    return movie[burn_in:, scoring.mask >= MASK_THRESHOLD]


@dataclass(frozen=True, eq=False)
class _Stretch:
    trial: Trial
    frames: int

    def movie(self) -> Movie:
        return self.trial.movie[: self.frames]

    def response(self) -> Response | None:
        response = self.trial.response
        return None if response is None else response[: self.frames]

    def behavior(self) -> Behavior:
        return self.trial.behavior[: self.frames]

    def clip_id(self) -> str:
        return self.trial.clip_id
