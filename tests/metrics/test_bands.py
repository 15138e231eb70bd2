"""Agreement by frequency, on waves whose frequency is known."""

import math

import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.bands import band_agreement

FRAMES, SIZE, RATE = 60, (16, 20), 30.0
TIMES, PLACES = (0.0, 1.0, 4.0, math.inf), (0.0, 0.1, 0.3, math.inf)


def wave(temporal: int, down: int, across: int) -> torch.Tensor:
    """A wave of the DCT-II: ``temporal / 4`` Hz here."""
    parts = [
        torch.cos(math.pi * k * (torch.arange(n) + 0.5) / n).double()
        for k, n in ((temporal, FRAMES), (down, SIZE[0]), (across, SIZE[1]))
    ]
    return torch.einsum("t,h,w->thw", *parts)


def agreement(first, second, mask=None):
    return band_agreement(first, second, frame_rate_hz=RATE, temporal_hz=TIMES, spatial_cycles_per_px=PLACES, mask=mask)


def test_a_wave_is_in_its_band_only():
    # 8 / 4 = 2 Hz; hypot(4 / 32, 6 / 40) = 0.195 cycles per pixel.
    found = agreement(wave(8, 4, 6), 3 * wave(8, 4, 6) + 0.2)
    assert found.shape == (3, 3)
    assert found[1, 1] == pytest.approx(1.0)
    assert int(found.isnan().sum()) == 8
    assert agreement(wave(8, 4, 6), -wave(8, 4, 6))[1, 1] == pytest.approx(-1.0)


def test_what_is_shared_and_what_is_not_come_apart_by_frequency():
    slow, fast = wave(2, 1, 0), wave(40, 1, 0)
    found = agreement(slow + fast, slow - fast)
    assert found[0, 0] == pytest.approx(1.0)
    assert found[2, 0] == pytest.approx(-1.0)


def test_over_one_band_it_is_the_correlation():
    random = torch.Generator().manual_seed(1)
    first, second = (torch.randn(FRAMES, *SIZE, generator=random) for _ in range(2))
    second = first + second
    everything = band_agreement(
        first, second, frame_rate_hz=RATE, temporal_hz=(0.0, math.inf), spatial_cycles_per_px=(0.0, math.inf)
    )
    expected = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
    assert float(everything) == pytest.approx(float(expected), abs=1e-6)


def test_what_is_outside_the_mask_does_not_count():
    random = torch.Generator().manual_seed(2)
    first, second = (torch.randn(FRAMES, *SIZE, generator=random) for _ in range(2))
    mask = torch.zeros(SIZE)
    mask[:, :7] = 1.0
    second[:, :, :7] = first[:, :, :7]
    assert agreement(first, second, mask).nan_to_num(1.0) == pytest.approx(1.0)
    assert float(agreement(first, second).nanmean()) < 0.7


def test_a_uniform_movie_has_nothing_to_agree_on():
    uniform = torch.full((FRAMES, *SIZE), 0.25)
    assert agreement(uniform, uniform).isnan().all()
    one_sided = agreement(uniform, wave(8, 4, 6).float())
    assert one_sided[1, 1] == 0
    assert int(one_sided.isnan().sum()) == 8
    with pytest.raises(WrongUse, match="cannot be compared"):
        agreement(uniform, uniform[1:])
