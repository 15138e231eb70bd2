"""`cinecortex compare`: every method in a process of its own, on the same trials."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cinecortex.data import read_result, words

COLUMNS = ["method", "movie correlation", "ridge minus it, paired", "frame correlation", "SSIM", "motion energy"]


def times(out: Path) -> dict[str, int]:
    """When each result was written."""
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.zarr")}


@pytest.fixture(scope="module")
def held_out(mice: Path) -> list[str]:
    tiers = np.load(mice / "first/meta/trials/tiers.npy")
    return [str(number) for number in np.flatnonzero(tiers == "final_test_main")]


@pytest.fixture(scope="module")
def compared(run, mice, encoder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "out"
    words = ("compare", mice / "first", "--encoder", encoder, "--methods", "ridge, mean", "--out", out)
    ran = run(*words, "--tier", "final_test_main", "--seed", 3)
    assert (ran.code, ran.err) == (0, "")
    assert "comparing ridge: 2/2 trial" in ran.out
    assert "None of the 2 clips was fitted to or selected on." in ran.out
    assert ran.out.splitlines()[-1] == f"wrote {out}"
    return out


def test_one_table_three_times(compared, held_out):
    assert sorted(path.name for path in compared.iterdir()) == [
        "compare.csv", "compare.json", "compare.md", "mean.zarr", "ridge.zarr",
    ]  # fmt: skip
    content = json.loads((compared / "compare.json").read_text())
    assert content["trials"] == content["unseen"] == held_out
    assert content["seed"] == "3"
    ridge, mean = content["methods"]
    assert "first_minus_this" not in ridge or not ridge["first_minus_this"]
    for metric, interval in mean["first_minus_this"].items():
        pairs = [ridge["clips"][t][metric] - mean["clips"][t][metric] for t in held_out]
        assert interval["value"] == pytest.approx(sum(pairs) / 2)
    assert list(ridge["over_masks"]) == ["0", "0.25", "0.5", "0.75", "0.9", "1"]
    assert ridge["over_masks"]["0.5"]["value"] == pytest.approx(ridge["mean"]["movie correlation"]["value"])
    assert ridge["fitting_seconds"] > mean["fitting_seconds"] > 0
    assert ridge["peak_bytes"] > ridge["floor_bytes"] > 5e7
    first, second = csv.DictReader((compared / "compare.csv").read_text().splitlines())
    assert float(first["movie_correlation"]) == ridge["mean"]["movie correlation"]["value"]
    assert (first["ridge_minus_it"], first["failed"]) == ("", "")
    assert float(second["ridge_minus_it"]) == mean["first_minus_this"]["movie correlation"]["value"]
    page = (compared / "compare.md").read_text()
    header = next(line for line in page.splitlines() if line.startswith("| method"))
    assert [cell.strip() for cell in header.strip("|").split("|")][: len(COLUMNS)] == COLUMNS
    assert "before anything was loaded" in page


def test_the_answers_are_those_of_invert(run, mice, encoder, compared, tmp_path):
    ask = ("invert", mice / "first", "--encoder", encoder, "--tier", "final_test_main", "--seed", 3, "--json")
    alone = json.loads(run(*ask, "--method", "ridge", "--out", tmp_path / "r.zarr").out)
    ridge = json.loads((compared / "compare.json").read_text())["methods"][0]
    assert ridge["clips"] == alone["clips"]
    one, other = (xr.open_zarr(path)["movie"].values for path in (tmp_path / "r.zarr", compared / "ridge.zarr"))
    assert one.tobytes() == other.tobytes()


def test_a_second_run_does_what_is_missing_and_says_so(run, mice, encoder, compared, held_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(compared, out)
    before = times(out)
    ask = ("compare", mice / "first", "--encoder", encoder, "--methods", "ridge,mean", "--out", out, "--seed")
    ran = run(*ask, 3, "--tier", "final_test_main")
    assert ran.code == 0, ran.err
    assert ran.out.count("were there already") == 2
    assert times(out) == before
    assert (out / "compare.csv").read_text() == (compared / "compare.csv").read_text()
    # One trial more: that one is inverted, the others are kept as they are.
    ask = ("compare", mice / "first", "--encoder", encoder, "--methods", "mean", "--json", "--out", out, "--seed")
    ran = run(*ask, 3, "--trials", "0," + ",".join(held_out))
    assert ran.code == 0, ran.err
    content = json.loads(ran.out)
    (mean,) = content["methods"]
    assert mean["reused"] == 2
    assert content["unseen"] == held_out
    assert words(read_result(out / "mean.zarr"), "trial_id") == (*held_out, "0")
    assert mean["clips"].items() >= json.loads((compared / "compare.json").read_text())["methods"][1]["clips"].items()
    # Another seed: nothing may be used again.
    ran = run(*ask, 4, "--trials", held_out[0])
    assert json.loads(ran.out)["methods"][0]["reused"] == 0


def test_a_method_that_fails_does_not_stop_the_others(run, mice, encoder, held_out, tmp_path):
    # Ridge and mean need the trials that the encoder was fitted to; here they are gone.
    shutil.copytree(mice / "first", tmp_path / "first")
    tiers = np.load(tmp_path / "first/meta/trials/tiers.npy")
    tiers[tiers == "train"] = "none"
    np.save(tmp_path / "first/meta/trials/tiers.npy", tiers)
    (tmp_path / "out").mkdir()  # an empty folder is welcome
    words = ("compare", tmp_path / "first", "--encoder", encoder, "--methods", "mean,map", "--out", tmp_path / "out")
    ran = run(*words, "--trials", held_out[0])
    assert ran.code == 1
    assert ran.err == f"cinecortex: 1 of 2 methods failed (mean); {tmp_path / 'out'} says why.\n"
    assert "failed: " in ran.out
    mean, mapped = json.loads((tmp_path / "out/compare.json").read_text())["methods"]
    assert "no trial" in mean["failed"]
    assert mapped["failed"] is None
    assert mapped["frame_passes"] > 0
    assert mapped["first_minus_this"] == {}
    rows = list(csv.DictReader((tmp_path / "out/compare.csv").read_text().splitlines()))
    assert [row["failed"] for row in rows] == [mean["failed"], ""]


def test_wrong_use_names_the_nearest_method_and_touches_nothing(run, mice, encoder, tmp_path):
    words = ("compare", mice / "first", "--encoder", encoder, "--out")
    ran = run(*words, tmp_path / "out", "--methods", "map,rigde")
    assert (ran.code, ran.out) == (2, "")
    assert "'rigde'" in ran.err
    assert "nearest is 'ridge'" in ran.err
    (tmp_path / "thesis.tex").write_text("mine")
    ran = run(*words, tmp_path, "--methods", "mean")
    assert (ran.code, ran.out) == (2, "")
    assert f"{tmp_path} exists and holds something else; choose another folder with --out" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
