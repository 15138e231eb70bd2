from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import idctn
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.problem import Problem
from cinecortex.seeds import Seed


def partly_heard(seed: int) -> LinearWorld:
    world = LinearWorld.make(Seed(seed))
    response = world.observation.response.clone()
    response[5, 3:9], response[8] = torch.nan, torch.nan
    heard = torch.arange(20) % 4 != 1
    return replace(world, observation=replace(world.observation, response=response, heard=heard))


def problem_of(world: LinearWorld) -> Problem:
    return Problem(world.encoder, world.likelihood, world.prior, world.observation)


def known(world: LinearWorld) -> np.ndarray:
    """Which entries of the response count, ``time neuron``: heard, recorded, and past the memory of the encoder."""
    entries = torch.isfinite(world.observation.response) & world.observation.heard
    entries[: world.encoder.memory - 1] = False
    return entries.numpy()


@pytest.mark.parametrize("make", [lambda: LinearWorld.make(Seed(0)), lambda: partly_heard(0)], ids=["whole", "partly"])
def test_pull_back_is_the_transpose_of_the_weighted_jacobian(make):
    world = make()
    probe = np.random.default_rng(0).standard_normal(world.observation.response.shape)
    matrix, _ = world.design()
    weighted = np.where(known(world), probe / np.sqrt(world.likelihood.variance.numpy()), 0.0)
    expected = (matrix.T @ weighted.ravel()).reshape(world.truth.shape)
    found = problem_of(world).pull_back(world.truth, torch.from_numpy(probe))
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("make", [lambda: LinearWorld.make(Seed(1)), lambda: partly_heard(1)], ids=["whole", "partly"])
def test_energy_and_gradient_are_those_of_the_linear_gaussian_world(make):
    world = make()
    problem = problem_of(world)
    matrix, offset = world.design()
    rows = known(world).ravel()
    amplitude = world.prior.amplitude(world.truth).numpy()
    variance = np.tile(world.likelihood.variance.numpy(), world.observation.frames)

    def by_hand(z):
        movie = 0.5 + idctn(amplitude * z, norm="ortho")
        residual = (world.observation.response.numpy().ravel() - matrix @ movie.ravel() - offset)[rows]
        return 0.5 * (z**2).sum() + 0.5 * (residual**2 / variance[rows]).sum()

    random = np.random.default_rng(2)
    z, direction = random.standard_normal((2, *world.truth.shape))
    energy, gradient = problem.energy(torch.from_numpy(z))
    assert problem.shape == z.shape
    assert energy == pytest.approx(by_hand(z), rel=1e-10)
    # Of a quadratic the central difference is exact.
    slope = (by_hand(z + direction) - by_hand(z - direction)) / 2
    assert float((gradient.numpy() * direction).sum()) == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frame_size": (8, 9)}, r"is of \(8, 9\) px, but the encoder sees \(8, 8\) px"),
        ({"frame_rate_hz": 25.0}, "runs at 25 Hz, but the encoder at 30 Hz"),
    ],
)
def test_an_observation_the_encoder_cannot_have_made_is_refused(changes, sentence):
    world = LinearWorld.make(Seed(0))
    with pytest.raises(WrongUse, match=sentence):
        problem_of(replace(world, observation=replace(world.observation, **changes)))
