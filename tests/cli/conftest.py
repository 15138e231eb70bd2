"""The command line as a user meets it: words in; exit code, standard output and standard error out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from cinecortex.cli import main
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session

SMALL = {"neurons": 12, "oracle_clips": 2, "oracle_repeats": 2, "test_clips": 2, "seconds": 2.0}


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def run_command(*words: object) -> Ran:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["cinecortex", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int | None)
    return Ran(code or 0, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def run() -> Run:
    return run_command


@pytest.fixture(scope="session")
def mice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small sessions, ``first`` and ``second``."""
    folder = tmp_path_factory.mktemp("mice")
    write_session(folder / "first", seed=Seed(0), clips=9, **SMALL)
    write_session(folder / "second", seed=Seed(1), clips=6, **SMALL)
    return folder


@pytest.fixture(scope="session")
def encoder(mice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One encoder folder, fitted to both sessions by the command."""
    out = tmp_path_factory.mktemp("encoders") / "pair"
    ran = run_command("fit", mice / "first", mice / "second", "--out", out, "--epochs", 2, "--folds", 3)
    assert ran.code == 0, ran.err
    assert "session in-silico-0: all 2 epochs were run" in ran.out
    assert "session in-silico-1: all 2 epochs were run" in ran.out
    assert sorted(path.name for path in out.iterdir()) == ["encoder.json", "weights.safetensors"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["pair"]
    return out
