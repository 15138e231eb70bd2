"""A descent among what an encoder resolves ends where the whole one does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.worlds import LinearWorld

from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.mixed_precision import MixedPrecision
from cinecortex.errors import WrongUse
from cinecortex.inversion.coarse import Coarse
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Flat, Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import dct, inverse_dct

RESOLUTION = (4, 5)
PRECISE = {"evaluations": 3000, "tolerance_nats": 1e-12}


class Nearsighted(LinearNonlinear):
    """Filters that have nothing finer than they say."""

    @property
    def resolution(self):
        return RESOLUTION


def nearsighted(seed: int) -> LinearWorld:
    """The linear world seen through coarse filters."""
    world = LinearWorld.make(Seed(seed))
    filters, offset = world.encoder.filters.detach(), world.encoder.offset.detach()
    rows, columns = RESOLUTION
    power = dct(filters)
    power[..., rows:, :] = power[..., columns:] = 0
    encoder = Nearsighted(inverse_dct(power), offset, nonlinearity="identity")
    return replace(world, encoder=encoder)


@pytest.mark.parametrize("starts", [1, 2])
def test_the_answer_is_the_posterior_mean(starts):
    world = nearsighted(0)
    assert Coarse.of(world.prior, world.encoder) is not None
    inverter = MAP(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, starts=starts, **PRECISE)
    found = inverter(world.observation, Seed(3))
    mean, _ = world.posterior()
    assert np.linalg.norm(found.movie.numpy() - mean) < 1e-4 * np.linalg.norm(mean - 0.5)
    assert float((dct(found.movie)[:, RESOLUTION[0] :]).abs().max()) < 1e-9


def test_the_position_and_the_energy_are_those_of_the_whole_prior():
    world = nearsighted(1)
    inverter = MAP(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, **PRECISE)
    best = inverter.most_probable(world.observation, Seed(3))
    assert best.position.shape == (world.observation.frames, *world.observation.frame_size)
    energy, gradient = inverter.problem(world.observation).energy(best.position)
    assert best.energy == pytest.approx(energy, rel=1e-9)
    assert float(gradient.abs().max()) < 1e-3


def test_it_is_the_base_with_zeros():
    prior = LinearWorld.make(Seed(0)).prior
    coarse = Coarse(prior, (8, 8), RESOLUTION)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 12, *RESOLUTION)))
    whole = coarse.whole(z)
    assert whole.shape == (2, 12, 8, 8)
    assert torch.equal(coarse.cut(whole), z)
    assert float(whole.abs().sum()) == float(z.abs().sum())
    torch.testing.assert_close(coarse.movie(z[0]), prior.movie(whole[0]))
    torch.testing.assert_close(coarse.whiten(coarse.movie(z[0])), coarse.cut(prior.whiten(coarse.movie(z[0]))))


def test_it_is_used_only_where_it_is_right():
    world = nearsighted(0)
    sharp = LinearWorld.make(Seed(0))
    assert Coarse.of(world.prior, sharp.encoder) is None
    assert Coarse.of(Flat(), world.encoder) is None
    assert Coarse.of(Spectral.of(world.prior.statistics), MixedPrecision(world.encoder)) is not None
    assert Ensemble([world.encoder, world.encoder]).resolution == RESOLUTION
    assert Ensemble([world.encoder, sharp.encoder]).resolution == (8, 8)


def test_another_frame_size_is_refused():
    coarse = Coarse(LinearWorld.make(Seed(0)).prior, (8, 8), RESOLUTION)
    with pytest.raises(WrongUse, match="not \\(9, 8\\) px"):
        coarse.draw(3, (9, 8), Seed(0))
