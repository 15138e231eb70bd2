"""Rate against response: simulations whose truth is known."""

import itertools

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics import (
    correlation_time,
    deviance_explained,
    dispersion,
    fraction_of_ceiling,
    noise_ceiling,
    reliability,
    response_correlation,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def autoregressive(persistence: float, *shape: int, seed: int) -> torch.Tensor:
    """Unit variance, autocorrelation ``persistence ** lag``."""
    noise = normal(*shape, seed=seed)
    for t in range(1, shape[0]):
        noise[t] = persistence * noise[t - 1] + (1 - persistence**2) ** 0.5 * noise[t]
    return noise


def test_response_correlation_is_pearson_per_neuron_after_the_burn_in() -> None:
    rate, response = normal(120, 4, seed=1), normal(120, 4, seed=2)
    expected = [np.corrcoef(rate[50:, n], response[50:, n])[0, 1] for n in range(4)]
    np.testing.assert_allclose(response_correlation(rate, response), expected, atol=1e-12)


def test_clips_are_joined_and_missing_frames_left_out() -> None:
    rates, responses = [normal(70, 3, seed=s) for s in (1, 2)], [normal(70, 3, seed=s) for s in (3, 4)]
    responses[0][60:65, 1] = torch.nan
    r, y = torch.cat([c[50:] for c in rates]), torch.cat([c[50:] for c in responses])
    known = ~y[:, 1].isnan()
    result = response_correlation(rates, responses)
    assert float(result[1]) == pytest.approx(np.corrcoef(r[known, 1], y[known, 1])[0, 1])
    assert float(result[0]) == pytest.approx(np.corrcoef(r[:, 0], y[:, 0])[0, 1])


def test_silent_neurons_and_constant_rates() -> None:
    rate, response = normal(100, 3, seed=1), normal(100, 3, seed=2)
    rate[:, 0] = 0.1
    response[:, 1] = 0.0
    response[:, 2] = torch.nan
    result = response_correlation(rate, response)
    assert float(result[0]) == 0
    assert result[1:].isnan().all()


def test_reliability_is_the_mean_over_pairs() -> None:
    repeats = normal(1, 90, 3, seed=1) + normal(4, 90, 3, seed=2)
    for neuron in range(3):
        pairs = [np.corrcoef(a, b)[0, 1] for a, b in itertools.combinations(repeats[:, :, neuron].numpy(), 2)]
        assert float(reliability(repeats)[neuron]) == pytest.approx(np.mean(pairs))
    repeats[2, :, 0] = 0.0  # silent once: the pairs of the others remain
    pairs = [np.corrcoef(a, b)[0, 1] for a, b in itertools.combinations(repeats[[0, 1, 3], :, 0].numpy(), 2)]
    assert float(reliability(repeats)[0]) == pytest.approx(np.mean(pairs))
    repeats[1:, :, 1] = 0.0
    assert reliability(repeats)[1].isnan()


@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_noise_ceiling_is_the_correlation_of_the_true_rate_with_one_presentation(persistence: float) -> None:
    frames, neurons = 300, 400
    signal = normal(frames, neurons, seed=3)
    strength = torch.linspace(0.3, 2, neurons, dtype=torch.float64)
    noise = torch.stack([autoregressive(persistence, frames, neurons, seed=10 + r) for r in range(4)])
    repeats = strength * signal + noise
    scored = torch.stack([response_correlation(signal, one, burn_in=0) for one in repeats]).mean(0)
    error = noise_ceiling(repeats) - scored
    assert abs(float(error.mean())) < 0.01
    assert float(error.abs().mean()) < 0.06
    assert float((reliability(repeats) - noise_ceiling(repeats).square()).abs().mean()) < 0.01


def test_ceiling_of_noise_is_unbiased_in_variance_clipped_and_of_a_perfect_neuron_one() -> None:
    ceiling = noise_ceiling(normal(3, 200, 500, seed=5))
    assert float(ceiling.min()) == 0
    assert 0.4 < float((ceiling == 0).double().mean()) < 0.65
    same = normal(1, 50, 2, seed=6).expand(3, -1, -1).clone()
    torch.testing.assert_close(noise_ceiling(same), torch.ones(2, dtype=torch.float64))
    same[:, :, 1] = 0
    assert noise_ceiling(same)[1].isnan()
    with pytest.raises(WrongUse, match="at least two presentations"):
        noise_ceiling(same[:1])


def test_missing_frames_do_not_move_the_ceiling_of_the_others() -> None:
    repeats = normal(1, 90, 2, seed=1) + normal(4, 90, 2, seed=2)
    padded = torch.cat([repeats, torch.full((4, 30, 2), torch.nan, dtype=torch.float64)], 1)
    torch.testing.assert_close(noise_ceiling(padded), noise_ceiling(repeats))
    torch.testing.assert_close(reliability(padded), reliability(repeats))


def test_results_have_the_precision_of_the_responses() -> None:
    response = normal(100, 3, seed=1).abs().float()
    rate = response + 0.1
    for measure in (response_correlation, dispersion, correlation_time):
        assert measure(rate, response).dtype == torch.float32
        assert measure([rate], [response.double()]).dtype == torch.float64
    repeats = torch.stack([response, rate])
    assert reliability(repeats).dtype == noise_ceiling(repeats).dtype == torch.float32


def test_fraction_of_ceiling() -> None:
    fraction = fraction_of_ceiling(torch.tensor([0.3, 0.3, 0.3]), torch.tensor([0.6, 0.05, torch.nan]))
    assert float(fraction[0]) == pytest.approx(0.5)
    assert fraction[1:].isnan().all()


def test_dispersion_is_one_for_poisson_and_what_it_was_made_with_otherwise() -> None:
    rates = [torch.rand(400, 200, generator=generator(s), dtype=torch.float64) * 3 + 0.05 for s in (1, 2)]
    counts = [torch.poisson(r, generator=generator(9 + i)) for i, r in enumerate(rates)]
    assert float(dispersion(rates, counts).mean()) == pytest.approx(1, abs=0.01)
    wide = [r + (2.5 * r).sqrt() * normal(*r.shape, seed=5 + i) for i, r in enumerate(rates)]
    assert float(dispersion(rates, wide).mean()) == pytest.approx(2.5, abs=0.02)
    wide[0][:200] = torch.nan
    assert float(dispersion(rates, wide).mean()) == pytest.approx(2.5, abs=0.02)


def test_dispersion_counts_what_the_encoder_gets_wrong() -> None:
    rate = torch.full((100, 1), 4.0, dtype=torch.float64)
    assert float(dispersion(rate, rate + 2.0)) == pytest.approx(1)


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.8])
def test_correlation_time_of_autoregressive_noise(persistence: float) -> None:
    rates = [torch.rand(2000, 60, generator=generator(s), dtype=torch.float64) + 0.5 for s in range(8)]
    noisy = [r + r.sqrt() * autoregressive(persistence, *r.shape, seed=20 + i) for i, r in enumerate(rates)]
    expected = (1 + persistence) / (1 - persistence)
    estimate = correlation_time(rates, noisy, burn_in=0)
    assert float(estimate.min()) >= 1
    assert float(estimate.mean()) == pytest.approx(expected, rel=0.05)


