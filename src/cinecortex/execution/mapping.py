"""A function over tasks, on any machines, through Dask; answers come in the order of finishing.

A task that fails is a value with a sentence and stops no other. A task whose worker is killed is run again by another
worker. Every task has one torch thread, wherever it runs: its answer has the same bits on one worker and on twenty.
"""

from __future__ import annotations

import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from distributed import CancelledError, Client, Future, KilledWorker, wait

from cinecortex.errors import CinecortexError, WrongUse
from cinecortex.execution.machines import Machines, connected, tending
from cinecortex.execution.needs import absent, modules_of
from cinecortex.execution.pace import Pace, in_words
from cinecortex.execution.stopping import Stopped, call, stop

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int, str], None]
_TEND_SECONDS = 5.0
_AHEAD = 64
"""Tasks that are with the scheduler at the least; the others wait here, where they take no more room than they did."""


@dataclass(frozen=True, eq=False)
class Task(Generic[T]):
    """One thing to do.

    Attributes:
        key: Its content address; tasks of one key have one answer.
        name: What people call it.
        argument: What the function is given. Rather the name of a thing than the thing: it is sent to the worker.
        kind: Tasks of one kind take about as long; for what is said of the time that is left.
    """

    key: str
    name: str
    argument: T
    kind: str = ""


@dataclass(frozen=True, eq=False)
class Done(Generic[R]):
    """A task that came to an end.

    Attributes:
        key: Of the task.
        name: Of the task.
        value: What the function returned.
        seconds: What it took, on its worker.
    """

    key: str
    name: str
    value: R
    seconds: float

    @property
    def sentence(self) -> str:
        """How it went, for people."""
        return f"{self.name}: done in {in_words(self.seconds)}"


@dataclass(frozen=True)
class Failed:
    """A task that came to nothing.

    Attributes:
        key: Of the task.
        name: Of the task.
        why: What went wrong, in one sentence.
        details: The traceback, for who must mend it.
    """

    key: str
    name: str
    why: str
    details: str = ""

    @property
    def sentence(self) -> str:
        """How it went, for people."""
        return f"{self.name}: failed: {self.why}"


