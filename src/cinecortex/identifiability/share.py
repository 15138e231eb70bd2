"""How much of every pixel is data, ``1 - posterior variance / prior variance``: from Fisher information or draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.sample import smoothed
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

LEAST_LEFT = 0.1
"""Least posterior variance, as a part of what the draws themselves have: an unbiased one may fall below 0 by noise."""


@dataclass(frozen=True)
class Part:
    """A Monte-Carlo mean with its standard error."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class DataShare:
    """Data share of every pixel and frame, and what it rests on.

    Attributes:
        movie: ``1 - posterior variance / prior variance``, without bias: noise may take it below 0 or above 1, and
            clipping it would bias every mean over it. Clip it to look at it, not to average it.
        error: Monte-Carlo standard error of each pixel.
        prior_variance: Of every pixel.
        posterior_variance: Of every pixel; above 0 everywhere, and so with a little bias where almost all is data.
        taken: For every draw the variance that the data take from a pixel, summed over frames; without bias.
        residual: For every draw the squared error of a pixel, summed over frames.
        solved_to: Relative residual of the linear solves, the largest over draws.
    """

    movie: Movie
    error: Movie
    prior_variance: Movie
    posterior_variance: Movie
    taken: Float[Tensor, "draw height width"]
    residual: Float[Tensor, "draw height width"]
    solved_to: float

    @property
    def over_time(self) -> Mask:
        """Data share of every pixel over all frames: variance is averaged before shares are taken."""
        return self.taken.mean(0) / self.prior_variance.sum(0)

    @property
    def over_time_error(self) -> Mask:
        """Its standard error."""
        return self.taken.std(0) / math.sqrt(len(self.taken)) / self.prior_variance.sum(0)

    def within(self, mask: Mask | None = None) -> Part:
        """Data share of the movie, or of the part of it that a mask weighs: variances are summed before the ratio."""
        weight = torch.ones_like(self.taken[0]) if mask is None else mask.to(self.taken)
        prior = float((weight * self.prior_variance.sum(0)).sum())
        each = (weight * self.taken).sum((1, 2)).double() / prior
        return Part(float(each.mean()), float(each.std()) / math.sqrt(len(each)))


def data_share(
    around: Linearised,
    *,
    draws: int = 16,
    preconditioner: Tensor | float = 1.0,
    iterations: int = 12,
    tolerance: float = 3e-3,
    seed: Seed,
) -> DataShare:
    """Data share of every pixel and frame, from inferences made up from the Fisher information.

    A truth ``z`` is drawn from the prior and scores ``F z + S J^T xi`` from the data that it would give. One solve
    splits the truth in two: its error ``e = (I + F)^-1 (z - S J^T xi)`` has the posterior's covariance, and what is
    told of it, ``m = z - e``, independent of the error, has what the data take from the prior's covariance. In every
    pixel ``m^2`` is a measure of the variance that is taken and ``prior - e^2`` another one, and neither has any bias.
    Their scatter is ``2 share^2`` and ``2 (1 - share)^2``: the first is sharp where nothing is known and the second
    where almost everything is, and the mean of the two with inverse variances as weights is never worse than
    ``1 / (2 sqrt(draws))``. The weights of one half of the draws come from the other half, so that they add no bias.

    Random signs over pixels (Hutchinson's estimate of a diagonal) cost the same solves. They scatter with what is
    beside the diagonal, and movies are correlated over many pixels and frames: see docs/results/information.md.

    Args:
        around: The posterior, rates taken as linear around one movie.
        draws: How many; an even number, at least 4.
        preconditioner: Diagonal estimate of the inverse of ``I + F``.
        iterations: Most steps of conjugate gradients.
        tolerance: Residual at which a solve is good enough, relative to its right-hand side.
        seed: For the draws.

    Raises:
        WrongUse: there are too few draws, or the prior's variance in pixels is not known.

    Source: Papandreou & Yuille 2010, NIPS (a draw is the error of a made-up inference).
    """
    if draws < 4 or draws % 2:
        raise WrongUse(f"{draws} draws cannot be halved with a spread in each half; ask for an even number from 4 on.")
    if not isinstance(around.prior, Spectral):
        raise WrongUse("the data share of a pixel needs a prior whose variance in pixels is known: the spectral one.")
    like = around.position
    truth = torch.randn(draws, *like.shape, generator=(seed / "prior").torch(), dtype=like.dtype).to(like.device)
    if not bool(around.curvature.own.any()):
        preconditioner = 1.0  # With nothing heard the answer is the truth itself, and one step finds exactly that.
    noise = around.pulled_back(around.curvature.draw(draws, seed / "data"))
    solved = around.solve(truth - noise, preconditioner=preconditioner, iterations=iterations, tolerance=tolerance)
    left = around.pixels(solved.vectors).square()
    told = around.pixels(truth - solved.vectors).square()
    prior = around.prior.pixel_variance(like)
    halves = told.chunk(2), left.chunk(2)
    taken, weights = [], []
    for own in (0, 1):
        weight = _weight(halves[0][1 - own].mean(0), halves[1][1 - own].mean(0))
        taken.append(weight * halves[0][own] + (1 - weight) * (prior - halves[1][own]))
        weights.append(weight)
    every = torch.cat(taken)
    share = every.mean(0) / prior
    known = _smooth_share(told.mean(0), left.mean(0))
    scatter = [weight**2 * known**2 + (1 - weight) ** 2 * (1 - known) ** 2 for weight in weights]
    return DataShare(
        movie=share.cpu(),
        error=((scatter[0] + scatter[1]) / draws).sqrt().cpu(),
        prior_variance=prior.cpu(),
        posterior_variance=torch.maximum(prior - every.mean(0), LEAST_LEFT * left.mean(0)).cpu(),
        taken=every.sum(1).cpu(),
        residual=left.sum(1).cpu(),
        solved_to=solved.residual,
    )


