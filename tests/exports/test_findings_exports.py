"""Findings as a table and as figures."""

from __future__ import annotations

import csv
import json
import math
import xml.etree.ElementTree as ElementTree

import pytest

from cinecortex.data.findings import read_findings
from cinecortex.errors import BadData, WrongUse
from cinecortex.exports import export
from cinecortex.finding import Finding, Null
from cinecortex.study import plain

FINDINGS = (
    Finding(
        id="controls.no_neurons",
        claim='It is better than without neurons, "truly", it is.\nOn two lines.',
        verdict="supported",
        metric="movie correlation",
        value=0.1 + 0.2,
        interval=(0.25, 0.35),
        level=0.95,
        n=8,
        unit="clip",
        rule="Above 0.",
        null=Null(0.01, (-0.02, 0.03)),
        p=1 / 256,
        notes="a < b & c",
        data={"values": [1.0, math.nan]},
    ),
    Finding("leakage.clips", "None.", "undecided", "share", math.nan, (math.nan, math.nan), 0.95, 0, "clip", "0."),
)
ABOUT = {
    "schema": "cinecortex.findings/1",
    "recording": {"session_id": "<script>", "simulated": True, "consent": "written, ethics 17"},
    "method": {"name": "map"},
    "seed": 3,
}


@pytest.fixture
def folder(tmp_path):
    content = ABOUT | {"findings": [finding.to_json() for finding in FINDINGS]}
    (tmp_path / "validated").mkdir()
    (tmp_path / "validated/findings.json").write_text(json.dumps(plain(content)))
    return tmp_path / "validated"


def test_findings_read_back_as_they_were(folder):
    read = read_findings(folder)
    assert [finding.id for finding in read.findings] == [finding.id for finding in FINDINGS]
    first, second = read.findings
    assert first.to_json() == FINDINGS[0].to_json() | {"data": {"values": [1.0, None]}, "interval": (0.25, 0.35)}
    assert first.null == FINDINGS[0].null
    assert math.isnan(second.value)
    assert all(map(math.isnan, second.interval))
    assert read.content["seed"] == 3


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: "[", "is not valid JSON"),
        (lambda text: "[]", "does not say that it is cinecortex.findings/1"),
        (lambda text: text.replace('"p"', '"q"'), "has a finding that cannot be read"),
        (lambda text: text.replace('"interval": [0.25, 0.35]', '"interval": 3'), "has a finding that cannot be read"),
    ],
)
def test_findings_that_cannot_be_read_are_bad_data(folder, spoil, said):
    path = folder / "findings.json"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(BadData, match=f"findings.json {said}"):
        read_findings(folder)


def test_a_row_for_each_finding_and_where_they_come_from_beside_it(folder, tmp_path):
    beside, path = export(folder, "csv", tmp_path / "all.csv")
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["claim"], first["verdict"]) == (
        FINDINGS[0].id,
        FINDINGS[0].claim,
        "supported",
    )
    assert float(first["value"]) == 0.1 + 0.2
    assert [float(first[name]) for name in ("low", "high", "null_value", "null_low", "null_high", "p")] == [
        0.25, 0.35, 0.01, -0.02, 0.03, 1 / 256,
    ]  # fmt: skip
    assert (first["n"], first["rule"], first["notes"]) == ("8", "Above 0.", "a < b & c")
    assert (second["value"], second["low"], second["null_value"], second["p"]) == ("", "", "", "")
    for row in (first, second):
        assert (row["session_id"], row["method"], row["simulated"]) == ("<script>", "map", "true")
        assert row["consent"] == "written, ethics 17"
    assert beside.name == "all.csv.json"
    assert json.loads(beside.read_text())["seed"] == 3
    assert export(folder, "csv", tmp_path / "all.csv") == [beside, path]
    beside.unlink()
    with pytest.raises(WrongUse, match=r"all\.csv exists and was not written by an export"):
        export(folder, "csv", tmp_path / "all.csv")


def test_a_figure_for_each_finding_stands_alone(folder, tmp_path):
    paths = export(folder, "svg", tmp_path / "figures")
    assert [path.name for path in paths] == ["controls.no_neurons.svg", "leakage.clips.svg"]
    for path, finding in zip(paths, FINDINGS, strict=True):
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        told = json.loads(root.find("{http://www.w3.org/2000/svg}metadata").text)
        assert told["recording"] == ABOUT["recording"]
        assert (told["finding"]["claim"], told["finding"]["n"]) == (finding.claim, finding.n)
        label = root.get("aria-label")
        assert finding.id in label
        assert finding.verdict in label
    whole = paths[0].read_text()
    assert export(folder, "svg", tmp_path / "figures") == paths
    assert paths[0].read_text() == whole


def test_findings_and_results_are_not_taken_for_one_another(folder, store, tmp_path):
    with pytest.raises(WrongUse, match="holds findings, which go with --format csv or svg"):
        export(folder, "mp4", tmp_path / "a")
    with pytest.raises(WrongUse, match="is a result, and csv is of findings"):
        export(store(), "csv", tmp_path / "a.csv")
    with pytest.raises(WrongUse, match=r"one\.svg is one file"):
        export(folder, "svg", tmp_path / "one.svg")
    with pytest.raises(BadData, match=r"findings\.json cannot be read"):
        export(tmp_path, "csv", tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()
