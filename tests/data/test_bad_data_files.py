"""Every way a data file can be wrong: refused in one sentence that names the file."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sessions import FRAMES, HEIGHT, NEURONS, TIERS, WIDTH, clip, padded, write_session

from cinecortex.data import Cut, find_problems, load
from cinecortex.errors import BadData

Spoil = Callable[[Path], object]


def change(name: str, how: Callable[[np.ndarray], np.ndarray | None]) -> Spoil:
    def spoil(folder: Path) -> None:
        array = np.load(folder / name)
        changed = how(array)
        np.save(folder / name, array if changed is None else changed)

    return spoil


def put(index: tuple[int, ...], value: float) -> Callable[[np.ndarray], None]:
    return lambda array: array.__setitem__(index, value)


def pickled(folder: Path) -> None:
    np.save(folder / "data/responses/1.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def pickled_plainly(folder: Path) -> None:
    (folder / "data/responses/1.npy").write_bytes(pickle.dumps([1, 2]))


def link_out(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        outside = folder.parent / "outside"
        (folder / name).rename(outside)
        (folder / name).symlink_to(outside)

    return spoil


def cut_short(folder: Path) -> None:
    os.truncate(folder / "data/videos/1.npy", 1000)


def broken_header(folder: Path) -> None:
    file = folder / "data/videos/1.npy"
    file.write_bytes(file.read_bytes().replace(b"'shape': (", b"'shape': [", 1))


ON_OPENING: dict[str, tuple[str, Spoil]] = {
    **{
        f"no folder {name}": (name, lambda folder, name=name: shutil.rmtree(folder / name))
        for name in ("data", "data/videos", "data/responses", "meta", "meta/trials", "meta/neurons")
    },
    "no video": ("data/videos/1.npy", lambda folder: (folder / "data/videos/1.npy").unlink()),
    "no training response": ("data/responses/1.npy", lambda folder: (folder / "data/responses/1.npy").unlink()),
    "no behavior of one trial": ("data/behavior/1.npy", lambda folder: (folder / "data/behavior/1.npy").unlink()),
    "no tiers": ("meta/trials/tiers.npy", lambda folder: (folder / "meta/trials/tiers.npy").unlink()),
    "truncated": ("data/videos/1.npy", cut_short),
    "pickled": ("data/responses/1.npy", pickled),
    "a plain pickle": ("data/responses/1.npy", pickled_plainly),
    "pickled tiers": (
        "meta/trials/tiers.npy",
        lambda folder: np.save(folder / "meta/trials/tiers.npy", np.array(TIERS, dtype=object), allow_pickle=True),
    ),
    "empty": ("data/videos/1.npy", lambda folder: (folder / "data/videos/1.npy").write_bytes(b"")),
    "broken header": ("data/videos/1.npy", broken_header),
    "text": ("data/videos/1.npy", lambda folder: (folder / "data/videos/1.npy").write_text("../annex/objects/x")),
    "two axes": ("data/videos/1.npy", change("data/videos/1.npy", lambda a: a[0])),
    "another frame size": ("data/videos/1.npy", change("data/videos/1.npy", lambda a: a[:, :-1])),
    "no frames": ("data/videos/0.npy", change("data/videos/0.npy", lambda a: a[..., :0])),
    "words": ("data/videos/1.npy", change("data/videos/1.npy", lambda a: a.astype("U9"))),
    "neurons disagree": ("data/responses/1.npy", change("data/responses/1.npy", lambda a: a[:-1])),
    "three channels": ("data/behavior/1.npy", change("data/behavior/1.npy", lambda a: a[[0, 1, 1]])),
    "unit ids disagree": ("cell_motor_coordinates.npy", change("meta/neurons/unit_ids.npy", lambda a: np.arange(9))),
    "duplicate unit ids": ("unit_ids.npy", change("meta/neurons/unit_ids.npy", put((1,), 100))),
    "no neurons": ("unit_ids.npy", change("meta/neurons/unit_ids.npy", lambda a: a[:0])),
    "coordinates disagree": (
        "cell_motor_coordinates.npy",
        change("meta/neurons/cell_motor_coordinates.npy", lambda a: a[:-1]),
    ),
    "too few tiers": ("meta/trials/tiers.npy", change("meta/trials/tiers.npy", lambda a: a[:-2])),
    "too many tiers": ("meta/trials/tiers.npy", change("meta/trials/tiers.npy", lambda a: np.append(a, "train"))),
    "tiers of numbers": ("meta/trials/tiers.npy", change("meta/trials/tiers.npy", lambda a: np.arange(8))),
    "zero trials": ("meta/trials/tiers.npy", change("meta/trials/tiers.npy", lambda a: np.full(8, "none"))),
    "file links out": ("data/videos/1.npy", link_out("data/videos/1.npy")),
    "folder links out": ("data/videos", link_out("data/videos")),
    "meta links out": ("meta/neurons/unit_ids.npy", link_out("meta/neurons/unit_ids.npy")),
    "facts not JSON": ("cinecortex.json", lambda folder: (folder / "meta/cinecortex.json").write_text("{")),
    "facts a list": ("cinecortex.json", lambda folder: (folder / "meta/cinecortex.json").write_text("[1]")),
    "no frame rate": (
        "cinecortex.json",
        lambda folder: (folder / "meta/cinecortex.json").write_text('{"frame_rate_hz": 0}'),
    ),
}

ON_READING: dict[str, tuple[str, Spoil]] = {
    "NaN in the middle": ("data/responses/1.npy", change("data/responses/1.npy", put((2, 5), np.nan))),
    "NaN in the first row": ("data/responses/1.npy", change("data/responses/1.npy", put((0, 5), np.nan))),
    "NaN in a movie": ("data/videos/1.npy", change("data/videos/1.npy", put((3, 3, 5), np.nan))),
    "NaN in the behavior": ("data/behavior/1.npy", change("data/behavior/1.npy", put((1, 5), np.nan))),
    "infinite response": ("data/responses/1.npy", change("data/responses/1.npy", put((2, 5), np.inf))),
    "infinite behavior": ("data/pupil_center/1.npy", change("data/pupil_center/1.npy", put((1, 5), -np.inf))),
    "negative response": ("data/responses/1.npy", change("data/responses/1.npy", put((2, 5), -1))),
    "too bright": ("data/videos/1.npy", change("data/videos/1.npy", put((2, 2, 5), 256))),
    "too dark": ("data/videos/1.npy", change("data/videos/1.npy", put((2, 2, 5), -1))),
    "infinite movie": ("data/videos/1.npy", change("data/videos/1.npy", put((2, 2, 5), np.inf))),
    "all NaN": ("data/videos/1.npy", change("data/videos/1.npy", put((...,), np.nan))),  # type: ignore[arg-type]
    "frames disagree": ("data/responses/1.npy", change("data/responses/1.npy", lambda a: a[:, : FRAMES - 4])),
}


def one_sentence(error: BadData, name: str) -> None:
    text = str(error)
    assert name in text
    assert text.endswith(".")
    assert "\n" not in text
    assert not re.search(r"[.!?]\s+[A-Z]", text)


@pytest.mark.parametrize("case", ON_OPENING)
def test_refused_on_opening(tmp_path: Path, case: str) -> None:
    name, spoil = ON_OPENING[case]
    folder = write_session(tmp_path / "Sitzung Ä 1")
    spoil(folder)
    with pytest.raises(BadData) as caught:
        load(folder)
    one_sentence(caught.value, name)


@pytest.mark.parametrize("case", ON_READING)
def test_refused_on_reading_and_listed(tmp_path: Path, case: str) -> None:
    name, spoil = ON_READING[case]
    folder = write_session(tmp_path / "Sitzung Ä 1")
    spoil(folder)
    recording = load(folder)
    trial = recording.trial("1")
    with pytest.raises(BadData) as caught:
        _ = trial.movie, trial.response, trial.behavior
    one_sentence(caught.value, name)
    found = find_problems(recording)
    assert any(name in problem.where for problem in found)
    assert all(problem.what.endswith(".") and problem.remedy.endswith(".") for problem in found)


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "movie": random.integers(0, 256, (120, HEIGHT, WIDTH)).astype(np.uint8),
        "response": random.exponential(size=(120, NEURONS)).astype(np.float32),
        "frame_rate_hz": np.array(30.0),
    }


BAD_ARRAYS: dict[str, dict[str, np.ndarray | None]] = {
    "no movie": {"movie": None},
    "no response": {"response": None},
    "no frame rate": {"frame_rate_hz": None},
    "frame rate zero": {"frame_rate_hz": np.array(0.0)},
    "two frame rates": {"frame_rate_hz": np.array([30.0, 30.0])},
    "movie of two axes": {"movie": np.zeros((120, 8))},
    "movie of words": {"movie": np.full((120, 2, 2), "a")},
    "fewer responses": {"response": np.zeros((119, NEURONS))},
    "no neurons": {"response": np.zeros((120, 0))},
    "negative response": {"response": -np.ones((120, NEURONS))},
    "NaN response": {"response": np.full((120, NEURONS), np.nan)},
    "infinite response": {"response": np.full((120, NEURONS), np.inf)},
    "movie too bright": {"movie": np.full((120, 8, 8), 1.5)},
    "movie above its maximum": {"movie_max": np.array(16)},
    "fewer behaviors": {"behavior": np.zeros((100, 2))},
    "one name for two channels": {"behavior": np.zeros((120, 2)), "behavior_channels": np.array(["a"])},
    "duplicate unit ids": {"unit_ids": np.zeros(NEURONS)},
    "too few unit ids": {"unit_ids": np.arange(2)},
    "trial beyond the end": {"trial_start": np.array([0, 120])},
    "trials out of order": {"trial_start": np.array([60, 0])},
    "tiers without trials": {"tier": np.array(["train"])},
    "tiers of the wrong length": {"trial_start": np.array([0, 60]), "tier": np.array(["train"])},
    "zero trials": {"trial_start": np.array([0]), "tier": np.array(["none"])},
}


def read_all(path: Path) -> None:
    for trial in load(path, cut=Cut(clip_frames=20, guard_frames=4)).trials:
        _ = trial.movie, trial.response, trial.behavior


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, case: str) -> None:
    path = tmp_path / "aufnahme é.npz"
    stored = {name: array for name, array in {**arrays(), **BAD_ARRAYS[case]}.items() if array is not None}
    np.savez(path, **stored)
    with pytest.raises(BadData) as caught:
        read_all(path)
    one_sentence(caught.value, path.name)


@pytest.mark.parametrize("content", ["empty", "truncated", "pickled", "text", "one array"])
def test_bad_archives(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.npz"
    np.savez(path, **arrays())
    if content == "empty":
        path.write_bytes(b"")
    elif content == "truncated":
        os.truncate(path, 1000)
    elif content == "pickled":
        np.savez(path, movie=np.array([{}], dtype=object))
    elif content == "text":
        path.write_text("hello")
    else:
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    with pytest.raises(BadData) as caught:
        load(path)
    one_sentence(caught.value, path.name)


@pytest.mark.parametrize("name", ["nowhere", "folder", "movie.mp4"])
def test_what_is_no_recording(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "movie.mp4").touch()
    with pytest.raises(BadData) as caught:
        load(tmp_path / name)
    one_sentence(caught.value, name)


def test_a_silent_neuron_and_a_silent_trial_are_listed(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    for number in range(8):
        change(f"data/responses/{number}.npy", put((4, slice(0, FRAMES)), 0))(folder)  # type: ignore[arg-type]
    np.save(folder / "data/responses/2.npy", padded(np.zeros((NEURONS, FRAMES))))
    what = " ".join(problem.what for problem in find_problems(load(folder)))
    assert "never respond (unit ids 104)" in what
    assert "training trial 2" in what


def test_a_clip_on_both_sides_is_listed(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    np.save(folder / "data/videos/7.npy", padded(clip(1)))
    (found,) = find_problems(load(folder))
    assert "training trial 1 and trial 7 of tier 'live_test_main'" in found.what
