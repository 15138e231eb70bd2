"""Every likelihood goes through every test of the table; so must one that is added."""

import numpy as np
import pytest
import torch
from torch import distributions

from cinecortex.encoders.base import SharedGain
from cinecortex.inversion.likelihoods import Gaussian, Likelihood, Poisson, SharedGainPoisson

FRAMES, NEURONS = 6, 4
ALL = torch.ones(NEURONS, dtype=torch.bool)
TEMPER = torch.tensor([1.0, 0.5, 0.125, 2.0], dtype=torch.float64)
VARIANCE = torch.tensor([0.1, 1.0, 4.0, 0.5], dtype=torch.float64)
LOADING = torch.tensor([[0.4, -0.2], [0.3, 0.5], [-0.6, 0.1], [0.2, 0.2]], dtype=torch.float64)
NO_LOADING, TIMES = torch.zeros(NEURONS, 1, dtype=torch.float64), torch.tensor([5.0, 20.0], dtype=torch.float64)

LIKELIHOODS = {
    "poisson": Poisson(torch.ones(NEURONS)),
    "tempered poisson": Poisson(TEMPER),
    "gaussian": Gaussian(VARIANCE),
    "gains that nobody shares": SharedGainPoisson(TEMPER, SharedGain(NO_LOADING, TIMES[:1])),
    "shared gains": SharedGainPoisson(TEMPER, SharedGain(LOADING, TIMES)),
}

# Log density of one entry, from torch.distributions. Under shared gains the entries are not independent: that case is
# held against a general-purpose optimiser in test_likelihoods.
DENSITIES = {
    "poisson": lambda y, r: distributions.Poisson(r).log_prob(y),
    "tempered poisson": lambda y, r: TEMPER * distributions.Poisson(r).log_prob(y),
    "gaussian": lambda y, r: distributions.Normal(r, VARIANCE.sqrt()).log_prob(y),
    "gains that nobody shares": lambda y, r: TEMPER * distributions.Poisson(r).log_prob(y),
}


@pytest.fixture(params=LIKELIHOODS)
def likelihood(request) -> Likelihood:
    return LIKELIHOODS[request.param]


@pytest.fixture(params=DENSITIES)
def case(request):
    return LIKELIHOODS[request.param], DENSITIES[request.param]


def rates(seed: int, frames: int = FRAMES) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.3, 5.0, (frames, NEURONS)))


RESPONSE = torch.from_numpy(np.random.default_rng(99).poisson(2.0, (FRAMES, NEURONS)).astype(np.float64))


