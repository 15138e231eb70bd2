"""A larger population for the world of `methods`: several neurons for every pixel, and encoders that know them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from tests.validation.methods import SIZE, Method, Shown, trials
from torch import Tensor, nn

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.evaluation import measure_observation_model
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import measure_movies
from cinecortex.tensors import Behaviors, Movies, Rates
from cinecortex.validation.check import Question

PIXELS = SIZE[0] * SIZE[1]


@dataclass(frozen=True, eq=False)
class Crowd:
    """A clip of `methods`, seen by several neurons per pixel.

    Attributes:
        shown: The clip.
        each: Neurons per pixel.
        deaf: Whether responses have nothing to do with the movie.
        shared: Size of a fluctuation that all neurons share and the movie does not.
    """

    shown: Shown
    each: int = 3
    deaf: bool = False
    shared: float = 0.0

    def movie(self) -> torch.Tensor:
        return self.shown.movie()

    def response(self) -> torch.Tensor:
        random = (Seed(31) / self.shown.number / self.shown.presentation).torch()
        number = self.shown.number + 500 if self.deaf else self.shown.number
        pixels = replace(self.shown, number=number).movie().flatten(1)
        rates = 10 * pixels.repeat(1, self.each) * (not self.deaf)
        own = torch.randn(rates.shape, generator=random)
        return rates + own + self.shared * torch.randn((len(pixels), 1), generator=random)

    def behavior(self) -> torch.Tensor:
        return self.shown.behavior()

    def clip_id(self) -> str:
        return self.shown.clip_id()


def crowds(
    clips: int,
    *,
    deaf: bool = False,
    shared: float = 0.0,
    first: int = 0,
    repeats: int = 1,
    size: tuple[int, int] = SIZE,
) -> list[Trial]:
    made = trials(clips, first=first, repeats=repeats, size=size)
    return [replace(trial, reader=Crowd(trial.reader, deaf=deaf, shared=shared)) for trial in made]


def by_pixel(method: Method) -> Method:
    """A method of `methods`, given for each pixel the mean of its neurons that are heard."""

    def asked(question: Question, observation: Observation) -> torch.Tensor:
        pixels = math.prod(observation.frame_size)
        heard = observation.heard.unflatten(0, (-1, pixels))
        response = observation.response.unflatten(1, (-1, pixels))
        mean = torch.where(heard, response, 0.0).sum(1) / heard.sum(0).clamp(min=1)
        return method(question, replace(observation, response=mean, heard=heard.any(0)))

    return asked


class Pixels(Encoder):
    """Expects of each neuron ten times its pixel, and a little of the running speed.

    Args:
        each: Neurons per pixel.
        scramble: Which pixel belongs to which neuron; in order when None.
        delay: Frames by which rates follow the movie.
        spread: How much of the rate comes from the next pixel.
        size: Height and width of the movies.
    """

    kind = "pixels"

    def __init__(
        self,
        each: int = 3,
        *,
        scramble: Sequence[int] | None = None,
        delay: int = 0,
        spread: float = 0.0,
        size: tuple[int, int] = SIZE,
    ) -> None:
        super().__init__()
        self.each, self.delay, self.spread = each, delay, spread
        self.order = list(scramble) if scramble is not None else list(range(math.prod(size)))
        self.frame_size, self.frame_rate_hz, self.memory = size, 30.0, delay + 1
        self.settings = {"each": each}
        self.gain = nn.Parameter(torch.tensor(10.0))

    @property
    def neurons(self) -> int:
        return math.prod(self.frame_size) * self.each

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        return torch.zeros(1)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        late = torch.cat([movies[:, :1].expand(-1, self.delay, -1, -1), movies], 1)[:, : movies.shape[1]]
        pixels = late.flatten(2)
        pixels = torch.lerp(pixels, pixels.roll(1, 2), self.spread)
        return self.gain * pixels[..., self.order].repeat(1, 1, self.each) + 0.01 * behaviors


class Fitted(Pixels):
    """Keeps what encoders keep of the trials that they were fitted to.

    Args:
        train: What it was fitted to.
        select: What it was selected on.
        delay: Frames by which rates follow the movie.
        memory: More frames than that to promise that a rate rests on, if any.
    """

    def __init__(self, train: Sequence[Trial], select: Sequence[Trial], *, delay: int = 2, memory: int = 0) -> None:
        super().__init__(delay=delay, size=train[0].frame_size)
        self.memory = max(self.memory, memory)
        behavior = torch.cat([trial.behavior for trial in train])
        self.register_buffer("behavior_mean", behavior.mean(0))
        self.register_buffer("behavior_std", behavior.std(0, correction=0))
        self.register_buffer("mean_luminance", torch.stack([trial.movie.mean() for trial in train]).mean())
        self.movie_statistics = measure_movies(trial.movie for trial in train)
        self.observation_model = measure_observation_model(self, select, train)

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        return self.behavior_mean

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        return torch.nn.functional.softplus(super().forward(movies, behaviors))
