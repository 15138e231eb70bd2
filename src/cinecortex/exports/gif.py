"""GIF: plays everywhere, also where no video does. Its 256 colors are the 256 gray levels, so every level is exact."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from cinecortex.exports.clip import Clip
from cinecortex.exports.enlarging import enlarged, times
from cinecortex.exports.provenance import provenance

TICKS_HZ = 100
"""Durations in a GIF are whole hundredths of a second."""
LONGEST_PX = 256
"""Smaller than a video by default: a GIF of one clip is otherwise several megabytes."""
LEAST_TICKS = 2
"""Browsers show frames of a shorter duration much longer."""
_HEADER, _FLAGS = 13, 10
_PALETTE_SIZE = {0x80: 6}
"""Bytes of the smallest palette, two colors, where the flag says that there is one."""
_COMMENT, _BLOCK = b"\x21\xfe", 255


def write_gif(path: Path, clip: Clip, *, scale: int | None = None) -> None:
    """Write every frame with all its levels, and each at its time to the nearest hundredth of a second.

    30 Hz has no duration of its own in a GIF: frames last 3, 4, 3, 3, 4, 3, ... hundredths, so that none is shown more
    than half a hundredth early or late and the clip has its true length. Faster than 50 Hz cannot be shown; such clips
    keep every frame and play slower. What was done is said in the comment of the file.

    Args:
        path: The file to write.
        clip: What to write.
        scale: Times that a pixel is enlarged; None for what can be watched.
    """
    by = times(scale, clip.values.shape[1:], longest_px=LONGEST_PX)
    levels = enlarged(clip.levels, by)
    starts, timing = _schedule(len(levels), clip.frame_rate_hz)
    with av.open(str(path), "w", format="gif", options={"loop": "0", "final_delay": _last(starts)}) as container:
        stream = container.add_stream("gif", rate=TICKS_HZ)
        stream.height, stream.width, stream.pix_fmt = *levels.shape[1:], "gray"
        stream.codec_context.time_base = Fraction(1, TICKS_HZ)
        for start, level in zip(starts, levels, strict=False):  # the last start is the end
            frame = av.VideoFrame.from_ndarray(level, format="gray")
            frame.pts, frame.time_base = start, Fraction(1, TICKS_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    told = provenance(
        "gif", clip.facts, pixels=f"{clip.scale}; each pixel {by}x{by}, not smoothed; exact", timing=timing
    )
    _comment(path, told)


def _schedule(frames: int, rate_hz: float) -> tuple[list[int], str]:
    """When each frame starts, and when the last one ends, in hundredths of a second; and that in words."""
    if TICKS_HZ / rate_hz < LEAST_TICKS:
        slower = rate_hz * LEAST_TICKS / TICKS_HZ
        return list(range(0, LEAST_TICKS * (frames + 1), LEAST_TICKS)), (
            f"slower than it was by a factor of {slower:.3g}: {rate_hz:g} Hz is more than a GIF can show"
        )
    starts = [round(number * TICKS_HZ / rate_hz) for number in range(frames + 1)]
    if len({after - before for before, after in pairwise(starts)}) == 1:
        return starts, f"every frame lasts {starts[1]} hundredths of a second"
    return starts, f"durations alternate so that {rate_hz:g} Hz is kept to half a hundredth of a second"


def _last(starts: list[int]) -> str:
    return str(starts[-1] - starts[-2])


def _comment(path: Path, text: str) -> None:
    """Put a comment after the header and its palette, in blocks of at most 255 bytes, each after its length.

    Source: the GIF89a specification, sections 18 (logical screen descriptor), 19 (global color table), 24 (comment).
    """
    content, told = path.read_bytes(), text.encode("ascii")
    palette = _PALETTE_SIZE.get(content[_FLAGS] & 0x80, 0) << (content[_FLAGS] & 0x07)
    place = _HEADER + palette
    blocks = [told[start : start + _BLOCK] for start in range(0, len(told), _BLOCK)]
    comment = _COMMENT + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"
    path.write_bytes(content[:place] + comment + content[place:])
