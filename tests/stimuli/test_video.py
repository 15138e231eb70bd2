import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cinecortex.errors import BadData, WrongUse
from cinecortex.stimuli.video import read_video


def _write(path: Path, frames: list[np.ndarray], *, codec: str, pixels: str, ticks_ms: list[int]) -> Path:
    """A video whose frames come on screen at the given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(1000))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.time_base = Fraction(1, 1000)
        for image, tick in zip(frames, ticks_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _flat(levels: list[float], size: tuple[int, int] = (72, 128)) -> list[np.ndarray]:
    return [np.full((*size, 3), round(255 * level), dtype=np.uint8) for level in levels]


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "bgr0"),
        ("ä b.avi", "mpeg4", "yuv420p"),
        ("a.mkv", "ffv1", "gray"),
    ],
)
def test_codecs_and_names(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    levels = list(np.linspace(0, 1, 25))
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 72, 128, pixels
        for image in _flat(levels):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    movie = read_video(tmp_path / name, frame_size=(36, 64), frame_rate_hz=30.0)
    assert movie.shape == (30, 36, 64)  # one second
    # At tick k the picture of frame floor(k / 30 * 25) is on screen.
    expected = [levels[k * 25 // 30] for k in range(30)]
    assert movie.mean((1, 2)).numpy() == pytest.approx(expected, abs=0.02)


def test_time_stamps_and_not_frame_counts_set_the_pace(tmp_path: Path) -> None:
    """Ten pictures in the first 100 ms, then one that stays for 900 ms."""
    ticks = [*range(0, 100, 10), 100, 1000]
    levels = [*np.linspace(0, 0.4, 10), 0.8, 0.2]
    path = _write(tmp_path / "uneven.mkv", _flat(levels), codec="ffv1", pixels="bgr0", ticks_ms=ticks)
    movie = read_video(path, frame_rate_hz=20.0)
    shown = movie.mean((1, 2)).numpy()
    assert len(shown) in (20, 21)
    assert shown[0] == pytest.approx(0, abs=0.01)
    assert shown[1] == pytest.approx(levels[5], abs=0.01)
    assert shown[2:20] == pytest.approx(0.8, abs=0.01)


def test_resizing_averages_over_area(tmp_path: Path) -> None:
    fine = np.kron(np.indices((72, 128)).sum(0)[..., None] % 2, np.ones((1, 1, 3)))
    halves = np.zeros((72, 128, 3))
    halves[:, 64:] = 1
    images = [(255 * image).astype(np.uint8) for image in (fine, halves)]
    path = _write(tmp_path / "a.mkv", images, codec="ffv1", pixels="bgr0", ticks_ms=[0, 500])
    movie = read_video(path, frame_size=(18, 32), frame_rate_hz=4.0)
    assert movie[0, 1:-1, 1:-1].numpy() == pytest.approx(0.5, abs=0.02)
    assert movie[2, :, :15].max() < 0.01
    assert movie[2, :, 17:].min() > 0.99


def test_colours_become_their_luma(tmp_path: Path) -> None:
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[..., 1] = 255
    path = _write(tmp_path / "green.mkv", [image], codec="ffv1", pixels="bgr0", ticks_ms=[0])
    movie = read_video(path, frame_size=(4, 4))
    assert len(movie) >= 1
    assert movie[0].numpy() == pytest.approx(0.587, abs=0.01)


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0" * 8000)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("missing.mp4", lambda path: None),
        ("folder.mp4", lambda path: path.mkdir()),
        ("empty.mp4", lambda path: path.touch()),
        ("words.txt", lambda path: path.write_text("no video\n" * 50)),
        ("noise.mp4", lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000))),
        ("sound.wav", _sound),
    ],
)
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, name: str, write: object) -> None:
    write(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(BadData, match=name):
        read_video(tmp_path / name)


def test_a_truncated_video_is_refused_or_short(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a.mp4", _flat([0.2] * 30), codec="libx264", pixels="yuv420p", ticks_ms=list(range(0, 990, 33))
    )
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadData, match=r"a\.mp4"):
        read_video(path)


def test_no_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="positive"):
        read_video(tmp_path / "a.mp4", frame_size=(0, 64))
