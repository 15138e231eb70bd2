"""H.264 in an MP4 file: what browsers, slides and phones play."""

from __future__ import annotations

from pathlib import Path

from cinecortex.exports.clip import Clip
from cinecortex.exports.video import encode

NEARLY = {"crf": "4", "preset": "medium"}
EXACT = {"qp": "0", "preset": "medium"}


def write_mp4(path: Path, clip: Clip, *, scale: int | None = None, lossless: bool = False) -> None:
    """Write H.264, nearly exact by default: of noise, its worst case, no level is off by more than a few of 255.

    Args:
        path: The file to write.
        clip: What to write.
        scale: See `encode`.
        lossless: Every level exactly; browsers play it, some players and phones do not (profile High 4:4:4).
    """
    cost = "H.264, lossless" if lossless else f"H.264 at constant quality (crf {NEARLY['crf']}), nearly exact"
    encode(
        path,
        clip,
        kind="mp4",
        encoder="libx264",
        options=EXACT if lossless else NEARLY,
        cost=cost,
        scale=scale,
    )
