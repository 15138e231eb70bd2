"""What a recording cannot have: other movies, shown to an animal in silico.

The animal is never the encoder that is inverted: it would hand back its own mistakes. A held-out encoder, of another
seed or another architecture, watches, and noise like that of the recorded neurons is added to what it expects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from cinecortex.data.identity import clip_identity
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.controls import at_length


@runtime_checkable
class Animal(Protocol):
    """Somebody who watches."""

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """What its neurons do, ``time neuron``, in the unit of the recording; the seed is for their noise."""
        ...


def shown_to(animal: Animal, trial: Trial, movie: Movie, *, name: str, seed: Seed) -> Trial:
    """A trial on which the animal was shown this movie.

    Args:
        animal: Who watches.
        trial: Behavior, session and frame rate come from here. A movie that is longer takes the behavior on, back and
            forth.
        movie: What is shown, luminance 0..1, of the trial's frame size.
        name: What was done, such as ``contrast 0.5``; the new trial's id is the old one's with it.
        seed: Stream for the noise; the name and the trial make it their own.
    """
    reader = _Watched(animal, movie, trial, seed / name / trial.session_id / trial.trial_id)
    return replace(trial, trial_id=f"{trial.trial_id}, {name}", tier="in silico", reader=reader)


@dataclass(frozen=True, eq=False)
class _Watched:
    animal: Animal
    shown: Movie
    trial: Trial
    seed: Seed

    def movie(self) -> Movie:
        return self.shown

    def response(self) -> Response:
        return self.animal.watch(self.shown, self.behavior(), self.seed)

    def behavior(self) -> Behavior:
        return at_length(self.trial.behavior, len(self.shown))

    def clip_id(self) -> str:
        return clip_identity(self.shown)
