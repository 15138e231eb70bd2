import torch

from cinecortex.encoders.shared_gain import measure_shared_gain, without_shared_gain
from cinecortex.metrics.residuals import dispersion

NEURONS, FRAMES = 80, 300
ONE = torch.ones(NEURONS)


def population(clips: int, strength: float, seed: int) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], torch.Tensor]:
    """Rates and Poisson responses under one shared gain of known loading, an autoregression of correlation time 19."""
    generator = torch.Generator().manual_seed(seed)
    loading = strength * (0.5 + torch.rand(NEURONS, generator=torch.Generator().manual_seed(0)))
    loading[::4] *= -1
    rho, pairs = 0.9, []
    for _ in range(clips):
        factor = torch.empty(FRAMES)
        now = torch.randn((), generator=generator)
        for t in range(FRAMES):
            now = rho * now + (1 - rho**2) ** 0.5 * torch.randn((), generator=generator)
            factor[t] = now
        rate = torch.rand(FRAMES, NEURONS, generator=generator) + 0.5
        response = torch.poisson(rate * torch.exp(factor[:, None] * loading), generator=generator)
        pairs.append((rate, response))
    return pairs, loading


def scatter(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    return dispersion([r for r, _ in pairs], [y for _, y in pairs], burn_in=0).float()


def test_a_known_shared_gain_is_found():
    fitted, loading = population(30, 0.2, 1)
    held_out, _ = population(10, 0.2, 2)
    gain = measure_shared_gain(fitted, held_out, scatter(held_out), ONE)
    assert gain is not None
    assert gain.loading.shape == (NEURONS, 1)
    found = gain.loading[:, 0] * torch.sign(gain.loading[1, 0] * loading[1])
    assert float(torch.corrcoef(torch.stack([found, loading]))[0, 1]) > 0.97
    assert abs(float((found * loading).sum() / (loading**2).sum()) - 1) < 0.15
    assert 13 < float(gain.correlation_time[0]) < 27  # 19, from 3,000 frames


def test_independent_neurons_share_nothing():
    fitted, _ = population(30, 0.0, 3)
    held_out, _ = population(10, 0.0, 4)
    assert measure_shared_gain(fitted, held_out, scatter(held_out), ONE) is None


def test_what_only_the_fitted_clips_share_is_not_believed():
    fitted, _ = population(30, 0.3, 5)
    held_out, _ = population(10, 0.0, 6)
    assert measure_shared_gain(fitted, held_out, scatter(held_out), ONE) is None


def test_a_handful_of_neurons_is_not_asked():
    fitted, _ = population(3, 0.3, 7)
    few = [(rate[:, :9], response[:, :9]) for rate, response in fitted]
    assert measure_shared_gain(few, few, scatter(few), ONE[:9]) is None


def test_taking_the_shared_gain_out_leaves_independent_noise():
    fitted, _ = population(30, 0.3, 8)
    held_out, loading = population(10, 0.3, 9)
    before = scatter(held_out)
    gain = measure_shared_gain(fitted, held_out, before, ONE)
    assert gain is not None
    after = scatter(without_shared_gain(held_out, gain, before))
    # Counts under a gain of log-normal distribution scatter as their mean, which is more than the rate.
    counts = float(torch.exp(loading**2 / 2).mean())
    assert abs(float(after.mean()) - counts) < 0.2 * (float(before.mean()) - counts)


def test_a_neuron_that_hardly_fires_gets_no_wild_loading():
    def quiet(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        changed = []
        for rate, response in pairs:
            rate, response = rate.clone(), response.clone()
            rate[:, 5], response[:, 5] = 1e-5, (response[:, 5] > 5).float() * 0.01
            changed.append((rate, response))
        return changed

    fitted, held_out = quiet(population(30, 0.3, 10)[0]), quiet(population(10, 0.3, 11)[0])
    gain = measure_shared_gain(fitted, held_out, torch.ones(NEURONS), ONE)
    assert gain is not None
    assert float(gain.loading.abs().max()) <= 2
