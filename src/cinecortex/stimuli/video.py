"""Your own video as a movie: any file and codec that FFmpeg reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import BadData, WrongUse
from cinecortex.tensors import Movie

_LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
_NOT_VIDEO = {"tty"}  # formats by which FFmpeg would draw a text file as a terminal's screen


def read_video(path: Path, *, frame_size: tuple[int, int] = (36, 64), frame_rate_hz: float = 30.0) -> Movie:
    """Read a video as gray luminance at the wanted size and frame rate.

    The whole picture is resized, each pixel of the result being a mean over its area, and so its proportions change
    if those of ``frame_size`` differ. Each frame of the result is the picture that was on screen at its time, by the
    file's own time stamps: videos of varying or other frame rates keep their speed.

    Args:
        path: The file.
        frame_size: Height and width of the result in pixels.
        frame_rate_hz: Frames per second of the result.

    Returns:
        Luminance 0..1, ``time height width``, from the first picture to the end of the last.

    Raises:
        BadData: the file is missing, is no video, or holds no frame that can be read.
        WrongUse: a size or frame rate that is not positive.
    """
    if min(frame_size) < 1 or frame_rate_hz <= 0:
        raise WrongUse(f"a video can be read at a positive size and rate, not {frame_size} at {frame_rate_hz:g} Hz.")
    if not path.is_file():
        raise BadData(f"{path} is not a file; name an existing video.")
    try:
        pictures = list(_on_screen(path, frame_size, frame_rate_hz))
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise BadData(f"{path} cannot be read as a video ({reason}); convert it, for example with ffmpeg.") from error
    if not pictures:
        raise BadData(f"{path} holds no video frame; name a file with pictures in it.")
    return torch.stack(pictures)


def _on_screen(
    path: Path, frame_size: tuple[int, int], frame_rate_hz: float
) -> Iterator[Float[Tensor, "height width"]]:
    """The picture on screen at each tick of the wanted frame rate; only resized pictures are held."""
    with av.open(str(path)) as container:
        if not container.streams.video or container.format.name in _NOT_VIDEO:
            return
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        usual_s = 1 / float(stream.average_rate or stream.guessed_rate or frame_rate_hz)
        start_s: float | None = None
        ticks, end_s, shown = 0, 0.0, None
        for frame in container.decode(stream):
            # A frame without a stamp follows the one before.
            time_s = frame.time if frame.time is not None else (start_s or 0.0) + end_s
            start_s = time_s if start_s is None else start_s
            while shown is not None and ticks / frame_rate_hz < time_s - start_s - 1e-6:
                yield shown
                ticks += 1
            shown = _resize(frame, frame_size)
            lasts = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            end_s = time_s - start_s + lasts
        while shown is not None and (ticks == 0 or ticks / frame_rate_hz < end_s - 1e-6):
            yield shown
            ticks += 1


def _resize(frame: av.VideoFrame, frame_size: tuple[int, int]) -> Float[Tensor, "height width"]:
    """Gray and small: FFmpeg turns the file's colours into full-range RGB, the mean over areas is ours."""
    pixels = torch.from_numpy(np.ascontiguousarray(frame.to_ndarray(format="rgb24")))
    gray = (pixels.float() @ _LUMA)[None, None] / 255
    small = torch.nn.functional.interpolate(gray, size=frame_size, mode="bilinear", antialias=True, align_corners=False)
    return small[0, 0].clamp(0, 1)
