from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.encoders.gabor_cells import GaborCells, trial_of

from cinecortex.encoders.fit import FitSettings, TrialClips, correlations, fit_population
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.linear_start import start
from cinecortex.encoders.separable import SPATIAL_SCALE, SeparableEncoder
from cinecortex.seeds import Seed

SIZE = (6, 7)


def randomised(**settings) -> SeparableEncoder:
    encoder = SeparableEncoder(neurons=3, frame_size=SIZE, **settings)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random))
    return encoder


def test_it_is_the_linear_nonlinear_encoder_of_its_filters():
    encoder = randomised(filter_frames=8, rank=2)
    lags = encoder.temporal.detach() @ encoder.bump_basis
    filters = torch.einsum("rnl,rnp->nlp", lags, SPATIAL_SCALE * encoder.spatial.detach()).unflatten(2, SIZE)
    full = LinearNonlinear(filters, encoder.offset.detach())
    movies = torch.rand(2, 40, *SIZE, generator=torch.Generator().manual_seed(2))
    nothing = torch.zeros(2, 40, 0)
    settled = encoder.settled(40)
    torch.testing.assert_close(
        encoder(movies, nothing)[:, settled], full(movies, nothing)[:, settled] + 1e-4, rtol=1e-4, atol=1e-5
    )
    assert (encoder.memory, encoder.neurons) == (8, 3)


def test_coarse_frames_are_means_over_squares():
    encoder = randomised(coarse=2)
    movie = torch.rand(1, 5, *SIZE)
    seen = encoder.look(movie)[0].unflatten(1, (3, 4))
    assert float(seen[0, 1, 1]) == pytest.approx(float(movie[0, 0, 2:4, 2:4].mean()) - 0.5, abs=1e-6)
    assert float(seen[0, 1, 3]) == pytest.approx(float(movie[0, 0, 2:4, 6].mean()) - 0.5, abs=1e-6)


def shown_to(truth: LinearNonlinear, count: int, frames: int = 200) -> list:
    random = np.random.default_rng(4)
    trials = []
    for number in range(count):
        movie = torch.from_numpy(random.uniform(0, 1, (frames, *SIZE))).float()
        rate = truth(movie[None], torch.zeros(1, frames, 0))[0].detach()
        trials.append(trial_of(movie.numpy(), random.poisson(rate.numpy()), str(number)))
    return trials


def test_the_start_finds_the_filters_of_linear_cells():
    random = torch.Generator().manual_seed(3)
    shapes = torch.randn(3, SIZE[0] * SIZE[1], generator=random)
    basis = SeparableEncoder(neurons=1, frame_size=SIZE, filter_frames=8).bump_basis
    filters = torch.einsum("l,np->nlp", basis[2] - basis[4], shapes).unflatten(2, SIZE)
    truth = LinearNonlinear(0.7 * filters, torch.full((3,), 1.0))
    trials = shown_to(truth, 12)
    encoder = SeparableEncoder(neurons=3, frame_size=SIZE, filter_frames=8, rank=1)
    start(encoder, TrialClips(trials[:10]))
    lags = encoder.temporal.detach()[0] @ encoder.bump_basis
    found = torch.einsum("nl,np->nlp", lags, encoder.spatial.detach()[0]).flatten(1)
    assert float(torch.cosine_similarity(found, filters.flatten(1)).min()) > 0.8
    reached = correlations(encoder, trials[10:]) / correlations(truth.eval(), trials[10:])
    assert float(reached.min()) > 0.8


def test_a_neuron_without_responses_is_no_hindrance():
    truth = LinearNonlinear(torch.randn(3, 2, *SIZE, generator=torch.Generator().manual_seed(5)), torch.zeros(3))
    trials = shown_to(truth, 5, 60)
    silent = [
        trial_of(t.movie.numpy(), t.response.clone().index_fill_(1, torch.tensor(1), torch.nan).numpy()) for t in trials
    ]
    encoder = SeparableEncoder(neurons=3, frame_size=SIZE)
    start(encoder, TrialClips(silent))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in encoder.parameters())


def test_descent_improves_on_the_start_for_rectified_cells():
    cells = GaborCells.make(4, size=(8, 9))
    train, select = cells.trials(8, 100, seed=1), cells.trials(3, 100, seed=2)
    encoder = SeparableEncoder(neurons=4, frame_size=cells.size, filter_frames=8)
    start(encoder, TrialClips(train))
    before = correlations(encoder, select)[[0, 2]]
    fit_population(encoder, train, select, settings=FitSettings(epochs=6), seed=Seed(0))
    after = correlations(encoder, select)[[0, 2]]
    assert float(before.min()) > 0.2
    assert float(after.mean()) > float(before.mean())
