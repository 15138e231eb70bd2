"""The demo, at a size that tells nothing about mice but everything about the wiring."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xarray as xr

SIZE = ("--neurons", 12, "--clips", 9, "--seconds", 1.5, "--paper-steps", 2)


def strict(path: Path) -> object:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def demo(run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    ran = run("demo", "--out", out, *SIZE)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-1] == f"The report is at {out / 'report.html'}"
    methods = [line.split("  ")[0].strip() for line in lines]
    for method in ("map", "ridge", "mean", "paper", "neurons shuffled", "no neuron heard"):
        assert method in methods
    assert "map reads the movie from the neurons" in lines[-2], "what may be claimed, or may not"
    assert "\x1b" not in ran.out
    return out


def test_everything_is_written_and_nothing_is_left_over(demo):
    names = sorted(path.name for path in demo.iterdir())
    assert names == [
        "demo.json", "encoder", "mouse", "report.html", "scores.json", "validation",
    ]  # fmt: skip
    shown = sorted(path.stem for path in (demo / "validation" / "shown").iterdir())
    assert shown == [
        "information", "judged", "mean", "nearest", "neurons_shuffled", "no_neurons", "paper", "ridge", "trials",
    ]  # fmt: skip


def test_ten_unseen_clips_were_inverted_and_one_by_the_published_recipe(demo):
    scores = {entry["method"]: entry for entry in strict(demo / "scores.json")}
    tested = set(scores["map"]["clips"])
    assert len(tested) == 10
    assert set(scores["mean"]["clips"]) == tested
    assert set(scores["neurons shuffled"]["clips"]) == tested
    assert len(scores["paper"]["clips"]) == 1
    assert scores["paper"]["mean"]["movie correlation"]["low"] is None
    fitted = strict(demo / "encoder" / "encoder.json")["fitted"][0]["trials"]
    assert not tested & {*fitted["train"], *fitted["select"]}
    judged = xr.open_zarr(demo / "validation" / "shown" / "judged.zarr")
    assert judged.sizes["trial"] == 10
    assert judged.attrs["method"] == "map"


def test_the_page_says_what_it_must(demo):
    page = (demo / "report.html").read_text()
    assert "Simulated animal" in page
    assert "All 10 clips shown here were unseen in training." in page
    assert "The encoder against its ceiling" in page
    tested = strict(demo / "scores.json")[0]["clips"]
    assert all(f'"trial": "{trial_id}"' in page for trial_id in tested)


def test_a_folder_that_no_demo_wrote_is_refused(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for out in (tmp_path, tmp_path / "thesis.tex"):
        ran = run("demo", "--out", out, *SIZE)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"cinecortex: {out} holds something that no demo wrote")
    assert (tmp_path / "thesis.tex").read_text() == "mine"
