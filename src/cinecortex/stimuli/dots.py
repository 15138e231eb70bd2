"""Moving dots: small bright and dark discs, of which a share goes one way and the others each their own."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie


def moving_dots(
    seed: Seed,
    *,
    dots: int = 24,
    radius_px: float = 2.0,
    speed_px_per_s: float = 20.0,
    direction_deg: float = 0.0,
    coherence: float = 1.0,
    contrast: float = 0.8,
    mean_luminance: float = 0.5,
    frames: int = 300,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
) -> Movie:
    """Discs that move at one speed and come back in at the opposite edge: a random-dot kinematogram.

    Every other disc is bright, ``mean * (1 + contrast)``, the rest dark, ``mean * (1 - contrast)``; a later one covers
    an earlier one. Edges are a pixel wide, so that a disc may move by less than one.

    Args:
        seed: Where the dots are and, of those that do not follow, which way they go; same seed, same bits.
        dots: Number of dots.
        radius_px: Radius of a dot.
        speed_px_per_s: Speed of every dot.
        direction_deg: Where the coherent dots go: 0 rightwards, 90 upwards.
        coherence: Share of the dots that do, 0..1, rounded to whole dots.
        contrast: Michelson contrast of bright and dark dots, 0..1.
        mean_luminance: Luminance of the ground, such that bright dots are not above 1.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.

    Returns:
        Luminance 0..1, ``time height width``.

    Raises:
        WrongUse: a luminance that no screen can show, a share outside 0..1, or nothing to fill.

    Source: Newsome & Paré 1988, J Neurosci 8:2201.
    """
    if not (0 <= contrast <= 1 and mean_luminance >= 0 and mean_luminance * (1 + contrast) <= 1 + 1e-6):
        raise WrongUse(
            f"contrast {contrast:g} about a ground of luminance {mean_luminance:g} leaves the screen's range 0 to 1; "
            f"lower one of them."
        )
    if not 0 <= coherence <= 1 or min(dots, frames, *frame_size) < 1 or not radius_px > 0:
        raise WrongUse(
            f"moving dots need a coherence of 0 to 1, a radius above 0 and at least one dot, frame and pixel, not "
            f"coherence={coherence:g}, radius_px={radius_px:g}, dots={dots}, frames={frames}, frame_size={frame_size}."
        )
    random = seed.numpy()
    height, width = frame_size
    start = torch.from_numpy(random.random((dots, 2))) * torch.tensor([height, width])
    angle = torch.from_numpy(random.random(dots)) * 2 * math.pi
    angle[: round(coherence * dots)] = math.radians(direction_deg)
    step = torch.stack([-torch.sin(angle), torch.cos(angle)], 1) * (speed_px_per_s / frame_rate_hz)
    place = start + torch.arange(frames, dtype=torch.float64)[:, None, None] * step
    # Dealt out anew, so that not all of the coherent dots lie under the others.
    order = random.permutation(dots).tolist()
    movie = torch.full((frames, height, width), mean_luminance, dtype=torch.float64)
    for number, dot in enumerate(order):
        covered = (radius_px + 0.5 - _distance(place[:, dot], frame_size)).clamp(0, 1)
        luminance = mean_luminance * (1 + contrast * (1 - 2 * (number % 2)))
        movie = torch.lerp(movie, torch.full_like(movie, luminance), covered)
    return movie.float().clamp(0, 1)


def _distance(place: Float[Tensor, "time 2"], frame_size: tuple[int, int]) -> Float[Tensor, "time height width"]:
    """Distance of every pixel from a point, the shorter way round where the frame's edges are joined."""
    sides = []
    for axis, length in enumerate(frame_size):
        along = (torch.arange(length, dtype=torch.float64) - place[:, axis : axis + 1]).remainder(length)
        sides.append(torch.minimum(along, length - along))
    return torch.hypot(sides[0][:, :, None], sides[1][:, None, :])
