"""Pages made of findings: one validation, and many."""

from __future__ import annotations

import json

import pytest

FINDING = {
    "id": "controls.no_neurons",
    "verdict": "refuted",
    "metric": "gain",
    "value": 0.01,
    "interval": [-0.02, 0.03],
    "n": 10,
    "unit": "clip",
    "null": {"value": 0.0, "interval": [-0.1, 0.1]},
    "p": 0.4,
    "notes": "Only clips.",
}
CONTENT = {
    "recording": {"simulated": False, "neurons": 49, "judged": ["1", "2"]},
    "method": {"name": "map"},
    "summary": {"verdict": "refuted", "sentence": "It may not be claimed."},
    "findings": [FINDING, {**FINDING, "id": "heldout.repeats", "verdict": "undecided", "value": None, "null": None}],
    "not_asked": {"baselines": "there are none"},
}


def test_a_page_holds_the_sentence_every_check_and_what_was_not_asked(benchmark_module, tmp_path, monkeypatch):
    findings = benchmark_module("findings")
    (tmp_path / "findings.json").write_text(json.dumps(CONTENT))
    out = tmp_path / "page.md"
    words = ["findings.py", str(tmp_path / "findings.json"), "--title", "A mouse", "--command", "validate it"]
    monkeypatch.setattr("sys.argv", [*words, "--out", str(out)])
    findings.main()
    text = out.read_text()
    assert "# A mouse" in text
    assert "**Refuted.** It may not be claimed." in text
    assert "Recorded: 49 neurons; 2 clips judged; method map." in text
    assert "| `controls.no_neurons` | refuted | gain | 0.010 [-0.020, 0.030] | 0.000 | 0.4 | 10 clip |" in text
    assert "| `heldout.repeats` | undecided | gain | - [-0.020, 0.030] |  | 0.4 | 10 clip |" in text
    assert "`baselines` was not asked: there are none." in text
    assert "Command: `validate it`" in text


def test_alarms_are_counted_from_what_is_kept(benchmark_module, tmp_path, monkeypatch):
    alarms = benchmark_module("false_alarms")
    for name in ("honest-100-0", "deaf-200-0"):
        (tmp_path / name / "validation").mkdir(parents=True)
        (tmp_path / name / "validation" / "findings.json").write_text(json.dumps(CONTENT))
    out = tmp_path / "page.md"
    words = [
        "false_alarms.py",
        "--folder",
        str(tmp_path),
        "--out",
        str(out),
        "--honest",
        "1",
        "--null",
        "1",
        "--odd",
        "0",
    ]
    monkeypatch.setattr("sys.argv", words)
    alarms.main()
    text = out.read_text()
    assert "| honest, 100 neurons | 0 | refuted | 0.010 | controls.no_neurons | heldout.repeats |" in text
    assert "| `controls.no_neurons` | 1 | 0 |" in text
    assert "1 checks refuted in all on 1 honest recordings." in text
    assert "--honest 1 --null 1 --odd 0" in text


@pytest.mark.parametrize("kind", ["refuted", "undecided", "supported"])
def test_verdicts_are_told_apart(benchmark_module, kind):
    told = {"refuted": ["controls.no_neurons"], "undecided": ["heldout.repeats"], "supported": []}
    assert benchmark_module("false_alarms").verdicts(CONTENT, kind) == told[kind]