def test_correlation_time_stops_at_the_longest_lag_and_never_pairs_two_clips() -> None:
    rate = [torch.ones(100, 1, dtype=torch.float64) for _ in range(2)]
    halves = [r + s for r, s in zip(rate, (1.0, -1.0), strict=True)]  # perfectly correlated within a clip
    assert float(correlation_time(rate, halves, burn_in=0, longest=7)) == pytest.approx(15)
    flipping = [(r + torch.tensor([1.0, -1.0]).repeat(50)[:, None]) for r in rate]
    assert float(correlation_time(rate, flipping, burn_in=0)) == 1
    assert float(correlation_time(rate, [r.clone() for r in rate], burn_in=0)) == 1


def test_correlation_time_skips_missing_frames() -> None:
    rate = torch.ones(5000, 50, dtype=torch.float64)
    noisy = rate + autoregressive(0.5, 5000, 50, seed=1)
    noisy[::10] = torch.nan
    assert float(correlation_time(rate, noisy).mean()) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("measure", [response_correlation, dispersion, correlation_time])
def test_what_does_not_fit_together_is_refused(measure) -> None:
    one = torch.ones(100, 3)
    with pytest.raises(WrongUse, match="same clips of the same neurons"):
        measure(one, torch.ones(100, 2))
    with pytest.raises(WrongUse, match="same clips of the same neurons"):
        measure([one, one], [one])
    with pytest.raises(WrongUse, match="burn_in is 100"):
        measure(one, one, burn_in=100)


@pytest.mark.parametrize("measure", [dispersion, correlation_time])
def test_a_rate_of_zero_is_refused(measure) -> None:
    with pytest.raises(WrongUse, match="positive rates"):
        measure(torch.zeros(100, 3), torch.ones(100, 3))


def test_deviance_explained_against_the_log_likelihoods() -> None:
    rate = normal(80, 3, seed=1).exp()
    response = torch.poisson(rate, generator=generator(2))
    response[10:20, 1] = torch.nan
    mean = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)

    def likelihood(expected: torch.Tensor, n: int) -> float:
        known = ~response[:, n].isnan()
        counts = torch.distributions.Poisson(expected.expand(80)[known])
        return float(counts.log_prob(response[known, n]).sum())

    found = deviance_explained(rate, response, mean, burn_in=0)
    for n in range(3):
        best = likelihood(response[:, n].clamp_min(1e-12).nan_to_num(1.0), n)
        worst = likelihood(mean[n], n)
        assert float(found[n]) == pytest.approx((likelihood(rate[:, n], n) - worst) / (best - worst), abs=1e-6)
    assert deviance_explained(mean.expand(80, 3), response, mean, burn_in=0).tolist() == pytest.approx([0, 0, 0])
    silent = torch.zeros(80, 3, dtype=torch.float64)
    assert deviance_explained(rate, silent, torch.zeros(3), burn_in=0).isnan().all()
