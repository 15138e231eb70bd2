"""How well a linear decoder does on select trials, pooled over pixels, frames and clips."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.decoders.normal_equations import Pairs
from cinecortex.tensors import Mask

SCORED_PIXELS = 600
"""A larger movie is scored on every second (third, ...) row and column while settings are chosen."""


def scored_pixels(image: Mask) -> Tensor:
    """Numbers of the pixels that settings are chosen on: a regular grid of at most ``SCORED_PIXELS``."""
    step = math.ceil(math.sqrt(image.numel() / SCORED_PIXELS))
    return torch.arange(image.numel()).reshape(image.shape)[::step, ::step].flatten()


def score_linear(pairs: Pairs, image: Mask, seen: Tensor, weights: Float[Tensor, "feature pixel"]) -> float:
    """Movie correlation pooled over frames, clips and the pixels that are seen; 0 where it is not defined."""
    mean = image.flatten()[seen]
    moments = torch.zeros(5, dtype=torch.float64)
    count = 0
    for inputs, pixels in pairs:
        # Around mid-gray, where sums of squares are smallest.
        said = ((inputs @ weights + mean).clamp_(0.0, 1.0) - 0.5).double()
        true = (pixels[:, seen] + mean - 0.5).double()
        terms = (said, true, said.square(), true.square(), said * true)
        moments += torch.stack([term.sum() for term in terms])
        count += true.numel()
    said_mean, true_mean, said_square, true_square, product = (moments / count).tolist()
    variances = (said_square - said_mean**2) * (true_square - true_mean**2)
    return (product - said_mean * true_mean) / math.sqrt(variances) if variances > 1e-18 else 0.0
