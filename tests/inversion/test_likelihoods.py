import numpy as np
import pytest
import torch

from cinecortex.encoders.base import ObservationModel, SharedGain
from cinecortex.inversion.likelihoods import Poisson, SharedGainPoisson, likelihood_of

FRAMES, NEURONS = 6, 4
ALL = torch.ones(NEURONS, dtype=torch.bool)
TEMPER = torch.tensor([1.0, 0.5, 0.125, 2.0], dtype=torch.float64)


def rates(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.3, 5.0, (FRAMES, NEURONS)))


RESPONSE = torch.from_numpy(np.random.default_rng(99).poisson(2.0, (FRAMES, NEURONS)).astype(np.float64))


def test_the_observation_model_tempers_by_dispersion_and_correlation_time():
    model = ObservationModel(torch.tensor([1.3, 2.0]), torch.tensor([6.3, 1.0]))
    torch.testing.assert_close(likelihood_of(model).temper, torch.tensor([1 / (1.3 * 6.3), 0.5]))


def test_a_rate_of_zero_is_survived():
    rate = torch.zeros(FRAMES, NEURONS, dtype=torch.float64)
    likelihood = Poisson(torch.ones(NEURONS))
    assert bool(torch.isfinite(likelihood.log_prob(RESPONSE, rate, ALL)))
    assert bool(torch.isfinite(likelihood.precision(rate)).all())


def shared_gain(factors: int, seed: int = 0) -> SharedGain:
    generator = torch.Generator().manual_seed(seed)
    loading = torch.randn(NEURONS, factors, generator=generator, dtype=torch.float64) * 0.4
    return SharedGain(loading, torch.tensor([5.0, 20.0, 1.0][:factors], dtype=torch.float64))


def prior_covariance(gain: SharedGain, frames: int) -> torch.Tensor:
    """Covariance of the factors, frame by frame: a first-order autoregression's, written down rather than inverted."""
    lag = (torch.arange(frames)[:, None] - torch.arange(frames)).abs()
    blocks = []
    for time in gain.correlation_time.tolist():
        blocks.append(((time - 1) / (time + 1)) ** lag.double())
    return torch.block_diag(*blocks)


def dense(gain: SharedGain, response: torch.Tensor, rate: torch.Tensor, temper: torch.Tensor) -> torch.Tensor:
    """The best value over all courses of the factors, by a general-purpose optimiser on the dense problem."""
    precision = torch.linalg.inv(prior_covariance(gain, len(rate)))
    factors = torch.zeros(gain.loading.shape[1], len(rate), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [factors], max_iter=500, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def value() -> torch.Tensor:
        expected = rate * torch.exp(factors.T @ gain.loading.T)
        likelihood = (temper * (response * expected.log() - expected)).sum()
        flat = factors.flatten()
        return likelihood - 0.5 * flat @ precision @ flat

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = -value()
        loss.backward()
        return loss

    optimiser.step(closure)
    return value().detach()


@pytest.mark.parametrize("factors", [1, 2, 3])
def test_shared_gains_are_the_best_there_are(factors):
    gain = shared_gain(factors)
    found = SharedGainPoisson(TEMPER, gain).log_prob(RESPONSE, rates(0), ALL)
    torch.testing.assert_close(found, dense(gain, RESPONSE, rates(0), TEMPER), rtol=1e-9, atol=1e-9)


def test_a_gain_that_nobody_carries_changes_nothing():
    gain = SharedGain(torch.zeros(NEURONS, 1, dtype=torch.float64), torch.tensor([9.0]))
    found = SharedGainPoisson(TEMPER, gain).log_prob(RESPONSE, rates(0), ALL)
    torch.testing.assert_close(found, Poisson(TEMPER).log_prob(RESPONSE, rates(0), ALL), rtol=1e-12, atol=0)


def test_a_rise_of_all_neurons_at_once_says_less_than_the_same_rises_one_by_one():
    loading = torch.full((50, 1), 0.3, dtype=torch.float64)
    together = SharedGainPoisson(torch.ones(50), SharedGain(loading, torch.tensor([9.0])))
    rate = torch.full((20, 50), 2.0, dtype=torch.float64)
    heard = torch.ones(50, dtype=torch.bool)
    signs = torch.where(torch.arange(50) % 2 == 0, 1.0, -1.0).double()

    def evidence(likelihood, change):
        """Of a response that is 30 % off the rate, against the rate that it fits."""
        response = rate * (1 + 0.3 * change)
        return float(likelihood.log_prob(response, response, heard) - likelihood.log_prob(response, rate, heard))

    assert evidence(together, torch.ones(50)) < 0.1 * evidence(Poisson(torch.ones(50)), torch.ones(50))
    assert evidence(together, signs) > 0.95 * evidence(Poisson(torch.ones(50)), signs)


@pytest.mark.parametrize("factors", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2])
def test_shared_gains_of_a_frame_or_two(frames, factors):
    gain, response, rate = shared_gain(factors), RESPONSE[:frames], rates(0)[:frames]
    found = SharedGainPoisson(TEMPER, gain).log_prob(response, rate, ALL)
    torch.testing.assert_close(found, dense(gain, response, rate, TEMPER), rtol=1e-9, atol=1e-9)


def test_shared_gains_of_nothing_known():
    likelihood = SharedGainPoisson(TEMPER, shared_gain(2))
    nothing = likelihood.log_prob(torch.full_like(RESPONSE, torch.nan), rates(0), ALL)
    assert float(nothing) == 0


def test_the_observation_model_says_which_likelihood():
    flat = torch.ones(NEURONS)
    assert isinstance(likelihood_of(ObservationModel(flat, flat)), Poisson)
    assert isinstance(likelihood_of(ObservationModel(flat, flat, shared_gain(1))), SharedGainPoisson)


def test_a_rate_out_of_all_bounds_has_no_likelihood_but_is_no_error():
    rate = rates(0)
    rate[2, 1] = torch.inf
    assert not torch.isfinite(SharedGainPoisson(TEMPER, shared_gain(2)).log_prob(RESPONSE, rate, ALL))


def test_strong_gains_and_rates_far_off_are_still_solved():
    gain = SharedGain(torch.full((NEURONS, 2), 2.0, dtype=torch.float64), torch.tensor([60.0, 2.0]))
    rate = rates(0) * torch.tensor([1e-5, 1e3, 1.0, 1e-3], dtype=torch.float64)
    found = SharedGainPoisson(TEMPER, gain).log_prob(RESPONSE, rate, ALL)
    torch.testing.assert_close(found, dense(gain, RESPONSE, rate, TEMPER), rtol=1e-6, atol=1e-6)
