"""Bits, dimensions, spectrum and shares of frequency against the closed form, within a stated error that is honest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from tests.identifiability.closed_forms import LARGE, SMALL, ClosedForm, linearised, world
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.identifiability.measure import BANDS, measure_information
from cinecortex.information import Information
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Flat
from cinecortex.inversion.sensitivity import muted
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import frequency_bins


@cache
def both(name: str) -> tuple[Information, ClosedForm]:
    made = world(name)
    return measure_information(linearised(made), probes=32, seed=Seed(3)), ClosedForm.of(made)


def hearing(made: LinearWorld, count: int) -> Linearised:
    """Of the first neurons only."""
    heard = torch.arange(made.encoder.neurons) < count
    return linearised(replace(made, observation=replace(made.observation, heard=heard)))


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_bits_and_dimensions_are_those_of_the_closed_form(name):
    found, exact = both(name)
    assert abs(found.bits - exact.bits) <= 4 * found.bits_error
    assert abs(found.dimensions - exact.dimensions) <= 4 * found.dimensions_error
    assert abs(found.share - exact.whole_share) <= 4 * found.share_error
    # Errors that allow anything would prove nothing.
    assert found.bits_error < 0.02 * exact.bits
    assert found.dimensions_error < 0.02 * exact.dimensions
    assert found.share_error < 0.03
    assert found.coordinates == exact.prior.size
    assert found.bits_per_second == pytest.approx(found.bits * 30 / found.frames)
    assert found.bits_per_neuron == pytest.approx(found.bits / found.neurons)


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_bands_hold_what_the_data_take_of_their_frequencies(name):
    found, exact = both(name)
    temporal, spatial = frequency_bins(exact.prior.shape, BANDS)
    index = (temporal[:, None, None] * BANDS + spatial[None]).numpy()
    places = np.unique(index)
    assert len(found.bands) == len(places)
    scores = []
    for band, place in zip(found.bands, places, strict=True):
        prior, taken = (each[index == place].sum() for each in (exact.prior_in_bands, exact.taken_in_bands))
        assert band.prior_variance == pytest.approx(prior / exact.prior.size)
        scores.append((band.share - taken / prior) / band.share_error)
    # 31 degrees of freedom are nearly Gaussian; bands share probes, so that no sharper sum is to be had.
    assert np.abs(scores).max() < 4.5
    assert 0.4 < np.square(scores).mean() < 2.5
    assert sum(band.prior_variance for band in found.bands) == pytest.approx(exact.prior.mean())
    variances = np.array([band.prior_variance for band in found.bands])
    assert found.share == pytest.approx((variances * [band.share for band in found.bands]).sum() / variances.sum())


def test_the_share_of_the_picture_leaves_out_the_mean_luminance():
    found, exact = both(SMALL)
    prior, taken = exact.prior_in_bands.copy(), exact.taken_in_bands.copy()
    prior[0, 0, 0] = taken[0, 0, 0] = 0
    assert found.picture_share == pytest.approx(taken.sum() / prior.sum(), abs=0.05)
    assert abs(found.share - found.picture_share) > 0.02, "the world has a luminance to leave out"
    assert replace(found, bands=()).picture_share == 0


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_the_spectrum_counts_eigenvalues(name):
    found, exact = both(name)
    values, counts = np.array(found.eigenvalues), np.array(found.counts)
    assert (np.diff(values) <= 0).all()
    assert (values >= 0).all()
    assert counts.sum() == pytest.approx(found.coordinates)
    assert values[0] == pytest.approx(exact.values.max(), rel=0.05)
    # How many eigenvalues lie above a level: a step is blurred by the distance of the nodes, a slope is not.
    for level in (0.1, 1.0, 10.0):
        expected = (exact.values / (level + exact.values)).sum()
        assert (counts * values / (level + values)).sum() == pytest.approx(expected, rel=0.08)


def test_the_stated_errors_are_honest():
    made = world(SMALL)
    around, exact = linearised(made), ClosedForm.of(made)
    found = [measure_information(around, probes=4, steps=12, seed=Seed(seed)) for seed in range(60)]
    for misses, errors in (
        ([one.bits - exact.bits for one in found], [one.bits_error for one in found]),
        ([one.dimensions - exact.dimensions for one in found], [one.dimensions_error for one in found]),
        ([one.share - exact.whole_share for one in found], [one.share_error for one in found]),
    ):
        # Mean squares: from four probes an error is itself uncertain, and single scores have heavy tails.
        ratio = np.square(misses).sum() / np.square(errors).mean()
        assert 1e-4 < chi2.sf(ratio, len(found)) < 1 - 1e-4
        assert abs(np.mean(misses)) < 4 * np.std(misses) / np.sqrt(len(found)), "no bias"


@settings(max_examples=5, deadline=None)
@given(few=st.integers(0, 19), more=st.integers(1, 20), seed=st.integers(0, 1000))
def test_information_never_falls_when_a_neuron_is_added(few, more, seed):
    made, fewer = world(SMALL), min(few, more - 1)
    # log(1 + x) and x / (1 + x) are operator monotone: it holds for every probe by itself, not on average only.
    less = measure_information(hearing(made, fewer), probes=2, steps=20, seed=Seed(seed))
    full = measure_information(hearing(made, more), probes=2, steps=20, seed=Seed(seed))
    assert less.bits <= full.bits * (1 + 1e-4)
    assert less.dimensions <= full.dimensions * (1 + 1e-4)
    assert (less.neurons, full.neurons) == (fewer, more)


def test_a_population_that_is_not_heard_says_exactly_nothing():
    made = world(SMALL)
    found = measure_information(linearised(replace(made, observation=muted(made.observation))), seed=Seed(4))
    assert (found.bits, found.bits_error, found.dimensions, found.share, found.neurons) == (0, 0, 0, 0, 0)
    assert {band.share for band in found.bands} == {0.0}
    assert found.bits_per_neuron == 0.0


def test_what_cannot_be_measured_is_refused():
    made = world(SMALL)
    with pytest.raises(WrongUse, match="at least 2"):
        measure_information(linearised(made), probes=1, seed=Seed(5))
    z = torch.zeros(12, 8, 8, dtype=torch.float64)
    flat = Linearised(made.encoder, made.likelihood, Flat(), made.observation, z)
    with pytest.raises(WrongUse, match="white"):
        measure_information(flat, seed=Seed(5))
