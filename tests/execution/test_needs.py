"""What a worker must have is known before anything is sent, and nothing is read to know it."""

from __future__ import annotations

import colorsys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest

from cinecortex.errors import WrongUse
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Done, Task, map_tasks
from cinecortex.execution.needs import absent, modules_of
from cinecortex.seeds import Seed


class Runs:
    """Says so when it is read."""

    read: ClassVar[list[int]] = []

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return self.read.append, (1,)


def by_value() -> Callable[[float], Any]:
    def of_a_closure(value: float) -> Any:
        return colorsys.rgb_to_hls(value, value, value), np.sin(value), colorsys.hls_to_rgb(value, value, value)

    return of_a_closure


def test_names_of_modules_are_found_by_reference_and_in_code() -> None:
    assert "cinecortex.seeds" in modules_of(Seed(1), "it")
    assert "cinecortex.seeds" in modules_of([partial(Seed, 1), partial(Seed, 2)], "it"), "named once, recalled after"
    used = modules_of(by_value(), "it")
    assert {"colorsys", "numpy"} <= set(used)
    assert __name__ not in used, "it travels as code: its own module need not be there"
    assert modules_of({"steps": 5, "name": "colorsys"}, "it") == (), "words are words"


def test_nothing_of_it_runs() -> None:
    modules_of(Runs(), "it")
    assert Runs.read == []


def test_what_cannot_be_sent_is_told_by_its_name() -> None:
    with pytest.raises(WrongUse, match="the argument of one cannot be sent to a worker"):
        modules_of(threading.Lock(), "the argument of one")


def test_modules_that_are_not_there() -> None:
    there = ("colorsys", "cinecortex.seeds", "numpy.linalg", "__main__")
    assert absent(("no_such", *there, "no_such.part", "colorsys.part")) == ("no_such", "no_such.part", "colorsys.part")


@pytest.mark.parametrize("function", [by_value(), Seed])
def test_processes_of_this_machine_lack_nothing(function: Callable[[Any], Any]) -> None:
    (outcome,) = map_tasks(function, [Task("a" * 32, "one", 0)], machines=Machines(workers=1))
    assert isinstance(outcome, Done), outcome
