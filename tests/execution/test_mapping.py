"""Answers come in the order of finishing; failures are values; work of the dead is done again."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
import torch

from cinecortex.errors import BadData, WrongUse
from cinecortex.execution.machines import Machines, connected
from cinecortex.execution.mapping import Done, Failed, Task, map_tasks

THREADS = Machines(threads=2)


def tasks(*arguments: Any) -> list[Task[Any]]:
    return [Task(f"{number:032x}", f"task {number}", argument) for number, argument in enumerate(arguments)]


def double(number: int) -> int:
    return 2 * number


def values(outcomes: Iterator[Done[Any] | Failed]) -> dict[str, Any]:
    return {o.name: o.value if isinstance(o, Done) else o.why for o in outcomes}


def listening() -> set[str]:
    return {link.laddr.ip for link in psutil.Process().net_connections() if link.status == psutil.CONN_LISTEN}


def dies_once(marker: str) -> str:
    path = Path(marker)
    if path.name.startswith("fine"):
        return "fine"
    if path.name.startswith("poison") or not path.exists():
        path.touch()
        os._exit(9)
    return "second time"


def facts_of_the_worker(_: int) -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "torch threads": torch.get_num_threads(),
        "listening": sorted(listening()),
        "openmp": os.environ.get("OMP_NUM_THREADS"),
    }


@pytest.fixture(scope="module")
def processes() -> Iterator[Machines]:
    """Worker processes that several tests share, as somebody else's cluster would be: by their address."""
    with connected(Machines(workers=2)) as client:
        yield Machines(scheduler=client.scheduler.address)


def test_threads_of_this_process_are_the_default() -> None:
    outcomes = list(map_tasks(lambda _: os.getpid(), tasks(1, 2)))
    assert {o.value for o in outcomes if isinstance(o, Done)} == {os.getpid()}
    assert {o.key for o in outcomes} == {f"{n:032x}" for n in range(2)}


def test_no_task_needs_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinecortex.execution.mapping.connected", None)
    assert list(map_tasks(double, [])) == []


def test_answers_come_in_the_order_of_finishing() -> None:
    second_is_done = threading.Event()

    def first_waits(number: int) -> int:
        if number == 0:
            assert second_is_done.wait(60)
        return number

    # Not pickled with the event: the closure stays in this process, where alone it makes sense.
    order = []
    for outcome in map_tasks(ByReference(first_waits), tasks(0, 1), machines=THREADS):
        order.append(outcome.name)
        second_is_done.set()
    assert order == ["task 1", "task 0"]


class ByReference:
    """A function that is itself wherever it is sent within this process."""

    held: ClassVar[dict[int, Callable[[Any], Any]]] = {}

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.name = id(function)
        self.held[self.name] = function

    def __call__(self, argument: Any) -> Any:
        return self.held[self.name](argument)


def test_a_failure_is_a_value_and_stops_no_other() -> None:
    def some_fail(number: int) -> int:
        if number == 0:
            raise BadData("trial 3 has no response; leave it out.")
        if number == 1:
            return 1 // (number - 1)
        if number == 2:
            sys.exit(3)
        return number

    outcomes = {o.name: o for o in map_tasks(some_fail, tasks(0, 1, 2, 3), machines=THREADS)}
    failed = {name: o.why for name, o in outcomes.items() if isinstance(o, Failed)}
    assert failed == {
        "task 0": "trial 3 has no response; leave it out.",
        "task 1": "unexpected ZeroDivisionError: integer division or modulo by zero",
        "task 2": "unexpected SystemExit: 3",
    }
    broken, fine = outcomes["task 1"], outcomes["task 3"]
    assert isinstance(broken, Failed)
    assert isinstance(fine, Done)
    assert "some_fail" in broken.details
    assert fine.value == 3
    assert broken.sentence == f"task 1: failed: {broken.why}"


