"""Splits by clip group: nothing that is tested is ever trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions import clip, padded, write_session

from cinecortex.data import clip_groups, clip_identity, folds_by_clip, load, split
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response


@dataclass(frozen=True)
class Shown:
    number: int

    def movie(self) -> Movie:
        return torch.from_numpy(np.random.default_rng(self.number).random((8, 4, 4), dtype=np.float32))

    def response(self) -> Response | None:
        return torch.zeros(8, 2)

    def behavior(self) -> Behavior:
        return torch.zeros(8, 0)

    def clip_id(self) -> str:
        return clip_identity(self.movie())


def trials(shown: list[int]) -> list[Trial]:
    return [Trial(str(i), "s", "train", 30.0, (4, 4), (), Shown(number)) for i, number in enumerate(shown)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=4, max_size=30), st.integers(2, 5), st.integers(0, 3))
def test_folds_keep_clips_whole_and_balanced(shown: list[int], folds: int, root: int) -> None:
    if len(set(shown)) < folds:
        with pytest.raises(WrongUse):
            folds_by_clip(trials(shown), folds=folds, seed=Seed(root))
        return
    dealt = folds_by_clip(trials(shown), folds=folds, seed=Seed(root))
    assert sorted(int(t.trial_id) for fold in dealt for t in fold) == list(range(len(shown)))
    clips = [{shown[int(t.trial_id)] for t in fold} for fold in dealt]
    assert sum(map(len, clips)) == len(set(shown))
    largest = max(Counter(shown).values())
    assert max(map(len, dealt)) - min(map(len, dealt)) <= largest


def test_the_seed_decides() -> None:
    def names(root: int) -> list[list[str]]:
        return [[t.trial_id for t in fold] for fold in folds_by_clip(trials(list(range(20))), folds=4, seed=Seed(root))]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_tested_clips_leave_training_across_sessions(tmp_path: Path) -> None:
    one = load(write_session(tmp_path / "one"))
    folder = write_session(tmp_path / "two", clips=(20, 21, 22, 23, 24, 25, 26, 27))
    # Session two tests clip 2, which session one trains on, and trains on clip 10, which session one tests.
    np.save(folder / "data/videos/7.npy", padded(clip(2)))
    np.save(folder / "data/videos/0.npy", padded(clip(10)))
    two = load(folder)
    found = split([one, two], folds=3, seed=Seed(0))
    gone = {(item.trial.session_id, item.trial.trial_id) for item in found.dropped}
    assert gone == {("one", "2"), ("two", "0")}
    assert all("tested" in item.reason for item in found.dropped)
    used = [{t.clip_id for t in role} for role in (found.train, found.select, found.test)]
    assert not used[0] & used[1]
    assert not (used[0] | used[1]) & used[2]
    assert {t.tier for t in found.test} == {"oracle", "live_test_main"}
    assert repr(found) == f"Split({len(found.train)} train, {len(found.select)} select, 6 test trials, 2 dropped)"
    groups = clip_groups([*one.trials, *two.trials])
    assert groups["one", "2"] == groups["two", "7"] != groups["one", "1"]
    assert groups["one", "0"] == groups["one", "3"]


def test_select_folds_cover_training(tmp_path: Path) -> None:
    recording = load(write_session(tmp_path / "s"))
    chosen = [
        t.trial_id for fold in range(3) for t in split([recording], folds=3, select_fold=fold, seed=Seed(0)).select
    ]
    assert sorted(chosen) == ["0", "1", "2", "3"]


def test_tiers_can_be_chosen(tmp_path: Path) -> None:
    recording = load(write_session(tmp_path / "s"))
    found = split([recording], folds=2, test_tiers=["oracle"], seed=Seed(0))
    assert {t.trial_id for t in found.test} == {"4", "5"}
    for wrong in (["train"], ["nothing"]):
        with pytest.raises(WrongUse, match="test_tiers"):
            split([recording], folds=2, test_tiers=wrong, seed=Seed(0))
    with pytest.raises(WrongUse, match="select_fold"):
        split([recording], folds=2, select_fold=2, seed=Seed(0))


def test_nothing_to_train_on(tmp_path: Path) -> None:
    recording = load(write_session(tmp_path / "s", tiers=["oracle"] * 8))
    with pytest.raises(BadData, match="train"):
        split([recording], seed=Seed(0))
