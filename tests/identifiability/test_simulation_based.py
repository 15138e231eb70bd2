"""Ranks of true movies: uniform for exact draws, and not for draws that are wrong in ways that are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.identifiability.rank_verdict import ALPHA, LEAST, LIKELIHOOD, judged, shape_of, uniformities
from cinecortex.identifiability.simulation_based import (
    GaussianNoise,
    SimulationBased,
    simulation_based_calibration,
    standard_quantities,
)
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.sample import Sample
from cinecortex.metrics import holm
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

FRAMES, SIZE, DRAWS, FEW = 5, (3, 3), 31, 15
WORLD = LinearWorld.make(Seed(1), frames=FRAMES, size=SIZE, neurons=8)
QUANTITIES = standard_quantities(WORLD.encoder, WORLD.likelihood, WORLD.prior, frames=FRAMES, seed=Seed(3))


@dataclass(frozen=True, eq=False)
class Dense:
    """Draws by explicit matrices, of a world in which noise may have another variance; or of the prior."""

    factor: float = 1.0
    deaf: bool = False
    shift: float = 0.0
    draws: int = DRAWS

    name = "dense"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        prior = np.full((FRAMES, *SIZE), WORLD.prior.statistics.mean)
        (gain, expected), root = posterior(self.factor)
        mean = prior + (gain @ (observation.response.numpy().ravel() - expected)).reshape(prior.shape)
        if self.deaf:
            mean, root = prior, np.linalg.cholesky(WORLD.prior_covariance())
        white = seed.numpy().standard_normal((self.draws, root.shape[1]))
        drawn = mean + self.shift + (white @ root.T).reshape(-1, *mean.shape)
        return Reconstruction(torch.from_numpy(mean), "by hand", samples=torch.from_numpy(drawn))


@cache
def posterior(factor: float) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Gain on what was recorded beyond what the prior mean predicts, that prediction, and a root of the covariance."""
    noise = Gaussian(WORLD.likelihood.variance * factor)

    def mean_of(response: np.ndarray) -> np.ndarray:
        seen = replace(WORLD.observation, response=torch.from_numpy(response.reshape(FRAMES, -1)))
        return replace(WORLD, observation=seen, likelihood=noise).posterior()[0].ravel()

    # The posterior mean is linear in the response: its columns are what unit responses change.
    rest = np.zeros(WORLD.observation.response.numel())
    origin = mean_of(rest)
    gain = np.stack([mean_of(row) - origin for row in np.eye(len(rest))], 1)
    matrix, offset = WORLD.design()
    expected = matrix @ np.full(matrix.shape[1], WORLD.prior.statistics.mean) + offset
    return (gain, expected), np.linalg.cholesky(replace(WORLD, likelihood=noise).posterior()[1])


def sampler(factor: float = 1.0, draws: int = DRAWS) -> Sample:
    """Our own, exact in this world if only it is given time and the right noise."""
    return Sample(
        encoder=WORLD.encoder,
        likelihood=Gaussian(WORLD.likelihood.variance * factor),
        prior=WORLD.prior,
        draws=draws,
        keep=True,
        iterations=100,
        # A thousandth of a nat is a twentieth of one direction's spread, in all directions together.
        tolerance=1e-3,
        tolerance_nats=1e-3,
        evaluations=300,
        mask=torch.ones(SIZE),
    )


def ranked(inverter, simulations: int, **options) -> SimulationBased:
    return simulation_based_calibration(
        inverter,
        **{
            "encoder": WORLD.encoder,
            "prior": WORLD.prior,
            "respond": GaussianNoise(WORLD.likelihood.variance),
            "template": WORLD.observation,
            "quantities": QUANTITIES,
            "seed": Seed(5),
            "simulations": simulations,
            "draws": DRAWS,
        }
        | options,
    )


@pytest.fixture(scope="module")
def exact() -> SimulationBased:
    return ranked(sampler(draws=FEW), 100, draws=FEW)


def test_ranks_of_an_exact_sampler_are_uniform(exact: SimulationBased) -> None:
    assert exact.verdict == "supported"
    assert min(exact.p.values()) > 0.01
    assert exact.sentence.startswith("Ranks are uniform")
    assert all(len(ranks) == exact.simulations == 100 for ranks in exact.ranks.values())
    assert set(exact.ranks) == set(QUANTITIES)


@pytest.mark.parametrize(
    ("factor", "likelihood", "word"), [(0.25, "low", "over-confident"), (4.0, "high", "under-confident")]
)
def test_a_sampler_that_misjudges_the_noise_is_found_out(factor: float, likelihood: str, word: str) -> None:
    found = ranked(sampler(factor, FEW), 20, draws=FEW)
    assert found.verdict == "refuted"
    # With other seeds, 25 of them, exact draws of either wrong posterior gave at most 3e-7.
    assert found.tests[LIKELIHOOD].p < 1e-4
    assert found.tests[LIKELIHOOD].shape == likelihood
    assert word in found.sentence


def best_seen() -> torch.Tensor:
    """The direction whose variance the responses narrow most: there nearly all that is known comes from them."""
    values, vectors = scipy.linalg.eigh(WORLD.posterior()[1], WORLD.prior_covariance())
    assert values[0] < 0.05
    return torch.from_numpy(vectors[:, 0])


