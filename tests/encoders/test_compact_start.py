import numpy as np
import pytest
import torch
from tests.encoders.gabor_cells import GaborCells

from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.compact_start import start
from cinecortex.encoders.fit import FitSettings, TrialClips, correlations, fit_population
from cinecortex.seeds import Seed

NEURONS = 24


@pytest.fixture(scope="module")
def cells() -> GaborCells:
    return GaborCells.make(NEURONS)


@pytest.fixture(scope="module")
def train(cells):
    return cells.trials(16, 160, seed=1)


@pytest.fixture(scope="module")
def select(cells):
    return cells.trials(4, 160, seed=2)


def started(cells: GaborCells, clips) -> CompactEncoder:
    encoder = CompactEncoder(neurons=NEURONS, frame_size=cells.size, pairs=1)
    start(encoder, TrialClips(clips))
    return encoder


def sensitivity_centre(encoder: CompactEncoder) -> np.ndarray:
    """Where each cell looks: centre of mass of the squared derivative of its rate, ``neuron 2``; no look inside."""
    movies = torch.from_numpy(np.random.default_rng(5).uniform(0.2, 0.8, (1, 30, *encoder.frame_size))).float()
    centres = []
    for neuron in range(encoder.neurons):
        at = movies.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(encoder(at, torch.zeros(1, 30, 0))[0, -5:, neuron].sum(), at)
        weight = (gradient[0] ** 2).sum(0).numpy() ** 2
        places = np.mgrid[: weight.shape[0], : weight.shape[1]]
        centres.append((places * weight).sum((1, 2)) / weight.sum())
    return np.array(centres)


def test_the_start_finds_where_every_cell_looks(cells, train):
    centres = sensitivity_centre(started(cells, train))
    error = np.linalg.norm(centres - cells.centre_px, axis=1)
    shuffled = np.linalg.norm(centres[:, None] - cells.centre_px[None], axis=2)[~np.eye(NEURONS, dtype=bool)]
    assert np.median(error) < 1.5
    assert np.quantile(error, 0.9) < 3.0
    assert np.median(shuffled) > 5.0


def test_the_start_predicts_clips_it_has_not_seen_and_the_fit_predicts_them_better(cells, train, select):
    encoder = started(cells, train)
    before = correlations(encoder, select)
    assert float(before.median()) > 0.25
    fitted = fit_population(encoder, train, select, settings=FitSettings(epochs=4), seed=Seed(0))
    after = correlations(encoder, select)
    assert float(after.mean()) > float(before.mean()) + 0.03
    assert float(after.mean()) == pytest.approx(max(row["select"] for row in fitted.history), abs=1e-6)
    # The best that any model can do is the noiseless rate itself.
    ceiling = np.mean(
        [
            np.corrcoef(
                np.concatenate([cells.rate(t.movie.numpy())[30:, n] for t in select]),
                np.concatenate([t.response.numpy()[30:, n] for t in select]),
            )[0, 1]
            for n in range(NEURONS)
        ]
    )
    assert 0.5 * ceiling < float(after.mean()) < ceiling + 0.02


def test_the_start_is_deterministic(cells, train):
    first, second = started(cells, train[:4]).state_dict(), started(cells, train[:4]).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = started(cells, train[4:8]).state_dict()
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_frames_without_a_recording_do_not_spoil_the_start(cells, train):
    clips = [(movie, behavior, response.clone()) for movie, behavior, response in TrialClips(train)]
    for number, (_, _, response) in enumerate(clips):
        response[40 + number : 60] = torch.nan
    encoder = CompactEncoder(neurons=NEURONS, frame_size=cells.size, pairs=1)
    start(encoder, clips)
    assert all(bool(torch.isfinite(value).all()) for value in encoder.state_dict().values())
    error = np.linalg.norm(sensitivity_centre(encoder) - cells.centre_px, axis=1)
    assert np.median(error) < 1.5


def test_a_silent_neuron_does_not_spoil_the_others(cells, train):
    clips = [(movie, behavior, response.clone()) for movie, behavior, response in TrialClips(train[:8])]
    for _, _, response in clips:
        response[:, 3] = 0.0
    encoder = CompactEncoder(neurons=NEURONS, frame_size=cells.size, pairs=1)
    start(encoder, clips)
    rates = encoder(clips[0][0][None], torch.zeros(1, 160, 0))[0].detach()
    assert bool(torch.isfinite(rates).all())
    assert float(rates[:, 3].mean()) < 0.1 * float(rates.mean())
