"""What must be run: the distinct tasks among those asked for, less those whose answer is in the cache.

A study asks for the same inversion in many places: every check wants the honest answer to each trial. A plan has it
once, knows before it starts what is there already and what is missing, and keeps each answer as soon as it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from cinecortex.errors import WrongUse
from cinecortex.execution.cache import Answer, Cache
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Failed, Progress, Task, map_tasks
from cinecortex.execution.pace import Pace, in_words

T = TypeVar("T")
SECONDS = "seconds"
"""The fact that says what an answer took to compute."""


@dataclass(frozen=True, eq=False)
class Plan(Generic[T]):
    """What must be run.

    Attributes:
        asked: How many tasks were asked for, with repetitions.
        kept: Keys of the distinct tasks whose answer is in the cache.
        missing: The distinct tasks that must be run.
        took: Kind of the task and seconds that it took, of the answers in the cache that say so.
        noun: What people call one task, such as "inversion".
    """

    asked: int
    kept: tuple[str, ...]
    missing: tuple[Task[T], ...]
    took: tuple[tuple[str, float], ...] = ()
    noun: str = "task"

    @property
    def distinct(self) -> int:
        """How many different tasks were asked for."""
        return len(self.kept) + len(self.missing)

    def estimate_seconds(self, machines: Machines) -> float | None:
        """Time the missing tasks will take, by what the kept answers took; None where that is unknown."""
        return Pace(self.took).left([task.kind for task in self.missing], at_once=machines.at_once or 0)

    def sentence(self, machines: Machines | None = None) -> str:
        """What will be done, before it is done; with the time it may take, if there are machines and a measure."""
        distinct = "" if self.distinct == self.asked else f", {self.distinct} of them different"
        asked = f"{self.asked} {self.noun}{'s' * (self.asked != 1)} asked for{distinct}"
        if not self.missing:
            return f"{asked}: all in the cache, nothing to run."
        there = f"{len(self.kept)} in the cache, " if self.kept else ""
        text = f"{asked}: {there}{len(self.missing)} to run"
        if machines is None:
            return f"{text}."
        seconds = self.estimate_seconds(machines)
        return f"{text} on {machines}" + (f", about {in_words(seconds)}." if seconds is not None else ".")


@dataclass(frozen=True)
class Finished:
    """What became of a plan.

    Attributes:
        ran: How many tasks were run and are in the cache now.
        reused: How many were there already.
        failed: The others.
    """

    ran: int
    reused: int
    failed: tuple[Failed, ...] = ()

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"{self.ran} run, {self.reused} reused from the cache{failed}."


def make_plan(tasks: Iterable[Task[T]], cache: Cache, *, noun: str = "task") -> Plan[T]:
    """De-duplicate tasks by their keys, and see which answers are in the cache; each of those is read and verified.

    Args:
        tasks: What is asked for, in the order of importance; of two with one key the first is taken.
        cache: Where answers are kept; a damaged one is set aside and counts as missing.
        noun: What people call one task.
    """
    cache.sweep()
    asked = list(tasks)
    distinct: dict[str, Task[T]] = {}
    for task in asked:
        distinct.setdefault(task.key, task)
    kept, missing, took = [], [], []
    for task in distinct.values():
        if (answer := cache.read(task.key)) is None:
            missing.append(task)
        else:
            kept.append(task.key)
            took += [(task.kind, float(answer.facts[SECONDS]))] if SECONDS in answer.facts else []
    return Plan(len(asked), tuple(kept), tuple(missing), tuple(took), noun)


def carry_out(
    plan: Plan[T],
    function: Callable[[T], Answer],
    *,
    cache: Cache,
    machines: Machines = Machines(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Finished:
    """Run what is missing; every answer is in the cache before the next one is looked at.

    Ctrl-C, and whatever else stops this process, loses the tasks in flight and no others.

    Args:
        plan: What to run.
        function: Called with the argument of each missing task; see `map_tasks`. To the facts of its answer the
            ``seconds`` that it took are added.
        cache: Where the answers go. It is written from this process alone: workers need not share a disk with it.
        machines: Where to run.
        progress: See `map_tasks`.

    Raises:
        BadData: the cache cannot be written.
        WrongUse, CinecortexError: see `map_tasks`.
    """
    ran, failed = 0, []
    # Closed at once whatever happens here: machines that wait for the garbage collector would go on computing.
    with closing(map_tasks(function, plan.missing, machines=machines, progress=progress)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                failed.append(outcome)
                continue
            try:
                facts = {**outcome.value.facts, SECONDS: outcome.seconds}
                cache.write(outcome.key, Answer(outcome.value.arrays, facts))
                ran += 1
            except WrongUse as error:
                failed.append(Failed(outcome.key, outcome.name, str(error)))
    return Finished(ran, len(plan.kept), tuple(failed))
