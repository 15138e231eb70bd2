"""The contrast with the greatest evidence, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.contrast import fit_contrast
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Flat
from cinecortex.inversion.problem import Problem
from cinecortex.seeds import Seed


def dense_evidence(world: LinearWorld, contrast: float) -> float:
    """Log density of the settled responses and of the contrast itself."""
    matrix, offset = world.design()
    rows = np.arange(len(matrix)) >= (world.encoder.memory - 1) * world.encoder.neurons
    scale = np.exp(2 * (contrast - world.prior.contrast))
    variance = np.tile(world.likelihood.variance.numpy(), world.observation.frames)
    covariance = scale * matrix @ world.prior_covariance() @ matrix.T + np.diag(variance)
    mean = matrix @ np.full(matrix.shape[1], 0.5) + offset
    response = world.observation.response.numpy().ravel()
    known = multivariate_normal(mean[rows], covariance[np.ix_(rows, rows)]).logpdf(response[rows])
    return float(known + world.prior.contrast_density(contrast))


@pytest.mark.parametrize(("seed", "shown"), [(1, 1.0), (2, 2.0), (3, 0.4)])
def test_contrast_has_the_greatest_evidence(seed: int, shown: float) -> None:
    world = LinearWorld.make(Seed(seed), frames=8, size=(5, 5), neurons=12)
    # The same world with a clip of another contrast on the screen.
    extra = world.encoder((0.5 + shown * (world.truth - 0.5))[None], torch.zeros(1, 8, 0, dtype=torch.float64))
    plain = world.encoder(world.truth[None], torch.zeros(1, 8, 0, dtype=torch.float64))
    world.observation.response.add_((extra - plain)[0].detach())
    best = minimize_scalar(lambda c: -dense_evidence(world, c), bounds=(-3, 3), method="bounded").x

    found = fit_contrast(
        lambda prior: Problem(world.encoder, world.likelihood, prior, world.observation),
        world.prior,
        torch.zeros(world.truth.shape, dtype=torch.float64),
        inverse_hessian=torch.ones((), dtype=torch.float64),
        seed=Seed(4),
        evaluations=500,
        tolerance_nats=1e-10,
        rounds=40,
        tolerance=1e-4,
        probes=200,
        iterations=150,
    )
    assert "settled" in found.ended
    # gamma from 200 probes is off by a percent or two, the contrast by half of that.
    assert found.prior.contrast == pytest.approx(best, abs=0.03)
    if shown != 1.0:
        assert np.sign(best - world.prior.contrast) == np.sign(shown - 1)


def test_map_infers_the_contrast_where_asked() -> None:
    world = LinearWorld.make(Seed(2), frames=8, size=(5, 5), neurons=12)
    options = {"encoder": world.encoder, "likelihood": world.likelihood}
    answer = MAP(**options, prior=world.prior, contrast="inferred")(world.observation, Seed(0))
    assert "log-contrast" in answer.ended
    again = MAP(**options, prior=world.prior, contrast="inferred")(world.observation, Seed(0))
    assert torch.equal(answer.movie, again.movie)
    assert answer.frame_passes > MAP(**options, prior=world.prior)(world.observation, Seed(0)).frame_passes
    with pytest.raises(WrongUse, match="spectral"):
        MAP(**options, prior=Flat(), contrast="inferred")
