"""Data share of every pixel against the closed form; the two ways to it against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from tests.identifiability.closed_forms import LARGE, SMALL, ClosedForm, linearised, world

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.identifiability.share import agreement, data_share, share_of_draws
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat, Spectral
from cinecortex.inversion.sample import Sample
from cinecortex.inversion.sensitivity import muted
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed

PRECISE = {"iterations": 40, "tolerance": 1e-6}
"""Far below what the estimate scatters by."""


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_every_pixel_has_the_share_of_the_closed_form_within_its_error(name):
    made = world(name)
    exact, found = ClosedForm.of(made), data_share(linearised(made), draws=64, seed=Seed(1), **PRECISE)
    np.testing.assert_allclose(found.prior_variance.numpy(), exact.prior, rtol=1e-9)
    scores = (found.movie.numpy() - exact.share) / found.error.numpy()
    # Neighbours are correlated, hence no sharper bound than these on thousands of scores.
    assert np.abs(scores).max() < 6.5
    assert 0.8 < np.sqrt(np.square(scores).mean()) < 1.2
    assert float(found.error.max()) < 1 / (2 * np.sqrt(64)) * 1.1
    over_time = exact.taken.sum(0) / exact.prior.sum(0)
    assert np.abs((found.over_time.numpy() - over_time) / found.over_time_error.numpy()).max() < 5
    whole = found.within()
    assert abs(whole.value - exact.whole_share) < 4 * whole.error < 0.1
    left = exact.prior - exact.taken
    assert np.abs(found.posterior_variance.numpy() / left - 1).mean() < 0.2
    half = torch.zeros(made.observation.frame_size, dtype=torch.float64)
    half[:, : half.shape[1] // 2] = 1
    inside = half.bool().numpy()
    part = found.within(half)
    assert abs(part.value - exact.taken[:, inside].sum() / exact.prior[:, inside].sum()) < 4 * part.error


def test_there_is_no_bias_and_the_stated_errors_are_honest():
    made = world(SMALL)
    around, exact = linearised(made), ClosedForm.of(made)
    found = [data_share(around, draws=8, seed=Seed(seed), iterations=20, tolerance=1e-3) for seed in range(20)]
    misses = np.stack([one.movie.numpy() - exact.share for one in found])
    bias = misses.mean(0) / misses.std(0, ddof=1) * np.sqrt(len(found))
    assert 0.7 < np.square(bias).mean() < 1.4
    assert abs(misses.mean()) < 0.01
    ratio = np.square(misses).mean() / np.mean([np.square(one.error.numpy()).mean() for one in found])
    assert 0.9 < ratio < 1.15
    whole = [one.within() for one in found]
    of_whole = np.sum([(part.value - exact.whole_share) ** 2 for part in whole])
    assert 1e-4 < chi2.sf(of_whole / np.mean([part.error**2 for part in whole]), len(found)) < 1 - 1e-4
    # The errors of the mean over halves of the draws alone would be larger than this by a factor of up to 2.
    assert np.sqrt(np.square(misses).mean()) < 1 / (2 * np.sqrt(8))


def test_what_no_neuron_sees_has_a_share_of_nothing_where_the_prior_ties_it_to_nothing():
    made = world(SMALL)
    filters = made.encoder.filters.detach().clone()
    filters[..., 4:] = 0
    # Every frequency alike: pixels are independent, and the left of the screen says nothing of the right.
    level = replace(made.prior.statistics, power=torch.full((15, 15), 0.05, dtype=torch.float64))
    left_only = replace(
        made,
        encoder=LinearNonlinear(filters, made.encoder.offset.detach(), nonlinearity="identity"),
        prior=Spectral.of(level),
    )
    found = data_share(linearised(left_only), draws=16, seed=Seed(6), **PRECISE)
    # Weights are averaged over neighbours; the first column that is not seen still has some noise of the last one.
    assert float(found.over_time[:, 5:].abs().max()) < 1e-6
    assert float(found.movie[:, :, 5:].abs().max()) < 1e-6
    assert bool((found.over_time[:, 4].abs() < 4 * found.over_time_error[:, 4]).all())
    assert float(found.over_time[:, 4].abs().max()) < 0.02
    assert float(found.over_time[:, :4].min()) > 0.1
    # A prior that ties pixels to each other makes the rest of the screen known in part.
    tied = data_share(linearised(replace(left_only, prior=made.prior)), draws=16, seed=Seed(6), **PRECISE)
    assert float(tied.over_time[:, 4:].mean()) > 0.1


def test_draws_and_the_fisher_information_agree_and_a_wrong_spread_does_not():
    made = world(SMALL)
    fisher = data_share(linearised(made), draws=64, seed=Seed(2), **PRECISE)
    drawn = Sample(
        encoder=made.encoder, likelihood=made.likelihood, prior=made.prior, draws=64, iterations=40, tolerance=1e-6
    )(made.observation, Seed(3))
    found = agreement(fisher, drawn, made.prior, draws=64)
    assert abs(found.difference) < 4 * found.difference_error < 0.15
    assert found.correlation > 0.3
    assert found.correlation_over_time > 0.5
    assert drawn.std is not None
    hot = agreement(fisher, replace(drawn, std=1.2 * drawn.std), made.prior, draws=64)
    assert abs(hot.difference) > 4 * hot.difference_error
    elsewhere = agreement(fisher, replace(drawn, std=drawn.std.flip(1, 2)), made.prior, draws=64)
    assert elsewhere.correlation_over_time < found.correlation_over_time


def test_a_population_that_is_not_heard_has_a_share_of_exactly_nothing():
    made = world(SMALL)
    around = linearised(replace(made, observation=muted(made.observation)))
    found = data_share(around, preconditioner=0.3, seed=Seed(4))
    assert (found.movie == 0).all()
    assert (found.within().value, found.within().error) == (0, 0)
    torch.testing.assert_close(found.posterior_variance, found.prior_variance)


def test_what_cannot_be_measured_is_refused():
    made = world(SMALL)
    for draws in (2, 7):
        with pytest.raises(WrongUse, match="even number"):
            data_share(linearised(made), draws=draws, seed=Seed(5))
    z = torch.zeros(12, 8, 8, dtype=torch.float64)
    with pytest.raises(WrongUse, match="spectral"):
        data_share(Linearised(made.encoder, made.likelihood, Flat(), made.observation, z), seed=Seed(5))
    with pytest.raises(WrongUse, match="no spread"):
        share_of_draws(Reconstruction(z, ended=""), made.prior)
