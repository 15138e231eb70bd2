"""Every command, run as a user runs it."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from cinecortex.data import read_result, words

COMMANDS = (
    "simulate", "inspect", "fit", "import-weights", "calibrate", "invert", "compare", "predict", "evaluate", "tune",
    "demo", "run", "validate", "export", "view",
)  # fmt: skip


def strict_json(text: str) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def in_another_process(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cinecortex.cli", *map(str, words)], capture_output=True, text=True, check=False
    )


def assert_one_sentence(err: str, *names: str) -> None:
    assert err.startswith("cinecortex: ")
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert "Traceback" not in err
    assert "unexpected" not in err
    for name in names:
        assert name in err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(run, command):
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"Example: cinecortex {command} " in " ".join(ran.out.split())


def test_no_command_shows_what_there_is(run):
    ran = run()
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)


def test_simulate_then_inspect(run, tmp_path):
    made = run("simulate", tmp_path / "m", "--neurons", 3, "--clips", 1, "--seconds", 0.5, "--seed", 3)
    assert (made.code, made.err) == (0, "")
    assert made.out.splitlines()[-1] == f"wrote {tmp_path / 'm'}"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    again = run("simulate", tmp_path / "m", "--neurons", 3)
    assert again.code == 2
    assert_one_sentence(again.err, str(tmp_path / "m"))
    found = strict_json(run("inspect", tmp_path / "m", "--json").out)
    assert found["neurons"] == 3
    assert found["trials"] == {"train": 1, "oracle": 48, "final_test_main": 10}


def test_inspect_says_what_is_there(run, mice):
    text, data = run("inspect", mice / "first"), run("inspect", mice / "first", "--json")
    assert (text.code, text.err, data.code, data.err) == (0, "", 0, "")
    assert "\x1b" not in text.out
    rows = dict(line.strip().split("  ", 1) for line in text.out.splitlines() if "  " in line.strip())
    assert rows["neurons"].strip() == "12"
    assert rows["trials"].strip() == "9 train, 4 oracle, 2 final_test_main"
    assert rows["source"].strip() == str(mice / "first")
    assert text.out.splitlines()[-1] == "no problem found"
    found = strict_json(data.out)
    assert found["clips"] == 13
    assert found["repeats"] == 2
    assert found["simulated"] is True
    assert found["problems"] == []


def test_inspect_of_a_folder_of_sessions(run, mice):
    assert [found["session_id"] for found in strict_json(run("inspect", mice, "--json").out)] == [
        "in-silico-0",
        "in-silico-1",
    ]


def test_the_encoder_file_says_what_it_was_fitted_to(mice, encoder):
    content = strict_json((encoder / "encoder.json").read_text())
    assert [facts["session_id"] for facts in content["fitted"]] == ["in-silico-0", "in-silico-1"]
    tiers = np.load(mice / "first/meta/trials/tiers.npy")
    used = content["fitted"][0]["trials"]
    assert {tiers[int(trial)] for trial in used["train"] + used["select"]} == {"train"}
    assert len(set(used["train"]) | set(used["select"])) == 9


@pytest.mark.parametrize("method", ["map", "mean", "ridge"])
def test_invert_either_session(run, mice, encoder, tmp_path, method):
    session = "second" if method == "map" else "first"
    ran = run("invert", mice / session, "--encoder", encoder, "--out", tmp_path / "r.zarr", "--method", method)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert "none of the clips was fitted to" in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["r.zarr"]
    dataset = xr.open_zarr(tmp_path / "r.zarr")
    movie = dataset["movie"].values
    assert movie.shape == (6, 60, 36, 64)
    assert movie.dtype == np.float32
    assert 0 <= movie.min() <= movie.max() <= 1
    assert dataset.attrs["method"] == method
    assert dataset.attrs["command"].startswith(f"cinecortex invert {mice / session}")
    assert set(words(read_result(tmp_path / "r.zarr"), "session_id")) == {dataset.session_id.attrs["names"][0]}


def test_invert_is_the_same_to_the_bit_in_another_process(run, mice, encoder, tmp_path):
    trial = str(np.flatnonzero(np.load(mice / "first/meta/trials/tiers.npy") == "final_test_main")[0])
    ask = ("invert", mice / "first", "--encoder", encoder, "--trials", trial, "--seed", 5, "--json", "--out")
    here, there = run(*ask, tmp_path / "a.zarr"), in_another_process(*ask, tmp_path / "b.zarr")
    assert (here.code, here.err, there.returncode, there.stderr) == (0, "", 0, "")
    one, other = strict_json(here.out), strict_json(there.stdout)
    assert one["unseen"] == [trial]
    assert list(one["clips"]) == [trial]
    assert one["mean"]["movie correlation"]["low"] is None  # one clip has no interval, and JSON no NaN
    for scores in (one, other):
        del scores["seconds"], scores["result"]
    assert one == other
    first, second = (xr.open_zarr(tmp_path / name)["movie"].values for name in ("a.zarr", "b.zarr"))
    assert first.tobytes() == second.tobytes()
    assert first.std() > 0


def test_shuffled_neurons_are_named_and_change_the_answer(run, mice, encoder, tmp_path):
    ask = ("invert", mice / "first", "--encoder", encoder, "--method", "ridge", "--tier", "final_test_main", "--json")
    intact = strict_json(run(*ask, "--out", tmp_path / "a.zarr").out)
    shuffled = strict_json(run(*ask, "--out", tmp_path / "b.zarr", "--shuffle-neurons").out)
    assert shuffled["method"] == "ridge, shuffled neurons"
    assert xr.open_zarr(tmp_path / "b.zarr").attrs["method"] == "ridge, shuffled neurons"
    assert intact["clips"] != shuffled["clips"]


def test_clips_that_were_fitted_to_are_called_so(run, mice, encoder, tmp_path):
    seen = strict_json((encoder / "encoder.json").read_text())["fitted"][0]["trials"]["train"][0]
    ask = ("invert", mice / "first", "--encoder", encoder, "--method", "mean", "--trials", seen)
    ran = run(*ask, "--out", tmp_path / "r.zarr")
    assert "1 of 1 clips WERE fitted to" in ran.out


def test_predict(run, mice, encoder, tmp_path):
    out = tmp_path / "rates.zarr"
    for _ in range(2):  # the second time it replaces its own work
        ran = run("predict", mice / "first", "--encoder", encoder, "--out", out, "--tier", "oracle")
        assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["rates.zarr"]
    dataset = xr.open_zarr(out)
    assert dataset["rate"].dims == ("trial", "time", "neuron")
    assert dataset["rate"].shape == (4, 60, 12)
    assert np.isfinite(dataset["rate"].values).all()
    assert (dataset["rate"].values > 0).all()
    tiers = np.load(mice / "first/meta/trials/tiers.npy")
    assert {tiers[int(trial)] for trial in dataset.attrs["trial_ids"]} == {"oracle"}


def test_evaluate(run, mice, encoder):
    text = run("evaluate", mice / "first", "--encoder", encoder, "--tier", "oracle")
    scores = strict_json(run("evaluate", mice / "first", "--encoder", encoder, "--tier", "oracle", "--json").out)
    assert scores["trials"] == 4
    assert -1 <= scores["mean_correlation"] <= 1
    assert f"{scores['mean_correlation']:.3f}" in text.out
    assert scores["median_ceiling"] is not None
    once = strict_json(run("evaluate", mice / "first", "--encoder", encoder, "--tier", "final_test_main", "--json").out)
    assert once["median_ceiling"] is None


WRONG_USE = {
    "no such command": (("frobnicate",), "frobnicate"),
    "no --out": (("fit", "MICE/first"), "--out"),
    "not a number": (("simulate", "TMP/m", "--neurons", "many"), "--neurons"),
    "too few neurons": (("simulate", "TMP/m", "--neurons", "0"), "--neurons"),
    "unknown method": (
        ("invert", "MICE/first", "--encoder", "ENCODER", "--out", "TMP/r", "--method", "magic"),
        "magic",
    ),
    "unknown tier": (("invert", "MICE/first", "--encoder", "ENCODER", "--out", "TMP/r", "--tier", "x"), "--tier 'x'"),
    "unknown trial": (("predict", "MICE/first", "--encoder", "ENCODER", "--out", "TMP/r", "--trials", "99"), "'99'"),
    "tier and trials": (
        ("evaluate", "MICE/first", "--encoder", "ENCODER", "--tier", "oracle", "--trials", "1"),
        "--tier and --trials",
    ),
    "two sessions where one is asked for": (("evaluate", "MICE", "--encoder", "ENCODER"), "2 sessions"),
    "test frames": (("inspect", "MICE/first", "--test-frames", "5-9"), "'5-9'"),
    "more folds than clips": (("fit", "MICE/first", "--out", "TMP/e", "--folds", "50"), "folds is 50"),
    "fit onto a recording": (("fit", "MICE/first", "--out", "MICE/second"), "second"),
    "invert onto a recording": (("invert", "MICE/first", "--encoder", "ENCODER", "--out", "MICE/second"), "second"),
    "invert onto an encoder": (("invert", "MICE/first", "--encoder", "ENCODER", "--out", "ENCODER"), "pair"),
    "predict onto an encoder": (("predict", "MICE/first", "--encoder", "ENCODER", "--out", "ENCODER"), "pair"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_ends_with_2_and_one_sentence(run, mice, encoder, tmp_path, case):
    asked, named = WRONG_USE[case]
    before = sorted(mice.rglob("*")), [path.read_bytes() for path in sorted(encoder.iterdir())]
    places = {"MICE": mice, "ENCODER": encoder, "TMP": tmp_path}
    for place, path in places.items():
        asked = tuple(word.replace(place, str(path)) for word in asked)
    ran = run(*asked)
    assert (ran.code, ran.out) == (2, "")
    assert_one_sentence(ran.err, named)
    assert list(tmp_path.iterdir()) == []
    assert (sorted(mice.rglob("*")), [path.read_bytes() for path in sorted(encoder.iterdir())]) == before


def test_invert_does_not_replace_another_zarr_store(run, mice, encoder, tmp_path):
    rates = tmp_path / "rates.zarr"
    assert run("predict", mice / "first", "--encoder", encoder, "--out", rates, "--tier", "final_test_main").code == 0
    ran = run("invert", mice / "first", "--encoder", encoder, "--out", rates)
    assert ran.code == 2
    assert_one_sentence(ran.err, str(rates))
    assert (rates / "rate").is_dir()


def test_debug_shows_the_traceback_and_keeps_the_exit_code(run, tmp_path):
    plain = run("inspect", tmp_path / "nowhere")
    assert plain.code == 3
    assert_one_sentence(plain.err, "nowhere")
    for asked in (("--debug", "inspect", tmp_path / "nowhere"), ("inspect", tmp_path / "nowhere", "--debug")):
        ran = run(*asked)
        assert ran.code == 3
        assert "Traceback" in ran.err
        assert ran.err.endswith(plain.err)


def test_what_nobody_expected_ends_with_1_and_one_sentence(run, mice, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("cinecortex.data.summarise", fail)
    ran = run("inspect", mice / "first")
    assert ran.code == 1
    assert ran.err == "cinecortex: unexpected ZeroDivisionError: a b (run again with --debug for the traceback).\n"


def test_the_keyboard_stops_a_command(run, mice, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cinecortex.data.summarise", stop)
    ran = run("inspect", mice / "first")
    assert (ran.code, ran.err) == (130, "cinecortex: stopped by the keyboard; finished work was kept.\n")


def test_an_error_in_a_process_of_its_own(tmp_path):
    ran = in_another_process("inspect", tmp_path / "nowhere é")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert_one_sentence(ran.stderr, "nowhere é")


def test_scores_of_nothing_are_not_numbers_but_json(run, mice, encoder, monkeypatch):
    monkeypatch.setattr(
        "cinecortex.encoders.evaluation.EncoderScores.summary", lambda _: {"a": math.nan, "b": [math.inf, 1.0]}
    )
    ran = run("evaluate", mice / "first", "--encoder", encoder, "--tier", "final_test_main", "--json")
    assert strict_json(ran.out).items() >= {"a": None, "b": [None, 1.0]}.items()
