import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.fft
import scipy.special
import scipy.stats
import torch
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.inversion.chains import QUARTER, DualAveraging, run_chains
from cinecortex.inversion.convergence import effective_draws, effective_for_mean, r_hat
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.problem import Problem
from cinecortex.inversion.sensitivity import binned_fisher
from cinecortex.inversion.trajectory import Reference, State, one_by_one, transition
from cinecortex.recording import Observation
from cinecortex.seeds import Seed


@dataclass(frozen=True, eq=False)
class Bowl:
    """The energy of a Gaussian, by matrices: many chains at once for the price of one product."""

    mean: torch.Tensor
    precision: torch.Tensor
    factor: float = 1.0

    @staticmethod
    def of(world: LinearWorld, factor: float = 1.0) -> "Bowl":
        """The posterior over whitened coordinates, from the closed form over movies."""
        shape = world.truth.shape
        mean, covariance = world.posterior()
        amplitude = world.prior.amplitude(world.truth).numpy().ravel()
        columns = [scipy.fft.idctn(unit.reshape(shape), norm="ortho").ravel() for unit in np.eye(amplitude.size)]
        whiten = np.stack(columns) / amplitude[:, None]
        z = whiten @ (mean - 0.5).ravel()
        return Bowl(torch.from_numpy(z), torch.from_numpy(np.linalg.inv(whiten @ covariance @ whiten.T)), factor)

    def __call__(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        off = positions - self.mean
        pulled = off @ self.precision
        return self.factor * 0.5 * (off * pulled).sum(1), self.factor * pulled

    def standardised(self, values: torch.Tensor) -> torch.Tensor:
        """Draws in coordinates in which they must be independent and of unit variance: the eigenvectors."""
        eigenvalues, axes = torch.linalg.eigh(self.precision)
        return (values - self.mean) @ axes * eigenvalues.sqrt()


def moment_tests(standard: torch.Tensor) -> dict[str, float]:
    """p-values: squared errors of means and variances over their Monte-Carlo error, summed over directions.

    Along the eigenvectors of the posterior, and along random directions, whose variances hold all the covariances.
    """
    size = standard.shape[-1]
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0]
    found = {}
    for name, values in (("eigenvectors", standard), ("random", standard @ torch.from_numpy(rotation))):
        for moment, expected in (("mean", 0.0), ("variance", 1.0)):
            powers = values if moment == "mean" else values**2
            spread = 1.0 if moment == "mean" else 2.0  # of a unit normal, and of its square
            errors = (powers.mean((0, 1)) - expected) ** 2 * effective_for_mean(powers) / spread
            found[f"{moment}, {name}"] = float(scipy.stats.chi2.sf(float(errors.sum()), size))
    return found


def chains_of(world: LinearWorld, *, path: float, draws: int, thin: int = 1, factor: float = 1.0, chains: int = 8):
    bowl = Bowl.of(world)
    frames = world.observation.frames
    fisher = binned_fisher(world.encoder, world.likelihood, world.prior, frames=frames, seed=Seed(0) / "fisher")
    reference = Reference(bowl.mean, (1 + fisher).flatten())
    noise = torch.randn(chains, bowl.mean.numel(), generator=(Seed(5) / "start").torch(), dtype=torch.float64)
    start = bowl.mean + noise / reference.precision.sqrt()
    found = run_chains(
        Bowl.of(world, factor), start, reference, draws=draws, thin=thin, seed=Seed(5), path=path, warm_up=150
    )
    return found, bowl.standardised(found.values)


