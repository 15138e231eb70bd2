"""PNG: a contact sheet, frames side by side with their times."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from cinecortex.exports.clip import Clip
from cinecortex.exports.enlarging import enlarged
from cinecortex.exports.provenance import provenance

FRAMES, COLUMNS = 20, 5
TILE_PX = 256
"""A frame is drawn about this wide."""
GAP, LINE, TEXT_PX = 8, 20, 14
PAPER, INK = 255, 0


def write_png(path: Path, clip: Clip, *, scale: int | None = None) -> None:
    """Write 20 frames (of shorter clips, all) evenly through the clip, in reading order, each with its time.

    Args:
        path: The file to write.
        clip: What to write.
        scale: Times that a pixel is enlarged; None for about 256 px a frame.
    """
    frames, height, width = clip.values.shape
    shown = np.unique(np.linspace(0, frames - 1, min(FRAMES, frames)).round().astype(int))
    by = scale or max(1, TILE_PX // width)
    tiles = enlarged(clip.levels[shown], by)
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    across, down = width * by + GAP, height * by + LINE
    font = ImageFont.load_default(TEXT_PX)
    sheet_width = max(columns * across, math.ceil(font.getlength(clip.title)) + GAP) + GAP
    sheet = Image.new("L", (sheet_width, rows * down + LINE + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP // 2), clip.title, fill=INK, font=font)
    for place, (frame, tile) in enumerate(zip(shown, tiles, strict=True)):
        left, top = GAP + place % columns * across, GAP + LINE + place // columns * down
        sheet.paste(Image.fromarray(tile), (left, top))
        draw.text((left, top + height * by), f"{frame / clip.frame_rate_hz:.2f} s", fill=INK, font=font)
    known = PngInfo()
    known.add_itxt("Title", clip.title)
    told = provenance(
        "png", clip.facts, pixels=f"{clip.scale}; each pixel {by}x{by}, not smoothed", frames_shown=shown.tolist()
    )
    known.add_itxt("Comment", told)
    sheet.save(path, format="PNG", pnginfo=known)
