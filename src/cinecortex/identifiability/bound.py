"""How far a single pixel can be off, and neither the prior nor the neurons would object."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.identifiability.limits import Limits
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie

WEIGHTS = (0.5, 2.0, 8.0, 32.0)
"""Weights of the data that are tried beside 0. The bound is flat around the best one: with a factor of 4 between two
of them it comes out a few per cent too high at most, never too low."""

HALVES = (slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))
"""What is chosen by one half of the draws is taken from the other half."""

LEAST = 0.1
"""Least variance, as a part of what the errors of the draws themselves have."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The largest admissible change of every pixel.

    Attributes:
        largest: In luminance, either way.
        error: Its Monte-Carlo standard error.
        prior_alone: The same where nothing is heard, known exactly.
        residual: What was left of the linear solves, the largest over all of them.
        applied: To how many vectors F was applied.
    """

    largest: Movie
    error: Movie
    prior_alone: Movie
    residual: float
    applied: int

    @property
    def gray_levels(self) -> Movie:
        """The bound in gray levels, of which there are 255 between black and white."""
        return 255 * self.largest


def largest_change(
    around: Linearised,
    *,
    like: Tensor,
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
    allows. The variances come from made-up inferences, see `_left_open`.

    Args:
        around: Rates taken as linear around one movie. Around one of too little contrast, as a most probable movie is,
            F comes out too large and the bound too tight.
        like: Whitened coordinates, for their shape and precision.
        limits: What is admissible.
        weights: Those that are tried beside 0; each costs ``draws`` linear solves.
        draws: Made-up inferences for each weight, an even number.
        preconditioner: Diagonal estimate of the inverse of ``I + F``.
        iterations: Most steps of conjugate gradients. Too few make the bound too tight; see `Bound.residual`.
        tolerance: Residual at which a solve is good enough.
        seed: For the draws.

    Raises:
        WrongUse: there are fewer than 4 draws or an odd number, or the prior is not the spectral one.

    Source: Boyd & Vandenberghe 2004, Convex Optimization, section 5.2.3 (no gap under Slater's condition).
    """
    if draws < 4 or draws % 2:
        raise WrongUse(f"{draws} draws cannot be halved and compared; ask for 4, 6, 8 or more.")
    if not isinstance(around.prior, Spectral):
        raise WrongUse("the largest change of a pixel is measured under the spectral prior.")
    squared_limit, ordinary = limits.discriminability**2, limits.ordinary
    prior = around.prior.pixel_variance(like)
    squares, residual, applied = [(ordinary * prior).expand(draws, *prior.shape)], 0.0, 0
    floors = [ordinary * prior]
    for weight in weights:
        own = weighed(around, weight)
        known = 1 / (1 + weight * (1 / torch.as_tensor(preconditioner).to(like) - 1))
        left, floor, missed = _left_open(own, prior, draws, known, iterations, tolerance, seed)
        squares.append((ordinary + weight * squared_limit) * left)
        floors.append((ordinary + weight * squared_limit) * floor)
        residual, applied = max(residual, missed), applied + own.applied
    stacked, least = torch.stack(squares), torch.stack(floors).amin(0)
    # The least of several noisy numbers is too low: which is least is decided on the other half of the draws, over all
    # frames of a pixel together.
    each = torch.empty_like(stacked[0])
    for chosen, taken in HALVES:
        best = stacked[:, chosen].mean((1, 2)).argmin(0)
        each[taken] = stacked[:, taken].gather(0, best.expand(1, draws // 2, *prior.shape))[0]
    square = torch.minimum(torch.maximum(each.mean(0), least), ordinary * prior)
    largest, scatter = square.sqrt(), each.std(0) / math.sqrt(draws)
    # The error of a root; where it is larger than the root itself, the root of the error.
    error = torch.minimum(scatter / (2 * largest).clamp_min(1e-12), scatter.sqrt())
    return Bound(largest, error, (ordinary * prior).sqrt(), residual, applied)


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


def _left_open(
    around: Linearised, prior: Movie, draws: int, preconditioner: Tensor, iterations: int, tolerance: float, seed: Seed
) -> tuple[Float[Tensor, "draw time height width"], Movie, float]:
    """The posterior variance of every pixel, an estimate without bias from each draw; its least; the solves' residual.

    A truth ``z`` is drawn from the prior, and with it what noisy data would say of it. The error ``e`` of the answer
    has the posterior's covariance, the answer ``m = z - e`` what is missing from it to the prior's. ``e^2`` and
    ``prior - m^2`` both are right on average; the first scatters little where the data say much, the second where they
    say little. Their mean has the weights that suit, taken from the other half of the draws.
    """
    shape = (len(prior), *prior.shape[1:])
    truth = torch.randn(draws, *shape, generator=(seed / "truth").torch(), dtype=prior.dtype).to(prior.device)
    noise = around.pulled_back(around.curvature.draw(draws, seed / "noise"))
    solved = around.solve(truth - noise, preconditioner=preconditioner, iterations=iterations, tolerance=tolerance)
    error = around.pixels(solved.vectors).square()
    told = around.pixels(truth - solved.vectors).square()
    left = torch.empty_like(error)
    for chosen, taken in HALVES:
        known, unknown = told[chosen].mean((0, 1)), error[chosen].mean((0, 1))
        share = known / (known + unknown).clamp_min(1e-30)
        weight = share**2 / (share**2 + (1 - share) ** 2)
        left[taken] = weight * error[taken] + (1 - weight) * (prior - told[taken])
    # What has no bias may fall below 0 by noise; squares of errors do not.
    return left, LEAST * error.mean(0), solved.residual
