"""What neurons add to a part of the screen whose surroundings are known, against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.identifiability.closed_forms import SMALL, linearised, world

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.identifiability.beyond import share_beyond
from cinecortex.identifiability.share import data_share
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat
from cinecortex.seeds import Seed

PRECISE = {"iterations": 60, "tolerance": 1e-3}


def one_sided():
    """The small world with neurons that look at its left half only."""
    made = world(SMALL)
    filters = made.encoder.filters.detach().clone()
    filters[..., filters.shape[-1] // 2 :] = 0
    offset = made.encoder.offset.detach()
    return replace(made, encoder=LinearNonlinear(filters, offset, nonlinearity="identity"))


def right_half(made, columns=None):
    height, width = made.observation.frame_size
    part = torch.zeros(height, width)
    part[:, (width // 2 if columns is None else width - columns) :] = 1
    return part


def dense(made, part, told_to):
    """The share by inverting covariances."""
    frames = made.observation.frames
    inside = np.tile(part.numpy().ravel() > 0, frames)
    prior, posterior = made.prior_covariance(), made.posterior()[1]

    def given_the_rest(covariance):
        rest = ~inside
        gain = np.linalg.solve(
            covariance[np.ix_(rest, rest)] + told_to**2 * np.eye(rest.sum()), covariance[np.ix_(rest, inside)]
        )
        return np.trace(covariance[np.ix_(inside, inside)] - covariance[np.ix_(inside, rest)] @ gain)

    return 1 - given_the_rest(posterior) / given_the_rest(prior)


@pytest.mark.parametrize("columns", [2, 4])
def test_it_is_the_closed_form_within_its_error(columns):
    made = world(SMALL)
    part = right_half(made, columns)
    found = share_beyond(linearised(made), part, told_to=0.01, draws=40, seed=Seed(3), **PRECISE)
    exact = dense(made, part, 0.01)
    assert exact > 0.05
    assert abs(found.value - exact) < 4 * found.error < 0.4 * exact


def test_where_no_neuron_looks_all_of_the_share_is_carried_by_the_prior():
    made = one_sided()
    part = right_half(made)
    around = linearised(made)
    whole = data_share(around, draws=64, seed=Seed(4), iterations=60, tolerance=1e-6).within(part)
    assert whole.value > 5 * whole.error > 0
    loose = share_beyond(around, part, told_to=0.01, draws=8, seed=Seed(4), **PRECISE)
    exact = dense(made, part, 0.01)
    # What is left is what five thousandths of noise on the told pixels leave open, and goes with them.
    assert abs(loose.value - exact) <= 4 * loose.error
    assert loose.value < 0.02 * whole.value
    strict = share_beyond(around, part, told_to=0.001, draws=8, seed=Seed(4), **PRECISE)
    assert strict.value < 0.1 * loose.value


def test_stated_errors_are_honest():
    made = world(SMALL)
    part = right_half(made, 2)
    exact = dense(made, part, 0.05)
    found = [share_beyond(linearised(made), part, told_to=0.05, seed=Seed(seed), **PRECISE) for seed in range(30)]
    scores = np.array([(one.value - exact) / one.error for one in found])
    assert abs(scores.mean()) < 0.6
    assert 0.7 < scores.std() < 1.6


def test_nobody_heard_adds_nothing():
    made = world(SMALL)
    nobody = made.observation.hearing(torch.zeros_like(made.observation.heard))
    z = torch.zeros(nobody.frames, *nobody.frame_size, dtype=torch.float64)
    deaf = Linearised(made.encoder, made.likelihood, made.prior, nobody, z)
    assert share_beyond(deaf, right_half(made), seed=Seed(0)).value == 0


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_part_that_is_none_or_all_is_refused(fill):
    made = world(SMALL)
    with pytest.raises(WrongUse, match="none or all"):
        share_beyond(linearised(made), torch.full((8, 8), fill), seed=Seed(0))


def test_what_cannot_be_told_is_refused():
    made = world(SMALL)
    with pytest.raises(WrongUse, match="at least 2"):
        share_beyond(linearised(made), right_half(made), draws=1, seed=Seed(0))
    z = torch.zeros(made.observation.frames, *made.observation.frame_size, dtype=torch.float64)
    flat = Linearised(made.encoder, made.likelihood, Flat(), made.observation, z)
    with pytest.raises(WrongUse, match="spectral prior only"):
        share_beyond(flat, right_half(made), seed=Seed(0))
