"""Which deep check catches what in silico: the second table of the page that `deep_table` writes.

Two checks show movies to an encoder that the method has nothing to do with. The world is that of `methods`, where every
pixel has its neuron; for `error.budget` the animal and the encoder that watches mix every pixel with the next one a
little, which nobody who inverts knows of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from tests.validation import in_silico, methods
from tests.validation.in_silico import ClearEye, Eye
from tests.validation.methods import FRAMES, SIZE, Method, Shown, answers, asking_others, trials

from cinecortex.finding import Finding
from cinecortex.information import Band, Information
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.screen import ScreenGeometry
from cinecortex.validation.check import Answers, Check
from cinecortex.validation.error_budget import SOLVED, ErrorBudgetCheck
from cinecortex.validation.resolution_limits import ResolutionLimits
from cinecortex.validation.scoring import Scoring

HONEST = "honest"
CLIPS, SEED, SCORING = 10, Seed(5), Scoring(burn_in=4)
RESOLUTION = ResolutionLimits(Eye(), SEED, SCORING, ClearEye(), ScreenGeometry(SIZE[1], 50.0))
SAID = Information(
    *(10.0, 0.1, 5.0, 0.1, (1.0,), (20.0,), 20, 20, FRAMES, 30.0, 0.4, 0.01),
    bands=(
        Band((0.0, 0.0), (0.0, 0.0), 1.0, 0.0, 1.0),
        Band((0.0, 0.1), (0.0, 0.1), 0.75, 0.01, 1.0),
        Band((0.1, 0.4), (0.1, 0.4), 0.25, 0.01, 1.0),
    ),
    probes=2,
)

CASES: Mapping[str, tuple[str, Method]] = {
    HONEST: ("reads every pixel from its neuron", methods.honest),
    "mean": ("paints mean luminance", methods.mean_painter),
    "hallucinator": ("shows a movie of the right kind that was not shown", methods.hallucinator),
    "behavior reader": ("has memorised the test clips, tells from behavior which it was", methods.behavior_reader),
    "recogniser": ("has memorised the test clips, shows the one most like what was said", in_silico.recogniser),
    "texture adder": ("reads the neurons, and lays a texture of its own over it", methods.texture_adder),
    "faint texture adder": ("the same, fainter", in_silico.own_texture),
    "timeless": ("one picture for the whole clip", methods.ignores_time),
    "sum follower": ("follows what all neurons share", methods.sum_follower),
}


def answered(method: Method, check: Check, shown: Sequence[Trial]) -> Answers:
    """What a study would hand back, with what is measured of the population."""
    given = {}
    for question, seen in check.ask(shown).items():
        said = {"std": torch.ones(seen.frames, *SIZE), "data_share": torch.ones(seen.frames, *SIZE)}
        measured = {**said, "information": SAID} if question.method == "information" else {}
        given[question] = Reconstruction(method(question, seen), ended="tested", **measured)
    return given


def mixed(movie: torch.Tensor, share: float) -> torch.Tensor:
    """Every neuron sees a share of the next pixel, which nobody who inverts knows of."""
    return torch.lerp(movie, movie.roll(1, 2), share)


class Mixing(Eye):
    """An animal whose neurons see a share of the next pixel."""

    def __init__(self, share: float, noise: float) -> None:
        self.share, self.noise = share, noise

    def watch(self, movie, behavior, seed):
        return super().watch(mixed(movie, self.share), behavior, seed)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A clip as an animal that mixes pixels was recorded."""

    shown: Shown
    share: float
    noise: float

    def __getattr__(self, name):
        return getattr(self.shown, name)

    def response(self):
        random = (Seed(71) / self.shown.number).torch()
        movie = mixed(self.shown.movie(), self.share)
        return 10 * movie.flatten(1) + self.noise * torch.randn(movie.flatten(1).shape, generator=random)


def recorded(clips: int = CLIPS, *, share: float = 0.2, noise: float = 1.0, first: int = 0) -> list[Trial]:
    shown = trials(clips, first=first)
    return [replace(trial, reader=Recorded(trial.reader, share, noise)) for trial in shown]


def check(*, share: float = 0.2, noise: float = 1.0) -> ErrorBudgetCheck:
    """The inverted encoder sees every pixel by itself; the held-out one mixes them."""
    own_noisy = Mixing(0.0, noise)
    return ErrorBudgetCheck(ClearEye(), own_noisy, Mixing(share, 0.0), Mixing(share, noise), SEED, SCORING)


BUDGET = check()


def by_case() -> Iterator[tuple[str, dict[str, Finding]]]:
    """The name of every case and what both checks say of it."""
    plain, mixing = trials(CLIPS), recorded()
    for name, (_, method) in CASES.items():
        own = answers(asking_others(method, {SOLVED: methods.honest}), [BUDGET], mixing)
        yield (
            name,
            {
                RESOLUTION.id: RESOLUTION.judge(plain, answered(method, RESOLUTION, plain)),
                BUDGET.id: BUDGET.judge(mixing, own),
            },
        )