def test_the_energy_of_a_problem_is_the_bowl_that_the_chains_are_tested_in():
    world = LinearWorld.make(Seed(0), **SMALL)
    positions = torch.from_numpy(np.random.default_rng(0).standard_normal((3, *world.truth.shape)))
    problem = Problem(world.encoder, world.likelihood, world.prior, world.observation)
    energy, gradient = one_by_one(problem.energy)(positions)
    expected, expected_gradient = Bowl.of(world)(positions.flatten(1))
    torch.testing.assert_close(energy - energy[0], expected - expected[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient.flatten(1), expected_gradient, rtol=1e-6, atol=1e-6)


SMALL = {"frames": 6, "size": (6, 6), "neurons": 10}
TINY = {"frames": 5, "size": (4, 4), "neurons": 6}


def test_hamiltonian_chains_have_the_mean_and_the_covariance_of_a_linear_world():
    """Four tests at p > 1e-3: a right sampler fails on four seeds in a thousand. Too warm by a quarter, it fails."""
    world = LinearWorld.make(Seed(0), **SMALL)
    found, standard = chains_of(world, path=5.0, draws=400)
    assert float(r_hat(standard).max()) < 1.05
    assert found.acceptance == pytest.approx(0.8, abs=0.1)
    assert min(moment_tests(standard).values()) > 1e-3
    _, warm = chains_of(world, path=5.0, draws=100, factor=0.8)
    p_values = moment_tests(warm)
    assert p_values["variance, eigenvectors"] < 1e-9
    assert p_values["variance, random"] < 1e-9


def test_langevin_chains_have_the_mean_and_the_covariance_of_a_small_linear_world():
    """As above; single turns diffuse, so the world is small enough for them."""
    world = LinearWorld.make(Seed(0), **TINY)
    found, standard = chains_of(world, path=0.0, draws=400, thin=10)
    assert found.evaluations == 8 * (1 + 150 + 4000)
    assert float(r_hat(standard).max()) < 1.05
    assert found.acceptance == pytest.approx(0.574, abs=0.06)
    assert min(moment_tests(standard).values()) > 1e-3
    _, warm = chains_of(world, path=0.0, draws=150, thin=10, factor=0.8)
    assert moment_tests(warm)["variance, eigenvectors"] < 1e-9


def test_a_sampler_that_never_refuses_is_found_wrong(monkeypatch):
    """The planted fault that a plausible picture would hide: proposals taken as draws."""
    world = LinearWorld.make(Seed(0), **TINY)
    monkeypatch.setattr("torch.rand", lambda shape, **options: torch.zeros(shape, dtype=options.get("dtype")))
    _, standard = chains_of(world, path=0.0, draws=150, thin=10)
    assert moment_tests(standard)["variance, eigenvectors"] < 1e-9


def test_a_wrong_gradient_costs_acceptance_and_not_the_truth():
    mean, precision = torch.tensor([1.0, -1.0]).double(), torch.diag(torch.tensor([1.0, 4.0])).double()
    bowl = Bowl(mean, precision)
    reference = Reference(torch.zeros(2).double(), torch.ones(2).double())

    def bent(positions):
        energy, gradient = bowl(positions)
        return energy, 0.3 * gradient + 0.1

    start = torch.zeros(8, 2, dtype=torch.float64)
    found = run_chains(bent, start, reference, draws=1000, seed=Seed(1), path=0.0)
    assert min(moment_tests(bowl.standardised(found.values)).values()) > 1e-3


def tiny_world() -> tuple[LinearNonlinear, Poisson, LinearWorld]:
    """One pixel, three frames, three cells with exponential rates: three dimensions, and far from Gaussian."""
    world = LinearWorld.make(Seed(3), frames=3, size=(1, 1), neurons=3)
    filters = torch.tensor([[[[8.0]]], [[[-6.0]]], [[[4.0]]]]).double()
    encoder = LinearNonlinear(filters, torch.tensor([-1.0, -1.0, -2.0]).double(), nonlinearity="exponential")
    statistics = replace(world.prior.statistics, power=torch.full((15, 15), 0.1).double(), frames=3)
    observation = Observation(
        response=torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, torch.nan], [0.0, 0.0, 1.0]]).double(),
        behavior=torch.zeros(3, 0, dtype=torch.float64),
        behavior_channels=(),
        frame_rate_hz=30.0,
        frame_size=(1, 1),
        heard=torch.tensor([True, True, True]),
    )
    tiny = replace(world, prior=replace(world.prior, statistics=statistics), observation=observation)
    return encoder, Poisson(torch.tensor([1.0, 0.5, 1.0]).double()), tiny


