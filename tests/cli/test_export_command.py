"""`cinecortex export`, as a user meets it; what is in the files is tested in tests/exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.cli.test_commands import assert_one_sentence
from tests.in_memory import InMemory

from cinecortex.data import write_result
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial


@pytest.fixture
def result(tmp_path: Path) -> Path:
    movie = torch.rand(8, 6, 10, generator=torch.Generator().manual_seed(0))
    trials = [Trial(name, "s", "test", 30.0, (6, 10), (), InMemory(movie)) for name in ("1", "2")]
    answers = [(trial, Reconstruction(movie, ended="converged", std=movie / 9)) for trial in trials]
    return write_result(tmp_path / "map.zarr", answers, attrs={"method": "map"})


def test_it_says_what_it_wrote(run, result, tmp_path):
    ran = run("export", result, "--format", "gif", "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "exporting gif: 1/2 trial-1.gif",
        "exporting gif: 2/2 trial-2.gif",
        f"wrote {tmp_path / 'out/trial-1.gif'}",
        f"wrote {tmp_path / 'out/trial-2.gif'}",
    ]
    ran = run(
        "export", result, "--format", "tiff", "--trials", 2, "--variable", "std", "--out", tmp_path / "b.tif", "--json"
    )
    assert json.loads(ran.out) == {"written": [str(tmp_path / "b.tif")]}


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--format", "mp3", "--out", "x"), 2, ("--format 'mp3'", "the nearest is 'mp4'")),
        (("--format", "mp4", "--out", "x.mp4"), 2, ("2 of the trials", "--trials")),
        (("--format", "mp4", "--out", "x", "--trials", "9"), 2, ("--trials '9'",)),
        (("--format", "mp4", "--out", "x", "--variable", "bits"), 2, ("--variable 'bits'", "movie, std")),
        (("--format", "tiff", "--out", "x", "--bits", 16), 2, ("--bits 16",)),
        (("--format", "mp4", "--out", "x", "--top", 0), 2, ("--top 0",)),
        (("--format", "mp4", "--out", "x", "--frame-rate-hz", "nan"), 2, ("--frame-rate-hz nan",)),
        (("--format", "csv", "--out", "x.csv"), 2, ("findings.json",)),
        (("--format", "gif"), 2, ("--out",)),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_it_refuses(run, result, tmp_path, monkeypatch, words, code, named):
    monkeypatch.chdir(tmp_path)
    ran = run("export", result, *words)
    assert (ran.code, ran.out) == (code, "")
    assert_one_sentence(ran.err, *named)
    assert [path.name for path in tmp_path.iterdir()] == ["map.zarr"]


def test_a_source_that_is_no_result_is_bad_data(run, tmp_path):
    for kind in ("mp4", "svg"):
        ran = run("export", tmp_path / "nothing", "--format", kind, "--out", tmp_path / "x")
        assert (ran.code, ran.out) == (3, "")
        assert_one_sentence(ran.err, str(tmp_path / "nothing"))
