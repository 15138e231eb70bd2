"""Movies as text: 8-bit luminance, predicted, deflated, base64; exact to the rounding."""

import base64
import hashlib
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int32, UInt8
from torch import Tensor

from cinecortex.tensors import Movie

Frames = UInt8[np.ndarray, "time height width"]
Bytes = UInt8[np.ndarray, "_"]
Weights = tuple[tuple[int, int], ...]
Line = tuple[float, float]
"""Slope and offset that take a gray level to another."""

GRAY = 128
WEIGHT_BITS = 12
ONE = 1 << WEIGHT_BITS
"""Weights of the prediction are whole numbers of 1/4096."""
FITTED_PIXELS = 1 << 16
"""More to fit the weights to changes nothing."""
NEIGHBORS = (
    *((0, 0, 1), (0, 0, 2), (0, 1, -1), (0, 1, 0), (0, 1, 1), (0, 2, 0)),
    *((1, 0, 0), (1, 0, -1), (1, 0, 1), (1, -1, 0), (1, 1, 0), (1, -1, -1), (1, -1, 1), (1, 1, -1), (1, 1, 1)),
    *((2, 0, 0), (3, 0, 0)),
)
"""What a pixel is predicted from: so many frames, rows and columns before it."""


@dataclass(frozen=True)
class Blob:
    """One packed movie.

    Attributes:
        id: Digest of the content, so that a movie shown twice is stored once.
        text: Base64 of the zlib stream of what the prediction left over, modulo 256, in the order stored.
        weights: What a pixel is predicted from: how many pixels back in the order stored, and the weight, in 1/4096.
            Pixels before the first count as 0; the sum is rounded to the nearest level, halves up.
        paired: Whether what was left over lies two to a byte (`_paired`).
    """

    id: str
    text: str
    weights: Weights
    paired: bool

    @property
    def packing(self) -> dict[str, Any]:
        """What the browser must know to unpack the text."""
        return {"weights": self.weights, "paired": self.paired}


def eight_bit(movie: Movie, *, top: float = 1.0) -> Frames:
    """Luminance clipped to 0..``top`` and rounded to the nearest of 256 levels (halves to even)."""
    levels = movie.detach().double().div(top).clamp(0, 1).mul(255).round()
    return np.asarray(levels.to(torch.uint8).cpu().numpy())


