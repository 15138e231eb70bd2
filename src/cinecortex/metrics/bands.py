"""At which spatial and temporal frequencies two movies agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import AnyMovie
from cinecortex.tensors import Mask

ROUNDING = 1e-10
"""A share of all power that single precision may leave in a band where there is nothing."""


def band_agreement(
    first: AnyMovie,
    second: AnyMovie,
    *,
    frame_rate_hz: float,
    temporal_hz: Sequence[float],
    spatial_cycles_per_px: Sequence[float],
    mask: Mask | None = None,
) -> Float[Tensor, "temporal spatial"]:
    """Correlation of two movies in each band of temporal and spatial frequency.

    Both are centred, weighted by the mask and taken to the orthonormal 3-D DCT-II, whose k-th wave along an axis of N
    has ``k / 2N`` cycles per step; spatial frequency is the length of the vector of the two. In a band with waves a and
    b of the two movies the agreement is ``sum(a b) / sqrt(sum(a a) sum(b b))``.

    Args:
        first: A movie, ``time height width``.
        second: The other, of the same size.
        frame_rate_hz: Frames per second.
        temporal_hz: Edges of the temporal bands, rising, in Hz; a band holds its lower edge and not its upper one.
        spatial_cycles_per_px: Edges of the spatial bands.
        mask: Weight of every pixel; a mask with sharp borders smears spatial frequencies.

    Returns:
        -1..1; 0 where one movie has nothing in a band, NaN where neither has.

    Raises:
        WrongUse: the movies differ in size.
    """
    if first.shape != second.shape:
        raise WrongUse(
            f"movies of {tuple(first.shape)} and {tuple(second.shape)} (time height width) cannot be compared in "
            "bands; compare movies of one trial."
        )
    one, two = (_waves(movie, mask) for movie in (first, second))
    frames, height, width = first.shape
    in_time = np.arange(frames) / (2 * frames) * frame_rate_hz
    in_space = np.hypot((np.arange(height) / (2 * height))[:, None], np.arange(width) / (2 * width))
    times = np.digitize(in_time, temporal_hz)
    places = np.digitize(in_space, spatial_cycles_per_px)
    bands = len(temporal_hz), len(spatial_cycles_per_px)
    together, *powers = (_over_bands(product, times, places, *bands) for product in (one * two, one**2, two**2))
    first_power, second_power = (
        np.where(power > ROUNDING * (waves**2).sum(), power, 0.0)
        for power, waves in zip(powers, (one, two), strict=True)
    )
    scale = np.sqrt(first_power * second_power)
    agreement = np.divide(together, scale, out=np.zeros_like(together), where=scale > 0).clip(-1, 1)
    return torch.from_numpy(np.where(first_power + second_power == 0, np.nan, agreement))


def _waves(movie: AnyMovie, mask: Mask | None) -> Float[np.ndarray, "time height width"]:
    weight = torch.ones_like(movie[0]) if mask is None else mask.to(movie)
    weight = weight.double()
    pixels = movie.double()
    mean = (pixels * weight).sum() / (weight.sum() * len(movie)).clamp(min=1e-12)
    waves: np.ndarray = scipy.fft.dctn(((pixels - mean) * weight).cpu().numpy(), norm="ortho")
    return waves


def _over_bands(
    waves: Float[np.ndarray, "time height width"],
    times: Int[np.ndarray, " time"],
    places: Int[np.ndarray, "height width"],
    temporal: int,
    spatial: int,
) -> Float[np.ndarray, "temporal_bands spatial_bands"]:
    """Sum over the waves of each band; what lies outside the edges is left out."""
    in_space = np.stack([waves[:, places == band].sum(1) for band in range(1, spatial)], 1)
    return np.stack([in_space[times == band].sum(0) for band in range(1, temporal)])
