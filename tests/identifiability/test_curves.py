"""Curves of information: against closed forms, nested, unheard, with common probes, and never falling."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from scipy.fft import idctn
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.identifiability.curves import Clip, Curve, Population, noisier, over_neurons, over_noise, over_prior
from cinecortex.information import Information
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.priors import Flat
from cinecortex.seeds import Seed

FRAMES, SIZE, NEURONS = 6, (3, 3), 20
COORDINATES = FRAMES * SIZE[0] * SIZE[1]
SIZES = (1, 2, 8, 20)


@pytest.fixture(scope="module")
def world():
    return LinearWorld.make(Seed(3), frames=FRAMES, size=SIZE, neurons=NEURONS)


def dense(world, heard, *, noise=1.0, prior=1.0):
    """Fisher information in whitened coordinates with explicit matrices, and what is to be read off it."""
    shape = (FRAMES, *SIZE)
    amplitude = world.prior.amplitude(torch.zeros(shape, dtype=torch.float64)).numpy() / np.sqrt(prior)
    units = np.eye(COORDINATES).reshape(-1, *shape)
    basis = np.stack([idctn(amplitude * unit, norm="ortho").ravel() for unit in units], 1)
    matrix = (world.design()[0] @ basis).reshape(FRAMES, NEURONS, -1)[world.encoder.memory - 1 :, heard]
    weighed = matrix / (noise * world.likelihood.variance.numpy()[heard])[:, None]
    values = np.linalg.eigvalsh(np.einsum("tnk,tnl->kl", matrix, weighed)).clip(0)
    covariance = basis @ basis.T
    fisher = np.einsum("tnk,tnl->kl", matrix, weighed)
    share = 1 - np.trace(basis @ np.linalg.inv(np.eye(COORDINATES) + fisher) @ basis.T) / np.trace(covariance)
    return {"bits": np.log2(1 + values).sum() / 2, "dimensions": (values / (1 + values)).sum(), "share": share}


@dataclass
class Exact:
    """Measures by explicit matrices, and remembers who was heard with which seed."""

    world: LinearWorld
    asked: list[tuple[tuple[int, ...], Seed]] = field(default_factory=list)

    def __call__(self, around, *, probes=4, steps=30, seed):
        heard = (around.curvature.own > 0).any(0)
        self.asked.append((tuple(heard.nonzero()[:, 0].tolist()), seed))
        found = dense(self.world, heard.numpy())
        return Information(
            **found,
            bits_error=0.0,
            dimensions_error=0.0,
            share_error=0.0,
            eigenvalues=(1.0,),
            counts=(1.0,),
            coordinates=COORDINATES,
            neurons=int(heard.sum()),
            frames=FRAMES,
            frame_rate_hz=30.0,
            bands=(),
            probes=probes,
        )


def clip(world, name="a"):
    return Clip(name, world.observation, torch.zeros(FRAMES, *SIZE, dtype=torch.float64))


def population(world, **options):
    return Population(world.encoder, world.likelihood, world.prior, **options)


@pytest.fixture(scope="module")
def curve(world):
    """By Lanczos, as many steps as there are coordinates: nothing but the probes is random."""
    return over_neurons(population(world, steps=COORDINATES, probes=4), [clip(world)], SIZES, orders=1, seed=Seed(1))


def test_information_never_falls_when_a_neuron_is_added(world):
    curve = over_neurons(population(world, measure=Exact(world)), [clip(world)], range(1, 21), orders=3, seed=Seed(0))
    for quantity in ("bits", "dimensions", "share"):
        assert curve.values(quantity).shape == (1, 3, 20)
        assert (np.diff(curve.values(quantity), axis=2) > 0).all()


def test_nor_does_any_estimate_with_common_probes(curve):
    for quantity in ("bits", "dimensions"):
        assert (np.diff(curve.values(quantity), axis=2) > -1e-6).all()


def test_estimates_are_the_closed_form_within_their_errors(world, curve):
    exact = Exact(world)
    true = over_neurons(population(world, measure=exact), [clip(world)], SIZES, orders=1, seed=Seed(1))
    for quantity in ("bits", "dimensions"):
        off = (curve.values(quantity) - true.values(quantity)) / curve.errors(quantity)
        assert np.abs(off).max() < 4.0, "standard errors; with common probes, nearly one draw"


def test_common_probes_know_differences_better_than_values(world):
    rough = population(world, steps=8, probes=2)
    values = np.array([over_noise(rough, [clip(world)], [1.0, 1.2], seed=Seed(n)).means() for n in range(6)])
    assert np.diff(values, axis=1).std() < values[:, 0].std() / 4


def test_subsets_are_nested_and_orders_differ(world):
    exact = Exact(world)
    over_neurons(population(world, measure=exact), [clip(world)], [2, 5, 20], orders=2, seed=Seed(0))
    subsets = [set(heard) for heard, _ in exact.asked]
    assert [len(one) for one in subsets] == [2, 5, 20, 2, 5], "all neurons are measured once"
    assert subsets[0] < subsets[1] < subsets[2]
    assert subsets[3] < subsets[4]
    assert subsets[0] != subsets[3]
    assert len({seed for _, seed in exact.asked}) == 1, "common probes"


def test_clips_share_orders_and_have_probes_of_their_own(world):
    exact = Exact(world)
    curve = over_neurons(
        population(world, measure=exact), [clip(world), clip(world, "b")], [3, 9], orders=1, seed=Seed(0)
    )
    heard, seeds = zip(*exact.asked, strict=True)
    assert heard[:2] == heard[2:]
    assert seeds[0] != seeds[2]
    assert curve.values().shape == (2, 1, 2)
    assert curve.means().tolist() == pytest.approx(curve.values().mean((0, 1)).tolist())


def test_neurons_that_a_clip_does_not_hear_are_never_among_them(world):
    deaf = torch.ones(NEURONS, dtype=torch.bool)
    deaf[4:10] = False
    exact = Exact(world)
    some = replace(clip(world), observation=world.observation.hearing(deaf))
    curve = over_neurons(population(world, measure=exact), [some], [7, 14], orders=2, seed=Seed(0))
    assert curve.population == 14
    assert not {neuron for heard, _ in exact.asked for neuron in heard} & set(range(4, 10))


def test_noise_and_prior_take_information_away_as_closed_forms_say(world):
    factors = [0.25, 1.0, 4.0]
    exactly = population(world)
    noise = over_noise(exactly, [clip(world)], factors, seed=Seed(2))
    prior = over_prior(exactly, [clip(world)], factors, seed=Seed(2))
    everybody = np.ones(NEURONS, bool)
    for place, factor in enumerate(factors):
        for curve, changed in ((noise, {"noise": factor}), (prior, {"prior": factor})):
            true = dense(world, everybody, **changed)
            for quantity in ("bits", "dimensions", "share"):
                off = curve.means(quantity)[place] - true[quantity]
                assert abs(off) < 4 * curve.mean_errors(quantity)[place], (quantity, changed)
    assert (np.diff(noise.means()) < 0).all()
    # A prior of twice the precision is noise of twice the variance; and the movie around which it is told is the same.
    assert noise.means().tolist() == pytest.approx(prior.means().tolist(), rel=1e-9)


def test_a_stronger_prior_is_told_around_the_same_movie(world):
    seen = []

    def measure(around, *, probes, steps, seed):
        seen.append(around.prior.movie(around.position))
        return Exact(world)(around, seed=seed)

    there = replace(clip(world), position=torch.randn(FRAMES, *SIZE, generator=Seed(4).torch(), dtype=torch.float64))
    over_prior(population(world, measure=measure), [there], [0.5, 1.0, 3.0], seed=Seed(2))
    for one, other in itertools.pairwise(seen):
        assert torch.allclose(one, other)


def test_likelihoods_become_noisier_by_their_variance(world):
    assert torch.equal(noisier(world.likelihood, 3.0).variance, 3 * world.likelihood.variance)
    assert noisier(Poisson(torch.tensor([0.5, 1.0])), 2.0).temper.tolist() == [0.25, 0.5]
    with pytest.raises(WrongUse, match="Unknown says nothing of its noise"):
        noisier(Unknown(), 2.0)


class Unknown:
    """A likelihood of somebody else's."""

    log_prob = precision = curvature = tilt = staticmethod(lambda *told: None)


