"""A fit that dies loses at most one epoch, and ends as if it had never died."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EPOCHS = 5


def kill_in_mid_fit(words: list[str], state: Path) -> int:
    """Start a fit, kill it once it has saved an epoch, and say how many it had saved."""
    process = subprocess.Popen([sys.executable, "-m", "cinecortex.cli", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    done = 0
    for line in process.stdout:  # a line comes after its epoch was saved
        done = int(line.split()[1].split("/")[0])
        break
    process.kill()
    process.stdout.close()
    assert process.wait() == -9
    assert any(state.glob("*/state.json"))
    return done


def first_epoch(out: str) -> int:
    return int(out.splitlines()[0].removeprefix("fitting: ").split("/")[0])


def test_killed_and_resumed_is_the_same_to_the_bit(run, mice, tmp_path):
    out, state, kept = tmp_path / "e", tmp_path / "e.unfinished", tmp_path / "kept"
    words = ["fit", str(mice / "first"), "--out", str(out), "--epochs", str(EPOCHS), "--folds", "3"]
    assert kill_in_mid_fit(words, state) < EPOCHS
    assert not out.exists()
    shutil.copytree(state, kept)

    for change in (("--seed", 1), ("--epochs", 4), ("--folds", 4)):
        other = run(*words, "--resume", *change)
        assert other.code == 2
        assert "e.unfinished was left by a fit of other" in other.err
        assert not out.exists()

    whole = run(*words)
    assert whole.code == 0
    assert first_epoch(whole.out) == 1, "without --resume it begins anew"
    assert not state.exists()
    weights = (out / "weights.safetensors").read_bytes()

    kept.rename(state)
    resumed = run(*words, "--resume")
    assert resumed.code == 0
    assert first_epoch(resumed.out) > 1, "it went on where it was killed"
    assert (out / "weights.safetensors").read_bytes() == weights
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e"]

    assert run(*words, "--seed", 1).code == 0
    assert (out / "weights.safetensors").read_bytes() != weights


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_nothing_to_resume_is_no_hindrance(run, mice, tmp_path, resume):
    words = ("fit", mice / "second", "--out", tmp_path / "e", "--epochs", 1, "--folds", 3)
    assert run(*words, *resume).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
