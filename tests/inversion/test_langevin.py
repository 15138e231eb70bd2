from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.chains import Draws
from cinecortex.inversion.langevin import EFFECTIVE, WATCHED, Langevin, central_interval, watched_quantities
from cinecortex.inversion.problem import Problem
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed


def inverter_of(world: LinearWorld, **options) -> Langevin:
    settings = {"draws": 24, "chains": 3, "warm_up": 15, "thin": 1, "descent_evaluations": 25, "samples": True}
    return Langevin(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, **{**settings, **options})


@pytest.fixture(scope="module")
def world() -> LinearWorld:
    return LinearWorld.make(Seed(0), frames=4, size=(3, 3), neurons=4)


@pytest.fixture(scope="module")
def answer(world):
    return inverter_of(world)(world.observation, Seed(1))


def test_an_answer_holds_draws_their_mean_their_spread_and_their_interval(world, answer):
    assert isinstance(inverter_of(world), Inverter)
    assert answer.samples.shape == (24, 4, 3, 3)
    torch.testing.assert_close(answer.movie, answer.samples.mean(0).clamp(0, 1))
    torch.testing.assert_close(answer.std, answer.samples.std(0))
    assert bool((answer.lower <= answer.upper).all())
    # Of 24 draws the 5 % point lies at rank 1.25: one or two draws are below it.
    below = (answer.samples.clamp(0, 1) < answer.lower).sum(0)
    assert bool((below <= 2).all())
    assert answer.mask.shape == (3, 3)


def test_frame_passes_count_descents_and_chains(world, monkeypatch):
    calls, energy = [], Problem.energy
    monkeypatch.setattr(Problem, "energy", lambda self, z: (calls.append(1), energy(self, z))[1])
    found = inverter_of(world, path=1.0, draws=12, warm_up=5)(world.observation, Seed(2))
    assert found.frame_passes == 4 * len(calls)


def test_too_short_chains_are_said_not_to_have_converged(world, answer):
    assert answer.ended.startswith("not converged: 3 chains with 8 draws each, R-hat at most ")
    assert "effective draws of the energy and 36 pixels, acceptance 0." in answer.ended


def test_long_chains_end_converged_at_the_mean_and_spread_of_the_closed_form():
    # One neuron: its Fisher information is near enough to diagonal for short chains.
    world = LinearWorld.make(Seed(0), frames=4, size=(3, 3), neurons=1)
    found = inverter_of(world, draws=900, warm_up=40, samples=False)(world.observation, Seed(1))
    mean, covariance = world.posterior()
    spread = torch.from_numpy(np.sqrt(np.diag(covariance))).reshape(mean.shape)
    assert found.ended.startswith("converged: 3 chains with 300 draws each")
    assert found.samples is None
    # With the 100 effective draws that converged chains have at least: 4.5 standard errors of each of 36 pixels.
    assert float(((found.movie - torch.from_numpy(mean)) / spread).abs().max()) < 4.5 / EFFECTIVE**0.5
    assert float((found.std / spread - 1).abs().max()) < 4.5 / (2 * EFFECTIVE) ** 0.5


def test_same_seed_same_bits_and_the_names_are_those_of_the_methods(world, answer):
    again = inverter_of(world)(world.observation, Seed(1))
    assert torch.equal(again.samples, answer.samples)
    assert not torch.equal(inverter_of(world)(world.observation, Seed(2)).samples, answer.samples)
    assert (inverter_of(world).name, inverter_of(world, path=1.5).name) == ("langevin", "hmc")


def test_a_further_draw_is_inside_the_interval_nine_times_in_ten():
    """Also of few draws, where the common quantiles are too narrow: they would hold 0.855 of 39."""
    random = np.random.default_rng(0)
    draws = torch.from_numpy(random.standard_normal((39, 40, 40, 40)))
    lower, upper = central_interval(draws)
    further = torch.from_numpy(random.standard_normal((40, 40, 40)))
    inside = float(((further >= lower) & (further <= upper)).double().mean())
    assert inside == pytest.approx(0.9, abs=0.006)  # 64,000 of them: a standard error of 0.0012


def test_pixels_are_watched_where_the_population_can_see(world):
    values = torch.arange(2 * 5 * 30 * 6 * 7.0).reshape(2, 5, 30, 6, 7)
    found = Draws(values, torch.zeros(2, 5).double(), acceptance=0.5, angle=0.1, evaluations=1)
    mask = torch.zeros(6, 7)
    mask[2, 3], mask[4, 4], mask[0, 0] = 1.0, 0.6, 0.4
    watched = watched_quantities(found, mask, Seed(0))
    assert watched.shape == (2, 5, 1 + 60)
    assert set((watched[0, 0, 1:] % 42).tolist()) == {2 * 7 + 3.0, 4 * 7 + 4.0}
    assert watched_quantities(found, torch.zeros(6, 7), Seed(0)).shape[2] == 1 + WATCHED


def test_with_no_neuron_heard_the_spread_is_that_of_the_prior(world):
    silent = replace(world.observation, heard=torch.zeros(4, dtype=torch.bool))
    found = inverter_of(world, path=1.5, draws=300, warm_up=20)(silent, Seed(0))
    prior = torch.from_numpy(np.sqrt(np.diag(world.prior_covariance()))).reshape(4, 3, 3)
    assert float((found.std / prior).log().mean().exp()) == pytest.approx(1, abs=0.15)


def test_chains_too_short_to_be_judged_are_refused_before_they_run(world):
    with pytest.raises(WrongUse, match="at least 4 draws of each chain"):
        inverter_of(world, draws=9, chains=3)
