"""Where tasks run: threads of this process, processes of this machine, a Dask cluster that exists, or Slurm.

Unless a cluster or Slurm is asked for, nothing listens on another address than 127.0.0.1: who reaches a Dask port may
run whatever they like as the user who opened it.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import dask
from distributed import Client, LocalCluster

from cinecortex.errors import WrongUse
from cinecortex.execution.slurm import ONE_THREAD, Slurm, SlurmTending, slurm_cluster

_ALONE = "127.0.0.1"
_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60
_CONFIG = {
    # A task that takes its worker down three times more than once is a task that takes workers down.
    "distributed.scheduler.allowed-failures": 3,
    # No worker holds a task that it has not begun, so none is suspected of what another did.
    "distributed.scheduler.worker-saturation": 1.0,
    # Long enough to be worth moving: a worker that comes late, as under Slurm, takes over what others have not begun.
    "distributed.scheduler.default-task-durations": {"_carry_out": "10m"},
    # Answers are fetched as they finish; a worker that waits for room to come back would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    # A worker that is gone this long is replaced, where it was Slurm that took it away.
    "distributed.deploy.lost-worker-timeout": "5s",
    # The function is sent once, however large the encoder in it is.
    "distributed.admin.large-graph-warning-threshold": "1 TiB",
}


@dataclass(frozen=True)
class Machines:
    """Where tasks run; by default in threads of this process, as many as it may use cores.

    Attributes:
        workers: Worker processes on this machine, each with one thread.
        threads: Threads of this process, where there is no other place; None for the number of cores.
        scheduler: Address of a Dask scheduler that exists, such as ``tcp://10.0.0.1:8786``.
        slurm: Jobs to ask Slurm for.
    """

    workers: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    slurm: Slurm | None = None

    def __post_init__(self) -> None:
        chosen = [name for name in ("workers", "threads", "scheduler", "slurm") if getattr(self, name) is not None]
        if len(chosen) > 1:
            raise WrongUse(f"tasks run in one place, and {' and '.join(chosen)} were given; choose one.")
        for name in ("workers", "threads"):
            if (count := getattr(self, name)) is not None and count < 1:
                raise WrongUse(f"{count} {name} can run nothing; ask for one or more.")

    @property
    def at_once(self) -> int | None:
        """How many tasks run at once; None where only the scheduler knows."""
        if self.scheduler is not None:
            return None
        if self.slurm is not None:
            return self.slurm.jobs * self.slurm.cores
        return self.workers or self.threads or _cores()

    def __str__(self) -> str:
        if self.scheduler is not None:
            return f"the cluster at {self.scheduler}"
        if self.slurm is not None:
            return f"{self.slurm.jobs} Slurm jobs of {self.slurm.cores} cores"
        kind = "worker process" if self.workers is not None else "thread"
        many = ("es" if self.workers is not None else "s") if self.at_once != 1 else ""
        return f"{self.at_once} {kind}{many} on this machine"


def _cores() -> int:
    """Cores that this process may use, which in a container or a job are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def connected(machines: Machines) -> Iterator[Client]:
    """A Dask client of these machines; what was started for it is stopped at the end.

    Raises:
        WrongUse: nobody answers at the address, or there is no Slurm here.
    """
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_CONFIG))
        if machines.scheduler is not None:
            yield stack.enter_context(_existing(machines.scheduler))
            return
        if machines.slurm is not None:
            cluster = stack.enter_context(slurm_cluster(machines.slurm))
        else:
            folder = tempfile.TemporaryDirectory(prefix="cinecortex-workers-", ignore_cleanup_errors=True)
            cluster = stack.enter_context(_local(machines, stack.enter_context(folder)))
        yield stack.enter_context(Client(cluster, set_as_default=False))


def tending(machines: Machines, client: Client) -> Callable[[], None]:
    """What must be done now and then while tasks run; it raises `CinecortexError` when no worker will come any more."""
    if machines.slurm is not None:
        return SlurmTending(machines.slurm, client.cluster)
    return lambda: None


def _existing(address: str) -> Client:
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise WrongUse(f"no Dask scheduler answers at {address}; start one, or correct the address.") from error
    with ExitStack() as undo:
        undo.callback(client.close)
        _refuse_strangers(client, address)
        undo.pop_all()
    return client


def _refuse_strangers(client: Client, address: str) -> None:
    """A worker that cannot read what it is sent would be lost in silence, and the next one after it."""
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise WrongUse(
            f"the cluster at {address} has no worker; start some with `dask worker {address} --nthreads 1`."
        ) from error
    ours = version("cinecortex")
    for worker, theirs in client.run(version, "cinecortex", on_error="return").items():
        if theirs != ours:
            has = f"has cinecortex {theirs}" if isinstance(theirs, str) else "has no cinecortex"
            raise WrongUse(f"the worker {worker} {has}; install version {ours}, which this is, on all of them.")


def _local(machines: Machines, folder: str) -> LocalCluster:
    processes = machines.workers is not None
    own: dict[str, Any] = {"env": ONE_THREAD} if processes else {}
    # Given no address, the status pages of an in-process cluster listen on every interface, dashboard or not.
    pages = f"{_ALONE}:0"
    return LocalCluster(
        processes=processes,
        n_workers=machines.workers or 1,
        threads_per_worker=1 if processes else machines.at_once,
        host=_ALONE if processes else None,
        scheduler_kwargs={"dashboard": False, "dashboard_address": pages},
        worker_dashboard_address=pages,
        # In one process there is nobody to kill but ourselves.
        memory_limit="auto" if processes else 0,
        local_directory=folder,
        silence_logs=logging.CRITICAL,  # whatever fails is told as a value, in one sentence
        **own,
    )