def fade(frames: Frames, share: Frames) -> Frames:
    """What a panel with a data share shows: mid gray where the share is 0, the frames as they are where it is 255.

    ``128 + (frame - 128) * share / 255``, to the nearest level, by whole numbers: the browser does the same.
    """
    distance = (frames.astype(np.int32) - GRAY) * share.astype(np.int32)
    return (GRAY + (distance + 127) // 255).astype(np.uint8)


def contrast_line(frames: Frames, truth: Frames, counted: Bool[np.ndarray, "time height width"]) -> Line:
    """The line that gives ``frames`` the mean and the standard deviation of ``truth`` over the pixels counted.

    Frames without contrast keep slope 1; where nothing counts they stay as they are.
    """
    mean, spread = _mean_and_spread(frames[counted])
    true_mean, true_spread = _mean_and_spread(truth[counted])
    slope = true_spread / spread if spread > 0 else 1.0
    return slope, true_mean - slope * mean


def matched(frames: Frames, line: Line) -> Frames:
    """What a panel shows while its contrast is matched: to the nearest level (halves up), clipped to 0..255."""
    slope, offset = line
    levels = np.floor(slope * np.arange(256) + offset + 0.5).clip(0, 255).astype(np.uint8)
    return np.asarray(levels[frames])


def pack(frames: Frames) -> Blob:
    """The frames as text.

    Every pixel is predicted from its neighbors in time and space, and what is left over is deflated. Weights are tried
    in three ways: the frame before; the frame before, moved as the left neighbor moved; and fitted to this movie by
    least squares. The shortest is kept.
    """
    pixels = np.ascontiguousarray(frames).reshape(-1)
    size = frames.shape[1] * frames.shape[2]
    before, moved = ((size, ONE),), ((1, ONE), (size, ONE), (size + 1, -ONE))
    streams = []
    for weights in (before, moved, _fitted(pixels, frames.shape[1], frames.shape[2])):
        residues = _residues(pixels, weights)
        streams.append((len(_deflated(residues)), weights, residues))
    _, weights, residues = min(streams, key=lambda stream: stream[0])
    paired, stream = min(
        ((p, _deflated(_paired(residues) if p else residues)) for p in (False, True)), key=lambda s: len(s[1])
    )
    digest = hashlib.sha256(repr(frames.shape).encode() + pixels.tobytes()).hexdigest()[:16]
    return Blob(f"movie-{digest}", base64.b64encode(stream).decode(), weights, paired)


def outline(pixels: Bool[Tensor, "height width"]) -> str:
    """The border of the chosen pixels as SVG path data, one unit per pixel."""
    padded = np.pad(pixels.cpu().numpy().astype(np.int8), 1)
    across = [f"M{x} {y}h1" for y, x in np.argwhere(np.diff(padded, axis=0)[:, 1:-1])]
    down = [f"M{x} {y}v1" for y, x in np.argwhere(np.diff(padded, axis=1)[1:-1])]
    return "".join(across + down)


def data_link(text: str, kind: str) -> str:
    """The text as an address that holds it whole, such as ``data:application/json;base64,...``."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def _residues(pixels: Bytes, weights: Weights) -> Bytes:
    farthest = max(distance for distance, _ in weights)
    padded = _padded(pixels, farthest)
    predicted = np.full(pixels.size, ONE // 2, np.int32)
    for distance, weight in weights:
        predicted += weight * padded[farthest - distance : padded.size - distance]
    return pixels - (predicted >> WEIGHT_BITS).astype(np.uint8)


def _fitted(pixels: Bytes, height: int, width: int) -> Weights:
    # In very small frames some neighbors coincide, and some lie ahead.
    back = sorted({d for t, y, x in NEIGHBORS if (d := (t * height + y) * width + x) > 0})
    padded = _padded(pixels, back[-1])
    # The golden ratio spreads few pixels evenly over all, in step with neither rows nor frames.
    few = min(pixels.size, FITTED_PIXELS)
    chosen = (np.arange(few) * ((math.sqrt(5) - 1) / 2) % 1 * pixels.size).astype(np.int64) + back[-1]
    known = padded[chosen[:, None] - np.array(back)].astype(np.float64)
    # Sums of products of whole numbers: exact in whatever order they are added up.
    products, answers = known.T @ known, known.T @ padded[chosen].astype(np.float64)
    products[np.diag_indices(len(back))] += 1e-3 * few + 1.0  # neighbors may all be equal
    weights = np.rint(np.linalg.solve(products, answers) * ONE).astype(int).tolist()
    return tuple((distance, weight) for distance, weight in zip(back, weights, strict=True) if weight) or ((1, 0),)


def _padded(pixels: Bytes, number: int) -> Int32[np.ndarray, "_"]:
    return np.concatenate([np.zeros(number, np.int32), pixels.astype(np.int32)])


def _paired(residues: Bytes) -> Bytes:
    """Two residues to a byte, because deflate spends a whole bit on the commonest byte.

    Residues are numbered by size (0, -1, 1, -2, ...). Numbers below 15 take half a byte, the first of two the upper
    half; 15 in its place says that the number follows, as a whole byte, behind all pairs.
    """
    signed = residues.astype(np.int8)
    numbers = ((signed << 1) ^ (signed >> 7)).astype(np.uint8)
    halves = np.minimum(numbers, 15)
    halves = np.concatenate([halves, np.zeros(halves.size % 2, np.uint8)])
    return np.concatenate([halves[0::2] << 4 | halves[1::2], numbers[numbers >= 15]])


def _deflated(content: Bytes) -> bytes:
    # What is left over repeats itself in runs only; to look for more takes long and misleads.
    stream = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return stream.compress(content.tobytes()) + stream.flush()


def _mean_and_spread(levels: UInt8[np.ndarray, " counted"]) -> tuple[float, float]:
    if not levels.size:
        return 0.0, 0.0
    wide = levels.astype(np.int64)
    total, squares = int(wide.sum()), int((wide * wide).sum())
    return total / wide.size, math.sqrt(squares * wide.size - total * total) / wide.size
