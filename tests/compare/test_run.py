"""What is under `compare`: memory that is the process's own, processes that die, what counts as the same method."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory

from cinecortex.compare import run
from cinecortex.compare.job import Job, code_of
from cinecortex.compare.memory import peak_memory_bytes
from cinecortex.compare.tables import markdown
from cinecortex.data import Cut
from cinecortex.encoders.checkpoint import Model, save_model
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Neurons, Recording, Trial

JOB = Job("mean", "mouse", "encoder", ("1",), 0, "out", {"seed": 0}, {"a": "b"}, 300, 64, (5, 9))
MEGABYTE = 2**20


def test_a_job_survives_its_way_to_the_other_process():
    assert Job.of_json(JOB.to_json()) == JOB


def test_the_peak_is_of_this_process_not_of_the_one_that_started_it():
    ballast = np.ones(700 * MEGABYTE, np.uint8)
    code = "from cinecortex.compare.memory import peak_memory_bytes; print(peak_memory_bytes())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert peak_memory_bytes() > ballast.nbytes
    assert 5 * MEGABYTE < int(said) < ballast.nbytes


def test_the_peak_stays_when_memory_is_given_back():
    before = peak_memory_bytes()
    np.ones(before + 100 * MEGABYTE, np.uint8)
    assert peak_memory_bytes() > before + 100 * MEGABYTE


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory ran out"),
        ("import sys; sys.exit('lost a wheel')", "exit code 1: lost a wheel"),
        ('import sys; print(\'{"failed": "no luck"}\'); sys.exit(1)', "no luck"),
    ],
)
def test_a_process_that_dies_is_a_sentence(monkeypatch, does, said):
    started = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: started([sys.executable, "-c", does], **how))
    assert said in run.run_apart(JOB, lambda done, total, message: None)


def test_whoever_stops_the_wait_stops_the_process(monkeypatch):
    started, alive = subprocess.Popen, []
    code = 'import time; print(\'{"done": 1, "total": 2, "message": ""}\', flush=True); time.sleep(60)'

    def start(_: object, **how: object) -> subprocess.Popen[str]:
        alive.append(started([sys.executable, "-c", code], **how))
        return alive[0]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        run.run_apart(JOB, stop)
    assert alive[0].poll() is not None


def test_what_cannot_be_compared_is_refused_before_any_work(tmp_path):
    shown = Trial("1", "s", "test", 30.0, (4, 4), (), InMemory(torch.zeros(5, 4, 4)))
    recording = Recording("s", (shown,), Neurons(np.arange(2)), 30.0, (4, 4), "spikes", (), {}, tmp_path, "f")
    told = {"out": tmp_path / "new", "seed": 0, "cut": Cut(), "command": "", "stage": nullcontext}
    with pytest.raises(WrongUse, match="no method was named"):
        run.compare(recording, Model({}, {}), tmp_path, [shown], methods=(), **told)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(BadData, match=r"cannot be written .* choose another folder with --out"):
        run._open(tmp_path / "file" / "new")


def test_scores_kept_with_an_encoder_do_not_make_it_another(tmp_path):
    filters = torch.zeros(2, 3, 4, 4)

    def fingerprint(offset: float, **facts: object) -> str:
        encoder = LinearNonlinear(filters, torch.full((2,), offset))
        fitted = {"session_id": "a", "trials": {"train": ["1"]}, **facts}
        save_model(Model({"a": encoder}, {"kind": "linear_nonlinear", "fitted": [fitted]}), tmp_path / "e")
        return run.encoder_fingerprint(tmp_path / "e")

    plain = fingerprint(0.0)
    assert fingerprint(0.0, scores={"test": 0.5}) == plain
    assert fingerprint(0.1) != plain
    assert fingerprint(0.0, trials={"train": ["2"]}) != plain


def test_the_code_of_a_package_of_methods_has_a_digest():
    assert code_of("cinecortex.inversion") == code_of("cinecortex.inversion") != code_of("cinecortex.decoders")
    assert code_of(None) is None


def test_a_sentence_with_a_bar_does_not_break_the_table():
    assert markdown(["a"], [["x|y"]]) == ["| a |", "| --- |", "| x\\|y |"]
