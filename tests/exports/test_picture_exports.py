"""TIFF and PNG, read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.exports.conftest import FRAMES, levels, stored

from cinecortex.exports import Request, export
from cinecortex.exports.png import GAP, LINE


@pytest.mark.parametrize(("variable", "bits"), [("movie", 8), ("movie", 32), ("std", 8), ("std", 32)])
def test_a_tiff_has_its_time_axis_and_every_bit(store, tmp_path, variable, bits):
    result = store(rate=29.97)
    request = Request(trials=["5"], variable=variable, bits=bits)
    (path,) = export(result, "tiff", tmp_path / "one.tif", request=request)
    values = stored(result, variable=variable)
    top = 1.0 if variable == "movie" else 0.25
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej
        assert file.series[0].axes == "TYX"
        assert file.imagej_metadata["frames"] == FRAMES["5"]
        assert file.imagej_metadata["finterval"] == pytest.approx(1 / 29.97, rel=1e-9)
        assert file.imagej_metadata["max"] == (255.0 if bits == 8 else top)
        told = json.loads(file.imagej_metadata["Info"])
        read = file.asarray()
    assert read.dtype == (np.uint8 if bits == 8 else np.float32)
    assert np.array_equal(read, levels(values, top) if bits == 8 else values)
    assert (told["trial_id"], told["variable"], told["frame_rate_hz"]) == ("5", variable, 29.97)


def test_a_contact_sheet_shows_frames_through_the_whole_clip(store, tmp_path):
    result = store()
    (path,) = export(result, "png", tmp_path / "one.png", request=Request(trials=["5"], scale=6))
    with Image.open(path) as image:
        sheet, told, title = np.asarray(image), json.loads(image.text["Comment"]), image.text["Title"]
    assert title.startswith("SIMULATED ")
    shown = told["frames_shown"]
    assert (len(shown), shown[0], shown[-1]) == (20, 0, FRAMES["5"] - 1)
    height, width = 9 * 6, 15 * 6
    for place, frame in enumerate(shown):
        top, left = GAP + LINE + place // 5 * (height + LINE), GAP + place % 5 * (width + GAP)
        tile = sheet[top : top + height, left : left + width]
        assert np.array_equal(tile, levels(stored(result)[frame]).repeat(6, 0).repeat(6, 1)), frame


def test_a_short_clip_is_shown_whole(store, tmp_path):
    (path,) = export(store(), "png", tmp_path / "short.png", request=Request(trials=["a/b"]))
    with Image.open(path) as image:
        assert json.loads(image.text["Comment"])["frames_shown"] == list(range(FRAMES["a/b"]))
