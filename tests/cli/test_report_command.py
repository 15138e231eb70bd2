"""The command that lays findings out: what it writes, and what it refuses in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.reporting.conftest import leave, trial

TRIALS = [trial(number) for number in (4, 11, 19)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leave(tmp_path_factory.mktemp("laid out") / "validation", TRIALS)


def test_a_page_is_written_and_told(run, folder, tmp_path):
    out = tmp_path / "made" / "report.html"
    ran = run("report", folder, "--out", out)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"wrote {out}: 3 clips, 4 findings, ")
    assert "It may be claimed of map." in out.read_text()
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_a_light_page_leaves_clips_in_a_folder(run, folder, tmp_path):
    out = tmp_path / "report.html"
    ran = run("report", folder, "--out", out, "--limit-mb", 0.1)
    assert ran.code == 0
    assert len(list((tmp_path / "report-clips").iterdir())) == 2, "the first is always in the page"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("nothing", "--out", "page.html"), 3, "holds no findings.json"),
        (("validation", "--out", "page.pdf"), 2, "is no HTML file; name one, such as page.html"),
        (("validation", "--out", "page.html", "--baseline", "paper"), 2, "gave no answer there; choose one of mean"),
        (("validation", "--out", "thesis.html"), 2, "exists and is no report"),
    ],
)
def test_what_cannot_be_is_refused(run, folder, tmp_path, monkeypatch, arguments, code, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "validation").symlink_to(folder)
    (tmp_path / "thesis.html").write_text("mine")
    ran = run("report", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert sentence in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()
    assert (tmp_path / "thesis.html").read_text() == "mine"
