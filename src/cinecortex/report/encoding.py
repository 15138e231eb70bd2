"""Movies as text: 8-bit luminance, deflated, base64; exact to the rounding."""

import base64
import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from cinecortex.tensors import Movie

Frames = UInt8[np.ndarray, "time height width"]


@dataclass(frozen=True)
class Blob:
    """One packed movie.

    Attributes:
        id: Digest of the content, so that a movie shown twice is stored once.
        text: Base64 of the zlib stream.
        coding: ``plain``; ``time``, every frame as its difference to the one before; or ``both``, these differences as
            differences to the left neighbor. All modulo 256, so nothing is lost.
    """

    id: str
    text: str
    coding: str


def eight_bit(movie: Movie) -> Frames:
    """Luminance clipped to 0..1 and rounded to the nearest of 256 levels (halves to even)."""
    levels = movie.detach().double().clamp(0, 1).mul(255).round()
    return np.asarray(levels.to(torch.uint8).cpu().numpy())


def pack(frames: Frames) -> Blob:
    """The frames as text, in the shortest of the three codings: noise is shortest plain, smooth movies differenced."""
    time = frames.copy()
    time[1:] -= frames[:-1]
    both = time.copy()
    both[:, :, 1:] -= time[:, :, :-1]
    codings = {"plain": frames, "time": time, "both": both}
    # Higher levels gain little and take much longer.
    streams = {name: zlib.compress(np.ascontiguousarray(f).tobytes(), 6) for name, f in codings.items()}
    coding = min(streams, key=lambda name: len(streams[name]))
    digest = hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()[:16]
    return Blob(id=f"movie-{digest}", text=base64.b64encode(streams[coding]).decode(), coding=coding)


def outline(pixels: Bool[Tensor, "height width"]) -> str:
    """The border of the chosen pixels as SVG path data, one unit per pixel."""
    padded = np.pad(pixels.cpu().numpy().astype(np.int8), 1)
    across = [f"M{x} {y}h1" for y, x in np.argwhere(np.diff(padded, axis=0)[:, 1:-1])]
    down = [f"M{x} {y}v1" for y, x in np.argwhere(np.diff(padded, axis=1)[1:-1])]
    return "".join(across + down)
