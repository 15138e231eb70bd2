"""Movies as text lose nothing, and what a panel does to them is exact."""

import base64
import re
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from cinecortex.report.encoding import Blob, contrast_line, eight_bit, fade, matched, outline, pack


def unpack(blob: Blob, shape: tuple[int, ...]) -> np.ndarray:
    """What the page's script does, one pixel after another."""
    stream = zlib.decompress(base64.b64decode(blob.text))
    length = int(np.prod(shape))
    residues = []
    behind = iter(stream[(length + 1) // 2 :])
    for i in range(length):
        if not blob.paired:
            residues.append(stream[i])
            continue
        number = (stream[i // 2] >> 4, stream[i // 2] & 15)[i % 2]
        number = next(behind) if number == 15 else number
        residues.append(-(number + 1) // 2 if number % 2 else number // 2)
    if blob.paired:
        assert next(behind, None) is None
    pixels: list[int] = []
    for i, residue in enumerate(residues):
        known = sum(weight * pixels[i - back] for back, weight in blob.weights if back <= i)
        pixels.append((residue + (known + 2048) // 4096) % 256)
    return np.array(pixels, dtype=np.uint8).reshape(shape)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)),
    kind=st.sampled_from(["noise", "static", "drift", "smooth", "black", "white"]),
)
def test_packing_loses_nothing(seed: int, shape: tuple[int, int, int], kind: str) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, shape, dtype=np.uint8)
    if kind in ("static", "drift"):
        frames[1:] = frames[:1]
    if kind == "drift":
        frames += np.arange(shape[0], dtype=np.uint8)[:, None, None]
    if kind == "smooth":
        frames = rng.integers(100, 103, shape, dtype=np.uint8)
    if kind in ("black", "white"):
        frames[:] = 0 if kind == "black" else 255
    np.testing.assert_array_equal(unpack(pack(frames), shape), frames)


def clouds(frames: int, height: int, width: int) -> np.ndarray:
    """Noise blurred in time and space, as reconstructions are."""
    noise = np.random.default_rng(0).normal(size=(frames, height, width))
    blurred = gaussian_filter(noise, (3, 2, 2))
    return np.rint(127 + 40 * blurred / blurred.std()).clip(0, 255).astype(np.uint8)


def test_prediction_beats_differences_where_movies_are_smooth() -> None:
    frames = clouds(60, 18, 32)
    before = frames.copy()
    before[1:] -= frames[:-1]
    both = before.copy()
    both[:, :, 1:] -= before[:, :, :-1]
    plain = min(len(zlib.compress(f.tobytes(), 9)) for f in (frames, before, both))
    assert len(pack(frames).text) * 3 / 4 < 0.8 * plain


def test_every_way_of_packing_is_used_where_it_is_shortest() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (50, 30, 40), dtype=np.uint8)
    still = np.repeat(noise[:1], 50, 0)
    turns = rng.integers(0, 256, (50, 1, 1), dtype=np.uint8).cumsum(0, dtype=np.uint8)
    tilting = noise[:1] + turns * np.arange(40, dtype=np.uint8)
    blobs = [pack(frames) for frames in (noise, still, tilting, clouds(50, 30, 40))]
    assert not blobs[0].paired  # noise fills its bytes
    assert blobs[1].weights == ((1200, 4096),)
    assert blobs[2].weights == ((1, 4096), (1200, 4096), (1201, -4096))
    assert len(blobs[3].weights) > 3
    assert blobs[3].paired


def test_noise_stays_within_a_base64_of_its_size() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (300, 36, 64), dtype=np.uint8)
    assert len(pack(frames).text) < 1.34 * frames.size


def test_eight_bits_are_the_nearest_level_and_nothing_is_stretched() -> None:
    levels = torch.tensor([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 7.0]).reshape(7, 1, 1)
    assert eight_bit(levels).flatten().tolist() == [0, 0, 0, 1, 128, 255, 255]
    dull = torch.full((2, 3, 3), 0.4) + torch.arange(3) / 255
    assert eight_bit(dull).max() == 104
    every = torch.arange(256).reshape(256, 1, 1) / 255
    assert eight_bit(every).flatten().tolist() == list(range(256))
    assert eight_bit(levels / 4, top=0.25).flatten().tolist() == eight_bit(levels).flatten().tolist()


def test_a_panel_fades_to_the_nearest_level_between_mid_gray_and_the_movie() -> None:
    frames, share = (part.reshape(1, 256, 256).astype(np.uint8) for part in np.mgrid[:256, :256])
    faded = fade(frames, share)
    exact = 128 + (frames.astype(float) - 128) * share / 255
    np.testing.assert_array_equal(faded, np.rint(exact))  # 255 is odd: nothing lies half way
    assert (faded[share == 0] == 128).all()
    np.testing.assert_array_equal(faded[share == 255], frames[share == 255])


def test_matched_contrast_has_the_mean_and_spread_of_the_truth_where_it_counts() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(120, 30, (40, 20, 30)).clip(0, 255).astype(np.uint8)
    dull = rng.normal(90, 6, truth.shape).clip(0, 255).astype(np.uint8)
    counted = rng.random(truth.shape) < 0.5
    shown = matched(dull, contrast_line(dull, truth, counted))
    # No pixel is further from the line than half a level, so neither the mean nor the spread is.
    assert shown[counted].mean() == pytest.approx(truth[counted].mean(), abs=0.5)
    assert shown[counted].std() == pytest.approx(truth[counted].std(), abs=0.5)
    assert contrast_line(truth, truth, counted) == (1.0, 0.0)
    np.testing.assert_array_equal(matched(truth, (1.0, 0.0)), truth)
    flat = np.full_like(truth, 50)
    shown = matched(flat, contrast_line(flat, truth, counted))
    assert np.unique(shown).tolist() == [round(truth[counted].mean())]
    assert contrast_line(dull, truth, np.zeros_like(counted)) == (1.0, 0.0)


def test_outline_surrounds_the_pixels() -> None:
    one = torch.zeros(3, 4, dtype=torch.bool)
    one[1, 2] = True
    assert sorted(re.findall(r"M[^M]*", outline(one))) == ["M2 1h1", "M2 1v1", "M2 2h1", "M3 1v1"]
    assert outline(torch.zeros(3, 4, dtype=torch.bool)) == ""
    assert outline(torch.ones(3, 4, dtype=torch.bool)).count("M") == 14
