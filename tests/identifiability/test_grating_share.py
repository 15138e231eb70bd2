"""The data share of a grating against dense matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.identifiability.closed_forms import SMALL, linearised, world

from cinecortex.errors import WrongUse
from cinecortex.identifiability.grating_share import grating_share
from cinecortex.inversion.likelihoods import Gaussian
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat
from cinecortex.stimuli.probes import Grating

PROBES = (Grating(0.06, 0.05), Grating(0.2, 0.0, 90.0), Grating(0.35, 0.3, 210.0))
PRECISE = {"iterations": 200, "tolerance": 1e-9}


def detectors(probe, mask, burn_in, shape):
    """Sine and cosine of a grating under a window, about their mean there."""
    _, height, width = shape
    window = np.zeros(shape)
    window[burn_in:] = mask
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
