"""The Sensorium folder: what is read, in which order and unit, and how little of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sessions import CLIPS, FRAMES, HEIGHT, NEURONS, TIERS, WIDTH, clip, padded, write_session

from cinecortex.data import load, load_all
from cinecortex.data import sensorium_trial as reading


def test_axes_units_and_padding(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "session")
    recording = load(folder)
    trial = recording.trial("1")
    assert torch.allclose(trial.movie * 255, torch.from_numpy(clip(1)).permute(2, 0, 1).float())
    stored = np.load(folder / "data/responses/1.npy")[:, :FRAMES]
    assert torch.equal(trial.response, torch.from_numpy(stored.T.copy()))
    gaze = np.load(folder / "data/pupil_center/1.npy")[1, :FRAMES]
    assert torch.equal(trial.behavior[:, 3], torch.from_numpy(gaze))
    assert recording.behavior_channels == ("pupil dilation", "running speed", "gaze x", "gaze y")
    assert recording.frame_size == (HEIGHT, WIDTH)
    assert len(recording.neurons) == NEURONS
    assert (recording.session_id, recording.frame_rate_hz) == ("session", 30.0)
    assert recording.response_unit == "deconvolved activity (a.u.)"
    assert recording.problems == ()


def test_unusable_trials_are_left_out_and_numbers_kept(tmp_path: Path) -> None:
    recording = load(write_session(tmp_path / "s"))
    assert [trial.trial_id for trial in recording.trials] == ["0", "1", "2", "3", "4", "5", "7"]
    assert recording.tiers == ("train", "oracle", "live_test_main")


@pytest.mark.parametrize("stored", [{"dtype": "<f8"}, {"dtype": ">f8"}, {"dtype": ">f4"}, {"video_dtype": "u1"}])
def test_storage_does_not_matter(tmp_path: Path, stored: dict[str, str]) -> None:
    plain, other = load(write_session(tmp_path / "a")), load(write_session(tmp_path / "Maus Ä, 2", **stored))
    for one, two in zip(plain.trials, other.trials, strict=True):
        assert torch.equal(one.movie, two.movie)
        assert torch.allclose(one.response, two.response)
        assert one.clip_id == two.clip_id


def test_padding_of_bytes_is_told_by_the_other_arrays(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    video = np.concatenate([clip(0), np.zeros((HEIGHT, WIDTH, 6))], axis=-1).astype(np.uint8)
    np.save(folder / "data/videos/0.npy", video)
    recording = load(folder)
    assert len(recording.trial("0").movie) == FRAMES
    assert recording.trial("0").clip_id == recording.trial("3").clip_id


@pytest.mark.parametrize("how", ["absent", "zeros", "NaN"])
def test_withheld_responses_are_none(tmp_path: Path, how: str) -> None:
    folder = write_session(tmp_path / "s")
    file = folder / "data/responses/7.npy"
    if how == "absent":
        file.unlink()
    else:
        np.save(file, np.full((NEURONS, 26), 0.0 if how == "zeros" else np.nan))
    trial = load(folder).trial("7")
    assert trial.response is None
    assert len(trial.movie) == FRAMES


def test_missing_behavior_means_fewer_channels(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    shutil.rmtree(folder / "data/behavior")
    assert load(folder).behavior_channels == ("gaze x", "gaze y")
    shutil.rmtree(folder / "data/pupil_center")
    assert load(folder).trials[0].behavior.shape == (FRAMES, 0)


def test_facts(tmp_path: Path) -> None:
    facts = {"session_id": "m1", "species": "mouse", "simulated": True, "frame_rate_hz": 25, "response_unit": "spikes"}
    recording = load(write_session(tmp_path / "s", facts=facts))
    assert recording.simulated
    assert recording.metadata["species"] == "mouse"
    assert (recording.session_id, recording.frame_rate_hz, recording.response_unit) == ("m1", 25.0, "spikes")
    assert {trial.session_id for trial in recording.trials} == {"m1"}


def test_missing_statistics_are_a_problem_only(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    shutil.rmtree(folder / "meta/statistics")
    (problem,) = load(folder).problems
    assert "statistics" in problem.where


def test_opening_reads_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("an array was read")

    folder = write_session(tmp_path / "s")
    monkeypatch.setattr(reading, "read_array", forbidden)
    recording = load(folder)
    with pytest.raises(AssertionError, match="was read"):
        _ = recording.trials[0].movie


def test_fingerprint_follows_content_only(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "a" / "s")
    first = load(folder).fingerprint
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert load(moved).fingerprint == first
    tiers = np.array(TIERS)
    tiers[0] = "oracle"
    np.save(moved / "meta/trials/tiers.npy", tiers)
    second = load(moved).fingerprint
    response = np.load(moved / "data/responses/2.npy")
    response[3, 7] += 1
    np.save(moved / "data/responses/2.npy", response)
    assert len({first, second, load(moved).fingerprint}) == 3


def test_all_sessions_of_a_folder_in_name_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_session(tmp_path / name)
    (tmp_path / "notes").mkdir()
    assert [recording.session_id for recording in load_all(tmp_path)] == ["a", "b"]
    assert [recording.session_id for recording in load_all(tmp_path / "b")] == ["b"]


def test_links_inside_the_session_are_followed(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    (folder / "data/videos/3.npy").unlink()
    (folder / "data/videos/3.npy").symlink_to(folder / "data/videos/0.npy")
    recording = load(folder)
    assert CLIPS[0] == CLIPS[3]
    assert recording.trial("3").clip_id == recording.trial("0").clip_id


def test_length_is_that_of_the_shortest_array(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    np.save(folder / "data/behavior/0.npy", padded(np.ones((2, 15))))
    trial = load(folder).trial("0")
    assert (len(trial.movie), len(trial.response), len(trial.behavior)) == (15, 15, 15)
