"""Which windows a step of the training sees: a function of the seed and the step alone, read ahead by threads."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.data.windows import frames_of, read_window
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.recipe import Recipe
from cinecortex.errors import BadData
from cinecortex.recording import Trial
from cinecortex.seeds import Seed

_WHITE = 255.0


@dataclass(frozen=True)
class Place:
    """Where a window lies: in which training trial of its animal, and its first frame."""

    trial: int
    first: int


@dataclass(frozen=True)
class Cut:
    """A rectangle that is taken from another window of the same animal (CutMix; Yun et al. 2019, arXiv:1905.04899).

    Attributes:
        place: The other window.
        rows, columns: What is taken of it, in pixels of the network's input: first, and the one after the last.
    """

    place: Place
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class Sample:
    """One window of one animal, with what is cut into it."""

    animal: int
    place: Place
    cut: Cut | None


@dataclass(frozen=True, eq=False)
class Part:
    """Windows that go through the network together, sorted by animal.

    Attributes:
        inputs: What the network takes, ``window channel time height width``.
        counts: How many windows are of each animal.
        responses: What was recorded, ``window neuron time`` for each animal. NaN was not recorded. Not named by
            shape, as animals differ in neurons.
    """

    inputs: Float[Tensor, "window channel time height width"]
    counts: tuple[int, ...]
    responses: tuple[Tensor, ...]


class Windows:
    """The training windows of several animals.

    Args:
        encoders: One for each animal; they know how to make inputs of windows.
        trials: Training trials of each animal. A trial too short for a window is left out.
        recipe: How large windows and batches are.
        seed: Which windows.

    Raises:
        BadData: an animal has no trial as long as a window.
    """

    def __init__(
        self, encoders: Sequence[DwiseNeuroEncoder], trials: Sequence[Sequence[Trial]], recipe: Recipe, seed: Seed
    ) -> None:
        self._encoders, self._recipe, self._seed = encoders, recipe, seed
        self._size = encoders[0].padded_size
        lengths = [[(trial, frames_of(trial)) for trial in own] for own in trials]
        self._trials = [[item for item in own if item[1] >= recipe.span] for own in lengths]
        for own, kept in zip(trials, self._trials, strict=True):
            if not kept:
                name = own[0].session_id if own else "of this fit"
                raise BadData(f"session {name} has no training trial of {recipe.span} frames, the length of a window.")

    def plan(self, step: int) -> list[Sample]:
        """The windows of a step: animals in turn, each window drawn evenly over trials and places in them."""
        random = (self._seed / "windows" / step).numpy()
        animals = (np.arange(self._recipe.batch_size) + step * self._recipe.batch_size) % len(self._trials)
        return [
            Sample(int(animal), self._place(int(animal), random), self._cut(int(animal), random)) for animal in animals
        ]

    def _place(self, animal: int, random: np.random.Generator) -> Place:
        number = int(random.integers(len(self._trials[animal])))
        frames = self._trials[animal][number][1]
        return Place(number, int(random.integers(frames - self._recipe.span + 1)))

    def _cut(self, animal: int, random: np.random.Generator) -> Cut | None:
        if random.random() >= self._recipe.cutmix_probability:
            return None
        place = self._place(animal, random)
        side = math.sqrt(random.beta(self._recipe.cutmix_alpha, self._recipe.cutmix_alpha))

        def stretch(length: int) -> tuple[int, int]:
            centre, half = int(random.integers(length)), int(side * length) // 2
            return max(0, centre - half), min(length, centre + half)

        return Cut(place, stretch(self._size[0]), stretch(self._size[1]))

    def read(self, samples: Sequence[Sample]) -> Part:
        """The windows of a plan, or of a part of one, from their files."""
        ordered = sorted(samples, key=lambda sample: sample.animal)
        made = [self._mixed(sample) for sample in ordered]
        counts = tuple(sum(sample.animal == animal for sample in ordered) for animal in range(len(self._trials)))
        responses, first = [], 0
        for animal, count in enumerate(counts):
            own = [response for _, response in made[first : first + count]]
            neurons = self._encoders[animal].neurons
            responses.append(torch.stack(own) if own else torch.empty(0, neurons, self._recipe.window_frames))
            first += count
        return Part(torch.cat([inputs for inputs, _ in made]), counts, tuple(responses))

    def _mixed(self, sample: Sample) -> tuple[Tensor, Tensor]:
        inputs, response = self._window(sample.animal, sample.place)
        if sample.cut is None:
            return inputs, response
        other, other_response = self._window(sample.animal, sample.cut.place)
        rows, columns = slice(*sample.cut.rows), slice(*sample.cut.columns)
        # The rectangle takes the behavior along: its channels are as wide as the frame.
        inputs[..., rows, columns] = other[..., rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start) / math.prod(self._size)
        return inputs, torch.lerp(response, other_response, area) if area else response

    def _window(self, animal: int, place: Place) -> tuple[Tensor, Tensor]:
        trial, _ = self._trials[animal][place.trial]
        frames = range(place.first, place.first + self._recipe.span, self._recipe.frame_step)
        movie, behavior, response = read_window(trial, frames)
        encoder = self._encoders[animal]
        inputs = encoder.network_inputs(movie[None] * _WHITE, encoder.network_behaviors(behavior[None]))
        return inputs, response.T

    def ahead(self, steps: range, *, share: slice = slice(None)) -> Iterator[tuple[int, list[Part]]]:
        """The parts of every step in turn, read by threads while earlier ones are used.

        Args:
            steps: Which steps.
            share: What this process sees of every batch; all of it where there is one process.
        """

        def read(step: int) -> list[Part]:
            samples = self.plan(step)[share]
            parts = min(self._recipe.accumulation, len(samples))
            return [self.read(samples[number::parts]) for number in range(parts)]

        with ThreadPoolExecutor(self._recipe.readers) as readers:
            waiting: deque[tuple[int, Future[list[Part]]]] = deque()
            for step in steps:
                waiting.append((step, readers.submit(read, step)))
                if len(waiting) > self._recipe.readers:
                    number, future = waiting.popleft()
                    yield number, future.result()
            while waiting:
                number, future = waiting.popleft()
                yield number, future.result()
