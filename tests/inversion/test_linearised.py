"""Derivatives in each of the ways that an encoder may allow, and what an encoder does not resolve."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.test_coarse import nearsighted
from tests.worlds import LinearWorld

from cinecortex.encoders.compact import CompactEncoder
from cinecortex.inversion.coarse import Coarse
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Prior
from cinecortex.seeds import Seed

FRAMES, SIZE, NEURONS = 30, (12, 16), 5
CHANNELS = ("running", "gaze_x", "gaze_y")


class _Same(torch.autograd.Function):
    """An operation with derivatives of its own that nobody taught how to be mapped over."""

    @staticmethod
    def forward(movies: torch.Tensor) -> torch.Tensor:
        return movies.clone()

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        pass

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.clone()

    @staticmethod
    def jvp(ctx, change: torch.Tensor) -> torch.Tensor:
        return change.clone()


class Custom(CompactEncoder):
    """An encoder with such an operation."""

    def forward(self, movies: torch.Tensor, behaviors: torch.Tensor) -> torch.Tensor:
        return super().forward(_Same.apply(movies), behaviors)


def around_a_movie(kind: type[CompactEncoder], coarse: int = 1) -> Linearised:
    random = torch.Generator().manual_seed(2)
    encoder = kind(neurons=NEURONS, frame_size=SIZE, behavior_channels=CHANNELS, coarse=coarse).double().eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
        encoder.centre_px += torch.tensor(SIZE) / 2
    encoder.requires_grad_(False)
    behavior = torch.randn(FRAMES, len(CHANNELS), generator=random, dtype=torch.float64)
    prior = LinearWorld.make(Seed(0), frames=FRAMES).prior
    observation = replace(
        LinearWorld.make(Seed(0)).observation,
        response=torch.ones(FRAMES, NEURONS, dtype=torch.float64),
        behavior=behavior,
        behavior_channels=CHANNELS,
        frame_size=SIZE,
        heard=torch.ones(NEURONS, dtype=torch.bool),
    )
    z = torch.randn(FRAMES, *SIZE, generator=random, dtype=torch.float64)
    return Linearised(encoder, Poisson(torch.ones(NEURONS, dtype=torch.float64)), prior, observation, z, at_once=2)


def some_vectors(count: int = 3) -> torch.Tensor:
    return torch.randn(count, FRAMES, *SIZE, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


@pytest.mark.parametrize("coarse", [1, 2])
def test_every_way_to_differentiate_finds_the_same(monkeypatch, coarse) -> None:
    around, vectors = around_a_movie(CompactEncoder, coarse), some_vectors()
    found = around.changes(vectors)
    assert float(found.abs().mean()) > 1e-3
    _, each = around._forward
    monkeypatch.setattr(around, "_forward", (each,))
    torch.testing.assert_close(around.changes(vectors), found, rtol=1e-9, atol=1e-12)
    # By differences so small that no rectification changes sides within them.
    pixels = 1e-6 * around.pixels(vectors)
    movie, behavior = around._movie, around._behavior.expand(len(vectors), -1, -1)
    difference = around.encoder(movie + pixels, behavior) - around.encoder(movie - pixels, behavior)
    difference = difference[:, around.settled] / 2e-6
    torch.testing.assert_close(found, difference, rtol=1e-5, atol=1e-6 * float(found.abs().max()))
    # Backward is the transpose of forward.
    rates = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close((around.pulled_back(rates) * vectors).sum(), (found * rates).sum())


def test_an_encoder_that_cannot_be_mapped_over_is_still_differentiated() -> None:
    around, plain = around_a_movie(Custom), around_a_movie(CompactEncoder)
    found = around.changes(some_vectors())
    assert len(around._forward) == 1
    assert around.forward_mode
    torch.testing.assert_close(found, plain.changes(some_vectors()), rtol=1e-9, atol=1e-12)
    assert len(plain._forward) == 2


@pytest.mark.parametrize("kind", [CompactEncoder, Custom])
def test_nothing_of_a_derivative_stays_with_the_encoder(kind) -> None:
    around = around_a_movie(kind)
    around.at_once = 9  # so many short clips are filtered by matrices, which the encoder makes once
    around.changes(some_vectors(9))
    again = copy.deepcopy(around.encoder)  # cannot be done of a tensor that is a part of a derivative
    torch.testing.assert_close(again(around._movie[None], around._behavior[None])[0], around.rate)


def test_what_is_not_resolved_is_cut_off_and_comes_back(monkeypatch) -> None:
    around, vectors = around_a_movie(CompactEncoder, coarse=2), some_vectors()
    assert around.encoder.resolution == (6, 8)
    seen, solved = around.information(vectors), around.solve(vectors, iterations=60, tolerance=1e-10).vectors
    assert float(seen[:, :, 6:].abs().max()) == float(seen[..., 8:].abs().max()) == 0
    assert torch.equal(solved[:, :, 6:], vectors[:, :, 6:])
    assert torch.equal(solved[..., 8:], vectors[..., 8:])

    def nothing(prior: Prior, encoder: object) -> None:
        return None

    monkeypatch.setattr(Coarse, "of", nothing)
    whole = around_a_movie(CompactEncoder, coarse=2)
    torch.testing.assert_close(seen, whole.information(vectors), rtol=1e-5, atol=1e-7)
    again = whole.solve(vectors, iterations=60, tolerance=1e-10).vectors
    torch.testing.assert_close(solved, again, rtol=1e-5, atol=1e-6)


def test_a_solve_is_the_dense_one_in_what_is_resolved_and_in_what_is_not() -> None:
    world = nearsighted(2)
    around = Linearised(
        world.encoder, world.likelihood, world.prior, world.observation, torch.zeros(12, 8, 8, dtype=torch.float64)
    )
    pixels = torch.randn(2, 12, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    right = torch.stack([world.prior.whiten(movie) for movie in pixels])
    found = around.pixels(around.solve(right, iterations=400, tolerance=1e-12).vectors)
    # The posterior's covariance is S (I + F)^-1 S^T.
    _, covariance = world.posterior()
    expected = pixels.numpy().reshape(2, -1) @ covariance
    np.testing.assert_allclose(found.numpy().reshape(2, -1), expected, atol=1e-9 * np.abs(expected).max())
