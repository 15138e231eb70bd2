"""The contrast of a clip, found along with its movie by the evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cinecortex.inversion.descent import Minimum, minimise
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral, Whitened
from cinecortex.inversion.problem import Problem
from cinecortex.seeds import Seed

PROBES = 2
ITERATIONS = 8
"""Steps of conjugate gradients for a probe."""


@dataclass(frozen=True, eq=False)
class ContrastFit:
    """A movie and the contrast that was found with it.

    Attributes:
        prior: At the contrast found.
        minimum: The most probable movie under it.
        dimensions: Number of directions that the data determine, ``trace F (I + F)^-1``.
        frame_passes: Movie frames that went through the encoder forward and backward.
        ended: How the search ended.
    """

    prior: Spectral
    minimum: Minimum
    dimensions: float
    frame_passes: int
    ended: str


def fit_contrast(
    problem_at: Callable[[Spectral], Problem],
    prior: Spectral,
    start: Whitened,
    *,
    inverse_hessian: Tensor,
    seed: Seed,
    evaluations: int = 100,
    tolerance_nats: float = 0.5,
    rounds: int = 6,
    tolerance: float = 0.02,
    probes: int = PROBES,
    iterations: int = ITERATIONS,
) -> ContrastFit:
    """Maximise ``log p(response | contrast) + log p(contrast)``, rates taken as linear around the movie.

    The joint mode of movie and contrast is of no use: in whitened coordinates it runs away to ever larger contrasts.
    The evidence does not. Its derivative by the log-contrast is ``|z|^2 - gamma``, with ``z`` the most probable movie
    and ``gamma`` the number of directions that the data determine: contrast is right when the movie is as large in
    these directions as the prior expects. ``gamma`` is estimated from random probes.

    Args:
        problem_at: The problem under a prior of another contrast.
        prior: Where the search starts.
        start: Where the first descent starts, in whitened coordinates.
        inverse_hessian: Diagonal estimate of the inverse Hessian at ``prior``.
        seed: For the probes.
        evaluations: Most evaluations of the energy in each round.
        tolerance_nats: See `MAP`.
        rounds: Most changes of the contrast.
        tolerance: Change of the log-contrast that is small enough to end.
        probes: Random vectors that ``gamma`` is estimated from.
        iterations: Steps of conjugate gradients for each of them.

    Sources: MacKay 1992, Neural Comput 4:415; Hutchinson 1989, Commun Stat Simul 18:1059.
    """
    fisher = 1 / inverse_hessian - 1
    statistics = prior.statistics
    spread, first = max(statistics.contrast_std, 0.01), prior.contrast
    frames, passes, position, change = len(start), 0, start, math.inf
    for number in range(rounds + 1):
        hessian = 1 / (1 + fisher * math.exp(2 * (prior.contrast - first)))
        problem = problem_at(prior)
        minimum = minimise(
            problem.energy,
            position,
            inverse_hessian=hessian,
            evaluations=evaluations,
            tolerance_nats=tolerance_nats,
        )
        around = Linearised(
            problem.encoder,
            problem.likelihood,
            prior,
            problem.observation,
            minimum.position,
            behavior=problem.behavior,
        )
        # The same probes in every round: with others the search would never come to rest.
        signs = torch.randint(0, 2, (probes, *start.shape), generator=seed.torch()).to(start) * 2 - 1
        solved = around.solve(signs, preconditioner=hessian, iterations=iterations, tolerance=1e-9)
        dimensions = float((signs * (signs - solved.vectors)).sum()) / probes
        passes += frames * (minimum.evaluations + 2 * around.applied)
        size = float(minimum.position.square().sum())
        change = _step(size, max(dimensions, 1e-9), prior.contrast - statistics.contrast_mean, spread)
        if abs(change) < tolerance or number == rounds:
            break
        prior = prior.at_contrast(prior.contrast + change)
        # The same movie in the coordinates of the other contrast.
        position = minimum.position * math.exp(-change)
    settled = "settled" if abs(change) < tolerance else f"still moving by {abs(change):.2f} after {rounds} rounds"
    ended = f"{minimum.ended}; log-contrast {prior.contrast:+.2f}, {settled}"
    return ContrastFit(prior, minimum, dimensions, passes, ended)


def _step(size: float, dimensions: float, deviation: float, spread: float) -> float:
    """The change of the log-contrast at which the derivative vanishes, movie and ``gamma`` staying as they are."""
    change = 0.0
    for _ in range(50):
        scaled = size * math.exp(-2 * change)
        slope = scaled - dimensions - (deviation + change) / spread**2
        move = slope / (2 * scaled + 1 / spread**2)
        change += min(max(move, -0.5), 0.5)
        if abs(move) < 1e-10:
            break
    return min(max(change, -1.0), 1.0)
