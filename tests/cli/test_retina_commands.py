"""The commands on the real recording: 163 neurons of a retina, a continuous movie that is cut into clips."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr


def test_inspect_fit_invert_on_real_neurons(run, retina_file, tmp_path):
    encoder, out = tmp_path / "encoder", tmp_path / "r.zarr"
    # The fit sees 100 seconds, and the test region starts after it, so that this takes seconds.
    cut = ("--clip-frames", 300, "--test-frames", "3000:36000")
    fitted = run("fit", retina_file, "--out", encoder, "--epochs", 1, "--folds", 2, *cut)
    assert (fitted.code, fitted.err) == (0, "")
    ask = ("--encoder", encoder, "--trials", "30000-30299", "--out", out, "--json", *cut)
    inverted = run("invert", retina_file, *ask)
    assert (inverted.code, inverted.err) == (0, "")
    scores = json.loads(inverted.out)
    assert scores["unseen"] == ["30000-30299"]
    assert -1 <= scores["mean"]["movie correlation"]["value"] <= 1
    movie = xr.open_zarr(out)["movie"].values
    with np.load(retina_file) as stored:
        assert movie.shape == (1, 300, *stored["movie"].shape[1:])
    assert movie.std() > 0
