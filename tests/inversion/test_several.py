"""Several problems in one pass of the encoder, and several trials, starts and members in one inversion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.worlds import LinearWorld
from torch import nn

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.map import MAP
from cinecortex.inversion.plan import OutOfMemory, Plan
from cinecortex.inversion.priors import Flat
from cinecortex.inversion.problem import Problem
from cinecortex.inversion.sensitivity import muted
from cinecortex.inversion.several import Together
from cinecortex.seeds import Seed

CONVERGED = {"evaluations": 3000, "tolerance_nats": 1e-12}


class Limited(LinearNonlinear):
    """Runs out of memory where a batch holds more frames than this."""

    most = 1 << 60

    def forward(self, movies, behaviors):
        if movies.shape[0] * movies.shape[1] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(movies, behaviors)


class Running(Encoder):
    """A linear encoder whose drive is moved by running."""

    kind = "running"
    causal = True

    def __init__(self, inner: LinearNonlinear, mean: float) -> None:
        super().__init__()
        self.inner, self.frame_size, self.frame_rate_hz, self.memory = inner, inner.frame_size, 30.0, inner.memory
        self.mean = nn.Parameter(torch.tensor([mean], dtype=torch.float64))

    @property
    def neurons(self) -> int:
        return self.inner.neurons

    @property
    def behavior_at_rest(self):
        return self.mean

    def forward(self, movies, behaviors):
        return self.inner(movies, behaviors) + 2 * behaviors


def observations(world: LinearWorld, number: int = 3) -> list:
    """Different responses of the same population, one with neurons unheard and one with frames missing."""
    random = np.random.default_rng(9)
    shape = world.observation.response.shape
    found = [
        replace(world.observation, response=world.observation.response + torch.from_numpy(random.normal(0, 1, shape)))
        for _ in range(number)
    ]
    found[1] = found[1].hearing(torch.arange(20) % 3 != 0)
    found[2].response[6:8] = torch.nan
    return found


def problems(world: LinearWorld, **options) -> list[Problem]:
    return [Problem(world.encoder, world.likelihood, world.prior, one, **options) for one in observations(world)]


def limited(world: LinearWorld, most: int) -> LinearWorld:
    encoder = Limited(world.encoder.filters.data, world.encoder.offset.data, nonlinearity="identity")
    encoder.most = most
    return replace(world, encoder=encoder.requires_grad_(False))


def positions(world: LinearWorld, number: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((number, *world.truth.shape)))


def invert(world: LinearWorld, **options) -> MAP:
    return MAP(encoder=world.encoder, likelihood=world.likelihood, prior=world.prior, **{**CONVERGED, **options})


def error(found: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found.numpy() - expected) / np.linalg.norm(expected - 0.5))


@pytest.mark.parametrize("plan", [None, Plan(3), Plan(2), Plan(1), Plan(1, 5)])
def test_energies_and_gradients_are_those_of_each_problem_alone(plan):
    world = LinearWorld.make(Seed(0))
    alone = [problem.energy(z) for problem, z in zip(problems(world), positions(world), strict=True)]
    together = Together(problems(world), plan=plan)
    values, gradients = together(positions(world), [0, 1, 2])
    np.testing.assert_allclose(values, [value for value, _ in alone], rtol=1e-12)
    torch.testing.assert_close(gradients, torch.stack([g for _, g in alone]), rtol=1e-9, atol=1e-10)
    assert together.ended == ""
    values, gradients = together(positions(world)[[2, 0]], [2, 0])
    np.testing.assert_allclose(values, [alone[2][0], alone[0][0]], rtol=1e-12)
    # In three stretches of four frames the second and the third begin two frames early.
    once = 12 if plan is None or plan.frames is None else 4 + 6 + 6
    assert together.frame_passes == [2 * once, once, 2 * once]


def test_a_batch_of_one_is_the_problem_to_the_last_bit():
    world = LinearWorld.make(Seed(1))
    one, z = problems(world)[1], positions(world)[0]
    value, gradient = one.energy(z)
    values, gradients = Together([one])(z[None], [0])
    assert float(values[0]) == value
    assert torch.equal(gradients[0], gradient)


@pytest.mark.parametrize(
    ("most", "ended", "passes"),
    [
        (36, "", [12, 12, 12]),
        (35, "memory ran out, then 1 clip at a time", [12, 12, 12]),
        (11, "memory ran out, then 6 frames at a time", [14, 14, 14]),
        (7, "memory ran out, then 3 frames at a time", [18, 18, 18]),
    ],
)
def test_where_memory_runs_out_the_work_goes_on_in_smaller_pieces(most, ended, passes):
    world = LinearWorld.make(Seed(0))
    values, gradients = Together(problems(world))(positions(world), [0, 1, 2])
    together = Together(problems(limited(world, most)), plan=Plan(3))
    found, slopes = together(positions(world), [0, 1, 2])
    torch.testing.assert_close(found, values, rtol=1e-10, atol=0)
    torch.testing.assert_close(slopes, gradients, rtol=1e-8, atol=1e-9)
    assert (together.ended, together.frame_passes) == (ended, passes)


def test_memory_that_ran_out_is_part_of_how_it_ended():
    world = LinearWorld.make(Seed(2))
    mean, _ = world.posterior()
    found = invert(limited(world, 11))(world.observation, Seed(0))
    assert error(found.movie, mean) < 1e-4
    assert found.ended.endswith("; memory ran out, then 6 frames at a time")
    with pytest.raises(OutOfMemory, match="not even piece by piece"):
        invert(limited(world, 1))(world.observation, Seed(0))


def test_only_problems_of_one_encoder_and_one_length_are_solved_together():
    world, other = LinearWorld.make(Seed(0)), LinearWorld.make(Seed(0), frames=9)
    short = Problem(world.encoder, world.likelihood, world.prior, other.observation)
    with pytest.raises(WrongUse, match="one encoder and one length"):
        Together([*problems(world), short])
    with pytest.raises(WrongUse, match="one encoder and one length"):
        Together([problems(world)[0], problems(other)[0]])
    one_by_one = replace(world, encoder=Ensemble([world.encoder] * 2))
    judged = problems(one_by_one)[0]
    with pytest.raises(WrongUse, match="must all judge members one by one, or all their mean rate"):
        Together([judged, replace(judged, member_likelihoods=(world.likelihood,) * 2)])


def test_several_trials_of_different_lengths_have_each_their_posterior_mean():
    world, shorter = LinearWorld.make(Seed(4)), LinearWorld.make(Seed(4), frames=9)
    first, second, third = observations(world)
    asked = [first, shorter.observation, second, third]
    means = [replace(world, observation=one).posterior()[0] for one in asked]
    inverter, seeds = invert(world), [Seed(n) for n in range(4)]
    answers = inverter.several(asked, seeds)
    for answer, mean in zip(answers, means, strict=True):
        assert error(answer.movie, mean) < 1e-4
    assert len({answer.frame_passes for answer in answers}) > 1
    assert all(answer.frame_passes % one.frames == 0 for answer, one in zip(answers, asked, strict=True))
    alone = inverter(asked[2], seeds[2])
    assert answers[2].energy == pytest.approx(alone.energy, rel=1e-9)
    torch.testing.assert_close(answers[2].movie, alone.movie, atol=1e-6, rtol=0)
    with pytest.raises(WrongUse, match="4 observations and 1 seeds"):
        inverter.several(asked, seeds[:1])
    assert inverter.several([], []) == []


def test_of_several_starts_the_lowest_is_the_answer_and_all_are_counted():
    world = LinearWorld.make(Seed(3))
    options = {"evaluations": 5, "tolerance_nats": 0.0}
    found = invert(world, starts=3, **options)(world.observation, Seed(8))
    once = invert(world, **options)
    problem = once.problem(world.observation)
    streams = [Seed(8) / "start", Seed(8) / "start" / 1, Seed(8) / "start" / 2]
    minima = [
        minimise(
            problem.energy,
            0.3 * torch.randn(problem.shape, generator=stream.torch(), dtype=torch.float64),
            inverse_hessian=once._inverse_hessian(12, Plan(1)),
            **options,
        )
        for stream in streams
    ]
    best = min(minima, key=lambda minimum: minimum.energy)
    assert best is not minima[0]  # or one start would have done
    assert found.energy == pytest.approx(best.energy, rel=1e-9)
    torch.testing.assert_close(found.movie, world.prior.movie(best.position).clamp(0, 1), atol=1e-7, rtol=0)
    assert found.frame_passes == 3 * 5 * 12
    assert "the lowest of 3 starts (" in found.ended
    assert once(world.observation, Seed(8)).energy == pytest.approx(minima[0].energy, rel=1e-9)
    with pytest.raises(WrongUse, match="at least one start"):
        invert(world, starts=0)


def test_with_nothing_heard_no_start_is_random():
    world = LinearWorld.make(Seed(3))
    answers = invert(world, starts=2).several([muted(world.observation), world.observation], [Seed(0), Seed(1)])
    assert float(answers[0].movie.std()) == 0.0 < float(answers[1].movie.std())


def test_behavior_is_told_as_recorded_or_held_at_its_mean():
    world = LinearWorld.make(Seed(6))
    encoder = Running(world.encoder, mean=0.7)
    behavior = torch.from_numpy(np.random.default_rng(0).standard_normal((12, 1)))
    observation = replace(world.observation, behavior=behavior, behavior_channels=("running speed",))

    def posterior(told):
        # What behavior adds to the rates is known, so it can be taken from the responses.
        response = world.observation.response - 2 * told
        return replace(world, observation=replace(world.observation, response=response)).posterior()[0]

    running = replace(world, encoder=encoder)
    recorded = invert(running)(observation, Seed(0)).movie
    held = invert(running, behavior="mean")(observation, Seed(0)).movie
    assert error(recorded, posterior(behavior)) < 1e-4
    assert error(held, posterior(torch.full_like(behavior, 0.7))) < 1e-4
    assert error(held, posterior(behavior)) > 0.05


def pair(world: LinearWorld) -> tuple[Ensemble, LinearNonlinear]:
    """Two linear encoders of one population, and the one encoder that their mean rate is."""
    random = np.random.default_rng(4)
    change = torch.from_numpy(0.3 * random.standard_normal(world.encoder.filters.shape))
    filters, offset = world.encoder.filters.data, world.encoder.offset.data
    members = [LinearNonlinear(filters + sign * change, offset, nonlinearity="identity") for sign in (1, -1)]
    return Ensemble(members), world.encoder


def test_the_mean_rate_of_an_ensemble_is_inverted_and_every_member_counted():
    world = LinearWorld.make(Seed(7))
    mean, _ = world.posterior()
    found = invert(replace(world, encoder=pair(world)[0]))(world.observation, Seed(0))
    assert error(found.movie, mean) < 1e-4
    assert found.frame_passes == 2 * invert(world)(world.observation, Seed(0)).frame_passes


def test_averaging_likelihoods_adds_half_the_disagreement_of_the_members():
    # With Gaussian noise: mean over m of (y - r_m)^2 = (y - mean r)^2 + variance of r_m about its mean.
    world = LinearWorld.make(Seed(7))
    ensemble, _ = pair(world)
    world = replace(world, encoder=ensemble.requires_grad_(False))
    z = positions(world, 1)[0].requires_grad_()
    movie = world.prior.movie(z)
    spread = ensemble.rates(movie[None], torch.zeros(1, 12, 0).double())[:, 0].var(0, unbiased=False)[2:]
    penalty = 0.5 * (spread / world.likelihood.variance).sum()
    (slope,) = torch.autograd.grad(penalty, z)
    assert float(penalty.detach()) > 1
    rates = Problem(world.encoder, world.likelihood, world.prior, world.observation)
    gradients = replace(rates, member_likelihoods=(world.likelihood,) * 2)
    (low, low_slope), (high, high_slope) = rates.energy(z), gradients.energy(z)
    assert high - low == pytest.approx(float(penalty.detach()), rel=1e-9)
    torch.testing.assert_close(high_slope - low_slope, slope, rtol=1e-7, atol=1e-8)
    for plan in (Plan(1), Plan(1, 5)):
        values, slopes = Together([gradients], plan=plan)(z.detach()[None], [0])
        assert float(values[0]) == pytest.approx(high, rel=1e-10)
        torch.testing.assert_close(slopes[0], high_slope, rtol=1e-8, atol=1e-9)


def test_each_member_is_judged_by_its_own_likelihood():
    world = LinearWorld.make(Seed(7))
    ensemble, _ = pair(world)
    noises = (Gaussian(torch.full((20,), 0.1).double()), Gaussian(torch.full((20,), 0.4).double()))
    both = Problem(ensemble, world.likelihood, Flat(), world.observation, member_likelihoods=noises)
    each = [
        Problem(member, noise, Flat(), world.observation).log_likelihood(world.truth)
        for member, noise in zip(ensemble.members, noises, strict=True)
    ]
    torch.testing.assert_close(both.log_likelihood(world.truth), (each[0] + each[1]) / 2)


def test_members_that_are_not_there_cannot_be_judged():
    world = LinearWorld.make(Seed(7))
    with pytest.raises(WrongUse, match="the encoder is a single one"):
        invert(world, average="likelihoods")
    with pytest.raises(WrongUse, match="2 likelihoods were given for an encoder of 0 members"):
        Problem(
            world.encoder, world.likelihood, world.prior, world.observation, member_likelihoods=(world.likelihood,) * 2
        )
    with pytest.raises(WrongUse, match="no observation model"):
        MAP(encoder=Ensemble([world.encoder]), likelihood=None, prior=world.prior, average="likelihoods")


def test_averaging_likelihoods_of_members_that_agree_changes_nothing():
    world = LinearWorld.make(Seed(7))
    twice = replace(world, encoder=Ensemble([world.encoder, world.encoder]))
    mean, _ = world.posterior()
    found = invert(twice, average="likelihoods")(world.observation, Seed(0))
    assert error(found.movie, mean) < 1e-4
