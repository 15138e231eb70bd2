"""Movies for players: gray levels as full-range luminance in an MP4 file, frame for frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from jaxtyping import UInt8

from cinecortex.errors import WrongUse
from cinecortex.exports.clip import Clip
from cinecortex.exports.enlarging import enlarged, times
from cinecortex.exports.provenance import provenance
from cinecortex.report.encoding import Frames

NO_COLOR = 128
"""Both chroma planes hold it: gray."""
MOST_DENOMINATOR = 10_007
"""Of a frame rate as a fraction: enough for 30000/1001 and for any rate with four digits."""


def encode(
    path: Path, clip: Clip, *, kind: str, encoder: str, options: Mapping[str, str], cost: str, scale: int | None
) -> None:
    """Write one clip as an MP4 file whose frames, in number, order and time, are those of the clip.

    Luminance is stored in its full range (level 0 is black, 255 white) and marked so, which players honour. Frames of
    odd height or width, which the codecs cannot hold, repeat their last row or column once.

    Args:
        path: The file to write.
        clip: What to write.
        kind: Name of the format.
        encoder: Name of the encoder in FFmpeg.
        options: Of that encoder.
        cost: What it does to the levels, in words.
        scale: Times that a pixel is enlarged; None for what can be watched.

    Raises:
        WrongUse: this installation has no such encoder, or it refuses frames of this size or rate.
    """
    by = times(scale, clip.values.shape[1:])
    levels = _even(enlarged(clip.levels, by))
    height, width = levels.shape[1:]
    rate = Fraction(clip.frame_rate_hz).limit_denominator(MOST_DENOMINATOR)
    told = provenance(
        kind,
        clip.facts,
        pixels=f"{clip.scale}; each pixel {by}x{by}, not smoothed; full-range luminance; {cost}",
        stored_frame_size=[height, width],
    )
    if encoder not in av.codecs_available:
        raise WrongUse(f"this installation of PyAV cannot write {kind} (no {encoder}); choose another --format.")
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            container.metadata.update(title=clip.title, comment=told)
            stream = cast(av.VideoStream, container.add_stream(encoder, rate=rate, options=dict(options)))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            context = stream.codec_context
            context.time_base = 1 / rate
            context.color_range, context.colorspace = ColorRange.JPEG, Colorspace.ITU709
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            for frame in _frames(levels, rate):
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise WrongUse(
            f"trial {clip.trial_id}: {encoder} refuses frames of {height}x{width} px at {clip.frame_rate_hz:g} Hz "
            f"({error.strerror}); choose another --scale or --format."
        ) from error


def _even(levels: Frames) -> UInt8[np.ndarray, "time even_height even_width"]:
    _, height, width = levels.shape
    return np.pad(levels, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")


def _frames(levels: Frames, rate: Fraction) -> Iterator[av.VideoFrame]:
    for number, level in enumerate(levels):
        frame = av.VideoFrame.from_ndarray(_planes(level), format="yuv420p")
        frame.pts, frame.time_base = number, 1 / rate
        frame.color_range, frame.colorspace = ColorRange.JPEG, Colorspace.ITU709
        yield frame


def _planes(level: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "rows width"]:
    """Luminance, and below it two planes of chroma, each a quarter of its size."""
    chroma = np.full((level.shape[0] // 2, level.shape[1]), NO_COLOR, dtype=np.uint8)
    return np.concatenate([level, chroma])
