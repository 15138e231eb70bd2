"""TIFF: a stack that ImageJ opens with its time axis, of exact levels or of the stored numbers themselves."""

from __future__ import annotations

from pathlib import Path

import tifffile

from cinecortex.exports.clip import Clip
from cinecortex.exports.enlarging import enlarged
from cinecortex.exports.provenance import provenance


def write_tiff(path: Path, clip: Clip, *, scale: int | None = None, bits: int = 8) -> None:
    """Write an ImageJ hyperstack of axes time, height and width, with the frame interval in seconds.

    Args:
        path: The file to write.
        clip: What to write.
        scale: Times that a pixel is enlarged; None leaves it as it is.
        bits: 8 for gray levels, 32 for the numbers that the result holds, bit for bit.
    """
    by = scale or 1
    values = clip.levels if bits == 8 else clip.values
    pixels = clip.scale if bits == 8 else f"{clip.variable} as stored, float32; drawn from 0 to {clip.top:g}"
    told = provenance("tiff", clip.facts, pixels=f"{pixels}; each pixel {by}x{by}")
    tifffile.imwrite(
        path,
        enlarged(values, by),
        imagej=True,
        photometric="minisblack",
        metadata={
            "axes": "TYX",
            "finterval": 1 / clip.frame_rate_hz,
            "fps": clip.frame_rate_hz,
            "tunit": "sec",
            "loop": False,
            "min": 0.0,
            "max": 255.0 if bits == 8 else clip.top,
            "Info": told,
        },
    )
