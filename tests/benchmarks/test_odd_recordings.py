"""Recordings that are odd in one way each are odd in that way, and sound otherwise."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cinecortex.data import load, near_copies
from cinecortex.errors import WrongUse
from cinecortex.metrics import movie_correlation
from cinecortex.seeds import Seed

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SEED = Seed(3)
SMALL = {"neurons": 8, "clips": 6, "test_clips": 5, "oracle_clips": 1, "oracle_repeats": 2, "seconds": 2.0}


@pytest.fixture(scope="module")
def odd():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("odd_recordings")
    sys.path.remove(str(BENCHMARKS))
    del sys.modules["odd_recordings"]


@pytest.fixture(scope="module")
def recordings(odd, tmp_path_factory):
    """All of them, of one mouse."""
    folder = tmp_path_factory.mktemp("odd")
    for name, write in odd.RECORDINGS.items():
        write(folder / name, SEED, **SMALL)
    return {name: load(folder / name) for name in odd.RECORDINGS}


def test_each_is_a_session_without_problems(recordings, odd):
    for recording in recordings.values():
        assert recording.problems == ()
        assert recording.frame_size == odd.FRAME_SIZE
        assert [len(recording.tier(tier)) for tier in ("train", "oracle", "final_test_main")] == [6, 2, 5]
        for trial in recording.trials:
            assert bool((trial.response >= 0).all())
            assert len(trial.movie) == len(trial.response) == len(trial.behavior) == 60
        mean = np.load(recording.source / "meta" / "statistics" / "videos" / "all" / "mean.npy")
        expected = torch.stack([trial.movie for trial in recording.tier("train")]).mean() * 255
        assert float(mean) == pytest.approx(float(expected), rel=1e-4)
    leftovers = [path for path in recordings["honest"].source.parent.iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_the_deaf_respond_to_another_movie(recordings, odd):
    honest, deaf = recordings["honest"], recordings["deaf"]
    for one, other in zip(honest.trials, deaf.trials, strict=True):
        assert torch.equal(one.movie, other.movie)
        assert torch.equal(one.behavior, other.behavior)
        assert not torch.equal(one.response, other.response)
    mouse = odd.Deaf(odd._mouse(SEED, 8))
    trial = deaf.trials[0]
    responses = [mouse.respond(movie, trial.behavior, SEED) for movie in (trial.movie, 1 - trial.movie)]
    assert torch.equal(*responses)


def test_the_aroused_follow_behavior_and_so_does_the_brightness(recordings, odd):
    for trial in recordings["aroused"].tier("final_test_main"):
        level = torch.from_numpy(odd.brightness(trial.behavior.T.numpy())).float()
        torch.testing.assert_close(trial.movie.mean((1, 2)), level, atol=0.01, rtol=0)
    mouse, trial = odd.Aroused(odd._mouse(SEED, 8)), recordings["aroused"].trials[0]
    rates = [mouse.rate(movie, trial.behavior) for movie in (trial.movie, 1 - trial.movie)]
    assert torch.equal(*rates)
    assert not torch.equal(rates[0], mouse.rate(trial.movie, trial.behavior.flip(0))), "but they do follow that"


def test_every_copied_test_clip_was_in_training(recordings):
    recording = recordings["copied"]
    train, test = recording.tier("train"), recording.tier("final_test_main")
    assert {trial.clip_id for trial in test} & {trial.clip_id for trial in train} == {test[0].clip_id}, "one exactly"
    clips = {trial.clip_id: trial.reader.movie for trial in (*train, *test)}
    tested = {trial.clip_id for trial in test}
    near = {clip for pair in near_copies(clips) for clip in (pair.first, pair.second)}
    assert len(near & tested) >= 3, "the mirrored, the brighter and the noisy at least"
    honest = {trial.clip_id: trial.reader.movie for trial in recordings["honest"].trials}
    assert near_copies(honest) == ()
    # The mouse saw the copy: its response is another one than to the clip that it was put in place of.
    assert not torch.equal(train[0].response, recordings["honest"].tier("train")[0].response)


def test_the_narrow_were_trained_on_gratings_only(recordings):
    narrow, honest = recordings["narrow"], recordings["honest"]
    for one, other in zip(narrow.trials, honest.trials, strict=True):
        assert torch.equal(one.movie, other.movie) == (one.tier == "final_test_main")
    for trial in narrow.tier("train", "oracle"):
        # A drifting grating a quarter of a cycle on is another one; all its frames lie in a plane.
        frames = (trial.movie - 0.5).flatten(1)
        variance = torch.linalg.svdvals(frames).square()
        assert float(variance[:2].sum() / variance.sum()) > 0.99
    first, second = narrow.tier("oracle")
    assert torch.equal(first.movie, second.movie)
    assert abs(movie_correlation(narrow.tier("train")[0].movie, narrow.tier("train")[1].movie)) < 0.5


def test_it_is_written_whole_or_not_at_all(odd, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    for write in odd.RECORDINGS.values():
        with pytest.raises(WrongUse, match="exists already"):
            write(tmp_path / "there", SEED, **SMALL)

    def broken(*_):
        raise RuntimeError("interrupted")

    monkeypatch.setattr(odd, "_grating", broken)
    with pytest.raises(RuntimeError, match="interrupted"):
        odd.narrow(tmp_path / "new", SEED, **{**SMALL, "clips": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