@pytest.mark.parametrize(("factor", "shape"), [(0.25, "at both ends"), (4.0, "in the middle"), (1.0, "level")])
def test_what_the_neurons_see_best_tells_which_way_draws_are_wrong(factor: float, shape: str) -> None:
    direction = best_seen()
    found = ranked(Dense(factor), 100, quantities={"best seen": lambda movies, _: movies.flatten(1) @ direction})
    assert found.verdict == ("supported" if shape == "level" else "refuted")
    if shape != "level":
        # Exact draws, too, look like something now and then.
        assert found.tests["best seen"].shape == shape
        assert "best seen pile up" in found.sentence


def test_only_what_looks_at_the_responses_finds_draws_that_never_did() -> None:
    found = ranked(Dense(deaf=True), 60)
    assert {name for name, p in found.p.items() if p < ALPHA} == {LIKELIHOOD}
    assert found.tests[LIKELIHOOD].shape == "high"


def test_draws_beside_the_truth_are_found_out() -> None:
    found = ranked(Dense(shift=0.2), 40)
    shapes = {test.shape for name, test in found.tests.items() if name.startswith("pixel") and test.p < ALPHA}
    assert shapes == {"low"}


def test_ranks_count_the_draws_below() -> None:
    kept: list[tuple[np.ndarray, Observation]] = []

    def remembering(observation: Observation, seed: Seed) -> Reconstruction:
        answer = Dense()(observation, seed)
        kept.append((answer.samples.numpy(), observation))
        return answer

    remembering.name = "remembering"
    found = ranked(remembering, 3, quantities={"first": lambda movies, _: movies[:, 0, 0, 0]}, thin=3, draws=10)
    for number, (samples, _) in enumerate(kept):
        own = Seed(5) / "simulation" / number / "movie"
        truth = WORLD.prior.draw(FRAMES, SIZE, own)[0, 0, 0]
        assert found.ranks["first"][number] == (samples[:30:3, 0, 0, 0] < float(truth)).sum()


def test_ties_are_broken_at_random() -> None:
    found = ranked(Dense(), 100, quantities={"sign": lambda movies, _: (movies[:, 2, 1, 1] > 0.5).double()})
    assert min(found.p.values()) > 0.01
    assert len(set(found.ranks["sign"])) > 15


def test_simulated_responses_scatter_as_the_likelihood_says() -> None:
    rate = torch.zeros(4000, 8, dtype=torch.float64)
    drawn = GaussianNoise(WORLD.likelihood.variance)(rate, Seed(7))
    squares = (drawn.square() / WORLD.likelihood.variance).sum(0).numpy()
    assert scipy.stats.kstest(scipy.stats.chi2.cdf(squares, 4000), "uniform").pvalue > 1e-3


def test_the_same_seed_gives_the_same_ranks_and_another_other_ones() -> None:
    assert ranked(Dense(), 5).ranks == ranked(Dense(), 5).ranks
    assert ranked(Dense(), 5).ranks != ranked(Dense(), 5, seed=Seed(6)).ranks


def test_few_simulations_support_nothing() -> None:
    few = ranked(Dense(), 20)
    assert few.verdict == "undecided"
    assert f"fewer than {LEAST}" in few.sentence


def test_p_values_are_corrected_over_all_tests(exact: SimulationBased) -> None:
    both = {(name, kind): getattr(test, kind) for name, test in exact.tests.items() for kind in ("chi_square", "ecdf")}
    corrected = holm({f"{key}": p for key, p in both.items()})
    for name, test in exact.tests.items():
        assert test.p == min(corrected[f"{(name, kind)}"] for kind in ("chi_square", "ecdf"))


def test_shapes_are_named_for_what_they_are() -> None:
    uniform = np.repeat(np.arange(32), 10)
    assert shape_of(uniform.tolist(), draws=31) == "level"
    assert shape_of([0] * 50, draws=31) == "low"
    assert shape_of([31] * 50, draws=31) == "high"
    assert shape_of([0, 31] * 25, draws=31) == "at both ends"
    assert shape_of([15, 16] * 25, draws=31) == "in the middle"
    assert shape_of([], draws=31) == "level"


def test_one_in_a_hundred_uniform_runs_is_called_wrong_at_most() -> None:
    random = np.random.default_rng(8)
    wrong = 0
    for _ in range(300):
        ranks = {name: random.integers(0, 32, 100).tolist() for name in "abc"}
        wrong += judged(uniformities(ranks, draws=DRAWS), 100) == "refuted"
    assert scipy.stats.binom.sf(wrong - 1, 300, ALPHA) > 1e-3


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(WrongUse, match="keeps 31 draws, and 62 are needed"):
        ranked(Dense(), 1, thin=2)
    with pytest.raises(WrongUse, match="keeps 0 draws"):
        ranked(lean_inverter(), 1)
    for options in ({"quantities": {}}, {"draws": 0}, {"thin": 0}):
        with pytest.raises(WrongUse, match="one of each"):
            ranked(Dense(), 1, **options)
    with pytest.raises(WrongUse, match="one of each"):
        ranked(Dense(), 0)


def lean_inverter():
    """One that keeps no draws."""

    def lean(observation: Observation, seed: Seed) -> Reconstruction:
        return replace(Dense()(observation, seed), samples=None)

    lean.name = "lean"
    return lean