def on_a_grid(world: LinearWorld, encoder: LinearNonlinear, likelihood: Poisson):
    """Points, and their posterior probability by numerical integration, written in NumPy and SciPy alone."""
    axis = np.linspace(-5.5, 5.5, 91)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitude = world.prior.amplitude(torch.zeros(3, 1, 1).double()).numpy().ravel()
    movies = 0.5 + scipy.fft.idct(points * amplitude, norm="ortho", axis=1)
    filters, offset = encoder.filters.detach().numpy().ravel(), encoder.offset.detach().numpy()
    log_rate = offset + (movies[:, :, None] - 0.5) * filters
    response, temper = world.observation.response.numpy(), likelihood.temper.numpy()
    terms = temper * (np.nan_to_num(response) * log_rate - np.exp(log_rate))
    log_density = np.where(np.isnan(response), 0.0, terms).sum((1, 2)) - 0.5 * (points**2).sum(1)
    return points, scipy.special.softmax(log_density)


def tiny_energies(world: LinearWorld, encoder: LinearNonlinear, likelihood: Poisson):
    """The same for many positions at once, in torch."""
    response, basis = world.observation.response, torch.from_numpy(scipy.fft.idct(np.eye(3), norm="ortho", axis=1))
    basis = world.prior.amplitude(torch.zeros(3, 1, 1).double()).flatten()[:, None] * basis
    filters, known = encoder.filters.detach().flatten(), response.isfinite()

    def energies(positions):
        log_rate = encoder.offset.detach() + (positions @ basis)[..., None] * filters
        terms = likelihood.temper * (response.nan_to_num() * log_rate - log_rate.exp()) * known
        slope = (likelihood.temper * (response.nan_to_num() - log_rate.exp()) * known * filters).sum(2)
        return 0.5 * (positions**2).sum(1) - terms.sum((1, 2)), positions - slope @ basis.T

    return energies


def test_the_tiny_energies_are_those_of_the_problem():
    encoder, likelihood, world = tiny_world()
    positions = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3)))
    problem = Problem(encoder.requires_grad_(False), likelihood, world.prior, world.observation)
    energy, gradient = one_by_one(problem.energy)(positions.reshape(4, 3, 1, 1))
    expected, expected_gradient = tiny_energies(world, encoder, likelihood)(positions)
    torch.testing.assert_close(energy, expected)
    torch.testing.assert_close(gradient.flatten(1), expected_gradient)


@pytest.mark.parametrize("path", [0.0, QUARTER], ids=["langevin", "hamiltonian"])
def test_a_posterior_that_is_not_gaussian_agrees_with_integration_on_a_grid(path):
    encoder, likelihood, world = tiny_world()
    points, weight = on_a_grid(world, encoder, likelihood)
    found = run_chains(
        tiny_energies(world, encoder, likelihood),
        0.5 * torch.randn(16, 3, generator=(Seed(0) / "start").torch(), dtype=torch.float64),
        Reference(torch.zeros(3).double(), torch.full((3,), 5.0).double()),
        draws=500,
        thin=1 if path else 2,
        seed=Seed(7),
        path=path,
        warm_up=200,
    )
    draws = found.values
    assert float(r_hat(draws).max()) < 1.02
    mean, mode = weight @ points, points[weight.argmax()]
    # First, second and third moments, and the tail of each coordinate beyond its 90 % point.
    step = 11 / 90  # cells end halfway between the points of the grid
    tail = [points[order := points[:, i].argsort(kind="stable"), i][weight[order].cumsum() > 0.9][0] for i in range(3)]
    tail = np.array(tail) + step / 2
    functions = {
        "mean": lambda x: x,
        "square": lambda x: (x - mean) ** 2,
        "cube": lambda x: (x - mean) ** 3,
        "product": lambda x: (x - mean) * (x - mean)[..., [1, 2, 0]],
        "tail": lambda x: 1.0 * (x > tail),
    }
    for name, function in functions.items():
        expected = weight @ function(points)
        spread = np.sqrt(weight @ (function(points) - expected) ** 2)
        values = torch.from_numpy(function(draws.numpy()))
        errors = (values.mean((0, 1)).numpy() - expected) / spread * effective_for_mean(values).sqrt().numpy()
        # Bonferroni over fifteen numbers at 1e-3 in all.
        assert np.abs(errors).max() < scipy.stats.norm.isf(1e-3 / 30), name
    # A Gaussian around the mode would have been found wrong.
    spread = draws.std((0, 1)) / effective_for_mean(draws).sqrt()
    assert float(((draws.mean((0, 1)) - torch.from_numpy(mode)) / spread).abs().max()) > 6


