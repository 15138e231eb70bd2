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
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.suite import SUITE, Subject

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


def kept(trials: list[Trial], *, role: str = "", session: str = "a") -> tuple[Trial, ...]:
    """The trials, quick to read and named by their role, since names are to tell trials of a session apart."""
    named = [replace(trial, trial_id=f"{role} {trial.trial_id}".strip(), session_id=session) for trial in trials]
    return tuple(replace(trial, reader=Kept(trial.reader)) for trial in named)


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
    return kept(crowds(CLIPS, size=FRAME))


def subject() -> Subject:
    """Everything that a check may ask for, of an encoder that has seen no test clip."""
    train = kept(crowds(len(TRAINING), first=TRAINING.start, size=FRAME), role="train")
    select = kept(crowds(len(SELECT), first=SELECT.start, size=FRAME), role="select")
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
        repeats=kept(again, role="again"),
        baselines=BASELINES,
        priors=PRIORS,
    )


def leaked(honest: Subject) -> Subject:
    """The same, of an encoder that was fitted together with another session in which the test clips were shown."""
    elsewhere = kept(crowds(CLIPS, size=FRAME), session="b")
    seen = honest.seen | {trial.clip_id for trial in elsewhere}
    return replace(honest, training=(*honest.training, *elsewhere), seen=seen)


def checks(of: Subject) -> dict[str, Check]:
    """Every check of the suite, made for a subject, by its name and in its order."""
    made = {entry.id: entry.make(of) for entry in SUITE}
    lacking = {name: check for name, check in made.items() if isinstance(check, str)}
    assert not lacking, lacking
    return {name: check for name, check in made.items() if not isinstance(check, str)}
