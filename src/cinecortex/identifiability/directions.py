"""Which ways a movie can change that the neurons see best, and which they leave open."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.identifiability.lanczos import leading
from cinecortex.inversion.conjugate_gradients import Vectors
from cinecortex.inversion.linearised import Linearised
from cinecortex.seeds import Seed


@dataclass(frozen=True, eq=False)
class Directions:
    """Ways in which a movie can change, each as a movie.

    Attributes:
        movies: The change of every pixel, in luminance, at one standard deviation of the prior along the way.
        whitened: The same in whitened coordinates, each of length 1.
        values: What they are ordered by. Of those seen best the eigenvalue of the Fisher information; of those left
            open the posterior variance along the way, of all pixels together, in squared luminance.
        discriminability: ``d'`` of a change by one prior standard deviation, ``sqrt(v^T F v)``.
        share: Data share along the way, ``d'^2 / (1 + d'^2)``.
        residuals: ``|A u - value u| / value`` of every eigenvector.
        applied: To how many vectors F was applied.
    """

    movies: Vectors
    whitened: Vectors
    values: tuple[float, ...]
    discriminability: tuple[float, ...]
    share: tuple[float, ...]
    residuals: tuple[float, ...]
    applied: int


def seen_best(
    around: Linearised, count: int = 6, *, steps: int = 12, tolerance: float = 1e-2, seed: Seed
) -> Directions:
    """Leading eigenvectors of the whitened Fisher information: where one prior standard deviation shows most.

    Args:
        around: The posterior, rates taken as linear around one movie.
        count: How many.
        steps: Most steps of the block Krylov method.
        tolerance: Residual that is small enough.
        seed: For the first block.
    """
    before = around.applied
    start = _random(count + 4, around.position, seed)
    found = leading(around.information, start, count=count, steps=steps, tolerance=tolerance)
    return _directions(around, found.vectors, found.values, found.residuals, around.applied - before)


def left_open(
    around: Linearised,
    count: int = 6,
    *,
    steps: int = 8,
    tolerance: float = 1e-2,
    preconditioner: Float[Tensor, "time height width"] | float = 1.0,
    iterations: int = 40,
    seed: Seed,
) -> Directions:
    """Leading eigenvectors of the posterior covariance in pixels: the largest changes that the data leave open.

    Directions with F near 0 alone would say little: most of them are patterns so fine that no movie has any of them.
    Here a direction counts by how much of it movies have, ``S S^T``, and by how little of that the neurons take away:
    the operator is ``S (I + F)^-1 S^T``, applied by conjugate gradients. `Directions.share` says how much they take.

    Args:
        around: The posterior, rates taken as linear around one movie.
        count: How many.
        steps: Most steps of the block Krylov method.
        tolerance: Residual that is small enough.
        preconditioner: Diagonal estimate of the inverse of ``I + F``.
        iterations: Most steps of conjugate gradients in each application.
        seed: For the first block.
    """
    before = around.applied

    def solved(pixels: Vectors) -> Vectors:
        white: Tensor = torch.func.vmap(around.prior.whiten)(pixels)
        found = around.solve(white, preconditioner=preconditioner, iterations=iterations, tolerance=0.1 * tolerance)
        return found.vectors

    start = around.pixels(_random(count + 4, around.position, seed))
    found = leading(lambda pixels: around.pixels(solved(pixels)), start, count=count, steps=steps, tolerance=tolerance)
    white = solved(found.vectors)
    return _directions(around, white, found.values, found.residuals, around.applied - before)


def _random(count: int, like: Tensor, seed: Seed) -> Vectors:
    count = min(count, like.numel())
    return torch.randn(count, *like.shape, generator=seed.torch(), dtype=like.dtype).to(like.device)


def _directions(
    around: Linearised, white: Vectors, values: tuple[float, ...], residuals: tuple[float, ...], applied: int
) -> Directions:
    unit = white / white.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None, None]
    changes = around.changes(unit)
    squares = (changes * around.curvature(changes)).flatten(1).sum(1).clamp_min(0).tolist()
    return Directions(
        movies=around.pixels(unit),
        whitened=unit,
        values=values,
        discriminability=tuple(square**0.5 for square in squares),
        share=tuple(square / (1 + square) for square in squares),
        residuals=residuals,
        applied=applied,
    )
