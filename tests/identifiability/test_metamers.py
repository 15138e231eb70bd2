"""Metamers: the nearest unseen movie in closed form, and what holds of them by rates that are not linear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import chi2
from tests.identifiability.linear_world import Dense, around, large, position, problem, small
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.identifiability.bound import WEIGHTS
from cinecortex.identifiability.limits import Limits, bands_of, energy_by_band, largest_step
from cinecortex.identifiability.metamer import Metamer
from cinecortex.identifiability.metamers import Search
from cinecortex.inversion.likelihoods import Gaussian, Poisson
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.problem import Problem
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed

LIMIT = Limits().discriminability


def search(world: LinearWorld, **options) -> Search:
    z = position(world)
    return Search(
        problem=problem(world), position=z, around=around(world, z), **{"bounded": False, "ascents": 0, **options}
    )


def energies(world: LinearWorld, z: torch.Tensor) -> list[tuple[float, int]]:
    """``|z|^2`` and number of coordinates of every band, bins found anew from the frequencies."""
    time, height, width = z.shape
    t = np.arange(time)[:, None, None] / (2 * time)
    s = np.hypot(np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width))[None]

    def bins(frequency: np.ndarray, lowest: float) -> np.ndarray:
        place = 14 * np.log(np.maximum(frequency, 1e-9) / lowest) / np.log(0.5 / lowest)
        return np.where(frequency == 0, 0, np.clip(np.floor(place + 1e-5), 0, 13) + 1)

    label = (100 * bins(t, 1 / 600) + bins(s, 1 / 128)).ravel()
    square = z.numpy().ravel() ** 2
    return [(float(square[label == each].sum()), int((label == each).sum())) for each in np.unique(label)]


@pytest.mark.parametrize(("make", "steps"), [(small, 150), (large, 200)])
def test_the_nearest_unseen_movie_is_that_of_the_closed_form(make, steps):
    world = make()
    dense = Dense.of(world)
    target, change, weight = search(world, steps=steps).linear(Seed(1))
    w = target.numpy().ravel()
    values, vectors = np.linalg.eigh(dense.rates @ dense.rates.T)
    # F has the eigenvalues of G G^T; what of w lies along each of its eigenvectors:
    along = (vectors.T @ (dense.rates @ w)) / np.sqrt(values.clip(1e-12))
    seen = lambda m: float((values * (along / (1 + m * values)) ** 2).sum())  # noqa: E731
    exact = brentq(lambda m: seen(m) - LIMIT**2, 0, 1e9)
    taken = exact * (vectors.T @ (dense.rates @ w)) / (1 + exact * values)
    closed = w - dense.rates.T @ (vectors @ taken)
    assert np.linalg.norm(dense.rates @ change.numpy().ravel()) == pytest.approx(LIMIT, rel=1e-3)
    assert np.linalg.norm(change.numpy().ravel() - w) == pytest.approx(np.linalg.norm(closed - w), rel=0.01)
    assert np.linalg.norm(change.numpy().ravel() - closed) < 0.01 * np.linalg.norm(w)
    assert weight == pytest.approx(exact, rel=0.1)


def test_a_small_space_keeps_the_limit_and_strays_from_the_start():
    world = small()
    dense = Dense.of(world)
    target, change, _ = search(world, steps=6).linear(Seed(1))
    assert np.linalg.norm(dense.rates @ change.numpy().ravel()) <= LIMIT * 1.001
    better = search(world, steps=200).linear(Seed(1))[1]
    assert float((better - target).norm()) < float((change - target).norm())


def test_metamers_hold_their_limits_and_differ_from_each_other():
    world = small()
    dense, looked = Dense.of(world), search(world, steps=60, ascents=1)
    found = looked(2, Seed(3))
    own = energies(world, looked.position)
    for one in found:
        change = (one.position - looked.position).numpy().ravel()
        seen = np.linalg.norm(dense.rates @ change)
        assert one.discriminability == pytest.approx(seen, rel=1e-4)
        assert one.linear_discriminability == pytest.approx(seen, rel=1e-4)
        assert seen <= LIMIT * (1 + 1e-6)
        for (energy, count), (before, _) in zip(energies(world, one.position), own, strict=True):
            assert energy <= max(chi2.ppf(0.975, count), before) * (1 + 1e-6)
        pixels = dense.pixels(change[:, None]).ravel()
        assert one.distance == pytest.approx(np.sqrt((pixels**2).mean()), rel=1e-4)
        likelihood = lambda z: float(looked.problem.log_likelihood(world.prior.movie(z)).detach())  # noqa: E731
        assert one.log_likelihood == pytest.approx(likelihood(one.position) - likelihood(looked.position), abs=1e-6)
        assert one.log_likelihood >= -Limits().loss_nats - 1e-6
        assert one.energy == pytest.approx(float((one.position**2).mean()))
    again = looked(1, Seed(3))[0]
    assert torch.equal(again.movie, found[0].movie)
    apart = float((found[0].movie - found[1].movie).square().mean().sqrt())
    assert apart > 0.5 * found[0].distance


def test_ascents_make_metamers_more_different_inside_the_mask():
    world = small()
    mask = torch.zeros(8, 8, dtype=torch.float64)
    mask[:, 4:] = 1
    plain, raised = (search(world, steps=60, mask=mask, ascents=count)(1, Seed(5))[0] for count in (0, 1))
    assert raised.distance > 1.1 * plain.distance


def test_without_neurons_any_typical_movie_is_a_metamer():
    world = small()
    deaf = replace(world, observation=replace(world.observation, heard=torch.zeros(12, dtype=torch.bool)))
    looked = search(deaf)
    assert float(looked.position.abs().max()) == 0
    (found,) = looked(1, Seed(3))
    drawn = torch.randn(12, 8, 8, generator=(Seed(3) / 0).torch(), dtype=torch.float64)
    held = bands_of(world.prior, drawn)
    most = Limits().energies(held)
    factor = (most / energy_by_band(drawn, held)).clamp_max(1).sqrt()[held]
    torch.testing.assert_close(found.position, factor * drawn)
    assert (found.reach, found.discriminability, found.log_likelihood) == (1.0, 0.0, 0.0)
    assert found.distance > 0.3 * found.prior_distance


def test_under_a_clear_view_of_everything_the_only_metamer_is_the_reconstruction():
    world = small()
    encoder = LinearNonlinear(
        torch.eye(64, dtype=torch.float64).reshape(64, 1, 8, 8), torch.zeros(64).double(), nonlinearity="identity"
    )
    response = encoder(world.truth[None], torch.zeros(1, 12, 0, dtype=torch.float64))[0].detach()
    clear = replace(
        world,
        encoder=encoder,
        likelihood=Gaussian(torch.full((64,), 1e-6, dtype=torch.float64)),
        observation=replace(world.observation, response=response, heard=torch.ones(64, dtype=torch.bool)),
    )
    (found,) = search(clear, steps=60)(1, Seed(3))
    # A d' of 1.35 shared by 768 pixels that are each known to 0.001.
    assert found.distance <= 1.36e-3 / np.sqrt(768)
    assert float((found.movie - world.truth).square().mean().sqrt()) < 2e-3


def rectified() -> tuple[LinearWorld, Problem, torch.Tensor]:
    """Neurons far below threshold at the reconstruction: there a change hardly shows, farther off it does."""
    world = small()
    filters = 40 * world.encoder.filters.detach()
    encoder = LinearNonlinear(filters, torch.full((12,), -4.0, dtype=torch.float64), nonlinearity="softplus")
    observation = replace(world.observation, response=torch.full((12, 12), 0.02, dtype=torch.float64))
    posed = Problem(encoder, Poisson(torch.ones(12, dtype=torch.float64)), world.prior, observation)
    return world, posed, torch.zeros(12, 8, 8, dtype=torch.float64)


def test_rates_that_are_not_linear_are_asked_themselves():
    world, posed, z = rectified()
    linear = Linearised(posed.encoder, posed.likelihood, posed.prior, posed.observation, z)
    looked = Search(problem=posed, position=z, around=linear, bounded=False, ascents=0, steps=120, evaluations=60)

    def rates(movie: np.ndarray) -> np.ndarray:
        filters = posed.encoder.filters.detach().numpy()
        drive = np.full((12, 12), -4.0)
        for lag in range(3):
            drive[lag:] += np.tensordot(movie[: 12 - lag] - 0.5, filters[:, lag], ((1, 2), (1, 2)))
        return np.logaddexp(0, drive)[2:]

    def told_apart(position: torch.Tensor) -> float:
        before, after = (rates(world.prior.movie(one).numpy()) for one in (z, position))
        return float(np.sqrt(((after - before) ** 2 / before).sum()))

    _, change, _ = looked.linear(Seed(1))
    seen = float((change * linear.information(change[None])[0]).sum().sqrt())
    assert seen <= LIMIT * 1.001
    assert told_apart(change) > 1.5 * LIMIT, "the quadratic form alone would be wrong"
    (found,) = looked(1, Seed(1) / "other")
    assert found.discriminability == pytest.approx(told_apart(found.position), rel=1e-5)
    assert found.discriminability <= LIMIT
    before, after = (rates(world.prior.movie(one).numpy()) for one in (z, found.position))
    gained = (0.02 * np.log(after / before) - after + before).sum()
    assert found.log_likelihood == pytest.approx(gained, rel=1e-5)
    assert gained >= -Limits().loss_nats
    # And it has not merely gone back towards the reconstruction.
    assert found.energy > 0.5


def test_the_inverter_answers_with_a_metamer_and_the_bound():
    world = small()
    inverter = Metamer(
        encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, steps=40, evaluations=400, draws=8
    )
    assert isinstance(inverter, Inverter)
    assert inverter.name == "metamer"
    answer, again = (inverter(world.observation, Seed(2)) for _ in range(2))
    assert torch.equal(answer.movie, again.movie)
    assert answer.mask is not None
    assert float(answer.movie.min()) >= 0
    assert float(answer.movie.max()) <= 1
    assert bool((answer.lower <= answer.upper).all())
    middle = inverter.map(world.observation, Seed(2) / "map").movie
    torch.testing.assert_close((answer.lower + answer.upper) / 2, middle)
    dense = Dense.of(world)
    c, d2 = 1.959964**2, LIMIT**2
    weights = np.array([0.0, *WEIGHTS])
    expected = np.sqrt(((c + weights * d2)[:, None] * dense.variances_left(weights)).min(0))
    # Four draws know a standard deviation to a third, and the pixels of this world share most of it.
    assert expected.mean() / 2.5 < float((answer.upper - answer.lower).mean()) / 2 < 2 * expected.mean()
    assert "nats" in answer.ended
    assert "of the way" in answer.ended
    silent = inverter(replace(world.observation, heard=torch.zeros(12, dtype=torch.bool)), Seed(2))
    assert float((silent.upper - silent.lower).mean()) > float((answer.upper - answer.lower).mean())


def test_a_step_ends_where_a_band_is_full():
    bands = torch.tensor([[[0, 0, 1]]])
    z, change = torch.tensor([[[1.0, 0.0, 3.0]]]), torch.tensor([[[2.0, 0.0, -1.0]]])
    most = torch.tensor([4.0, 4.0])
    # The first band holds 4 at (1 + 2 t)^2 = 4; the second has more than it may, and loses some.
    assert largest_step(z, change, most, bands) == pytest.approx(0.5)
    assert largest_step(z, 0.1 * change, most, bands) == 1.0
    assert largest_step(z, -change, most, bands) == pytest.approx(0.0)
    assert energy_by_band(z, bands).tolist() == [1.0, 9.0]


def test_bands_are_those_of_the_spectrum():
    world = small()
    z = torch.randn(12, 8, 8, generator=Seed(1).torch(), dtype=torch.float64)
    found = energy_by_band(z, bands_of(world.prior, z))
    expected = sorted(energy for energy, _ in energies(world, z))
    np.testing.assert_allclose(sorted(found[found > 0].tolist()), expected)
