"""How far a single pixel can be off, and neither the prior nor the neurons would object."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.identifiability.limits import Limits
from cinecortex.identifiability.share import data_share
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie

WEIGHTS = (0.05, 0.2, 0.8, 3.2)
"""Weights of the data that are tried. The bound is flat around the best one, which is small where a part of a pixel is
not seen at all: in the worlds of the tests, with a factor of 4 between two of them, it comes out 0.2 % too high in the
mean and 1.5 % at most, never too low."""

Squares = Float[Tensor, "weight time height width"]


@dataclass(frozen=True, eq=False)
class Bound:
    """The largest admissible change of every pixel.

    Attributes:
        largest: In luminance, either way.
        error: Its Monte-Carlo standard error.
        prior_alone: The same where nothing is heard, known exactly.
        solved_to: Relative residual of the linear solves, the largest over all of them.
        applied: To how many vectors F was applied.
    """

    largest: Movie
    error: Movie
    prior_alone: Movie
    solved_to: float
    applied: int

    @property
    def gray_levels(self) -> Movie:
        """The bound in gray levels, of which there are 255 between black and white."""
        return 255 * self.largest


def largest_change(
    around: Linearised,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    weights: Sequence[float] = WEIGHTS,
    draws: int = 8,
    preconditioner: Float[Tensor, "time height width"] | float = 1.0,
    iterations: int = 100,
    tolerance: float = 3e-3,
    seed: Seed,
) -> Bound:
    """For every pixel and frame, ``max |change of the pixel|`` over the changes that are admissible.

    A change ``v`` of the whitened coordinates is admissible where it is ordinary, ``|v|^2 <= c``, and not seen,
    ``v^T F v <= d^2``. As the question is about one number, the pixel, ``c`` is the quantile of one squared
    standard normal: a change by more than 1.96 standard deviations of the prior is not ordinary. A linear function
    over two ellipsoids is a convex problem without duality gap, so with ``b`` the row of ``S`` that makes the pixel

        ``largest^2 = min over w >= 0 of (c + w d^2) b^T (I + w F)^-1 b``:

    every weight ``w`` of the data gives a bound, and the best of them is the maximum. ``w = 0`` is what the prior alone
    allows, which is known exactly, and no bound is larger. The variances come from made-up inferences (`data_share`).

    Args:
        around: Rates taken as linear around one movie. Around one of too little contrast, as a most probable movie is,
            F comes out too large and the bound too tight.
        limits: What is admissible.
        weights: Those that are tried; each costs ``draws`` linear solves.
        draws: Made-up inferences for each weight, a multiple of 4.
        preconditioner: Diagonal estimate of the inverse of ``I + F``.
        iterations: Most steps of conjugate gradients. Too few make the bound too tight; see `Bound.solved_to`.
        tolerance: Residual at which a solve is good enough.
        seed: For the draws.

    Raises:
        WrongUse: there are fewer than 8 draws or no multiple of 4, or the prior is not the spectral one.

    Source: Boyd & Vandenberghe 2004, Convex Optimization, section 5.2.3 (no gap under Slater's condition).
    """
    if draws < 8 or draws % 4:
        raise WrongUse(f"{draws} draws cannot be halved, and each half again; ask for 8, 12, 16 or more.")
    if not isinstance(around.prior, Spectral):
        raise WrongUse("the largest change of a pixel is measured under the spectral prior.")
    prior = limits.ordinary * around.prior.pixel_variance(around.position).cpu()
    halves, solved, applied = [], 0.0, 0
    for half in range(2):
        squares, errors = [], []
        for weight in weights:
            own = weighed(around, weight)
            known = 1 / (1 + weight * (1 / torch.as_tensor(preconditioner).to(around.position) - 1))
            share = data_share(
                own,
                draws=draws // 2,
                preconditioner=known,
                iterations=iterations,
                tolerance=tolerance,
                seed=seed / half,
            )
            price = limits.ordinary + weight * limits.discriminability**2
            squares.append(price * share.posterior_variance)
            errors.append(price * share.prior_variance * share.error)
            solved, applied = max(solved, share.solved_to), applied + own.applied
        halves.append((torch.stack(squares), torch.stack(errors)))
    square, error = _least(halves[0], halves[1])
    largest = torch.minimum(square, prior).sqrt()
    # The error of a root; where it is larger than the root itself, the root of the error.
    return Bound(largest, torch.minimum(error / (2 * largest), error.sqrt()), prior.sqrt(), solved, applied)


def _least(one: tuple[Squares, Squares], other: tuple[Squares, Squares]) -> tuple[Movie, Movie]:
    """The least square over weights, and its error; which weight that is in one half is taken from the other.

    The least of several noisy numbers is too low. One weight is chosen for all frames of a pixel.
    """
    squares, errors = [], []
    for (chosen, _), (taken, scatter) in ((one, other), (other, one)):
        best = chosen.mean(1).argmin(0).expand(1, *chosen.shape[1:])
        squares.append(taken.gather(0, best)[0])
        errors.append(scatter.gather(0, best)[0])
    return (squares[0] + squares[1]) / 2, torch.hypot(errors[0], errors[1]) / 2


def weighed(around: Linearised, weight: float) -> Linearised:
    """The same with a Fisher information that is ``weight`` times as large."""
    own, bands, prior_bands = around.curvature.own, around.curvature.bands, around.curvature.prior_bands
    other = copy.copy(around)
    # All of W - W R A^-1 R^T W, A included, is scaled.
    other.curvature = replace(
        around.curvature,
        own=weight * own,
        bands=None if bands is None else weight * bands,
        prior_bands=None if prior_bands is None else weight * prior_bands,
    )
    other.applied = 0
    return other
