"""In the linear world every part of the budget has a closed form; what is found is held against dense matrices."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.identifiability.budget import Watching, measure_error_budget
from cinecortex.inversion.map import MAP
from cinecortex.metrics.error_budget import PARTS, ErrorBudget
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed

BURN_IN = 2
MASK = torch.zeros(8, 8)
MASK[1:7, 2:8] = 1.0


class Dense:
    """The posterior mean by one matrix: an inverter that shares no code with ours. What it adds is its own."""

    name = "dense"

    def __init__(self, known: Known, added: float = 0.0) -> None:
        self.known, self.added = known, added

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        known = self.known
        said = observation.response.numpy().ravel()[known.rows] - known.expected(known.gray)
        said = np.where(np.repeat(observation.heard.numpy()[None], len(said) // 20, 0).ravel(), said, 0.0)
        movie = known.gray + known.gain @ said + self.added
        return Reconstruction(torch.from_numpy(movie.reshape(12, 8, 8)), ended="dense")


@dataclass(frozen=True, eq=False)
class Known:
    """A linear world, another encoder of it, and what both make of every movie, by dense matrices.

    Attributes:
        world: The world; its encoder is the one that is inverted.
        held_out: An encoder with other filters.
    """

    world: LinearWorld
    held_out: LinearNonlinear

    @staticmethod
    def make(seed: Seed, *, apart: float = 0.5) -> Known:
        world = LinearWorld.make(seed)
        random = (seed / "another encoder").numpy()
        filters = world.encoder.filters.detach()
        change = apart * torch.from_numpy(random.standard_normal(filters.shape))
        offset = world.encoder.offset.detach() + apart * torch.from_numpy(random.standard_normal(20))
        return Known(world, LinearNonlinear(filters + change, offset, nonlinearity="identity"))

    def __post_init__(self) -> None:
        frames, memory = self.world.observation.frames, self.world.encoder.memory
        rows = np.zeros((frames, 20), bool)
        rows[memory - 1 :] = True
        covariance = self.world.prior_covariance()
        variance = np.tile(self.world.likelihood.variance.numpy(), frames)
        kept = {"rows": rows.ravel(), "gray": np.full(12 * 64, 0.5), "variance": variance}
        matrix, offset = self.world.design()
        other, other_offset = replace(self.world, encoder=self.held_out).design()
        own = matrix[kept["rows"]]
        noise = np.diag(variance[kept["rows"]])
        kept |= {"matrix": matrix, "offset": offset, "other": other, "other_offset": other_offset}
        kept["gain"] = covariance @ own.T @ np.linalg.inv(own @ covariance @ own.T + noise)
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    def expected(self, movie: np.ndarray) -> np.ndarray:
        return (self.matrix @ movie + self.offset)[self.rows]

    def truth(self, number: int) -> torch.Tensor:
        random = (Seed(8) / number).numpy()
        return self.world.prior.movie(torch.from_numpy(random.standard_normal((12, 8, 8))))

    def response(self, movie: torch.Tensor, *, other: bool, seed: Seed | None = None) -> torch.Tensor:
        matrix, offset = (self.other, self.other_offset) if other else (self.matrix, self.offset)
        rates = matrix @ movie.numpy().ravel() + offset
        if seed is not None:
            rates = rates + np.sqrt(self.variance) * seed.numpy().standard_normal(rates.shape)
        return torch.from_numpy(rates.reshape(12, 20))

    def trial(self, number: int) -> Trial:
        """A clip that the other encoder, with noise, is the animal of."""
        movie = self.truth(number)
        reader = InMemory(movie, self.response(movie, other=True, seed=Seed(9) / number))
        return Trial(str(number), "linear", "test", 30.0, (8, 8), (), reader)

    def watching(self) -> Watching:
        def of(other: bool, noisy: bool):
            return lambda movie, behavior, seed: self.response(movie, other=other, seed=seed if noisy else None)

        return Watching(of(False, False), of(False, True), of(True, False), of(True, True))

    def exact(self, number: int) -> dict[str, float]:
        """The parts in closed form: squared bias, variance, and what other rates add to the bias."""
        counted = np.zeros((12, 8, 8), bool)
        counted[BURN_IN:, 1:7, 2:8] = True
        counted = counted.ravel()
        movie = self.truth(number).numpy().ravel()
        alone = np.mean((movie - self.gray)[counted] ** 2)
        bias = self.gray + self.gain @ (self.expected(movie) - self.expected(self.gray)) - movie
        unlike = ((self.other - self.matrix) @ movie + self.other_offset - self.offset)[self.rows]
        variance = (self.gain[counted] ** 2) @ self.variance[self.rows]
        other = bias + self.gain @ unlike
        parts = {
            "prior": np.mean(bias[counted] ** 2),
            "noise": np.mean(variance),
            "encoder": np.mean(other[counted] ** 2) - np.mean(bias[counted] ** 2),
        }
        return {name: value / alone for name, value in parts.items()} | {"alone": alone}


def descending(known: Known) -> MAP:
    world = known.world
    options = {"evaluations": 3000, "tolerance_nats": 1e-9, "mask": torch.ones(8, 8)}
    return MAP(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, **options)


def budget_of(known: Known, invert, clips: int = 1, **options) -> ErrorBudget:
    trials = [known.trial(number) for number in range(clips)]
    chosen = {"solver": Dense(known), "seed": Seed(4), "mask": MASK, "burn_in": BURN_IN, **options}
    return measure_error_budget(trials, invert, known.watching(), **chosen)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_descent_makes_of_rates_is_the_closed_form(seed):
    known = Known.make(Seed(seed))
    inverter = descending(known)
    budget, exact = budget_of(known, inverter, 2, solver=inverter), [known.exact(number) for number in range(2)]
    # No part may be so small that it would not be missed.
    assert all(0.02 < abs(one[part]) < 1 for one in exact for part in ("prior", "noise", "encoder"))
    assert budget.values("prior") == pytest.approx([one["prior"] for one in exact], rel=0.01)
    assert budget.values("encoder") == pytest.approx([one["encoder"] for one in exact], rel=0.01)
    assert budget.values("inverter") == (0.0, 0.0), "the solver is the inverter"
    dense = budget_of(known, Dense(known), 2)
    for term in ("prior", "noise", "encoder", "total", "remainder"):
        # The same noise was drawn for both: the descent differs from the matrix by its tolerance alone.
        assert budget.values(term) == pytest.approx(dense.values(term), rel=0.01, abs=1e-4)


def test_noise_is_the_posterior_gain_times_the_noise_within_its_monte_carlo_error():
    known = Known.make(Seed(3))
    (found,) = budget_of(known, Dense(known), draws=1000).recovered
    exact = known.exact(0)["noise"]
    error = np.std(found.noisy, ddof=1) / np.sqrt(1000)
    assert error < 0.02 * exact
    assert abs(found.noise - exact) < 4 * error
    # Noise and another encoder do nothing to each other where all is linear and noise is the same.
    both = np.subtract(found.other_noisy, found.noisy)
    assert abs(found.interaction) < 4 * np.std(both, ddof=1) / np.sqrt(1000)


def test_the_parts_come_to_the_total_where_all_is_linear():
    """Over clips, of which each has its own noise in the recording; the animal is the held-out encoder."""
    known, clips = Known.make(Seed(3)), 300
    budget = budget_of(known, Dense(known), clips)
    exact = [known.exact(number) for number in range(clips)]
    for part in ("prior", "encoder"):
        assert budget.values(part) == pytest.approx([one[part] for one in exact], rel=1e-6, abs=1e-9)
    # Bias, variance and what another encoder adds: the expected squared error, clip by clip, without a remainder.
    total = np.array([one["prior"] + one["noise"] + one["encoder"] for one in exact])
    for term, expected in (("total", total), ("sum", total), ("remainder", 0 * total)):
        away = np.array(budget.values(term)) - expected
        error = np.std(away, ddof=1) / np.sqrt(clips)
        assert error < 0.01 * total.mean()
        assert abs(away.mean()) < 4 * error
    share = budget.share("remainder", seed=Seed(1))
    assert share.low < 0 < share.high
    assert abs(share.value) < 0.05


def test_what_an_inverter_adds_of_its_own_is_the_inverters():
    known = Known.make(Seed(1))
    budget, exact = budget_of(known, Dense(known, added=0.1), 2), [known.exact(number) for number in range(2)]
    honest = budget_of(known, Dense(known), 2)
    for number, one in enumerate(budget.recovered):
        movie = known.truth(number).numpy()[BURN_IN:, 1:7, 2:8]
        rates = replace(known.trial(number).observe(), response=known.response(known.truth(number), other=False))
        bias = Dense(known)(rates, Seed(0)).movie.numpy()[BURN_IN:, 1:7, 2:8] - movie
        assert one.inverter == pytest.approx((0.1**2 + 2 * 0.1 * bias.mean()) / exact[number]["alone"], rel=1e-6)
        assert one.prior == pytest.approx(honest.recovered[number].prior)
        assert one.sum == pytest.approx(one.total - one.remainder)
        assert one.remainder == pytest.approx(one.interaction + one.unlike)
        assert one.avoidable == pytest.approx(one.recorded - honest.recovered[number].recorded)
    assert budget.largest == "inverter"


def test_a_descent_that_is_cut_short_shows_as_the_inverters_part():
    known = Known.make(Seed(1))
    world = known.world
    options = {"mask": torch.ones(8, 8), "evaluations": 3}
    short = MAP(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, **options)
    budget = budget_of(known, short, 2)
    assert min(budget.values("inverter")) > 0.05
    assert budget.values("prior") == budget_of(known, Dense(known), 2).values("prior")


def test_responses_that_are_missing_in_the_recording_are_missing_in_silico():
    known, asked = Known.make(Seed(1)), []
    trial = known.trial(0)
    response = trial.response.clone()
    response[5] = torch.nan
    gap = replace(trial, reader=InMemory(trial.movie, response))

    class Listening(Dense):
        def __call__(self, observation, seed):
            asked.append(observation.response)
            return super().__call__(replace(observation, response=observation.response.nan_to_num()), seed)

    inverter = Listening(known)
    measure_error_budget([gap], inverter, known.watching(), solver=inverter, seed=Seed(4), burn_in=BURN_IN)
    assert len(asked) == 8, "5 + 2 draws, and the prior alone"
    assert all(bool(one[5].isnan().all()) and not bool(one[6].isnan().any()) for one in asked)


def test_what_cannot_be_told_is_refused_and_the_same_seed_gives_the_same():
    known = Known.make(Seed(1))
    with pytest.raises(WrongUse, match="draws is 0"):
        budget_of(known, Dense(known), draws=0)
    uniform = torch.full((12, 8, 8), 0.5, dtype=torch.float64)
    gray = replace(known.trial(0), reader=InMemory(uniform, known.response(uniform, other=False)))
    with pytest.raises(WrongUse, match="no error to account for"):
        measure_error_budget([gray], Dense(known), known.watching(), solver=Dense(known), seed=Seed(4))
    said = []
    first = budget_of(known, Dense(known), 2, draws=2, progress=lambda *told: said.append(told))
    assert said == [(1, 2, "trial 0"), (2, 2, "trial 1")]
    assert first == budget_of(known, Dense(known), 2, draws=2)
    assert first != budget_of(known, Dense(known), 2, draws=2, seed=Seed(5))
    assert ErrorBudget.from_json(json.loads(json.dumps(first.to_json()))) == first
    for part in PARTS:
        assert part in first.sentence(seed=Seed(0))
