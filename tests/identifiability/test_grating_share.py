"""The data share of a grating against dense matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.identifiability.closed_forms import SMALL, linearised, world
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.identifiability.grating_share import grating_share
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat, Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.probes import Grating
from cinecortex.stimuli.spectrum import MovieStatistics

PROBES = (Grating(0.06, 0.05), Grating(0.2, 0.0, 90.0), Grating(0.35, 0.3, 210.0))
PRECISE = {"iterations": 200, "tolerance": 1e-9}


def detectors(probe, mask, burn_in, shape):
    """Sine and cosine of a grating under a window, about their mean there."""
    frames, height, width = shape
    window = np.zeros(shape)
    window[burn_in:] = mask
    window[burn_in:] *= (
        np.sin(math.pi * np.arange(1, frames - burn_in + 1) / (frames - burn_in + 1))[:, None, None] ** 2
    )
    frame, row, column = np.meshgrid(*map(np.arange, shape), indexing="ij")
    angle = math.radians(probe.direction_deg)
    along = (column - (width - 1) / 2) * math.cos(angle) + ((height - 1) / 2 - row) * math.sin(angle)
    phase = 2 * math.pi * (probe.cycles_per_px * along - probe.cycles_per_frame * frame)
    waves = [np.cos(phase), np.sin(phase)]
    return [(window * (wave - (window * wave).sum() / window.sum())).ravel() for wave in waves]


@pytest.mark.parametrize("burn_in", [0, 4])
def test_it_is_the_closed_form(burn_in):
    made = world(SMALL)
    shape = (made.observation.frames, *made.observation.frame_size)
    mask = np.random.default_rng(0).uniform(0, 1, shape[1:])
    prior, posterior = made.prior_covariance(), made.posterior()[1]
    found = grating_share(linearised(made), PROBES, mask=torch.from_numpy(mask), burn_in=burn_in, **PRECISE)
    for probe, share in zip(PROBES, found, strict=True):
        of = detectors(probe, mask, burn_in, shape)
        exact = 1 - sum(w @ posterior @ w for w in of) / sum(w @ prior @ w for w in of)
        assert share == pytest.approx(exact, abs=1e-6)
        assert 0 < share < 1


def test_slow_changes_are_not_taken_for_fast_ones():
    """Neurons that average over eight frames hear nothing that repeats every eight, however much slower there is."""
    made = LinearWorld.make(Seed(2), frames=100, size=(2, 16), neurons=2)
    steep = 1 / (1 + torch.arange(15.0, dtype=torch.float64)) ** 3
    prior = Spectral.of(MovieStatistics(0.5, 1e4 * torch.outer(steep, steep), 100, 0.0, 0.2, 1))
    phase = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    waves = torch.stack([phase.cos(), phase.sin()])[:, None, None].expand(2, 8, 2, 16) / 8
    slow = LinearNonlinear(waves, torch.zeros(2, dtype=torch.float64), nonlinearity="identity")
    z = torch.zeros(100, 2, 16, dtype=torch.float64)
    around = Linearised(slow, made.likelihood, prior, made.observation, z)
    heard, silent = grating_share(around, [Grating(1 / 16, 0.03), Grating(1 / 16, 0.125)], burn_in=0, **PRECISE)
    assert heard > 0.5
    assert silent < 0.1


def test_a_stopped_solve_overstates_and_nobody_heard_tells_nothing():
    made = world(SMALL)
    precise = grating_share(linearised(made), PROBES, **PRECISE)
    hasty = grating_share(linearised(made), PROBES, iterations=3)
    assert all(one >= other - 1e-9 for one, other in zip(hasty, precise, strict=True))
    nobody = made.observation.hearing(torch.zeros_like(made.observation.heard))
    z = torch.zeros(nobody.frames, *nobody.frame_size, dtype=torch.float64)
    deaf = Linearised(made.encoder, made.likelihood, made.prior, nobody, z)
    assert grating_share(deaf, PROBES, **PRECISE) == pytest.approx([0, 0, 0], abs=1e-9)


def test_more_noise_leaves_less():
    made = world(SMALL)
    z = torch.zeros(made.observation.frames, *made.observation.frame_size, dtype=torch.float64)
    louder = Gaussian(100 * made.likelihood.variance)
    noisy = grating_share(Linearised(made.encoder, louder, made.prior, made.observation, z), PROBES, **PRECISE)
    assert all(
        one < other for one, other in zip(noisy, grating_share(linearised(made), PROBES, **PRECISE), strict=True)
    )


def test_what_cannot_be_told_is_refused():
    made = world(SMALL)
    with pytest.raises(WrongUse, match="counts no pixel"):
        grating_share(linearised(made), PROBES, mask=torch.zeros(8, 8))
    z = torch.zeros(made.observation.frames, *made.observation.frame_size, dtype=torch.float64)
    flat = Linearised(made.encoder, made.likelihood, Flat(), made.observation, z)
    with pytest.raises(WrongUse, match="white coordinates"):
        grating_share(flat, PROBES)
