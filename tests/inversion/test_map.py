from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.map import MAP
from cinecortex.inversion.sensitivity import muted
from cinecortex.seeds import Seed


def invert(world: LinearWorld, **options):
    inverter = MAP(
        encoder=world.encoder,
        likelihood=world.likelihood,
        prior=world.prior,
        **{"evaluations": 3000, "tolerance_nats": 1e-12, **options},
    )
    return inverter(world.observation, Seed(3))


def relative_error(found: torch.Tensor, expected: np.ndarray, around: float) -> float:
    return float(np.linalg.norm(found.numpy() - expected) / np.linalg.norm(expected - around))


@pytest.mark.parametrize("seed", range(3))
def test_map_is_the_posterior_mean_of_the_linear_world(seed):
    world = LinearWorld.make(Seed(seed))
    mean, covariance = world.posterior()
    # The case must be neither all data nor all prior, or equality would say little.
    share = 1 - np.trace(covariance) / np.trace(world.prior_covariance())
    assert 0.2 < share < 0.95
    assert relative_error(invert(world).movie, mean, 0.5) < 1e-4


def test_unheard_neurons_and_missing_frames_are_left_out_of_the_posterior():
    world = LinearWorld.make(Seed(5))
    heard = torch.arange(20) % 3 != 0
    response = world.observation.response.clone()
    response[6:8] = torch.nan
    partial = replace(world, observation=replace(world.observation, heard=heard, response=response))
    everything, _ = world.posterior()
    mean, _ = partial.posterior()
    found = invert(partial).movie
    assert relative_error(found, mean, 0.5) < 1e-4
    assert relative_error(found, everything, 0.5) > 0.1


def test_with_no_neuron_heard_the_answer_is_the_prior_mean():
    world = LinearWorld.make(Seed(1))
    found = invert(replace(world, observation=muted(world.observation))).movie
    np.testing.assert_allclose(found.numpy(), 0.5, atol=1e-9)
    assert float(found.std()) == 0.0  # not nearly uniform: what is left of a random start would correlate by chance


def test_same_seed_same_bits_and_the_end_does_not_depend_on_the_start():
    world = LinearWorld.make(Seed(2))
    inverter = MAP(
        encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, evaluations=3000, tolerance_nats=1e-12
    )
    first, again, other = (inverter(world.observation, Seed(s)).movie for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.testing.assert_close(first, other, atol=1e-5, rtol=0)


def test_how_it_ended_is_part_of_the_answer():
    world = LinearWorld.make(Seed(2))
    short = invert(world, evaluations=4)
    assert short.ended == "stopped at the limit of 4 evaluations"
    assert short.frame_passes == 4 * 12
    assert "converged" in invert(world, tolerance_nats=1e-3).ended


def test_an_observation_of_another_population_is_refused():
    world = LinearWorld.make(Seed(0))
    short = replace(world.observation, response=torch.zeros(12, 19), heard=torch.ones(19, dtype=torch.bool))
    with pytest.raises(WrongUse, match="19 neurons, but the encoder was fitted to 20"):
        invert(replace(world, observation=short))


def test_an_encoder_without_an_observation_model_needs_a_likelihood():
    world = LinearWorld.make(Seed(0))
    with pytest.raises(WrongUse, match="no observation model"):
        MAP(encoder=world.encoder, prior=world.prior)
