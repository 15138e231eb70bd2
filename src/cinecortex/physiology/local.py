"""Gratings through a small window around each receptive field, so that surrounds and normalisation are not stirred."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.physiology.gratings import GratingResponses, Progress, show_gratings


def show_gratings_nearby(
    encoder: Encoder,
    centre_px: Float[Tensor, "neuron 2"],
    *,
    aperture_px: float,
    progress: Progress | None = None,
    **options: Any,
) -> GratingResponses:
    """Show gratings through round Gaussian windows and keep, of every neuron, the answer to the nearest window.

    The windows stand on a lattice one standard deviation apart, so that none is further from a neuron than 0.7 of one.
    Windows nearest to no neuron are not shown.

    Args:
        encoder: Any encoder.
        centre_px: Row and column of every receptive field; a neuron without one (NaN) counts as central.
        aperture_px: Standard deviation of a window.
        progress: Told after every batch.
        options: Others of `show_gratings`.

    Raises:
        WrongUse: the window has no size; and what `show_gratings` refuses.
    """
    if not 0 < aperture_px < math.inf:
        raise WrongUse(f"an aperture of {aperture_px:g} px shows nothing; give its standard deviation in pixels.")
    height, width = encoder.frame_size
    rows, columns = _lattice(height, aperture_px), _lattice(width, aperture_px)
    places = torch.cartesian_prod(rows, columns)
    middle = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    known = torch.where(torch.isfinite(centre_px), centre_px, middle)
    nearest = torch.cdist(known, places).argmin(1)
    row, column = torch.arange(float(height)), torch.arange(float(width))
    parts = []
    used = sorted(set(nearest.tolist()))
    for number, place in enumerate(used):
        down = torch.exp(-0.5 * ((row - places[place, 0]) / aperture_px) ** 2)
        across = torch.exp(-0.5 * ((column - places[place, 1]) / aperture_px) ** 2)
        shown = show_gratings(
            encoder, window=down[:, None] * across, progress=_part(progress, number, len(used)), **options
        )
        here = nearest == place
        parts.append((here, shown.mean[here], shown.modulation[here]))
    mean, modulation = torch.zeros_like(shown.mean), torch.zeros_like(shown.modulation)
    for here, its_mean, its_modulation in parts:
        mean[here], modulation[here] = its_mean, its_modulation
    return replace(shown, mean=mean, modulation=modulation)


def _part(progress: Progress | None, number: int, of: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, message: progress(number * total + done, of * total, message)


def _lattice(size: int, spacing: float) -> Float[Tensor, " place"]:
    count = max(1, math.ceil(size / spacing))
    return (torch.arange(count) + 0.5) * size / count - 0.5
