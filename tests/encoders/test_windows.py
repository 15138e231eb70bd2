"""Sliding windows: which frames each holds, the mean over windows, and the gradient."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from cinecortex.encoders.windows import Sliding
from cinecortex.errors import WrongUse

WEIGHTS = torch.randn(12, 16, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def mixing(videos: Tensor, behaviors: Tensor) -> Tensor:
    """A network in which every frame of a window acts on every rate, differently by its place in the window."""
    frames = videos.shape[1]
    seen = (videos.flatten(2).sum(2) + behaviors.sum(2))[:, :, None] * WEIGHTS[0, :frames]
    return torch.tanh(seen.cumsum(1)) + seen.sum(1, keepdim=True) * WEIGHTS[1, :frames]


def clips(batch: int, frames: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    movies = torch.rand(batch, frames, 2, 3, dtype=torch.float64, generator=generator)
    return movies, torch.rand(batch, frames, 2, dtype=torch.float64, generator=generator)


def one_by_one(movie: Tensor, behavior: Tensor, frames: int, step: int) -> Tensor:
    """The loop over windows as one would write it down first."""
    length, reach = len(movie), (frames - 1) * step
    total, held = [torch.zeros(3, dtype=torch.float64) for _ in range(length)], Counter[int]()
    for last in range(reach, length):
        places = list(range(last - reach, last + 1, step))
        rates = mixing(movie[None, places], behavior[None, places])[0]
        for place, rate in zip(places, rates, strict=True):
            total[place] = total[place] + rate
            held[place] += 1
    return torch.stack([rate / held[place] for place, rate in enumerate(total)])


@pytest.mark.parametrize("frames", [32, 33, 60])
@pytest.mark.parametrize("checkpointed", [True, False])
def test_rates_and_gradient_are_those_of_a_plain_loop(frames: int, checkpointed: bool) -> None:
    movies, behaviors = clips(2, frames)
    movies.requires_grad_(True)
    behaviors.requires_grad_(True)
    weight = torch.linspace(-1, 1, frames * 3, dtype=torch.float64).reshape(frames, 3)
    expected = torch.stack([one_by_one(m, b, 16, 2) for m, b in zip(movies, behaviors, strict=True)])
    slopes = torch.autograd.grad((expected * weight).sum(), (movies, behaviors))
    for at_once in (1, 5, 1000):
        rates = Sliding(16, 2, at_once, checkpointed)(mixing, movies, behaviors)
        torch.testing.assert_close(rates, expected, rtol=1e-12, atol=1e-12)
        for found, slope in zip(torch.autograd.grad((rates * weight).sum(), (movies, behaviors)), slopes, strict=True):
            torch.testing.assert_close(found, slope, rtol=1e-12, atol=1e-12)


def test_a_batch_is_its_clips_one_by_one() -> None:
    movies, behaviors = clips(3, 11)
    together = Sliding(4, 2, at_once=3)(mixing, movies, behaviors)
    for number in range(3):
        alone = Sliding(4, 2)(mixing, movies[number, None], behaviors[number, None])[0]
        torch.testing.assert_close(together[number], alone, rtol=1e-12, atol=1e-12)


def test_a_rate_rests_on_every_second_frame_of_thirty_before_and_after() -> None:
    movies, behaviors = clips(1, 90)
    movies.requires_grad_(True)
    rates = Sliding(16, 2)(mixing, movies, behaviors)
    for frame in (0, 7, 45, 89):
        slope = torch.autograd.grad(rates[0, frame].sum(), movies, retain_graph=True)[0][0].abs().sum((1, 2))
        expected = {t for t in range(frame - 30, frame + 31, 2) if 0 <= t < 90}
        assert set(slope.nonzero().flatten().tolist()) == expected


def test_every_frame_of_the_shortest_clip_is_held_by_a_window() -> None:
    places = Sliding(16, 2).places(32)
    assert places.shape == (2, 16)
    assert sorted(places.flatten().tolist()) == list(range(32))
    held = torch.bincount(Sliding(16, 2).places(100).flatten(), minlength=100)
    assert held[0] == 1
    assert held[-1] == 1
    assert (held[30:70] == 16).all()


@pytest.mark.parametrize("frames", [1, 16, 30, 31])
def test_a_clip_too_short_for_every_frame_is_refused(frames: int) -> None:
    with pytest.raises(WrongUse, match=f"{frames} frames is too short .* at least 32 frames"):
        Sliding(16, 2)(mixing, *clips(1, frames))


def test_of_the_windows_only_the_inputs_are_kept() -> None:
    calls = []

    def counted(videos: Tensor, behaviors: Tensor) -> Tensor:
        calls.append(len(videos))
        return mixing(videos, behaviors)

    movies, behaviors = clips(1, 40)
    rates = Sliding(16, 2, 4)(counted, movies.requires_grad_(True), behaviors)
    assert calls == [4, 4, 2]
    rates.sum().backward()
    assert sorted(calls) == [2, 2, 4, 4, 4, 4]  # every batch of windows once more for its gradient
