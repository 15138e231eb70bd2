"""MP4, AV1 and GIF, read by programs that did not write them: frame for frame, in time, level for level."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.exports.conftest import FRAMES, levels, stored

from cinecortex.errors import WrongUse
from cinecortex.exports import Request, export


def decoded(path: Path) -> tuple[np.ndarray, list[float], Fraction, dict[str, str]]:
    """Luminance as it is in the file, times in seconds, rate, and metadata."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert stream.frames == len(frames)
        assert {frame.color_range for frame in frames} == {2}, "full range"
        assert stream.duration * stream.time_base == len(frames) / stream.average_rate
        luminance = [np.frombuffer(bytes(f.planes[0]), np.uint8).reshape(f.height, -1)[:, : f.width] for f in frames]
        return np.stack(luminance), [frame.time for frame in frames], stream.average_rate, dict(container.metadata)


def small(shown: np.ndarray, size: tuple[int, int], by: int) -> np.ndarray:
    """The pixels again, ``time height width pixels``: all those that one of them became."""
    height, width = size
    whole = shown[:, : height * by, : width * by]
    blocks = whole.reshape(len(whole), height, by, width, by).transpose(0, 1, 3, 2, 4)
    return blocks.reshape(len(whole), height, width, by * by)


@pytest.mark.parametrize(("kind", "most", "mean"), [("mp4", 6, 0.2), ("av1", 24, 0.6)])
@pytest.mark.parametrize(("rate", "exact"), [(30.0, Fraction(30)), (30000 / 1001, Fraction(30000, 1001)), (12.5, None)])
def test_frames_rate_and_luminance(store, tmp_path, kind, most, mean, rate, exact):
    result = store((36, 64), rate=rate)
    (path,) = export(result, kind, tmp_path / "one.mp4", request=Request(trials=["5"]))
    shown, times, found, metadata = decoded(path)
    assert found == (exact or Fraction(rate))
    np.testing.assert_allclose(times, np.arange(FRAMES["5"]) / float(found), atol=1e-6)
    assert shown.shape == (FRAMES["5"], 288, 512)
    wrong = np.abs(small(shown, (36, 64), 8).astype(int) - levels(stored(result))[..., None])
    assert wrong.max() <= most
    assert wrong.mean() <= mean
    told = json.loads(metadata["comment"])
    assert (told["simulated"], told["frame_rate_hz"], told["result_attributes"]["seed"]) == ("true", rate, "7")
    assert metadata["title"] == "SIMULATED mouse <1> trial 5: movie by map"


@pytest.mark.parametrize("kind", ["mp4", "av1"])
@pytest.mark.parametrize(("size", "scale", "stored_size"), [((9, 15), 5, (46, 76)), ((36, 64), 1, (36, 64))])
def test_lossless_is_bit_exact_also_where_frames_are_odd(store, tmp_path, kind, size, scale, stored_size):
    result = store(size)
    request = Request(trials=["5"], lossless=True, scale=scale)
    (path,) = export(result, kind, tmp_path / "one.mp4", request=request)
    shown, *_ = decoded(path)
    assert shown.shape[1:] == stored_size
    expected = levels(stored(result))
    assert np.array_equal(small(shown, size, scale), np.broadcast_to(expected[..., None], (*expected.shape, scale**2)))


def test_another_variable_has_its_own_white(store, tmp_path):
    result = store()
    for top, used in ((None, 0.25), (0.1, 0.1)):
        request = Request(trials=["5"], variable="std", lossless=True, scale=2, top=top)
        (path,) = export(result, "mp4", tmp_path / "std.mp4", request=request)
        shown, _, _, metadata = decoded(path)
        expected = levels(stored(result, variable="std"), used)
        assert np.array_equal(small(shown, (9, 15), 2)[..., 0], expected)
        assert f"255 * std / {used:g}" in json.loads(metadata["comment"])["pixels"]


@pytest.mark.parametrize(
    ("rate", "expected", "said"),
    [
        (30.0, [30, 40, 30, 30, 40, 30], "30 Hz is kept to half a hundredth"),
        (25.0, [40] * 6, "every frame lasts 4 hundredths"),
        (60.0, [20] * 6, "slower than it was by a factor of 1.2"),
    ],
)
def test_a_gif_has_every_frame_every_level_and_its_true_length(store, tmp_path, rate, expected, said):
    result = store(rate=rate)
    (path,) = export(result, "gif", tmp_path / "one.gif", request=Request(trials=["5"], scale=3))
    shown, durations = [], []
    with Image.open(path) as image:
        assert image.n_frames == FRAMES["5"]
        assert image.info["loop"] == 0
        told = json.loads(image.info["comment"])
        for number in range(image.n_frames):
            image.seek(number)
            shown.append(np.asarray(image.convert("L")))
            durations.append(image.info["duration"])
    assert durations[:6] == expected
    if rate < 50:
        assert abs(sum(durations) - 1000 * FRAMES["5"] / rate) <= 5
    assert np.array_equal(np.stack(shown), levels(stored(result)).repeat(3, 1).repeat(3, 2))
    assert said in told["timing"]
    assert told["simulated"] == "true"
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES["5"]


def test_frames_that_no_encoder_takes_are_refused(store, tmp_path):
    with pytest.raises(WrongUse, match="trial 5: libsvtav1 refuses frames of 10x16 px at 1000 Hz"):
        export(store(rate=1000.0), "av1", tmp_path / "one.mp4", request=Request(trials=["5"], scale=1))
    with pytest.raises(WrongUse, match="--scale 1000 makes frames 15000 px long"):
        export(store(), "mp4", tmp_path / "one.mp4", request=Request(trials=["5"], scale=1000))
    assert [path.name for path in tmp_path.iterdir()] == ["map.zarr"]
