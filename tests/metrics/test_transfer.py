"""Gains against the transfer of filters written down by hand; what is painted, by construction."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.transfer import grating_gain, painted, regression_gain
from cinecortex.seeds import Seed

FRAMES, HEIGHT, WIDTH = 40, 12, 17
ALL = {"burn_in": 0}


def phase(kx=0.11, ky=0.07, f=0.09, offset=0.4):
    time, row, column = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float64) for n in (FRAMES, HEIGHT, WIDTH)), indexing="ij"
    )
    return 2 * math.pi * (kx * column + ky * row - f * time) + offset


@pytest.fixture
def mask():
    return (torch.rand(HEIGHT, WIDTH, generator=Seed(1).torch()) > 0.6).float()


def test_a_delayed_fainter_grating_has_that_gain(mask):
    shown = 0.5 + 0.3 * phase().cos()
    late = 0.41 + 0.12 * (phase() + 2 * math.pi * 0.09 * 2).cos()
    gain = grating_gain(late, shown, phase(), mask=mask, burn_in=7)
    assert gain == pytest.approx(0.4 * cmath.exp(2j * math.pi * 0.09 * 2), abs=1e-9)
    # Whoever makes up the phase anew loses nothing but must say the same of both.
    assert grating_gain(late, shown, phase(offset=1.9), mask=mask, burn_in=7) == pytest.approx(gain, abs=1e-9)


def test_other_gratings_and_a_level_do_not_leak_where_cycles_are_whole():
    whole = {"kx": 0.0, "ky": 0.25, "f": 0.1}
    shown = 0.5 + 0.3 * phase(**whole).cos()
    other = shown + 0.2 * phase(kx=0.0, ky=0.25, f=0.2).cos() + 0.1
    assert grating_gain(other, shown, phase(**whole), **ALL) == pytest.approx(1, abs=1e-9)


def test_at_the_limit_of_the_pixels_sine_and_cosine_are_one(mask):
    limit = phase(kx=0.5, ky=0.0, f=0.0, offset=math.pi / 5)
    shown = 0.5 + 0.3 * limit.cos()
    assert grating_gain(0.5 + 0.1 * limit.cos(), shown, limit, mask=mask, **ALL) == pytest.approx(1 / 3, abs=1e-9)


def test_noise_is_not_transfer_and_a_flat_answer_is_none():
    shown = 0.5 + 0.3 * phase().cos()
    noise = [torch.randn(shown.shape, generator=(Seed(2) / n).torch(), dtype=torch.float64) for n in range(40)]
    gains = [grating_gain(0.3 * each, shown, phase(), **ALL) for each in noise]
    error = math.sqrt(2 / shown.numel())  # of an amplitude in white noise, over that of the grating, both 0.3
    assert abs(sum(gain.real for gain in gains)) / 40 < 4 * error / math.sqrt(40)
    assert sum(abs(gain) for gain in gains) / 40 == pytest.approx(error * math.sqrt(math.pi / 2), rel=0.25)
    assert grating_gain(torch.full_like(shown, 0.5), shown, phase(), **ALL) == pytest.approx(0, abs=1e-12)


def test_a_slope_is_that_of_the_regression(mask):
    random = Seed(3).torch()
    shown = torch.rand(FRAMES, HEIGHT, WIDTH, generator=random)
    answer = 0.2 + 0.35 * shown + 0.1 * torch.randn(shown.shape, generator=random)
    inside = mask > 0.5
    x, y = shown[5:, inside].flatten().numpy(), answer[5:, inside].flatten().numpy()
    slope = np.polyfit(x.astype(float), y.astype(float), 1)[0]
    assert regression_gain(answer, shown, mask=mask, burn_in=5) == pytest.approx(slope, abs=1e-6)
    assert math.isnan(regression_gain(answer, torch.full_like(shown, 0.3), **ALL))


def test_what_is_painted_is_the_part_that_is_there_anyway():
    random = Seed(4).torch()
    shown, texture, noise = (torch.randn(60, 20, 20, generator=random) for _ in range(3))
    assert painted(texture, texture, 0.01 * shown, **ALL) == pytest.approx(1)
    assert painted(shown + texture, texture + noise, shown, **ALL) == pytest.approx(0.5, abs=0.02)
    assert painted(shown + noise, texture, shown, **ALL) == pytest.approx(0, abs=0.02)
    assert painted(0.1 * texture, 0.1 * texture, shown, **ALL) == pytest.approx(0.01, abs=0.002)
    gray = torch.full_like(shown, 0.5)
    assert painted(gray, texture, gray, **ALL) == 0


def test_what_does_not_fit_is_refused(mask):
    shown = 0.5 + 0.3 * phase().cos()
    with pytest.raises(WrongUse, match="not in the movie that was shown"):
        grating_gain(shown, torch.full_like(shown, 0.5), phase(), **ALL)
    with pytest.raises(WrongUse, match="compare movies of the same trial"):
        grating_gain(shown[:, :3], shown, phase(), **ALL)
    with pytest.raises(WrongUse, match="no pixel"):
        regression_gain(shown, shown, mask=0 * mask, **ALL)
    with pytest.raises(WrongUse, match="nothing would be left"):
        painted(shown, shown, shown, burn_in=FRAMES)
