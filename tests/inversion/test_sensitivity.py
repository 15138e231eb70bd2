import numpy as np
import pytest
import torch
from scipy.fft import idctn
from tests.worlds import LinearWorld

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.sensitivity import binned_fisher, muted, population_mask, typical_observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, frequency_bins

SCREEN = (18, 30)


def natural(frames: int = 60) -> Spectral:
    fall = 1 / (1 + torch.arange(15.0)) ** 2
    return Spectral.of(MovieStatistics(0.5, 0.5 * torch.outer(fall, fall), frames, 0.0, 0.3, 10))


def cells_at(*places: tuple[float, float], gain: float = 1.0, size_px: float = 1.5) -> LinearNonlinear:
    y, x = np.mgrid[: SCREEN[0], : SCREEN[1]]
    blobs = [np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * size_px**2)) for row, column in places]
    filters = gain * np.stack(blobs)[:, None] * np.array([0.5, 1.0, 0.5])[None, :, None, None]
    return LinearNonlinear(torch.from_numpy(filters).float(), torch.zeros(len(places)))


def mask_of(encoder: LinearNonlinear) -> np.ndarray:
    return population_mask(encoder, Poisson(torch.ones(encoder.neurons)), natural(), seed=Seed(0)).numpy()


def test_the_binned_fisher_information_is_the_closed_form_in_the_mean_over_probes():
    world = LinearWorld.make(Seed(0))
    frames, size = world.observation.frames, world.observation.frame_size
    shape = (frames, *size)
    matrix, _ = world.design()
    matrix = matrix[(world.encoder.memory - 1) * world.encoder.neurons :]
    precision = np.tile(1 / world.likelihood.variance.numpy(), frames - world.encoder.memory + 1)
    # Columns: the movie of one whitened coordinate each.
    basis = idctn(np.eye(np.prod(shape)).reshape(-1, *shape), axes=(1, 2, 3), norm="ortho").reshape(-1, np.prod(shape))
    basis = basis * world.prior.amplitude(world.truth).numpy().reshape(-1, 1)
    diagonal = (precision[:, None] * (matrix @ basis.T) ** 2).sum(0)
    temporal, spatial = (bins.numpy() for bins in frequency_bins(shape, 15))
    index = (temporal[:, None, None] * 15 + spatial).ravel()
    count = np.bincount(index)
    expected = (np.bincount(index, diagonal) / np.maximum(count, 1))[index].reshape(shape)

    found = binned_fisher(world.encoder, world.likelihood, world.prior, frames=frames, probes=200, seed=Seed(1)).numpy()
    ratio = found / expected
    # The square of one Gaussian coordinate scatters by sqrt(2); 200 of them by 10 %, less where a bin holds many.
    assert np.abs(ratio - 1).max() < 4 * np.sqrt(2 / 200)
    assert found.sum() == pytest.approx(expected.sum(), rel=0.05)
    assert expected.max() > 30 * expected.min()


def test_the_mask_is_one_where_cells_look_and_nothing_elsewhere():
    places = [(6, 6), (6, 9), (9, 6), (9, 9), (12, 8), (8, 12)]
    mask = mask_of(cells_at(*places))
    assert mask.shape == SCREEN
    assert mask.min() >= 0
    assert mask.max() == 1
    assert mask[7:10, 7:10].min() > 0.8
    # Ten pixels from the nearest cell there is nothing to see with.
    assert mask[:, 22:].max() < 0.01
    # "Where it can see" covers about the receptive fields, no more.
    assert 20 < (mask >= 0.5).sum() < 150


def test_a_small_population_is_not_penalised_for_what_it_cannot_see():
    mask = mask_of(cells_at((9, 24)))
    assert mask[9, 24] > 0.9
    assert mask[:, :14].max() < 0.01


def test_a_cell_that_responds_more_strongly_sees_better():
    y = mask_of(cells_at((9, 6), (9, 22), gain=1.0))
    assert y[9, 6] == pytest.approx(y[9, 22], abs=0.35)
    encoder = cells_at((9, 6), (9, 22))
    encoder.filters.data[1] *= 0.1
    mask = mask_of(encoder)
    assert mask[9, 6] > 0.9
    assert mask[9, 22] < 0.3


def test_a_population_that_sees_nothing_has_an_empty_mask():
    assert (mask_of(cells_at((9, 6), gain=0.0)) == 0).all()


def test_the_mask_does_not_change_from_call_to_call():
    encoder = cells_at((9, 6), (5, 20))
    np.testing.assert_array_equal(mask_of(encoder), mask_of(encoder))


def test_muting_silences_every_neuron_and_touches_nothing_else():
    observation = typical_observation(cells_at((9, 6), (5, 20)), 7)
    quiet = muted(observation)
    assert not quiet.heard.any()
    assert observation.heard.all()
    assert quiet.response is observation.response
    assert (observation.frames, observation.frame_size, observation.behavior.shape) == (7, SCREEN, (7, 0))
