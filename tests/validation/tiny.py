"""What all checks of the suite need, in a world where every pixel has three neurons of its own: one subject for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from tests.validation.in_silico import Eye
from tests.validation.methods import TRAINING
from tests.validation.populations import Fitted, Pixels, crowds

from cinecortex.metrics.movies import AnyMovie
from cinecortex.recording import Trial, TrialReader
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.baselines import BASELINES
from cinecortex.validation.check import Check
from cinecortex.validation.entry import Subject
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.suite import SUITE

CLIPS, REPEATED, MEMORY, NEURONS_EACH = 10, 6, 6, 3
FRAME = (8, 10)
"""Of so few pixels as the other tests have, some stored frame is like any frame that could be shown."""
SELECT = range(560, 568)
PRIORS = {"map, smooth": "a smooth prior", "map, half the weight": "half the prior's weight"}


@dataclass(frozen=True, eq=False)
class Kept:
    """What is asked for again and again is made once."""

    reader: TrialReader

    @cached_property
    def _movie(self) -> Movie:
        return self.reader.movie()

    @cached_property
    def _response(self) -> Response | None:
        return self.reader.response()

    def movie(self) -> Movie:
        return self._movie.clone()

    def response(self) -> Response | None:
        return None if self._response is None else self._response.clone()

    def behavior(self) -> Behavior:
        return self.reader.behavior()

    def clip_id(self) -> str:
        return self.reader.clip_id()


def kept(trials: list[Trial], role: str) -> tuple[Trial, ...]:
    """The trials, quick to read, and named by their role so that no two of the session are named alike."""
    return tuple(replace(one, trial_id=f"{role} {one.trial_id}", reader=Kept(one.reader)) for one in trials)


class ManyEyes(Eye):
    """Every pixel has its neurons, as noisy as those of the recorded trials."""

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        noise = torch.randn(len(movie), NEURONS_EACH * movie[0].numel(), generator=seed.torch())
        return 10 * movie.flatten(1).repeat(1, NEURONS_EACH) + self.noise * noise


class Remembering(Scoring):
    """Checks hold the same answers against the same movies; each score is worked out once."""

    def __call__(self, answer: AnyMovie, truth: AnyMovie) -> float:
        pair = answer.numpy().tobytes(), truth.numpy().tobytes(), answer.shape
        if pair not in SCORES:
            SCORES[pair] = super().__call__(answer, truth)
        return SCORES[pair]


SCORES: dict[tuple[bytes, bytes, torch.Size], float] = {}


def judged() -> tuple[Trial, ...]:
    """The trials that are judged: one for each clip."""
    return kept(crowds(CLIPS, size=FRAME), "test")


def subject() -> Subject:
    """Everything that a check may ask for, of an encoder that has seen no test clip."""
    train = kept(crowds(len(TRAINING), first=TRAINING.start, size=FRAME), "train")
    select = kept(crowds(len(SELECT), first=SELECT.start, size=FRAME), "select")
    again = crowds(REPEATED, repeats=2, size=FRAME)[REPEATED:]
    return Subject(
        encoder=Fitted(train, select, delay=0, memory=MEMORY),
        scoring=Remembering(burn_in=4),
        seed=Seed(5),
        training=(*train, *select),
        own_training=train,
        own_select=select,
        seen=frozenset(trial.clip_id for trial in (*train, *select)),
        held_out={
            "another seed": Pixels(NEURONS_EACH, size=FRAME),
            "another kind": Pixels(NEURONS_EACH, spread=0.3, size=FRAME),
        },
        animal=ManyEyes(),
        repeats=kept(again, "again"),
        baselines=BASELINES,
        priors=PRIORS,
    )


def leaked(honest: Subject) -> Subject:
    """The same, of an encoder that was fitted to the trials that are judged too."""
    train = (*honest.own_training, *judged())
    return replace(
        honest,
        encoder=Fitted(train, honest.own_select, delay=0, memory=MEMORY),
        training=(*train, *honest.own_select),
        own_training=train,
        seen=frozenset(trial.clip_id for trial in (*train, *honest.own_select)),
    )


def checks(of: Subject) -> dict[str, Check]:
    """Every check of the suite, made for a subject, by its name and in its order."""
    made = {entry.id: entry.make(of) for entry in SUITE}
    lacking = {name: check for name, check in made.items() if isinstance(check, str)}
    assert not lacking, lacking
    return {name: check for name, check in made.items() if not isinstance(check, str)}
