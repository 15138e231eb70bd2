"""How much of a grating is data: the data share of one frequency and direction, where the population sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.inversion.linearised import Linearised
from cinecortex.metrics.movies import BURN_IN
from cinecortex.stimuli.gratings import grating_phase
from cinecortex.stimuli.probes import Grating
from cinecortex.tensors import Mask


def grating_share(
    around: Linearised,
    probes: Sequence[Grating],
    *,
    mask: Mask | None = None,
    burn_in: int = BURN_IN,
    preconditioner: Tensor | float = 1.0,
    iterations: int = 60,
    tolerance: float = 1e-3,
) -> list[float]:
    """Data share of what a detector of each grating would measure of the movie, ``1 - posterior / prior variance``.

    The detector is the grating, weighed by the mask and about its own mean there (the mean luminance of a clip is told
    by a few neurons and would leak into low frequencies), rising and falling over the frames after the burn-in as a
    Hann window does: with sharp ends it would hear slow changes, of which movies have far more. With ``w`` such a
    pattern and ``u = S w`` it is ``1 - u (I + F)^-1 u / |u|^2``, variances summed over sine and cosine; one solve for
    each.

    Args:
        around: The posterior, rates taken as linear around one movie.
        probes: Which gratings.
        mask: Weight per pixel; None for all of the screen, most of which a population may not see.
        burn_in: Frames left out at the start; of movies shorter than twice that, half.
        preconditioner: Diagonal estimate of the inverse of ``I + F``.
        iterations: Most steps of conjugate gradients; too few make shares too large.
        tolerance: Residual at which a solve is good enough, relative to its right-hand side.

    Returns:
        A share for each grating; NaN where the prior knows no such variance.

    Raises:
        WrongUse: the prior's coordinates are not white, or the mask counts no pixel.
    """
    if not around.prior.whitened:
        raise WrongUse("data share is measured under a prior of white coordinates, such as the spectral one.")
    like = around.position
    frames, height, width = like.shape
    weight = torch.ones(height, width) if mask is None else mask
    window = weight.to(like).expand(frames, height, width).clone()
    start = min(burn_in, frames // 2)
    window[:start] = 0
    window[start:] *= torch.hann_window(frames - start + 2, periodic=False).to(like)[1:-1, None, None]
    if not bool((window > 0).any()):
        raise WrongUse("the mask counts no pixel; take the mask of this population.")
    shares = []
    for probe in probes:
        phase = grating_phase(
            direction_deg=probe.direction_deg,
            cycles_per_px=probe.cycles_per_px,
            cycles_per_frame=probe.cycles_per_frame,
            frames=frames,
            frame_size=(height, width),
        ).to(like)
        waves = torch.stack([phase.cos(), phase.sin()])
        level = (window * waves).sum((1, 2, 3), keepdim=True) / window.sum()
        right = torch.func.vmap(around.prior.whiten)(window * (waves - level))
        prior = float(right.double().square().sum())
        if prior <= 0:
            shares.append(math.nan)
            continue
        solved = around.solve(right, preconditioner=preconditioner, iterations=iterations, tolerance=tolerance)
        shares.append(1 - float((right.double() * solved.vectors.double()).sum()) / prior)
    return shares