def test_progress_counts_every_outcome_and_says_how_long() -> None:
    told: list[tuple[int, int, str]] = []
    seen: list[int] = []
    for _ in map_tasks(double, tasks(1, 2, "x"), machines=THREADS, progress=lambda *t: told.append(t)):
        seen.append(len(told))
    assert [(done, of) for done, of, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert seen == [0, 1, 2], "an answer is told of once it was taken"
    assert all("done in" in message for _, _, message in told)
    assert "about 0.0 s left" in told[0][2]


def test_tasks_run_on_one_torch_thread_and_the_caller_keeps_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        counts = values(map_tasks(lambda _: torch.get_num_threads(), tasks(0, 1, 2), machines=THREADS))
        assert set(counts.values()) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_nothing_of_this_process_listens_to_the_network() -> None:
    (outcome,) = map_tasks(lambda _: sorted(listening()), tasks(0), machines=THREADS)
    assert isinstance(outcome, Done)
    assert set(outcome.value) <= {"127.0.0.1"}


def test_two_tasks_of_one_key_are_refused() -> None:
    with pytest.raises(WrongUse, match="same key"):
        list(map_tasks(double, tasks(1) + tasks(2)))


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(WrongUse, match="cannot be sent"):
        list(map_tasks(double, tasks(threading.Lock()), machines=THREADS))


def test_an_address_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinecortex.execution.machines._CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://1"):
        with pytest.raises(WrongUse, match=f"no Dask scheduler answers at {address}"):
            list(map_tasks(double, tasks(1), machines=Machines(scheduler=address)))


def test_a_cluster_that_exists_is_used_and_left_alone(processes: Machines) -> None:
    for _ in range(2):
        assert values(map_tasks(double, tasks(1, 2, 3), machines=processes)) == {"task 0": 2, "task 1": 4, "task 2": 6}


def test_a_few_long_tasks_are_spread_over_the_workers(processes: Machines, tmp_path: Path) -> None:
    def meets_another(number: int) -> int:
        (tmp_path / str(number)).touch()
        for _ in range(3000):
            if len(list(tmp_path.iterdir())) == 2:
                return os.getpid()
            time.sleep(0.01)
        raise RuntimeError("was alone")

    met = values(map_tasks(meets_another, tasks(0, 1), machines=processes))
    assert len(set(met.values())) == 2
    assert all(isinstance(process, int) for process in met.values())


def test_an_answer_that_cannot_be_sent_back_is_a_failure(processes: Machines) -> None:
    outcome = values(map_tasks(lambda _: threading.Lock(), tasks(1), machines=processes))
    assert "pickle" in outcome["task 0"]


def test_the_work_of_a_killed_worker_is_done_by_another(processes: Machines, tmp_path: Path) -> None:
    names = ["dies", "fine 1", "fine 2"]
    outcome = values(map_tasks(dies_once, tasks(*(str(tmp_path / name) for name in names)), machines=processes))
    assert outcome == {"task 0": "second time", "task 1": "fine", "task 2": "fine"}
    assert (tmp_path / "dies").exists(), "it did kill its worker"


def test_workers_have_one_thread_and_keep_to_themselves(processes: Machines) -> None:
    (outcome,) = map_tasks(facts_of_the_worker, tasks(0), machines=processes)
    assert isinstance(outcome, Done)
    assert outcome.value.pop("process") != os.getpid()
    assert outcome.value == {"torch threads": 1, "listening": ["127.0.0.1"], "openmp": "1"}


def test_who_stops_asking_stops_what_runs() -> None:
    runs, stopped, begun = threading.Event(), threading.Event(), []

    def one_goes_on_for_ever(number: int) -> int:
        begun.append(number)
        try:
            while number == 1:
                runs.set()
                time.sleep(0.01)
        finally:
            if number == 1:
                stopped.set()
        return number

    outcomes = map_tasks(ByReference(one_goes_on_for_ever), tasks(0, 1), machines=THREADS)
    assert next(outcomes).name == "task 0"
    assert runs.wait(60), "what has not begun need not be stopped"
    outcomes.close()
    assert stopped.is_set()
    assert sorted(begun) == [0, 1]
    assert not [thread for thread in threading.enumerate() if "Dask-Default-Threads" in thread.name]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "workers and scheduler were given"),
        ({"workers": 2, "threads": 2}, "workers and threads were given"),
        ({"workers": 0}, "0 workers can run nothing"),
        ({"threads": -1}, "-1 threads can run nothing"),
    ],
)
def test_machines_that_cannot_be(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongUse, match=sentence):
        Machines(**settings)
