"""Slurm: a real one with one node where it is installed, and a stand-in that runs the submitted script at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.execution import one_node

from cinecortex.errors import CinecortexError, WrongUse
from cinecortex.execution.machines import Machines, Slurm
from cinecortex.execution.mapping import Done, Task, map_tasks

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
if sys.platform != "linux":
    pytest.skip("Slurm is of Linux", allow_module_level=True)

SLURM = Slurm(jobs=1, cores=1, memory="1 GB", interface="lo", walltime="00:10:00", partition="short")
MOST_SECONDS = 120


@pytest.fixture(autouse=True)
def _never_hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test is timed, but one that waits for a job that does not come must end."""

    def too_long(signal_number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"nothing came back from Slurm within {MOST_SECONDS} s")

    monkeypatch.setattr("cinecortex.execution.mapping._TEND_SECONDS", 1.0)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(MOST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if (program := one_node.missing()) is not None:
        why = f"{program} is not installed; apt install slurmctld slurmd slurm-client munge"
        if os.environ.get("CINECORTEX_REQUIRE_SLURM") == "1":
            pytest.fail(f"{why}; CINECORTEX_REQUIRE_SLURM=1 asks for it")
        pytest.skip(why)
    with one_node.one_node(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def real(node: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Slurm:
    for name, value in node.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return replace(SLURM, log_folder=str(tmp_path / "logs"))


def one(function: Callable[[Any], Any], slurm: Slurm) -> Any:
    (outcome,) = map_tasks(function, [Task("a" * 32, "one", 0)], machines=Machines(slurm=slurm))
    return outcome.value if isinstance(outcome, Done) else outcome.why


def stand_in(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_the_work_of_a_cancelled_job_is_done_by_another(real: Slurm, tmp_path: Path) -> None:
    mark = tmp_path / "cancelled"

    def cancels_its_job_once(_: int) -> tuple[str, str]:
        job = os.environ["SLURM_JOB_ID"]
        if not mark.exists():
            mark.write_text(job)
            subprocess.run(["scancel", job], check=True)
            time.sleep(60)
        return mark.read_text(), job

    first, second = one(cancels_its_job_once, real)
    assert int(second) > int(first)


def test_a_job_that_slurm_refuses_is_told_of_before_anything_runs(real: Slurm) -> None:
    with pytest.raises(WrongUse, match=r"Slurm refuses the job .*partition"):
        one(str, replace(real, partition="nowhere"))


def test_jobs_that_end_before_they_work_are_told_of(real: Slurm) -> None:
    with pytest.raises(CinecortexError, match=r"ended the jobs before they could work.*logs"):
        one(str, replace(real, prologue=("exit 1",)))


@pytest.fixture
def at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    submit = f'cp "$1" {tmp_path}/job; setsid bash {tmp_path}/job >{tmp_path}/log 2>&1 & echo "job $!"'
    stand_in(tmp_path, "sbatch", f'[ "$1" = --test-only ] && exit 0\n{submit}')
    stand_in(tmp_path, "scancel", 'kill -- "-$1"')
    stand_in(tmp_path, "squeue", "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_a_task_is_run_by_the_job_that_was_submitted(at_once: Path) -> None:
    def where_it_runs(_: int) -> tuple[int, str, str]:
        return os.getpid(), os.environ["MODULES"], os.environ["OMP_NUM_THREADS"]

    asked = replace(
        SLURM, account="vision", directives=("--gres=gpu:1",), prologue=("export MODULES=loaded",), memory="2 GB"
    )
    process, modules, threads = one(where_it_runs, asked)
    assert process != os.getpid()
    assert (modules, threads) == ("loaded", "1")
    script = (at_once / "job").read_text().splitlines()
    for line in ("-J cinecortex", "-p short", "-A vision", "-n 1", "--cpus-per-task=1", "--mem=2G", "-t 00:10:00"):
        assert f"#SBATCH {line}" in script
    assert "#SBATCH --gres=gpu:1" in script
    assert "export OMP_NUM_THREADS=1" in script
    assert "--no-dashboard" in script[-1]
    assert "--interface lo" in script[-1]


def of_a_module_that_no_worker_has(_: int) -> None:
    pass


def test_a_function_that_no_worker_can_read_is_a_failure(at_once: Path) -> None:
    said = one(of_a_module_that_no_worker_has, SLURM)
    assert "a worker cannot read what it is sent: it has no module test_slurm; install" in said


def test_where_there_is_no_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrongUse, match="no sbatch on the path"):
        one(str, SLURM)


def test_no_jobs_are_refused() -> None:
    with pytest.raises(WrongUse, match="0 jobs of 1 cores"):
        Slurm(jobs=0, cores=1, memory="1 GB", interface="lo")


def test_what_will_run_is_said() -> None:
    assert str(Machines(slurm=SLURM)) == "1 Slurm jobs of 1 cores"
    assert Machines(slurm=SLURM).at_once == 1
