"""What `invert` can be told: draws, masks, priors, behavior, calibration."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from tests.cli.test_commands import assert_one_sentence


@pytest.fixture(scope="module")
def asked(mice, encoder) -> tuple[object, ...]:
    """An inversion of one trial."""
    trial = np.flatnonzero(np.load(mice / "first/meta/trials/tiers.npy") == "final_test_main")[0]
    return ("invert", mice / "first", "--encoder", encoder, "--trials", trial)


def test_sample_writes_spread_bounds_draws_and_how_it_was_calibrated(run, encoder, asked, tmp_path):
    ask = (*asked, "--method", "sample", "--samples", 4, "--seed", 3)
    ran = run(*ask, "--out", tmp_path / "a.zarr")
    assert (ran.code, ran.err) == (0, "")
    plain = run(*ask, "--no-calibrate", "--out", tmp_path / "b.zarr")
    assert (plain.code, plain.err) == (0, "")
    fitted, raw = (xr.open_zarr(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    for dataset in (fitted, raw):
        assert dataset["sample"].shape == (4, 1, 60, 36, 64)
        assert "model_std" not in dataset  # one encoder has no spread of its own
        for name in ("movie", "std", "data_std", "lower", "upper", "sample"):
            assert np.isfinite(dataset[name].values).all(), name
        assert dataset["std"].values.min() > 0
        np.testing.assert_array_equal(dataset["std"], dataset["data_std"])
        assert (dataset["lower"].values <= dataset["movie"].values).all()
        assert (dataset["movie"].values <= dataset["upper"].values).all()
        assert dataset["sample"].values.std(0).min() > 0
    assert raw.attrs["recalibration"] is None
    done = fitted.attrs["recalibration"]
    assert done["clips"] == len(json.loads((encoder / "encoder.json").read_text())["fitted"][0]["trials"]["select"])
    assert done["temperature"] > 0
    assert 0 <= done["raw"] <= 1
    # What was calibrated is what was not, with its luminance, spread and draws changed as it says.
    np.testing.assert_allclose(fitted["std"], done["temperature"] * raw["std"], rtol=1e-4)
    inside = (raw["movie"].values > 0) & (raw["movie"].values < 1)
    line = done["target"] + done["gain"] * (raw["movie"].values - done["center"])
    np.testing.assert_allclose(fitted["movie"].values[inside], line.clip(0, 1)[inside], atol=1e-5)
    within = inside & (raw["lower"].values > 0) & (raw["upper"].values < 1)
    width = (raw["upper"] - raw["lower"]).values[within]
    np.testing.assert_allclose(width, 2 * 1.6448536 * raw["std"].values[within], rtol=1e-3, atol=1e-6)
    assert within.any()


def test_a_mask_from_a_file_is_the_mask_of_the_result(run, asked, tmp_path):
    mask = np.zeros((36, 64), np.float32)
    mask[5:20, 10:30] = 0.75
    np.save(tmp_path / "mask.npy", mask)
    ran = run(
        *asked, "--mask", tmp_path / "mask.npy", "--prior", "parametric", "--behavior", "mean", "--out", tmp_path / "r"
    )
    assert (ran.code, ran.err) == (0, "")
    result = xr.open_zarr(tmp_path / "r")
    np.testing.assert_array_equal(result["mask"][0], mask)
    assert result.attrs["mask"] == str(tmp_path / "mask.npy")
    assert (result.attrs["prior"], result.attrs["behavior"]) == ("parametric", "mean")
    assert run(*asked, "--out", tmp_path / "default").code == 0
    default = xr.open_zarr(tmp_path / "default")
    assert np.abs(default["movie"].values - result["movie"].values).max() > 1e-3
    assert not np.array_equal(default["mask"][0], mask)


def test_a_mask_of_another_size_is_bad_data(run, asked, tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((36, 63)))
    ran = run(*asked, "--mask", tmp_path / "mask.npy", "--out", tmp_path / "r")
    assert (ran.code, ran.out) == (3, "")
    assert_one_sentence(ran.err, "mask.npy", "36x63", "36x64")
    assert [path.name for path in tmp_path.iterdir()] == ["mask.npy"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--prior", "cubist"), ("--prior", "'cubist'", "spectral")),
        (("--behavior", "guessed"), ("--behavior", "'guessed'", "recorded")),
        (("--samples", 4), ("--samples", "map", "sample")),
        (("--method", "sample", "--samples", 1), ("--samples",)),
        (("--method", "hmc", "--samples", 4), ("4 draws",)),
        (("--method", "sample", "--prior", "smooth"), ("--prior smooth", "sample")),
        (("--method", "ridge", "--behavior", "mean"), ("--behavior mean", "ridge")),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_options_that_do_not_fit_together(run, asked, tmp_path, words, named):
    ran = run(*asked, *words, "--out", tmp_path / "r")
    assert ran.code == 2
    assert_one_sentence(ran.err, *named)
    assert list(tmp_path.iterdir()) == []
