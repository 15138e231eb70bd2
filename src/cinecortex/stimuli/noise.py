"""Gaussian noise with a chosen length in space and in time."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie


def gaussian_noise(
    seed: Seed,
    *,
    length_px: float = 2.0,
    length_s: float = 0.1,
    std: float = 0.15,
    mean_luminance: float = 0.5,
    frames: int = 300,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
) -> Movie:
    """Gaussian noise whose autocorrelation is ``exp(-d^2 / (2 length^2))`` in space and likewise in time.

    White noise is smoothed by Gaussians of ``length / sqrt(2)``; lengths of zero leave it white. Before it is clipped
    to the screen's range it has mean ``mean_luminance`` and standard deviation ``std`` at every pixel.

    Args:
        seed: The stream it is drawn from; same seed, same bits.
        length_px: Length constant in space, in pixels.
        length_s: Length constant in time, in seconds.
        std: Standard deviation of luminance.
        mean_luminance: Mean luminance.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.

    Returns:
        Luminance 0..1, ``time height width``.

    Raises:
        WrongUse: a negative length or spread, or nothing to fill.
    """
    if min(length_px, length_s, std) < 0 or frames < 1 or min(frame_size) < 1:
        raise WrongUse(
            f"noise needs lengths and a spread of zero or more and at least one frame and pixel, not length_px="
            f"{length_px:g}, length_s={length_s:g}, std={std:g}, frames={frames}, frame_size={frame_size}."
        )
    sigma = np.array([length_s * frame_rate_hz, length_px, length_px]) / np.sqrt(2)
    # A margin is filled too and cut off, so that pixels at the border are like all others.
    margin = np.ceil(4 * sigma).astype(int) + 1
    shape = np.array([frames, *frame_size])
    white = seed.numpy().standard_normal(tuple(shape + 2 * margin), dtype=np.float32)
    smooth = gaussian_filter(white, sigma, mode="constant", truncate=4.0)
    kept = smooth[tuple(slice(m, m + n) for m, n in zip(margin, shape, strict=True))]
    impulse = np.zeros(tuple(2 * margin + 1), dtype=np.float64)
    impulse[tuple(margin)] = 1.0
    spread = np.sqrt((gaussian_filter(impulse, sigma, mode="constant", truncate=4.0) ** 2).sum())
    return torch.from_numpy((mean_luminance + std / spread * kept).astype(np.float32)).clamp(0, 1)
