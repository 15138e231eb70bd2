"""AV1 in an MP4 file: smaller than H.264, and free of patents; browsers play it."""

from __future__ import annotations

import os
from pathlib import Path

from cinecortex.exports.clip import Clip
from cinecortex.exports.video import encode

NEARLY = {"crf": "10", "preset": "8"}
EXACT = {"svtav1-params": "lossless=1", "preset": "8"}


def write_av1(path: Path, clip: Clip, *, scale: int | None = None, lossless: bool = False) -> None:
    """Write AV1, nearly exact by default: levels may be off by several of 255.

    Args:
        path: The file to write.
        clip: What to write.
        scale: See `encode`.
        lossless: Every level exactly.
    """
    os.environ.setdefault("SVT_LOG", "0")  # it would write its settings over a progress bar, and beside our errors
    cost = "AV1, lossless" if lossless else f"AV1 at constant quality (crf {NEARLY['crf']})"
    encode(
        path,
        clip,
        kind="av1",
        encoder="libsvtav1",
        options=EXACT if lossless else NEARLY,
        cost=cost,
        scale=scale,
    )