def test_a_curve_is_kept_as_it_was(curve):
    again = Curve.from_json(json.loads(json.dumps(curve.to_json())))
    assert again.points == curve.points
    assert again.measured == curve.measured


def test_progress_counts_every_measurement(world):
    told = []
    over_neurons(
        population(world, measure=Exact(world)),
        [clip(world), clip(world, "b")],
        [2, 5, 20],
        orders=2,
        seed=Seed(0),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize(("sizes", "orders"), [([], 1), ([0, 3], 1), ([5, 3], 1), ([3, 3], 1), ([21], 1), ([3], 0)])
def test_sizes_that_cannot_be_had_are_refused(world, sizes, orders):
    with pytest.raises(WrongUse, match="rising numbers of neurons"):
        over_neurons(population(world), [clip(world)], sizes, orders=orders, seed=Seed(0))


def test_what_makes_no_curve_is_refused(world, curve):
    with pytest.raises(WrongUse, match="needs a clip"):
        over_noise(population(world), [], [1.0], seed=Seed(0))
    with pytest.raises(WrongUse, match="same name"):
        over_noise(population(world), [clip(world)] * 2, [1.0], seed=Seed(0))
    with pytest.raises(WrongUse, match="rising numbers above 0"):
        over_noise(population(world), [clip(world)], [0.0, 1.0], seed=Seed(0))
    with pytest.raises(WrongUse, match="only the spectral prior"):
        over_prior(replace(population(world), prior=Flat()), [clip(world)], [1.0], seed=Seed(0))
    with pytest.raises(WrongUse, match="nothing about larger populations"):
        replace(curve, along="noise").extrapolated(seed=Seed(0))


def test_a_curve_of_half_of_the_neurons_foretells_what_all_of_them_give(world):
    half = torch.zeros(NEURONS, dtype=torch.bool)
    half[torch.randperm(NEURONS, generator=Seed(6).torch())[:10]] = True
    some = replace(clip(world), observation=world.observation.hearing(half))
    measured = over_neurons(population(world, steps=30), [some], [1, 2, 5, 10], orders=3, seed=Seed(1))
    for quantity in ("bits", "dimensions", "share"):
        foretold = measured.extrapolated(quantity, seed=Seed(0)).at(20)
        true = dense(world, np.ones(NEURONS, bool))[quantity]
        assert foretold.low <= true <= foretold.high, quantity
        assert foretold.high < 2 * foretold.low, quantity
