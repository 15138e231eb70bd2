"""A second run does only what is missing and says so; whenever a run is stopped, what it finished is used again."""

import json

import pytest
from tests.running.conftest import Runner

from cinecortex.data import read_result
from cinecortex.errors import BadData, WrongUse
from cinecortex.running import Ran

SESSION, LAID_OUT = "in-silico-0", "laying out the report"
# An inversion that is stopped may be stopped while it reads a file, which is then closed by nobody but the collector.
stopped_anywhere = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_every_stage_runs(finished: tuple[Runner, Ran]) -> None:
    runner, ran = finished
    assert runner.did == ["fitting the encoder", "inverting by map", "validating", LAID_OUT]
    assert (ran.session_id, ran.folder) == (SESSION, runner.out / SESSION)
    assert len(ran.scores.clips) == 3
    assert len(read_result(ran.folder / "reconstructions.zarr")["trial_id"]) == 3
    findings = json.loads((ran.folder / "findings.json").read_text())
    assert [finding["id"] for finding in findings["findings"]] == ["controls.no_neurons"]
    assert findings["summary"]["sentence"].partition(". ")[0] in ran.report.read_text()
    assert (ran.verdict, ran.sentence) == (findings["summary"]["verdict"], findings["summary"]["sentence"])
    # Validation asks for the intact trials too, and finds what the stage before it made.
    assert any("6 inversions asked for: 3 in the cache, 3 to run" in sentence for sentence in runner.said)


def test_a_second_run_does_nothing_and_says_so(finished: tuple[Runner, Ran], again: Runner) -> None:
    before = again.bytes("")
    (ran,) = again()
    assert again.did == []
    assert again.bytes("") == before
    assert [sentence.partition(": there already")[0] for sentence in again.said] == [
        "encoder",
        f"reconstructions of {SESSION}",
        f"findings on {SESSION}",
        f"report on {SESSION}",
    ]
    assert ran.scores.to_json() == finished[1].scores.to_json()
    assert ran.sentence == finished[1].sentence


def test_what_changes_is_made_anew_with_what_rests_on_it(again: Runner) -> None:
    encoder = again.bytes("encoder")
    again(execution="threads = 2")
    assert again.did == [], "where it runs changes nothing"
    again(validation='checks = ["identification"]\nbaselines = []')
    assert again.did == ["validating", LAID_OUT]
    assert f"findings on {SESSION}: made anew, what goes into it has changed" in again.said
    again(method='prior = "flat"')
    assert again.did == ["inverting by map", "validating", LAID_OUT]
    assert again.bytes("encoder") == encoder
    again(encoder="epochs = 2\nfolds = 3")
    assert again.did == ["fitting the encoder", "inverting by map", "validating", LAID_OUT]
    assert again.bytes("encoder") != encoder


@stopped_anywhere
def test_an_interrupted_inversion_loses_no_finished_one(again: Runner) -> None:
    again.interrupt = lambda title, done: title == "inverting by map" and done == 1
    with pytest.raises(KeyboardInterrupt):
        again(method='behavior = "mean"')
    again.interrupt = lambda title, done: False
    again(method='behavior = "mean"')
    assert again.did == ["inverting by map", "validating", LAID_OUT]
    # One was made to know how long it takes, one was finished before the keyboard.
    assert any("3 inversions asked for: 2 in the cache, 1 to run" in sentence for sentence in again.said)


@stopped_anywhere
def test_an_interrupted_fit_is_gone_on_with(runner: Runner, finished: tuple[Runner, Ran]) -> None:
    runner.interrupt = lambda title, done: title == "fitting the encoder"
    with pytest.raises(KeyboardInterrupt):
        runner()
    assert not (runner.out / "encoder").exists()
    runner.interrupt = lambda title, done: title == "inverting by map"
    with pytest.raises(KeyboardInterrupt):
        runner()
    assert any(sentence.startswith("encoder: going on from") for sentence in runner.said)
    weights = "encoder/weights.safetensors"
    assert runner.bytes("encoder")[weights] == finished[0].bytes("encoder")[weights]
    assert not list(runner.out.glob("*.unfinished"))


@stopped_anywhere
def test_a_damaged_unfinished_fit_begins_anew(runner: Runner) -> None:
    runner.interrupt = lambda title, done: title == "fitting the encoder"
    with pytest.raises(KeyboardInterrupt):
        runner()
    (state,) = runner.out.glob("*.unfinished")
    for file in state.rglob("state.json"):
        file.write_text("{")
    runner.interrupt = lambda title, done: title == "inverting by map"
    with pytest.raises(KeyboardInterrupt):
        runner()
    assert any("cannot be gone on with" in sentence for sentence in runner.said)
    assert (runner.out / "encoder" / "encoder.json").exists()


def test_an_encoder_that_is_given_is_not_fitted(runner: Runner, finished: tuple[Runner, Ran]) -> None:
    runner(encoder=f'folder = "{finished[0].out / "encoder"}"')
    assert runner.did == ["inverting by map", "validating", LAID_OUT]
    assert runner.said[0] == f"encoder: as given, {finished[0].out / 'encoder'}"
    assert not (runner.out / "encoder").exists()


def test_what_is_taken_away_is_made_again(again: Runner) -> None:
    (again.out / SESSION / "findings.json").unlink()
    again()
    assert again.did == ["validating"]
    assert any("6 inversions asked for: all in the cache, nothing to run" in sentence for sentence in again.said)


def test_a_folder_that_holds_something_else_is_left_alone(runner: Runner) -> None:
    runner.out.mkdir()
    (runner.out / "thesis.tex").write_text("mine")
    with pytest.raises(WrongUse, match="holds something else"):
        runner()
    assert [path.name for path in runner.out.iterdir()] == ["thesis.tex"]


def test_a_damaged_ledger_is_told_of(runner: Runner) -> None:
    runner.out.mkdir()
    (runner.out / "study.json").write_text("{")
    with pytest.raises(BadData, match="damaged"):
        runner()


def test_trials_that_are_not_there_are_told_of_before_anything_is_inverted(runner: Runner) -> None:
    with pytest.raises(WrongUse, match="trials: tier 'orakel' is not in"):
        runner(trials='tier = "orakel"')
    assert runner.did == ["fitting the encoder"]
