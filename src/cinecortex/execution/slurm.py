"""Workers that Slurm starts."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from cinecortex.errors import CinecortexError, WrongUse

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_NAME = "cinecortex"
_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Slurm:
    """Jobs to ask Slurm for; every core of a job is one worker process with one thread.

    The scheduler runs in this process and listens on `interface`, where the jobs must reach it.

    Attributes:
        jobs: How many.
        cores: Cores of each.
        memory: Memory of each, such as ``8 GB``.
        interface: Network interface that connects this machine with the nodes, such as ``eth0`` or ``ib0``.
        walltime: Time after which Slurm ends a job, ``HH:MM:SS``.
        partition: Slurm's partition; None for its default.
        account: Whose account is charged; None for the default.
        directives: Further lines for ``#SBATCH``, such as ``--gres=gpu:1``.
        prologue: Lines of shell to run before the worker, such as ``module load python``.
        log_folder: Where jobs write what they say, on a disk that the nodes share; None for Slurm's default.
    """

    jobs: int
    cores: int
    memory: str
    interface: str
    walltime: str = "01:00:00"
    partition: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    log_folder: str | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1 or self.cores < 1:
            raise WrongUse(f"Slurm is asked for {self.jobs} jobs of {self.cores} cores; ask for one or more of each.")


def slurm_cluster(slurm: Slurm) -> Any:
    """A cluster whose workers are jobs that Slurm was asked for.

    Raises:
        WrongUse: dask-jobqueue is not installed, there is no Slurm here, or it refuses such a job.
    """
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise WrongUse("Slurm needs dask-jobqueue; install cinecortex[slurm].") from error
    if shutil.which("sbatch") is None:
        raise WrongUse("there is no sbatch on the path; run this where Slurm jobs can be submitted.")
    cluster = SLURMCluster(
        cores=slurm.cores,
        processes=slurm.cores,
        memory=slurm.memory,
        walltime=slurm.walltime,
        queue=slurm.partition,
        account=slurm.account,
        interface=slurm.interface,
        job_name=_NAME,
        job_extra_directives=list(slurm.directives),
        job_script_prologue=[*(f"export {name}={count}" for name, count in ONE_THREAD.items()), *slurm.prologue],
        worker_extra_args=["--no-dashboard"],
        log_directory=slurm.log_folder,
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
    )
    with ExitStack() as undo:
        undo.callback(cluster.close)
        _refuse_job(cluster.job_script())
        cluster.scale(jobs=slurm.jobs)
        undo.pop_all()
    return cluster


class SlurmTending(SchedulerPlugin):
    """Asks again for jobs whose time was up or that were cancelled; what they ran is run again.

    Args:
        slurm: What was asked for.
        cluster: From `slurm_cluster`.
    """

    def __init__(self, slurm: Slurm, cluster: Any) -> None:
        self.slurm, self.cluster = slurm, cluster
        self._worked: set[str] = set()
        cluster.scheduler.add_plugin(self, name=_NAME)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Dask tells of every worker that comes; those of one job are called after it."""
        name = str(scheduler.workers[worker].name)
        jobs = self.cluster.workers.items()
        self._worked |= {job.job_id for own, job in jobs if f"{name}-".startswith(f"{own}-")}

    def __call__(self) -> None:
        """Look after the jobs.

        Raises:
            CinecortexError: jobs ended before they had a worker, so that others would, too.
        """
        self.cluster.scale(jobs=self.slurm.jobs)
        if self.cluster.scheduler_info["workers"]:
            return
        idle = {job.job_id for job in self.cluster.workers.values()} - self._worked - {None}
        queued = _queued()
        if idle and queued is not None and not idle & queued:
            where = self.slurm.log_folder or "the folder that this was started in"
            raise CinecortexError(f"Slurm ended the jobs before they could work; what they said is in {where}.")


def _refuse_job(script: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.sh"
        path.write_text(script)
        command = ["sbatch", "--test-only", str(path)]
        said = _ask(command)
    if said is None or said.returncode != 0:
        why = "it does not answer" if said is None else said.stderr.strip().rpartition("\n")[2]
        raise WrongUse(f"Slurm refuses the job ({why}); correct what is asked of it.")


def _queued() -> set[str] | None:
    """Ids of our jobs that wait or run; None where Slurm does not say."""
    said = _ask(["squeue", "--noheader", f"--name={_NAME}", f"--user={os.getuid()}", "--format=%A"])
    return set(said.stdout.split()) if said is not None and said.returncode == 0 else None


def _ask(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(  # noqa: S603 - no shell, and nothing in it comes from outside
            command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
