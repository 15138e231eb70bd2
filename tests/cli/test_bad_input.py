"""Every fault that a data file may have, met by the commands: accepted, or exit 3 and one sentence naming the file."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import jaxtyping
import numpy as np
import pytest
from tests.data.sessions import NEURONS, TIERS, write_session

from cinecortex.errors import BadData
from cinecortex.stimuli.video import read_video

NAME = "Sitzung Ä 1"
VIDEO, RESPONSE = "data/videos/1.npy", "data/responses/1.npy"
UNITS, ALL_TIERS = "meta/neurons/unit_ids.npy", "meta/trials/tiers.npy"


@dataclass(frozen=True)
class Fault:
    """Attributes:
    spoil: Does it to a healthy session folder.
    named: What the sentence must name.
    opens: Whether `inspect` can still open the recording, and so lists the fault instead of stopping at it.
    """

    spoil: Callable[[Path], object]
    named: str
    opens: bool = False


def edit(name: str, change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        array = np.load(folder / name)
        changed = change(array)
        np.save(folder / name, array if changed is None else changed)

    return spoil


def value(index: tuple[int, ...], number: float) -> Callable[[np.ndarray], None]:
    return lambda array: array.__setitem__(index, number)


def link_away(folder: Path) -> None:
    (folder / VIDEO).rename(folder.parent.parent / "outside.npy")
    (folder / VIDEO).symlink_to(folder.parent.parent / "outside.npy")


FAULTS = {
    "missing folder": Fault(lambda folder: shutil.rmtree(folder), NAME),
    "missing part": Fault(lambda folder: shutil.rmtree(folder / "data/videos"), "data/videos"),
    "empty folder": Fault(lambda folder: (shutil.rmtree(folder), folder.mkdir()), NAME),
    "truncated": Fault(lambda folder: os.truncate(folder / VIDEO, 1000), VIDEO),
    "pickled array": Fault(
        lambda folder: np.save(folder / RESPONSE, np.array([{}], dtype=object), allow_pickle=True), RESPONSE
    ),
    "plain pickle": Fault(lambda folder: (folder / RESPONSE).write_bytes(pickle.dumps([1])), RESPONSE),
    "empty file": Fault(lambda folder: (folder / VIDEO).write_bytes(b""), VIDEO),
    "wrong shape": Fault(edit(VIDEO, lambda array: array[0]), VIDEO),
    "NaN in the middle": Fault(edit(RESPONSE, value((2, 5), np.nan)), RESPONSE, opens=True),
    "infinite response": Fault(edit(RESPONSE, value((2, 5), np.inf)), RESPONSE, opens=True),
    "negative response": Fault(edit(RESPONSE, value((2, 5), -1.0)), RESPONSE, opens=True),
    "NaN in the movie": Fault(edit(VIDEO, value((2, 2, 5), np.nan)), VIDEO, opens=True),
    "infinite behavior": Fault(edit("data/behavior/1.npy", value((1, 5), np.inf)), "data/behavior/1.npy", opens=True),
    "neurons disagree": Fault(edit(RESPONSE, lambda array: array[:-1]), RESPONSE),
    "too few tiers": Fault(edit(ALL_TIERS, lambda array: array[:-2]), ALL_TIERS),
    "too many tiers": Fault(edit(ALL_TIERS, lambda array: np.append(array, "train")), ALL_TIERS),
    "zero trials": Fault(edit(ALL_TIERS, lambda array: np.full(len(TIERS), "none")), ALL_TIERS),
    "duplicate unit ids": Fault(edit(UNITS, lambda array: np.full(NEURONS, 7)), UNITS),
    "link that leaves the folder": Fault(link_away, VIDEO),
}

ACCEPTED = {
    "healthy": lambda folder: None,
    "big-endian": lambda folder: (
        [edit(f"data/videos/{n}.npy", lambda a: a.astype(">f8"))(folder) for n in range(len(TIERS))],
        [edit(f"data/responses/{n}.npy", lambda a: a.astype(">f4"))(folder) for n in range(len(TIERS))],
        edit(UNITS, lambda array: array.astype(">i8"))(folder),
    ),
    "link within the folder": lambda folder: (
        (folder / VIDEO).rename(folder / "data/one.npy"),
        (folder / VIDEO).symlink_to(folder / "data/one.npy"),
    ),
}


def assert_one_sentence(err: str, named: str) -> None:
    assert err.startswith("cinecortex: ")
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert named in err
    assert "Traceback" not in err
    assert "unexpected" not in err


def fit_words(recording: Path, out: Path) -> tuple[object, ...]:
    return "fit", recording, "--out", out, "--epochs", 1, "--folds", 2


@pytest.fixture(autouse=True)
def _as_a_user_runs_it(monkeypatch):
    """Without shape checks: they read a random trial of a lazy sequence, and report its fault as a wrong type."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="module")