def _smooth_share(told: Movie, left: Movie) -> Movie:
    told, left = smoothed(told), smoothed(left)
    return told / (told + left).clamp_min(1e-30)


def _weight(told: Movie, left: Movie) -> Movie:
    """Of the square of what is told, against the prior less the square of the error."""
    share = _smooth_share(told, left)
    return (1 - share) ** 2 / (share**2 + (1 - share) ** 2)


@dataclass(frozen=True)
class Agreement:
    """Two measurements of the same data share.

    Attributes:
        correlation: Over pixels and frames; the noise of both lowers it.
        correlation_over_time: Over pixels, variances averaged over frames first: hardly any noise is left.
        difference: Data share from draws less that from the Fisher information, of the whole movie.
        difference_error: Its Monte-Carlo standard error.
    """

    correlation: float
    correlation_over_time: float
    difference: float
    difference_error: float


def share_of_draws(drawn: Reconstruction, prior: Spectral) -> Movie:
    """Data share from the spread of posterior draws, as `Sample` gives it.

    Raises:
        WrongUse: the reconstruction has no spread.
    """
    if drawn.std is None:
        raise WrongUse("the reconstruction has no spread; ask `sample` for one.")
    return 1 - drawn.std**2 / prior.pixel_variance(drawn.std)


def agreement(fisher: DataShare, drawn: Reconstruction, prior: Spectral, *, draws: int) -> Agreement:
    """How far the two ways to a data share agree.

    Args:
        fisher: From the Fisher information.
        drawn: Posterior draws of the same observation.
        prior: The prior of both.
        draws: How many draws the spread of ``drawn`` comes from.

    Raises:
        WrongUse: the reconstruction has no spread.
    """
    other = share_of_draws(drawn, prior)
    variance = fisher.prior_variance
    maps = (other * variance).sum(0), fisher.taken.mean(0)
    own = fisher.within()
    # What draws scatter by is known from the errors of the made-up inferences, which are draws too.
    each = fisher.residual.sum((1, 2)).double() / float(variance.sum())
    return Agreement(
        correlation=_correlation(other, fisher.movie),
        correlation_over_time=_correlation(maps[0] / variance.sum(0), maps[1] / variance.sum(0)),
        difference=float(maps[0].sum() / variance.sum()) - own.value,
        difference_error=math.hypot(own.error, float(each.std()) / math.sqrt(draws)),
    )


def _correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]).double())[0, 1])
