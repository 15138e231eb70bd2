"""`cinecortex validate` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

CHECKS = "controls.no_neurons,identification"


@pytest.fixture(scope="module")
def judged(run, mice, encoder, tmp_path_factory):
    """The quick question, asked once."""
    out = tmp_path_factory.mktemp("validated") / "out"
    return out, run("validate", mice / "first", "--encoder", encoder, "--out", out, "--checks", CHECKS, "--clips", 3)


def test_it_prints_its_plan_a_table_and_a_sentence(judged):
    out, ran = judged
    assert ran.code == 0, ran.err
    assert "3 of 4 clips are judged, by 2 checks." in ran.out
    assert "6 inversions asked for" in ran.out
    assert "identification" in ran.out
    assert "undecided: Whether map reads the movie from the neurons is open (on 3 clips)" in ran.out
    assert f"wrote {out / 'findings.json'}" in ran.out


def test_again_it_does_nothing_and_json_is_what_is_on_disk(judged, run, mice, encoder):
    out, _ = judged
    before = (out / "findings.json").read_text()
    command = "validate", mice / "first", "--encoder", encoder, "--out", out, "--checks", CHECKS, "--clips", 3
    again = run(*command)
    assert "all in the cache, nothing to run" in again.out
    assert json.loads(run(*command, "--json").out) == json.loads(before)
    assert (out / "findings.json").read_text() == before


def test_movies_of_somebody_else_are_judged(run, mice, encoder, tmp_path):
    command = "validate", mice / "first", "--encoder", encoder, "--tier", "final_test_main", "--json"
    movies = np.full((2, 60, 36, 64), 128, np.uint8)
    tifffile.imwrite(tmp_path / "theirs.tif", movies)
    ran = run(*command, "--out", tmp_path / "a", "--reconstructions", tmp_path / "theirs.tif", "--checks", CHECKS)
    assert ran.code == 0, ran.err
    content = json.loads(ran.out)
    assert [finding["id"] for finding in content["findings"]] == ["identification"]
    assert content["findings"][0]["value"] == 0.0, "gray for every clip: a tie is missed"
    assert "new inversions" in content["not_asked"]["controls.no_neurons"]
    run("invert", mice / "first", "--encoder", encoder, "--method", "mean", "--out", tmp_path / "mean.zarr")
    ran = run(*command, "--out", tmp_path / "b", "--reconstructions", tmp_path / "mean.zarr", "--checks", CHECKS)
    assert json.loads(ran.out)["findings"][0]["n"] == 2


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--checks", "controls.no_neuron"], 2, "the nearest is 'controls.no_neurons'"),
        (["--checks", CHECKS, "--quick"], 2, "--quick and --checks were both given"),
        (["--deep", "--quick"], 2, "--quick and --deep were both given"),
        (["--method", "mapp"], 2, "--method 'mapp' is unknown"),
        (["--method", "nobody:Nothing"], 2, "No module named 'nobody'"),
        (["--reconstructions", "nothing.zarr"], 3, "nothing.zarr does not exist"),
        (["--workers", 2, "--scheduler", "tcp://127.0.0.1:1"], 2, "choose one"),
        (["--baselines", "rigde"], 2, "'rigde' is unknown"),
        (["--screen-deg", 0], 2, "a screen of 64 pixels over 0 degrees cannot be"),
    ],
)
def test_what_it_refuses(run, mice, encoder, tmp_path, words, code, sentence):
    ran = run("validate", mice / "first", "--encoder", encoder, "--out", tmp_path / "out", *words)
    assert (ran.code, sentence in ran.err) == (code, True), ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out" / "findings.json").exists()


def test_it_does_not_write_over_what_it_did_not_write(run, mice, encoder, tmp_path):
    (tmp_path / "mine").mkdir()
    ran = run("validate", mice / "first", "--encoder", encoder, "--out", tmp_path / "mine", "--quick")
    assert ran.code == 2
    assert "holds something else" in ran.err


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.zeros((60, 36), np.uint8), "has 2 axes"),
        (np.zeros((3, 60, 36, 64), np.uint8), "holds 3 movies and 2 trials"),
        (np.full((2, 60, 36, 64), 3.0, np.float32), "no luminance 0..1"),
    ],
)
def test_stacks_that_are_no_movies_are_refused(run, mice, encoder, tmp_path, pixels, sentence):
    tifffile.imwrite(tmp_path / "odd.tif", pixels)
    command = "validate", mice / "first", "--encoder", encoder, "--out", tmp_path / "out", "--tier", "final_test_main"
    ran = run(*command, "--reconstructions", tmp_path / "odd.tif")
    assert ran.code in (2, 3)
    assert sentence in ran.err
