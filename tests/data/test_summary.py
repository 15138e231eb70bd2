"""What inspect prints, against numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sessions import FRAMES, NEURONS, padded, write_session

from cinecortex.data import load, summarise


def test_counts(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    for number in range(8):
        activity = np.ones((NEURONS, FRAMES))
        activity[:, ::4] = 0
        np.save(folder / "data/responses" / f"{number}.npy", padded(activity))
    found = summarise(load(folder))
    assert (found.neurons, found.clips, found.repeats) == (NEURONS, 5, 2)
    assert found.trials == {"train": 4, "oracle": 2, "live_test_main": 1}
    assert found.minutes == pytest.approx(7 * FRAMES / 30 / 60)
    assert found.zero_fraction == pytest.approx(0.25)
    assert found.mean_response == pytest.approx(0.75)
    assert found.reliability is None  # clips shorter than the burn-in
    assert found.problems == ()


def test_reliability_of_repeats(tmp_path: Path) -> None:
    path, random = tmp_path / "r.npz", np.random.default_rng(0)
    frames, neurons, repeats = 1000, 40, 4
    rate = 10 + random.normal(size=(frames, neurons))
    clip = random.integers(0, 256, (frames, 4, 4)).astype(np.uint8)
    np.savez(
        path,
        movie=np.concatenate([clip] * repeats),
        response=np.concatenate([rate + random.normal(size=rate.shape) for _ in range(repeats)]),
        frame_rate_hz=30.0,
        trial_start=np.arange(repeats) * frames,
        tier=np.full(repeats, "oracle"),
    )
    found = summarise(load(path))
    # Signal and noise have the same variance: repeats correlate 1/2, the rate with a repeat sqrt(1/2).
    assert found.reliability == pytest.approx(0.5, abs=0.03)
    assert found.noise_ceiling == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert (found.repeats, found.repeated_clips, found.clips) == (4, 1, 1)


def test_json_and_recordings_without_responses(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", tiers=["final_test_main"] * 8)
    for file in (folder / "data/responses").iterdir():
        file.unlink()
    found = json.loads(json.dumps(summarise(load(folder)).to_json(), allow_nan=False))
    assert found["mean_response"] is None
    assert found["zero_fraction"] is None
    assert found["trials"] == {"final_test_main": 8}


def test_an_unreadable_trial_is_listed_and_the_rest_described(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    file = folder / "data/responses/1.npy"
    array = np.load(file)
    array[2, 3] = -1
    np.save(file, array)
    found = summarise(load(folder))
    assert [problem.where for problem in found.problems] == [str(file)]
    assert found.clips == 5
