"""How far a single pixel can be off, and neither the prior nor the neurons would object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.identifiability.krylov import space
from cinecortex.identifiability.limits import Limits
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Spectral
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie

WEIGHTS = (0.0, *(2.0**power for power in range(-6, 9)))
"""Weights of the data that are tried; halfway between two of them the bound is at most a few per cent lower."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The largest admissible change of every pixel.

    Attributes:
        largest: In luminance, either way.
        error: Its Monte-Carlo standard error.
        data_share: 1 - posterior variance / prior variance, a by-product, not held within 0..1.
        applied: To how many vectors F was applied.
    """

    largest: Movie
    error: Movie
    data_share: Movie
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
    probes: int = 8,
    steps: int = 30,
    seed: Seed,
) -> Bound:
    """For every pixel and frame, ``max |change of the pixel|`` over the changes that are admissible.

    A change ``v`` of the whitened coordinates is admissible where it is ordinary, ``|v|^2 <= c``, and not seen,
    ``v^T F v <= d^2``. As the question is about one number, the pixel, ``c`` is the quantile of one squared
    standard normal: a change that is more than 1.96 standard deviations of the prior is not ordinary. A linear function
    over two ellipsoids is a convex problem without duality gap, so with ``b`` the row of ``S`` that makes the pixel

        ``largest^2 = min over w >= 0 of (c + w d^2) b^T (I + w F)^-1 b``:

    every ``w`` gives a bound, the best one the maximum. ``w = 0`` is what the prior alone allows. The diagonals come
    from random signs (Hutchinson 1989), what the data take from the prior's known variance for all ``w`` from one Krylov
    space; ``w`` is chosen on one half of the probes and the bound taken from the other, as the least of several
    noisy numbers would be too low.

    Args:
        around: Rates taken as linear around one movie. Around one of too little contrast, as a most probable movie is,
            F comes out too large and the bound too tight.
        like: Whitened coordinates, for their shape and precision.
        limits: What is admissible.
        probes: Random movies of signs, an even number.
        steps: Dimensions of the Krylov space of each.
        seed: For the probes.

    Raises:
        WrongUse: there are fewer than 4 probes or an odd number, or the prior is not the spectral one.

    Source: Boyd & Vandenberghe 2004, Convex Optimization, section 5.2.3 (no gap under Slater's condition).
    """
    if probes < 4 or probes % 2:
        raise WrongUse(f"{probes} probes cannot be halved and compared; ask for 4, 6, 8 or more.")
    if not isinstance(around.prior, Spectral):
        raise WrongUse("the largest change of a pixel is measured under the spectral prior.")
    before, prior = around.applied, around.prior.pixel_variance(like)
    signs = 2 * torch.randint(0, 2, (probes, *like.shape), generator=seed.torch()).to(like) - 1
    white: Tensor = torch.func.vmap(around.prior.whiten)(signs)
    known = space(around.information, white, steps=steps)
    squared_limit, ordinary = limits.discriminability**2, limits.ordinary
    # Per weight and probe: what is left of the prior's variance, whose own estimate from the same signs is taken out.
    plain = signs * around.pixels(white)
    left = torch.stack([prior + signs * around.pixels(known.filtered(weight)) - plain for weight in WEIGHTS])
    factor = torch.tensor([ordinary + weight * squared_limit for weight in WEIGHTS]).to(like)
    squared = factor[:, None, None, None, None] * left
    halves = []
    for chosen, taken in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        best = squared[:, chosen].mean(1).argmin(0)
        halves.append(squared[:, taken].gather(0, best.expand(1, probes // 2, *best.shape))[0])
    each = torch.cat(halves)
    largest = torch.minimum(each.mean(0).clamp_min(0), ordinary * prior).sqrt()
    error = each.std(0) / math.sqrt(probes) / (2 * largest).clamp_min(1e-12)
    share = 1 - left[WEIGHTS.index(1.0)].mean(0) / prior.clamp_min(1e-30)
    return Bound(largest, error, share, around.applied - before)
