"""Every command that reconstructs from a human subject asks for a statement, and hands it on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr
from PIL import Image
from tests.cli.test_commands import assert_one_sentence

import cinecortex as cc
from cinecortex.errors import WrongUse

STATED = "written consent; ethics approval 2026-17"
CHECK = "identification"


@pytest.fixture(scope="module")
def person(mice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first session, by whose metadata a human was recorded."""
    folder = tmp_path_factory.mktemp("person") / "first"
    shutil.copytree(mice / "first", folder)
    file = folder / "meta/cinecortex.json"
    facts = json.loads(file.read_text()) | {"species": "Homo  SAPIENS", "subject": "P3", "simulated": "false"}
    file.write_text(json.dumps(facts))
    return folder


def study(person: Path, encoder: Path, folder: Path, consent: str) -> Path:
    file = folder / "study.toml"
    file.write_text(
        f'recordings = {{paths = "{person}"{consent}}}\nencoder.folder = "{encoder}"\n'
        f'trials.tier = "final_test_main"\nmethod.name = "mean"\nreport.out = "out"\n'
        f'validation = {{checks = "{CHECK}", baselines = []}}\n'
    )
    return file


def words(command: str, person: Path, encoder: Path, folder: Path) -> list[object]:
    """The command, without a statement."""
    options = {
        "invert": ["--method", "mean", "--tier", "final_test_main", "--out", folder / "out"],
        "compare": ["--methods", "mean", "--tier", "final_test_main", "--out", folder / "out"],
        "validate": [
            "--method",
            "mean",
            "--checks",
            CHECK,
            "--baselines",
            "mean",
            "--clips",
            2,
            "--out",
            folder / "out",
        ],
    }
    return [command, person, "--encoder", encoder, *options[command]]


@pytest.mark.parametrize("command", ["invert", "compare", "validate", "run"])
def test_without_a_statement_nothing_is_reconstructed(run, person, encoder, tmp_path, command):
    if command == "run":
        asked = ["run", study(person, encoder, tmp_path, "")]
    else:
        asked = words(command, person, encoder, tmp_path)
    for consent in ([], ["--consent", "  "]) if command != "run" else ([],):
        ran = run(*asked, *consent)
        assert (ran.code, ran.out) == (2, "")
        assert_one_sentence(ran.err, str(person), "human", "--consent")
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made <= {"study.toml", "out/study.json"}


def test_invert_keeps_it_with_the_result_and_every_export_carries_it(run, person, encoder, tmp_path):
    ran = run(*words("invert", person, encoder, tmp_path), "--consent", STATED)
    assert (ran.code, ran.err) == (0, "")
    attrs = xr.open_zarr(tmp_path / "out").attrs
    assert (attrs["consent"], attrs["species"], attrs["simulated"]) == (STATED, "Homo  SAPIENS", "false")
    for kind in ("mp4", "av1", "gif", "tiff", "png", "nwb"):
        ran = run("export", tmp_path / "out", "--format", kind, "--out", tmp_path / "files" / kind)
        assert ran.code == 0, ran.err
        for file in (tmp_path / "files" / kind).iterdir():
            content = file.read_bytes()
            # A TIFF has it in UTF-16, a GIF with the length of a block somewhere in it.
            assert any(
                word.encode(coding) in content for word in (STATED, STATED[:12]) for coding in ("ascii", "utf-16-le")
            )


def test_compare_keeps_it_and_what_was_made_under_another_is_made_anew(run, person, encoder, tmp_path):
    asked = [*words("compare", person, encoder, tmp_path), "--json"]
    reused = []
    for stated in (STATED, "another"):
        ran = run(*asked, "--consent", stated)
        assert ran.code == 0, ran.err
        content = json.loads(ran.out)
        reused.append(content["methods"][0]["reused"])
        assert content["consent"] == stated
        assert xr.open_zarr(tmp_path / "out/mean.zarr").attrs["consent"] == stated
    assert reused == [0, 0]


def test_validate_keeps_it_with_the_findings_and_their_exports(run, person, encoder, tmp_path):
    ran = run(*words("validate", person, encoder, tmp_path), "--consent", STATED)
    assert ran.code == 0, ran.err
    content = json.loads((tmp_path / "out/findings.json").read_text())
    assert content["recording"]["consent"] == STATED
    for kind in ("csv", "svg"):
        ran = run("export", tmp_path / "out", "--format", kind, "--out", tmp_path / kind, "--json")
        assert ran.code == 0, ran.err
        written = [Path(path) for path in json.loads(ran.out)["written"]]
        assert written
        assert all(STATED in path.read_text() for path in written)
    shown = sorted(path.name for path in (tmp_path / "out/shown").glob("*.zarr"))
    assert "judged.zarr" in shown
    ran = run("export", tmp_path / "out/shown/judged.zarr", "--format", "png", "--out", tmp_path / "shown")
    assert ran.code == 0, ran.err
    with Image.open(next((tmp_path / "shown").iterdir())) as image:
        told = json.loads(image.text["Comment"])
    assert (told["consent"], told["method"], told["species"]) == (STATED, "mean", "Homo  SAPIENS")


def test_a_study_states_it_once_for_all_that_it_makes(run, person, encoder, tmp_path):
    for stated in (STATED, "another"):
        ran = run("run", study(person, encoder, tmp_path, f', consent = "{stated}"'))
        assert ran.code == 0, ran.err
        (folder,) = (tmp_path / "out").glob("in-silico-*")
        assert json.loads((folder / "findings.json").read_text())["recording"]["consent"] == stated
        assert xr.open_zarr(folder / "reconstructions.zarr").attrs["consent"] == stated
    assert "all in the cache, nothing to run" in ran.out


def test_python_is_asked_too(person, encoder):
    recording, model = cc.load(person), cc.load_model(encoder)
    with pytest.raises(WrongUse, match=r'in Python consent="\.\.\."'):
        cc.validate(recording, model, "mean")


def test_a_mouse_is_not_asked_and_what_is_stated_is_kept(run, mice, encoder, tmp_path):
    ran = run(*words("invert", mice / "first", encoder, tmp_path))
    assert ran.code == 0, ran.err
    assert "consent" not in xr.open_zarr(tmp_path / "out").attrs
