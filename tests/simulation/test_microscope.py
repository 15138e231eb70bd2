import numpy as np
import pytest
import torch

from cinecortex.simulation.microscope import Microscope


def _microscope(neurons: int, noise: float = 0.2) -> Microscope:
    return Microscope(
        frame_rate_hz=30.0,
        scan_interval_s=0.125,
        delay_s=torch.linspace(0, 0.12, neurons),
        amplitude=torch.linspace(0.5, 2.0, neurons),
        decay=0.8,
        noise=noise,
    )


@pytest.mark.parametrize("rate_hz", [0.0, 0.4, 4.0, 40.0])
def test_expectation_is_the_mean_of_recordings(rate_hz: float) -> None:
    """A rate that steps up: both levels and the way between, against four hundred recordings."""
    rate = torch.full((40, 50), rate_hz)
    rate[20:] *= 3
    microscope, generator = _microscope(50), np.random.default_rng(0)
    recorded = torch.stack([microscope.record(rate, generator) for _ in range(400)]) / microscope.amplitude
    expected = (microscope.expect(rate) / microscope.amplitude).mean(1)
    error = recorded.std((0, 2)) / np.sqrt(400 * 50 / 2)  # two neurons of the same phase share nothing but noise
    assert bool(((recorded.mean((0, 2)) - expected).abs() < 5 * error + 0.01 * expected).all())


def test_many_spikes_are_counted_exactly() -> None:
    """Far above the noise the response is the spikes per scan, in each cell's unit."""
    microscope = _microscope(5)
    expected = microscope.expect(torch.full((30, 5), 160.0))
    assert expected.numpy() == pytest.approx((160 * 0.125 * microscope.amplitude).expand(30, 5).numpy(), rel=1e-3)


def test_silence_is_nearly_silent() -> None:
    silent = _microscope(500).record(torch.zeros(300, 500), np.random.default_rng(0))
    assert (silent == 0).float().mean() > 0.9


def test_frames_between_two_looks_lie_on_a_line() -> None:
    """Of 3.75 frames per look, 1.75 have both neighbours on the same line: 47 % of second differences are zero."""
    recorded = _microscope(40).record(torch.full((300, 40), 80.0), np.random.default_rng(1))
    bend = recorded.diff(n=2, dim=0).abs() > 1e-3
    assert float(bend.float().mean()) == pytest.approx(2 / 3.75, abs=0.03)


def test_deconvolution_noise_is_anticorrelated_between_looks() -> None:
    """Noise of neighbouring looks enters with opposite signs, which shows where a line between them is read.

    With noise s and decay g an event has variance s^2 (1 + g^2) and neighbours the covariance -s^2 g; a line
    between them (squared weights 2/3, twice their product 1/3, on average) leaves s^2 (2/3 (1 + g^2) - g / 3).
    """
    rate = torch.full((300, 400), 400.0)
    noisy, clean = (
        m.record(rate, np.random.default_rng(3)) / m.amplitude for m in (_microscope(400, 0.5), _microscope(400, 1e-6))
    )
    assert float((noisy - clean).var()) == pytest.approx(0.25 * (2 / 3 * 1.64 - 0.8 / 3), rel=0.03)


def test_no_look_is_before_its_spikes() -> None:
    """A burst is not seen before it happens, but for the line drawn to the look after it."""
    rate = torch.zeros(60, 30)
    rate[30:33] = 300.0
    recorded = _microscope(30, noise=1e-6).record(rate, np.random.default_rng(0))
    assert float(recorded[:26].max()) < 1e-3
    assert bool((recorded[26:42].amax(0) > 1).all())
    assert float(recorded[42:].max()) < 1e-3