def small_encoder(run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    ran = run(*fit_words(write_session(folder / NAME), folder / "encoder"))
    assert ran.code == 0, ran.err
    return folder / "encoder"


@contextmanager
def leaving_nothing(folder: Path) -> Iterator[None]:
    """Nothing appears in the folder or changes there, hidden files included."""

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}

    before = content()
    yield
    assert content() == before


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_refused_and_leaves_nothing(run, small_encoder, tmp_path, case):
    fault, out = FAULTS[case], tmp_path / "out"
    out.mkdir()
    recording = write_session(tmp_path / "in" / NAME)
    fault.spoil(recording)
    with leaving_nothing(tmp_path):
        seen = run("inspect", recording)
        if fault.opens:
            assert (seen.code, seen.err) == (0, "")
            problems = [line for line in seen.out.splitlines() if line.startswith("problem in ")]
            assert any(fault.named in line for line in problems)
        else:
            assert (seen.code, seen.out) == (3, "")
            assert_one_sentence(seen.err, fault.named)
        fitted = run(*fit_words(recording, out / "e"))
        assert fitted.code == 3
        assert_one_sentence(fitted.err, fault.named)
        inverted = run("invert", recording, "--encoder", small_encoder, "--trials", 1, "--out", out / "r.zarr")
        assert inverted.code == 3
        assert_one_sentence(inverted.err, fault.named)


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_unusual_is_accepted(run, small_encoder, tmp_path, case):
    recording = write_session(tmp_path / "in" / NAME)
    ACCEPTED[case](recording)
    out = tmp_path / "größe 1"
    out.mkdir()
    assert run("inspect", recording).code == 0
    fitted = run(*fit_words(recording, out / "e é"))
    assert (fitted.code, fitted.err) == (0, "")
    weights = [folder / "weights.safetensors" for folder in (out / "e é", small_encoder)]
    assert weights[0].read_bytes() == weights[1].read_bytes(), "the same recording, stored in another way"
    words = (
        "invert",
        recording,
        "--encoder",
        out / "e é",
        "--trials",
        1,
        "--method",
        "ridge",
        "--out",
        out / "r ü.zarr",
    )
    inverted = run(*words)
    assert (inverted.code, inverted.err) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["e é", "r ü.zarr"]


