"""Where clips lie: in the page, or in the folder beside it; both are written whole or not at all."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cinecortex.errors import WrongUse
from cinecortex.report import Page, render_page, write_page

Made = Callable[..., Page]


def folder_of(path: Path) -> dict[str, bytes]:
    folder = path.with_name(f"{path.stem}-clips")
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def test_clips_go_into_the_page_as_long_as_they_fit(page_of_everything: Made, tmp_path: Path) -> None:
    page = page_of_everything()
    whole = len(render_page(page).encode())
    path = tmp_path / "report.html"
    write_page(path, page, limit_bytes=whole + 1000)
    assert path.read_text(encoding="utf-8") == render_page(page)
    assert folder_of(path) == {}
    write_page(path, page, limit_bytes=whole - 1000)
    assert path.stat().st_size < whole - 1000
    assert len(folder_of(path)) == 1
    write_page(path, page, limit_bytes=0)
    assert len(folder_of(path)) == 1  # the first clip is in the page in any case
    assert "1 of 2 clips lie in the folder beside this page" in path.read_text(encoding="utf-8")


def test_same_page_same_bytes_beside_it(page_of_everything: Made, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        write_page(folder / "report.html", page_of_everything(), limit_bytes=1)
    assert (first / "report.html").read_bytes() == (second / "report.html").read_bytes()
    assert folder_of(first / "report.html") == folder_of(second / "report.html") != {}


def test_what_is_in_the_page_is_not_repeated_beside_it(page_of_everything: Made, tmp_path: Path) -> None:
    page = page_of_everything()
    panels = page.clips[0].panels
    again = dataclasses.replace(page.clips[0], clip_label="Again", panels=(panels[1], panels[0]))
    path = write_page(tmp_path / "report.html", dataclasses.replace(page, clips=(page.clips[0], again)), limit_bytes=1)
    (script,) = folder_of(path).values()
    content = json.loads(script.decode().split(", ", 1)[1].rstrip().removesuffix(");"))
    assert [panel["title"] for panel in content["panels"]] == ["Reconstruction (map)", "True movie"]
    assert content["movies"] == {}


def test_a_new_page_replaces_the_folder_of_the_old_one(page_of_everything: Made, tmp_path: Path) -> None:
    path = write_page(tmp_path / "report.html", page_of_everything(), limit_bytes=1)
    before = folder_of(path)
    page = page_of_everything()
    write_page(path, dataclasses.replace(page, clips=page.clips[::-1]), limit_bytes=1)
    assert len(before) == len(folder_of(path)) == 1
    assert before.keys() != folder_of(path).keys()
    write_page(path, page)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_no_report_wrote_is_left_alone(page_of_everything: Made, tmp_path: Path) -> None:
    own = tmp_path / "report-clips"
    own.mkdir()
    (own / "thesis.doc").write_text("years of work")
    with pytest.raises(WrongUse, match="no report wrote"):
        write_page(tmp_path / "report.html", page_of_everything())
    assert [item.name for item in tmp_path.rglob("*")] == ["report-clips", "thesis.doc"]


@pytest.mark.parametrize("fails", ["mkdir", "rename", "replace"])
def test_page_and_folder_are_written_whole_or_not_at_all(
    page_of_everything: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    page = page_of_everything()
    path = write_page(tmp_path / "report.html", page, limit_bytes=1)
    before, beside = path.read_bytes(), folder_of(path)
    genuine = getattr(Path, fails)

    def full_disk(self: Path, *arguments: object, **named: object) -> object:
        if self.name.endswith((".clips", ".tmp")):
            raise OSError("no space left on device")
        return genuine(self, *arguments, **named)

    monkeypatch.setattr(Path, fails, full_disk)
    with pytest.raises(OSError, match="no space"):
        write_page(path, dataclasses.replace(page, clips=page.clips[::-1]), limit_bytes=1)
    assert path.read_bytes() == before
    assert folder_of(path) == beside
    assert sorted(item.name for item in tmp_path.iterdir()) == ["report-clips", "report.html"]
