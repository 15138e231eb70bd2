"""A real Slurm with one node: this machine. Nothing of it lies outside its folder, and nothing is left of it."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel")
PLACES = os.pathsep.join(["/usr/sbin", "/sbin", os.environ.get("PATH", "")])
START_SECONDS = 40.0

SETTINGS = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/node.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
KillWait=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=2000 State=UNKNOWN
PartitionName=short Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """The first program that is not installed."""
    return next((name for name in PROGRAMS if shutil.which(name, path=PLACES) is None), None)


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """Start Slurm; gives the environment in which its commands reach it."""
    host = socket.gethostname().partition(".")[0]
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge" / "key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    (folder / "slurm.conf").write_text(
        SETTINGS.format(
            folder=folder,
            host=host,
            user=getpass.getuser(),
            cores=os.cpu_count(),
            controller_port=_free_port(),
            node_port=_free_port(),
        )
    )
    environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": PLACES}
    munge = {f"--{name}-file": folder / "munge" / name for name in ("key", "pid", "log", "seed")}
    with ExitStack() as stack:
        # Temporary folders are closed to others, which munged would refuse.
        flags = [f"{flag}={path}" for flag, path in munge.items()]
        socket_flag = f"--socket={folder / 'munge' / 'socket'}"
        stack.enter_context(_running(folder, environment, "munged", "--foreground", "--force", socket_flag, *flags))
        _until((folder / "munge" / "socket").exists, "munged", folder)
        stack.enter_context(_running(folder, environment, "slurmctld", "-D"))
        stack.enter_context(_running(folder, environment, "slurmd", "-D", "-N", host))
        _until(lambda: _said(environment, "sinfo", "--noheader", "--format=%T").strip() == "idle", "slurmd", folder)
        yield environment
        _said(environment, "scancel", "--user", getpass.getuser())
        _until(lambda: not _said(environment, "squeue", "--noheader").strip(), "slurmctld", folder)


@contextmanager
def _running(folder: Path, environment: dict[str, str], *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("wb") as said:
        everything = {**os.environ, **environment}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=everything, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _said(environment: dict[str, str], *command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False, env={**os.environ, **environment}
        ).stdout
    except subprocess.TimeoutExpired:
        return "nothing"


def _until(condition: object, program: str, folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(f"{program}: {(folder / f'{program}.out').read_text()[-2000:]}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