def partly_known() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A response with gaps, who is heard, and which entries count."""
    heard, response = torch.tensor([True, False, True, True]), RESPONSE.clone()
    response[2, 0], response[4] = torch.nan, torch.nan
    return response, heard, torch.isfinite(response) & heard


def test_a_likelihood_is_one(likelihood):
    assert isinstance(likelihood, Likelihood)


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_differences_are_those_of_the_distribution(case, frames):
    likelihood, log_density = case
    response, one, other = RESPONSE[:frames], rates(0, frames), rates(1, frames)
    found = likelihood.log_prob(response, one, ALL) - likelihood.log_prob(response, other, ALL)
    expected = (log_density(response, one) - log_density(response, other)).sum()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_the_gradient_is_right(likelihood, frames):
    response, heard, _ = partly_known()
    asked = rates(2, frames).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: likelihood.log_prob(RESPONSE[:frames], r, ALL), asked)
    assert torch.autograd.gradcheck(lambda r: likelihood.log_prob(response[:frames], r, heard), asked)


@pytest.mark.parametrize("wild", [1e6, 0.0, torch.nan, torch.inf])
def test_what_is_not_known_changes_neither_value_nor_gradient(likelihood, wild):
    response, heard, known = partly_known()

    def ask(fill_response: float, fill_rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        missing = torch.isnan(response)
        filled = torch.where(known | missing, response, torch.full_like(response, fill_response))
        rate = torch.where(known, rates(3), torch.full_like(response, fill_rate)).requires_grad_()
        value = likelihood.log_prob(filled, rate, heard)
        (gradient,) = torch.autograd.grad(value, rate)
        return value.detach(), gradient

    value, gradient = ask(2.0, 1.5)
    assert bool((gradient[~known] == 0).all())
    assert bool((gradient[known] != 0).all())
    for changed in (ask(wild, 1.5), ask(2.0, wild), ask(wild, wild)):
        assert torch.equal(changed[0], value)
        assert torch.equal(changed[1], gradient)


def test_an_unheard_neuron_is_as_good_as_none(case):
    likelihood, log_density = case
    response, heard, known = partly_known()
    one, other = rates(3), rates(5)
    found = likelihood.log_prob(response, one, heard) - likelihood.log_prob(response, other, heard)
    expected = (log_density(RESPONSE, one) - log_density(RESPONSE, other))[known].sum()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_with_nothing_known_the_likelihood_is_flat(likelihood):
    rate = rates(4).requires_grad_()
    for response, heard in ((torch.full_like(RESPONSE, torch.nan), ALL), (RESPONSE, ~ALL)):
        value = likelihood.log_prob(response, rate, heard)
        (gradient,) = torch.autograd.grad(value, rate)
        assert float(value.detach()) == 0
        assert bool((gradient == 0).all())


def hessian(likelihood: Likelihood, rate: torch.Tensor) -> torch.Tensor:
    """Of the log-likelihood by the rate, at the expected response.

    It is at most linear in the response where the entries are independent, so there this is its expectation: minus the
    Fisher information.
    """
    return torch.autograd.functional.hessian(lambda r: likelihood.log_prob(rate, r.view_as(rate), ALL), rate.flatten())


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_precision_is_the_expected_curvature(case, frames):
    likelihood, rate = case[0], rates(6, frames)
    torch.testing.assert_close(torch.diag(likelihood.precision(rate).flatten()), -hessian(likelihood, rate))


def test_precision_under_shared_gains_is_that_with_the_gains_known():
    likelihood, rate, step = LIKELIHOODS["shared gains"], rates(6), 1e-4
    # With the gains known nothing is lost to them; with the gains to be found along, every direction tells less.
    precision = torch.diag(likelihood.precision(rate).flatten())
    asked = rate.clone().requires_grad_()
    (at,) = torch.autograd.grad(likelihood.log_prob(rate, asked, ALL), asked)
    curvature = torch.zeros(rate.numel(), rate.numel(), dtype=torch.float64)
    for i in range(rate.numel()):
        moved = rate.flatten().clone()
        moved[i] += step
        moved = moved.view_as(rate).requires_grad_()
        (slope,) = torch.autograd.grad(likelihood.log_prob(rate, moved, ALL), moved)
        curvature[i] = -((slope - at) / step).flatten()
    lost = precision - 0.5 * (curvature + curvature.T)
    eigenvalues = torch.linalg.eigvalsh(lost)
    assert float(eigenvalues.min()) > -1e-3
    assert float(eigenvalues.max()) > 0.1


@pytest.mark.parametrize(
    ("name", "sampler"),
    [("poisson", distributions.Poisson), ("gaussian", lambda r: distributions.Normal(r, VARIANCE.sqrt().expand_as(r)))],
)
def test_precision_is_the_variance_of_the_score(name, sampler):
    likelihood, rate, draws = LIKELIHOODS[name], rates(7), 20_000
    torch.manual_seed(0)
    # All draws at once, as the frames of one long response.
    many = rate.repeat(draws, 1).requires_grad_()
    (score,) = torch.autograd.grad(likelihood.log_prob(sampler(many.detach()).sample(), many, ALL), many)
    measured = score.view(draws, FRAMES, NEURONS).var(0)
    # A Poisson score of small rate is heavy-tailed: the standard error of its variance is below 2 % here.
    assert float((measured / likelihood.precision(rate) - 1).abs().max()) < 0.08