def map_tasks(
    function: Callable[[T], R],
    tasks: Sequence[Task[T]],
    *,
    machines: Machines = Machines(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Generator[Done[R] | Failed, None, None]:
    """Call a function with the argument of every task; answers come in the order of finishing.

    Whoever stops asking, with Ctrl-C or otherwise, stops what is still running here, in worker processes and under
    Slurm. On a cluster that exists, what has not begun is taken back, and what has begun ends in its own time.

    Args:
        function: What to call. It is sent once and used by many threads and tasks: it must not change itself.
        tasks: What to call it with, each key once.
        machines: Where.
        progress: Told how many of all tasks are done, and of each in a sentence, when the next one is asked for.

    Yields:
        One `Done` or `Failed` for each task.

    Raises:
        WrongUse: two tasks have one key, function or argument cannot be sent, or there are no such machines.
        CinecortexError: the connection to the machines was lost.
    """
    if len({task.key for task in tasks}) < len(tasks):
        raise WrongUse("two tasks have the same key; a plan has each of them once.")
    if not tasks:
        return
    with _one_torch_thread(), connected(machines) as client:
        group, tend = uuid.uuid4().hex, _now_and_then(tending(machines, client))
        try:
            yield from _told(client, _outcomes(client, tend, group, function, tasks), tasks, progress)
        finally:
            stop(group)  # of which nothing runs any more, unless whoever asked has stopped


def _told(
    client: Client, outcomes: Iterator[Done[R] | Failed], tasks: Sequence[Task[T]], progress: Progress | None
) -> Iterator[Done[R] | Failed]:
    pace, left = Pace(), {task.key: task.kind for task in tasks}
    for outcome in outcomes:
        yield outcome
        kind = left.pop(outcome.key)
        if isinstance(outcome, Done):
            pace.add(kind, outcome.seconds)
        if progress is not None:
            seconds = pace.left(list(left.values()), at_once=sum(client.nthreads().values()))
            more = f"; about {in_words(seconds)} left" if left and seconds is not None else ""
            progress(len(tasks) - len(left), len(tasks), outcome.sentence + more)


def _outcomes(
    client: Client, tend: Callable[[], None], group: str, function: Callable[[T], R], tasks: Sequence[Task[T]]
) -> Iterator[Done[R] | Failed]:
    if missing := _missing(client, tend, function, tasks[0]):
        why = (
            f"a worker cannot read what it is sent: it has no module {', '.join(missing)}; install there what is here."
        )
        yield from (Failed(task.key, task.name, why) for task in tasks)
        return
    # A task that returns it, and no scattered datum: what is lost with its worker can be made again.
    sent = _submit(client, "the function of these tasks", _itself, function)
    _wait(client, tend, [sent])
    if sent.status == "finished":
        # Dask prefers workers that have what a task needs; were it one worker alone, few long tasks would queue there.
        client.replicate([sent])
    waiting, running, suspected = deque(tasks), dict[Future[Any], Task[T]](), list[Task[T]]()
    while waiting or running:
        while waiting and len(running) < max(_AHEAD, 2 * sum(client.nthreads().values())):
            task = waiting.popleft()
            running[_begin(client, group, sent, task)] = task
        for future in _wait(client, tend, list(running)):
            task = running.pop(future)
            outcome = _outcome(future, task)
            if outcome is None:
                suspected.append(task)
            else:
                yield outcome
    # Of the tasks that a dead worker held, Dask suspects all. Alone, one by one, the innocent come to an end.
    for task in suspected:
        future = _begin(client, group, sent, task)
        _wait(client, tend, [future])
        yield _outcome(future, task) or Failed(
            task.key,
            task.name,
            "its worker process was killed each time it ran; perhaps memory ran out: give it fewer workers.",
        )


def _missing(client: Client, tend: Callable[[], None], function: Callable[[T], R], first: Task[T]) -> tuple[str, ...]:
    """What a worker lacks of the modules that function and arguments are read with."""
    modules = {*modules_of(function, "the function of these tasks"), *modules_of(first.argument, _argument(first))}
    asked = client.submit(absent, tuple(sorted(modules)), pure=False)
    _wait(client, tend, [asked])
    missing: tuple[str, ...] = asked.result()
    return missing


def _argument(task: Task[Any]) -> str:
    return f"the argument of {task.name}"


def _begin(client: Client, group: str, sent: Future[Any], task: Task[T]) -> Future[Any]:
    return _submit(client, _argument(task), _carry_out, group, sent, task.argument)


def _submit(client: Client, what: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    try:
        return client.submit(function, *arguments, pure=False)
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise WrongUse(f"{what} cannot be sent to a worker ({' '.join(str(error).split())}).") from error


def _wait(client: Client, tend: Callable[[], None], futures: list[Future[Any]]) -> list[Future[Any]]:
    """Those that are over, in their order, as soon as there is one."""
    while True:
        tend()
        try:
            with client.as_current():
                done = wait(futures, timeout=_TEND_SECONDS, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        except CancelledError as error:
            raise _lost() from error
        return [future for future in futures if future in done]


def _now_and_then(tend: Callable[[], None]) -> Callable[[], None]:
    last = time.monotonic()

    def if_it_is_time() -> None:
        nonlocal last
        if time.monotonic() - last >= _TEND_SECONDS:
            tend()
            last = time.monotonic()

    return if_it_is_time


def _lost() -> CinecortexError:
    return CinecortexError(
        "the connection to the Dask scheduler was lost; see that it runs, and start again: what was finished is kept."
    )


def _outcome(future: Future[Any], task: Task[T]) -> Done[Any] | Failed | None:
    """What became of a task; None if it was on workers that died, which may have been another's doing."""
    try:
        answer: Answered | Broken = future.result()
    except KilledWorker:
        return None
    except CancelledError as error:
        raise _lost() from error
    except Exception as error:  # of Dask itself: what was sent cannot be read there, or the answer cannot be sent
        return Failed(task.key, task.name, _why(error), _traceback(error))
    if isinstance(answer, Broken):
        return Failed(task.key, task.name, answer.why, answer.details)
    return Done(task.key, task.name, answer.value, answer.seconds)


@dataclass(frozen=True, eq=False)
class Answered:
    """What a worker sends back of a function that returned."""

    value: Any
    seconds: float


@dataclass(frozen=True)
class Broken:
    """What a worker sends back of a function that raised: words, for not every exception survives the journey."""

    why: str
    details: str


def _itself(function: Callable[[T], R]) -> Callable[[T], R]:
    return function


def _carry_out(group: str, function: Callable[[T], R], argument: T) -> Answered | Broken:
    torch.set_num_threads(1)
    began = time.perf_counter()
    try:
        value = call(group, function, argument)
    except (Exception, SystemExit) as error:  # an exit would end the worker, and be taken for a crash
        return Broken(_why(error), _traceback(error))
    except Stopped:
        return Broken("it was stopped.", "")
    return Answered(value, time.perf_counter() - began)


def _why(error: BaseException) -> str:
    what = " ".join(str(error).split())
    if isinstance(error, CinecortexError):
        return what
    return f"unexpected {type(error).__name__}" + (f": {what}" if what else "")


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Tasks in threads of this process set torch to one thread; afterwards it has as many as before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