DAMAGED = {
    "missing": (lambda folder: shutil.rmtree(folder), "encoder.json"),
    "no weights": (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors"),
    "truncated weights": (lambda folder: os.truncate(folder / "weights.safetensors", 500), "weights.safetensors"),
    "empty weights": (lambda folder: (folder / "weights.safetensors").write_bytes(b""), "weights.safetensors"),
    "not JSON": (lambda folder: (folder / "encoder.json").write_text("{"), "encoder.json"),
    "another schema": (lambda folder: (folder / "encoder.json").write_text('{"schema": "x"}'), "encoder.json"),
    "no settings": (
        lambda folder: (folder / "encoder.json").write_text(
            (folder / "encoder.json").read_text().replace('"settings"', '"sittings"')
        ),
        "encoder.json",
    ),
    "no facts": (
        lambda folder: (folder / "encoder.json").write_text(
            (folder / "encoder.json").read_text().replace('"fitted"', '"knitted"')
        ),
        "encoder",
    ),
    "another session": (
        lambda folder: (folder / "encoder.json").write_text(
            (folder / "encoder.json").read_text(encoding="utf-8").replace("Sitzung", "Stunde")
        ),
        "Stunde",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_encoder_is_refused_and_an_older_result_stays(run, small_encoder, tmp_path, case):
    recording = write_session(tmp_path / NAME)
    encoder = tmp_path / "encoder"
    shutil.copytree(small_encoder, encoder)
    words = ("invert", recording, "--encoder", encoder, "--trials", 1, "--method", "mean", "--out", tmp_path / "r.zarr")
    assert run(*words).code == 0
    spoil, named = DAMAGED[case]
    spoil(encoder)
    with leaving_nothing(tmp_path):
        ran = run(*words)
        assert (ran.code, ran.out) == (3, "")
        assert_one_sentence(ran.err, named)


@pytest.mark.parametrize("content", ["empty", "truncated", "pickled"])
def test_a_bad_archive(run, small_encoder, tmp_path, content):
    path = tmp_path / "aufnahme é.npz"
    np.savez(path, movie=np.zeros((120, 4, 4), np.uint8), response=np.ones((120, 2)), frame_rate_hz=30.0)
    if content == "pickled":
        np.savez(path, movie=np.array([{}], dtype=object))
    else:
        os.truncate(path, 0 if content == "empty" else 300)
    with leaving_nothing(tmp_path):
        for words in (("inspect", path), fit_words(path, tmp_path / "e")):
            ran = run(*words)
            assert (ran.code, ran.out) == (3, "")
            assert_one_sentence(ran.err, path.name)


def test_arrays_without_behavior_are_accepted(run, tmp_path):
    path, random = tmp_path / "aufnahme é.npz", np.random.default_rng(0)
    movie = random.integers(0, 256, (400, 8, 8)).astype(np.uint8)
    np.savez(path, movie=movie, response=random.exponential(size=(400, 3)), frame_rate_hz=30.0)
    cut = ("--clip-frames", 30)
    fitted = run(*fit_words(path, tmp_path / "e"), *cut)
    assert (fitted.code, fitted.err) == (0, "")
    ask = ("--encoder", tmp_path / "e", "--method", "mean", "--out", tmp_path / "r.zarr")
    inverted = run("invert", path, *ask, *cut)
    assert (inverted.code, inverted.err) == (0, "")


def test_a_session_given_twice(run, tmp_path):
    recording = write_session(tmp_path / NAME)
    with leaving_nothing(tmp_path):
        ran = run("inspect", recording, recording)
        assert ran.code == 3
        assert_one_sentence(ran.err, NAME)


def test_a_video_without_frames(tmp_path):
    """No command takes a video yet; what reads one refuses it with the error that a command turns into exit 3."""
    path = tmp_path / "vidéo 1.mp4"
    with av.open(str(path), "w") as container:
        container.add_stream("mpeg4", rate=30)
    with pytest.raises(BadData) as caught:
        read_video(path)
    assert caught.value.exit_code == 3
    assert_one_sentence(f"cinecortex: {caught.value}\n", path.name)


def test_a_trial_whose_response_was_withheld(run, small_encoder, tmp_path):
    recording = write_session(tmp_path / NAME)
    (recording / "data/responses/7.npy").unlink()
    ask = ("--encoder", small_encoder, "--method", "mean", "--out", tmp_path / "r.zarr")
    with leaving_nothing(tmp_path):
        for words, named in ((("--tier", "live_test_main"), "live_test_main"), (("--trials", 7), "trial 7")):
            ran = run("invert", recording, *ask, *words)
            assert ran.code == 3
            assert_one_sentence(ran.err, NAME if words[0] == "--tier" else named)
    others = run("invert", recording, *ask)
    assert others.code == 0, "by default only trials with a response are chosen"
