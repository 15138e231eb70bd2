"""Inversion on a device that is not the processor: the same answers, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

METHODS = (
    "map",
    "map, gradients averaged",
    "mask",
    "sample",
    "sample, each descended to",
    "paper",
    "information",
)


@pytest.fixture(scope="module")
def differences() -> dict[str, float | str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.inversion.stand_in"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("method", METHODS)
def test_answers_are_those_of_the_processor(differences, method: str) -> None:
    # The stand-in is computed with by the same processor: every bit is the same.
    assert differences[method] == 0


def test_what_was_left_on_the_processor_is_found(differences) -> None:
    assert "tensors on both devices" in differences["forgotten"]
