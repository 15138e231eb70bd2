"""What the neurons' residuals share: directions from many clips, their strength from clips held out from the fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import SharedGain
from cinecortex.metrics.residuals import correlation_time
from cinecortex.seeds import Seed
from cinecortex.tensors import PerNeuron, Response

MOST_FACTORS = 4
NEURONS_PER_FACTOR = 10
LEAST_VARIANCE = 1.5
"""A factor counts when its variance on held-out clips is this many times that of a neuron's own noise."""
MOST_LOADING = 2.0
"""Of the log-rate per unit of a factor. A neuron that hardly fires says too little to be given a larger one."""

Pairs = Sequence[tuple[Response, Response]]


def measure_shared_gain(
    fitted: Pairs, held_out: Pairs, dispersion: PerNeuron, own_time: PerNeuron
) -> SharedGain | None:
    """Gains that the neurons share, or None where held-out clips show none.

    The directions are the leading principal components of the standardised residuals ``(y - r) / sqrt(dispersion r)``
    of clips that the encoder was fitted to: many clips are needed to find a direction among thousands, and a direction
    is hardly spoilt by the fit. How strong each is and how long it lasts is measured on held-out clips alone, where
    neither the encoder nor the direction was chosen. Of independent neurons every direction has the same variance.

    Args:
        fitted: Rate and response of clips that were fitted to, ``time neuron`` each.
        held_out: The same of clips that were not.
        dispersion: Residual variance over rate, ``neuron``.
        own_time: Correlation time of the residuals, in frames, ``neuron``.
    """
    count = min(MOST_FACTORS, len(dispersion) // NEURONS_PER_FACTOR)
    if not count or not fitted:
        return None
    directions = _principal(_residuals(fitted, dispersion), count)
    residuals = _residuals(held_out, dispersion)
    courses = [clip @ directions for clip in residuals]
    own = torch.cat(residuals).square().mean()
    variance = torch.cat(courses).square().mean(0) / own
    kept = int((variance > LEAST_VARIANCE).long().cumprod(0).sum())
    if not kept:
        return None
    mean_rate = torch.cat([rate for rate, _ in held_out]).mean(0)
    excess = variance[:kept] - 1
    strength = (excess * own).sqrt()
    # Variance times correlation time adds up over independent parts: what the neurons' own noise puts in is taken out.
    lasting = (variance[:kept] * _lasting([course[:, :kept] for course in courses]) - own_time.median()) / excess
    # A residual of one standard deviation is this change of the log-rate.
    scale = (dispersion / mean_rate.clamp_min(1e-9)).sqrt()[:, None]
    loading = directions[:, :kept] * strength * scale
    return SharedGain(loading.clamp(-MOST_LOADING, MOST_LOADING), lasting.clamp_min(1.0))


def without_shared_gain(pairs: Pairs, gain: SharedGain, dispersion: PerNeuron) -> list[tuple[Response, Response]]:
    """The same rates, and responses from whose residuals the directions of the shared gain were taken out."""
    mean_rate = torch.cat([rate for rate, _ in pairs]).mean(0)
    directions, _ = torch.linalg.qr(gain.loading * (mean_rate / dispersion).sqrt()[:, None])
    cleaned = []
    for (rate, response), residual in zip(pairs, _residuals(pairs, dispersion), strict=True):
        shared = residual @ directions @ directions.T
        cleaned.append((rate, response - shared * (dispersion * rate).sqrt()))
    return cleaned


def _residuals(pairs: Pairs, dispersion: PerNeuron) -> list[Response]:
    """Standardised residuals; zero where nothing was recorded."""
    return [((y - r) / (dispersion * r).sqrt()).nan_to_num(0.0, 0.0, 0.0) for r, y in pairs]


def _principal(residuals: Sequence[Response], count: int) -> Float[Tensor, "neuron factor"]:
    """Leading principal directions by subspace iteration: the covariance of thousands of neurons is never formed."""
    start = torch.randn(residuals[0].shape[1], count + 4, generator=Seed(0).torch())
    basis, _ = torch.linalg.qr(start)
    for _ in range(12):
        product = sum((clip.T @ (clip @ basis) for clip in residuals), torch.zeros_like(basis))
        basis, _ = torch.linalg.qr(product)
    inner = sum(((clip @ basis).T @ (clip @ basis) for clip in residuals), torch.zeros(basis.shape[1], basis.shape[1]))
    _, turn = torch.linalg.eigh(inner)
    directions: Tensor = basis @ turn.flip(1)[:, :count]
    return directions


def _lasting(courses: Sequence[Float[Tensor, "_ factor"]]) -> Float[Tensor, " factor"]:
    """Correlation time of each factor, in frames."""
    # Around a rate of one a residual is a residual: the shared courses need no other estimator than single neurons.
    one = [torch.ones_like(course) for course in courses]
    return correlation_time(one, [1 + course for course in courses], burn_in=0).float()
