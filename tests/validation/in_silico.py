"""Animals for the tiny world, and methods that are wrong in ways that only other movies bring to light."""

from __future__ import annotations

from functools import cache

import torch
from tests.validation.methods import FRAMES, Shown, honest

from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.check import Question
from cinecortex.validation.controls import at_length

KNOWN = 10
"""Clips that a method may have memorised: the first ones."""


class Eye:
    """Every pixel has its neuron, as noisy as those of the recorded trials."""

    noise = 1.0

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        assert len(movie) == len(behavior)
        noise = torch.randn(len(movie), movie[0].numel(), generator=seed.torch())
        return 10 * movie.flatten(1) + self.noise * noise


class ClearEye(Eye):
    """One without noise."""

    noise = 0.0


class BlindToLuminance(Eye):
    """Tells the content, and nothing of how bright it is."""

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        return super().watch(movie - movie.mean() + 0.5, behavior, seed)


class Stranger(Eye):
    """Not at all like the recorded animal: it tells what it saw from the last frame to the first."""

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        return super().watch(movie, behavior, seed).flip(0)


@cache
def kept(number: int, frames: int) -> torch.Tensor:
    """A clip as somebody has kept it."""
    movie = Shown(number, FRAMES, 0).movie()
    return at_length(movie.flatten(1), frames).unflatten(1, movie.shape[1:])


def recogniser(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the clips, and shows the one whose mean picture is most like what was said."""
    picture = honest(question, observation).mean(0).flatten()
    clips = [kept(number, observation.frames) for number in range(KNOWN)]
    return max(clips, key=lambda clip: _likeness(clip.mean(0).flatten(), picture)).clone()


def _likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.cosine_similarity(one - one.mean(), other - other.mean(), dim=0))


def knows_behavior(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the clips and knows from the behavior which it was."""
    return kept(int(observation.behavior[0, 0]), observation.frames).clone()


def one_contrast(question: Question, observation: Observation) -> torch.Tensor:
    """Brought to the contrast and luminance that movies ought to have, whatever was said."""
    answer = honest(question, observation)
    return 0.5 + 0.2 * (answer - answer.mean()) / answer.std()


def own_texture(question: Question, observation: Observation) -> torch.Tensor:
    """Looks sharp: over what was said lies a texture, the same for all."""
    answer = honest(question, observation)
    frame, row, column = (torch.arange(size) for size in answer.shape)
    return answer + 0.4 * (1 - 2.0 * ((frame[:, None, None] + row[:, None] + column) % 2))


def mediocre(question: Question, observation: Observation) -> torch.Tensor:
    """Honest, and for the most part noise: its movie correlation is about 0.4."""
    answer = honest(question, observation)
    random = (Seed(23) / question.trial_id / question.control).torch()
    return answer + 0.5 * torch.randn(answer.shape, generator=random)


def slow(question: Question, observation: Observation) -> torch.Tensor:
    """Honest, with a memory of six frames."""
    pixels = honest(question, observation).flatten(1).T[:, None]
    padded = torch.nn.functional.pad(pixels, (5, 0), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, 6, 1)[:, 0].T.unflatten(1, observation.frame_size)
