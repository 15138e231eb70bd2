"""Plain arrays, and how a continuous recording is cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.data import Cut, load
from cinecortex.errors import BadData, WrongUse

FRAMES = 240
CUT = Cut(clip_frames=20, guard_frames=7)


def arrays(**more: Any) -> dict[str, Any]:
    random = np.random.default_rng(1)
    plain = {
        "movie": random.integers(0, 256, (FRAMES, 6, 8)).astype(np.uint8),
        "response": random.exponential(size=(FRAMES, 4)),
        "frame_rate_hz": np.array(30.0),
    }
    return {**plain, **more}


def npz(path: Path, **more: Any) -> Path:
    np.savez_compressed(path, **arrays(**more))
    return path


def test_a_continuous_recording(tmp_path: Path) -> None:
    recording = load(npz(tmp_path / "r.npz"), cut=CUT)
    stored = arrays()
    assert [t.trial_id for t in recording.tier("test")] == ["200-219", "220-239"]
    assert recording.tier("train")[1].trial_id == "27-46"
    trial = recording.trial("27-46")
    assert torch.allclose(trial.movie * 255, torch.from_numpy(stored["movie"][27:47]).float())
    assert torch.equal(trial.response, torch.from_numpy(stored["response"][27:47].astype(np.float32)))
    assert trial.behavior.shape == (20, 0)
    assert recording.response_unit == "a.u."


@settings(deadline=None)
@given(
    frames=st.integers(1, 3000),
    clip=st.integers(1, 400),
    guard=st.integers(0, 100),
    region=st.none() | st.tuples(st.integers(0, 3000), st.integers(0, 3000)),
)
def test_no_other_clip_is_within_the_guard_of_a_training_clip(
    frames: int, clip: int, guard: int, region: tuple[int, int] | None
) -> None:
    try:
        cut = Cut(clip, guard, region)
        clips = cut.clips(frames)
    except WrongUse:
        return
    first, last = cut.test_region(frames)
    assert {tier for _, _, tier in clips} == {"train", "test"}
    for begin, end, tier in clips:
        assert 0 <= begin < end <= frames
        assert end - begin == clip
        assert (first <= begin and end <= last) == (tier == "test")
    for (_, end, tier), (begin, _, next_tier) in pairwise(clips):
        assert begin - end >= (0 if tier == next_tier == "test" else guard)


def test_the_retina(retina_file: Path) -> None:
    recording = load(retina_file)
    test = recording.tier("test")
    assert [trial.trial_id for trial in test] == [f"{b}-{b + 299}" for b in range(30000, 36000, 300)]
    assert int(recording.tier("train")[-1].trial_id.split("-")[1]) < 30000 - 64
    assert len(recording.neurons) == 163
    with np.load(retina_file) as file:
        stored = file["movie"][30300:30600]
    assert torch.allclose(test[1].movie, torch.from_numpy(stored / 16).float())
    assert 0.9 < float(test[1].movie.max()) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"clip_frames": 0},
        {"guard_frames": -1},
        {"test_frames": (5, 5)},
        {"test_frames": (-1, 5)},
        {"test_frames": (0, 999)},
        {"clip_frames": 200},
        {"test_frames": (0, 240)},
    ],
)
def test_wrong_cuts(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongUse):
        load(npz(tmp_path / "r.npz"), cut=Cut(**wrong))


def test_trials_tiers_and_words(tmp_path: Path) -> None:
    more = {
        "trial_start": np.array([0, 50, 90, 200]),
        "tier": np.array(["train", "none", "val", "train"]),
        "behavior": np.ones((FRAMES, 1)),
        "behavior_channels": np.array(["running speed"]),
        "unit_ids": np.array([9, 8, 7, 6]),
        "session_id": np.array("s1"),
        "species": np.array("ferret"),
        "simulated": np.array(True),
        "response_unit": np.array("spikes"),
    }
    recording = load(npz(tmp_path / "r.npz", **more))
    assert [(t.trial_id, t.tier, len(t.movie)) for t in recording.trials] == [
        ("0", "train", 50),
        ("2", "val", 110),
        ("3", "train", 40),
    ]
    assert recording.behavior_channels == ("running speed",)
    assert (recording.session_id, recording.response_unit, recording.simulated) == ("s1", "spikes", True)
    assert recording.metadata["species"] == "ferret"
    assert recording.neurons.unit_ids.tolist() == [9, 8, 7, 6]


def test_trials_without_tiers_are_tested_when_they_lie_in_the_test_region(tmp_path: Path) -> None:
    path = npz(tmp_path / "r.npz", trial_start=np.array([0, 50, 190, 205, 220]))
    recording = load(path, cut=CUT)
    assert [(t.trial_id, t.tier) for t in recording.trials] == [
        ("0", "train"),
        ("1", "train"),
        ("3", "test"),
        ("4", "test"),
    ]


@pytest.mark.parametrize("movie", [lambda m: m.astype(">u2"), lambda m: (m / 255).astype(">f8"), np.asfortranarray])
def test_storage_does_not_matter(tmp_path: Path, movie: Any) -> None:
    one = load(npz(tmp_path / "a.npz"), cut=CUT)
    two = load(npz(tmp_path / "Ä b.npz", movie=movie(arrays()["movie"])), cut=CUT)
    assert torch.allclose(one.trials[0].movie, two.trials[0].movie)
    assert [t.clip_id for t in one.trials] == [t.clip_id for t in two.trials]


def write_zarr(path: Path, version: int) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for name, array in arrays(trial_start=np.array([0, 100])).items():
        chunks = (20, *array.shape[1:]) if array.ndim > 1 else "auto"
        group.create_array(name, data=array, chunks=chunks)
    group.attrs["species"] = "mouse"
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_is_read_slice_by_slice(tmp_path: Path, version: int) -> None:
    path = write_zarr(tmp_path / "r.zarr", version)
    recording, same = load(path), load(npz(tmp_path / "r.npz", trial_start=np.array([0, 100])))
    for one, two in zip(recording.trials, same.trials, strict=True):
        assert torch.equal(one.movie, two.movie)
        assert torch.equal(one.response, two.response)
    assert recording.metadata == {"species": "mouse"}
    # Chunks of the second trial are damaged: the first can still be read, the second is refused.
    for file in (path / "movie").rglob("*"):
        if file.is_file() and file.relative_to(path / "movie").as_posix() in ("8.0.0", "c/8/0/0"):
            file.write_bytes(b"damaged")
    assert torch.equal(load(path).trial("0").movie, same.trial("0").movie)
    with pytest.raises(BadData, match=r"r\.zarr"):
        _ = load(path).trial("1").movie


def test_zarr_that_unpickles_is_refused(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "r.zarr", 2)
    file = path / "movie" / ".zarray"
    file.write_text(file.read_text().replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    with pytest.raises(BadData, match="pickled"):
        load(path)


def test_fingerprints_follow_content(tmp_path: Path) -> None:
    digests = [load(npz(tmp_path / f"{name}.npz"), cut=CUT).fingerprint for name in "ab"]
    other = arrays()["response"]
    other[100, 2] += 1
    digests.append(load(npz(tmp_path / "c.npz", response=other), cut=CUT).fingerprint)
    assert digests[0] == digests[1] != digests[2]
