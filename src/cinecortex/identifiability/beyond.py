"""What the neurons say of a part of the screen beyond what the prior makes of all the rest of it.

The data share of a pixel, ``1 - posterior variance / prior variance``, does not say which way the data came. Movies are
correlated from one edge of the screen to the other, and whoever has seen the middle knows something of the margin that
no neuron looks at. The two ways are told apart by a question of its own: had somebody told us every pixel but these,
what would the neurons add? Where no neuron looks that is nothing, and all of the data share there was carried across
by the prior.
"""

from __future__ import annotations

import math

import torch

from cinecortex.errors import WrongUse
from cinecortex.identifiability.share import Part
from cinecortex.inversion.conjugate_gradients import Vectors, conjugate_gradients
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

TOLD_TO = 0.02
"""Standard deviation to which the other pixels are told, of the luminance range: five gray levels of 255, each pixel
and frame by itself. What spans many pixels, as nearly all does that the prior carries far, is told much better."""
INNER_ITERATIONS = 2000


def share_beyond(
    around: Linearised,
    part: Mask,
    *,
    told_to: float = TOLD_TO,
    draws: int = 8,
    iterations: int = 60,
    tolerance: float = 1e-2,
    seed: Seed,
) -> Part:
    """Data share of a part of the screen, given the pixels of all the rest.

    ``1 - Var(part | rest, responses) / Var(part | rest)``, variances summed over its pixels and all frames. The rest
    is given by a measurement ``T`` of each of its pixels with noise of ``told_to``. A truth from the prior, known from
    the rest alone, is wrong by ``e``, which has covariance ``(I + T)^-1``; what made-up responses then tell of it,
    ``m = (I + T + F)^-1 (F e + S J^T xi)``, has just what they take from that covariance. The squares of ``m`` over
    those of ``e``, in the part, are the share: without bias in either, and sharp where it is small.

    Args:
        around: The posterior, rates taken as linear around one movie.
        part: Pixels above 0 are asked about, the others are told.
        told_to: Standard deviation of the noise of a told pixel.
        draws: Made-up truths, at least 2.
        iterations: Most applications of F in a solve.
        tolerance: Residual at which a solve is good enough, relative to its right-hand side.
        seed: For the draws.

    Returns:
        The share, with its Monte-Carlo standard error.

    Raises:
        WrongUse: there are less than two draws, the part is none or all of the screen, or the prior is not spectral.
    """
    if draws < 2:
        raise WrongUse(f"{draws} draws cannot tell their own error; ask for at least 2.")
    if not isinstance(around.prior, Spectral):
        raise WrongUse("what the prior carries is told apart under the spectral prior only.")
    prior, like = around.prior, around.position
    inside = part.to(like) > 0
    if bool(inside.all()) or not bool(inside.any()):
        raise WrongUse("there is nothing to tell apart: the part is none or all of the screen.")
    rest = (~inside).to(like)
    precision = 1 / told_to**2
    # Exact for a rest that is all of the screen. Its inverse is what carries the part, and no diagonal.
    diagonal = 1 / (1 + precision * float(rest.mean()) * prior.amplitude(like).square())

    def told(vectors: Vectors) -> Vectors:
        return vectors + precision * torch.func.vmap(prior.whiten)(rest * around.pixels(vectors))

    def from_the_rest(right: Vectors) -> Vectors:
        return conjugate_gradients(
            told, right, preconditioner=diagonal, iterations=INNER_ITERATIONS, tolerance=tolerance / 10
        ).vectors

    truth, noise = (
        torch.randn(draws, *like.shape, generator=(seed / name).torch(), dtype=like.dtype).to(like.device)
        for name in ("prior", "told")
    )
    error = from_the_rest(truth - math.sqrt(precision) * torch.func.vmap(prior.whiten)(rest * noise))
    responses = around.pulled_back(around.curvature.draw(draws, seed / "data"))
    learned = conjugate_gradients(
        lambda vectors: told(vectors) + around.information(vectors),
        around.information(error) + responses,
        preconditioner=from_the_rest,
        iterations=iterations,
        tolerance=tolerance,
    ).vectors
    left, taken = (
        (inside * around.pixels(vectors).square()).flatten(1).sum(1).double() for vectors in (error, learned)
    )
    share = float(taken.mean() / left.mean())
    scatter = float((taken - share * left).std()) / float(left.mean())
    return Part(share, scatter / math.sqrt(draws))