def test_a_turn_undone_comes_back_and_an_exact_reference_is_never_refused():
    mean = torch.tensor([0.3, -2.0]).double()
    precision = torch.tensor([2.0, 0.5]).double()
    bowl = Bowl(mean, torch.diag(precision))
    start = torch.zeros(5, 2).double()
    state = State(start, *bowl(start))
    generator = torch.Generator().manual_seed(0)
    _, probability, accepted = transition(
        bowl, state, Reference(mean, precision), angle=1.3, turns=4, generator=generator
    )
    torch.testing.assert_close(probability, torch.ones(5, dtype=torch.float64))
    assert bool(accepted.all())


def test_dimensions_without_data_do_not_shorten_the_step():
    """What is found with ten dimensions of data is found, but for chance, with ten thousand more of prior."""
    angles = []
    for free in (0, 10_000):
        precision = torch.cat([torch.linspace(2, 9, 10), torch.ones(free)]).double()

        def energies(positions, precision=precision):
            return 0.5 * (precision * positions**2).sum(1), precision * positions

        reference = Reference(torch.zeros(()).double(), torch.cat([torch.full((10,), 4.0), torch.ones(free)]).double())
        start = torch.randn(4, 10 + free, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        start = start / precision.sqrt()
        angles.append(run_chains(energies, start, reference, draws=1, seed=Seed(0), path=0.0, warm_up=300).angle)
    assert angles[1] == pytest.approx(angles[0], rel=0.2)


def test_the_warm_up_finds_the_acceptance_that_it_was_asked_for():
    step = DualAveraging(target=0.6)
    for _ in range(2000):
        step = step.after(math.exp(-3 * math.exp(step.log_angle)))
    assert math.exp(-3 * math.exp(step.log_average)) == pytest.approx(0.6, abs=0.01)


def test_where_all_is_accepted_the_angle_stays_within_a_quarter_circle():
    step = DualAveraging(target=0.6)
    for _ in range(100):
        step = step.after(1.0)
        assert step.log_angle <= math.log(QUARTER)


def test_positions_without_a_finite_energy_are_never_kept():
    def half_space(positions):
        energy = 0.5 * positions[:, 0] ** 2
        return torch.where(positions[:, 0] > 0, energy, torch.nan), torch.where(positions > 0, positions, torch.nan)

    reference = Reference(torch.zeros(1).double(), torch.ones(1).double())
    found = run_chains(half_space, torch.ones(6, 1).double(), reference, draws=2000, seed=Seed(0), path=0.0)
    assert bool((found.values > 0).all())
    # A half normal: mean sqrt(2 / pi), variance 1 - 2 / pi.
    error = float(found.values.mean()) - math.sqrt(2 / math.pi)
    assert abs(error) < 3.5 * math.sqrt((1 - 2 / math.pi) / float(effective_for_mean(found.values)))


def test_same_seed_same_bits_and_evaluations_are_counted():
    calls = []
    bowl = Bowl(torch.zeros(3).double(), torch.diag(torch.tensor([1.0, 2.0, 30.0])).double())

    def counted(positions):
        calls.append(len(positions))
        return bowl(positions)

    reference = Reference(torch.zeros(3).double(), torch.ones(3).double())
    start = torch.ones(4, 3).double()

    def run(seed):
        return run_chains(
            counted, start, reference, draws=20, thin=3, seed=Seed(seed), warm_up=20, keep=lambda at: at[:, :2]
        )

    first = run(0)
    assert first.evaluations == sum(calls)
    assert first.values.shape == (4, 20, 2)
    assert first.energy.shape == (4, 20)
    assert torch.equal(first.values, run(0).values)
    assert not torch.equal(first.values, run(1).values)
    assert float(effective_draws(first.energy[..., None]).max()) > 0


@pytest.mark.parametrize(
    ("changes", "sentence"), [({"draws": 0}, "at least one"), ({"start": torch.full((2, 1), torch.nan)}, "not finite")]
)
def test_nonsense_is_refused(changes, sentence):
    options = {"start": torch.zeros(2, 1), "draws": 4, **changes}
    bowl = Bowl(torch.zeros(1), torch.ones(1, 1))
    with pytest.raises(WrongUse, match=sentence):
        run_chains(
            lambda at: (bowl(at)[0].double(), bowl(at)[1]),
            reference=Reference(torch.zeros(1), torch.ones(1)), seed=Seed(0), **options,
        )  # fmt: skip
