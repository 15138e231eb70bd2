"""What is asked for twice is run once; what is there already is not run at all."""

from pathlib import Path

import numpy as np
import pytest

from cinecortex.execution.cache import Answer, Cache
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Task
from cinecortex.execution.pace import Pace, in_words
from cinecortex.execution.plan import Plan, carry_out, make_plan

ONE = Machines(threads=1)


def task(number: int) -> Task[int]:
    return Task(fingerprint({"number": number}), f"number {number}", number)


def square(number: int) -> Answer:
    if number == 13:
        raise ValueError("an unlucky number")
    if number == 14:
        return Answer({"words": np.array(["a"])})
    return Answer({"square": np.array([number**2])}, {"of": number})


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def squares(cache: Cache) -> set[int]:
    return {int(answer.arrays["square"][0]) for key in cache.keys() if (answer := cache.read(key))}  # noqa: SIM118


def test_each_distinct_task_is_planned_once_in_the_order_asked(cache: Cache) -> None:
    plan = make_plan([task(3), task(1), task(3), task(2), task(1)], cache, noun="inversion")
    assert [t.argument for t in plan.missing] == [3, 1, 2]
    assert (plan.asked, plan.distinct, plan.kept) == (5, 3, ())
    assert plan.sentence() == "5 inversions asked for, 3 of them different: 3 to run."
    assert plan.sentence(ONE) == "5 inversions asked for, 3 of them different: 3 to run on 1 thread on this machine."


def test_a_second_run_does_only_what_is_missing_and_says_so(cache: Cache) -> None:
    first = carry_out(make_plan([task(1), task(2)], cache), square, cache=cache, machines=ONE)
    assert (first.ran, first.reused, first.failed) == (2, 0, ())
    assert first.sentence == "2 run, 0 reused from the cache."
    plan = make_plan([task(1), task(2), task(3), task(4)], cache)
    assert plan.sentence().startswith("4 tasks asked for: 2 in the cache, 2 to run.")
    assert plan.estimate_seconds(ONE) is not None
    before = {key: cache.path(key).stat().st_mtime_ns for key in cache.keys()}  # noqa: SIM118
    second = carry_out(plan, square, cache=cache, machines=ONE)
    assert (second.ran, second.reused) == (2, 2)
    assert squares(cache) == {1, 4, 9, 16}
    assert all(cache.path(key).stat().st_mtime_ns == when for key, when in before.items())
    done = make_plan([task(n) for n in (1, 2, 3, 4)], cache)
    assert done.missing == ()
    assert done.sentence() == "4 tasks asked for: all in the cache, nothing to run."


def test_a_failed_task_is_told_of_and_asked_for_again(cache: Cache) -> None:
    finished = carry_out(make_plan([task(13), task(14), task(2)], cache), square, cache=cache, machines=ONE)
    assert finished.ran == 1
    assert {f.name: f.why for f in finished.failed} == {
        "number 13": "unexpected ValueError: an unlucky number",
        "number 14": "the array 'words' of kind <U1 cannot be kept; give numbers or booleans.",
    }
    assert finished.sentence == "1 run, 0 reused from the cache, 2 failed."
    assert [t.argument for t in make_plan([task(13), task(2)], cache).missing] == [13]


def test_the_keyboard_loses_no_finished_answer(cache: Cache) -> None:
    def interrupts(done: int, of: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    plan = make_plan([task(n) for n in range(1, 6)], cache)
    with pytest.raises(KeyboardInterrupt):
        carry_out(plan, square, cache=cache, machines=ONE, progress=interrupts)
    kept = squares(cache)
    assert len(kept) == 2
    left = make_plan([task(n) for n in range(1, 6)], cache)
    assert {t.argument**2 for t in left.missing} == {1, 4, 9, 16, 25} - kept


def test_a_damaged_answer_is_missing(cache: Cache) -> None:
    said: list[str] = []
    told = Cache(cache.folder, said.append)
    carry_out(make_plan([task(1), task(2)], told), square, cache=told, machines=ONE)
    path = told.path(task(1).key)
    path.write_bytes(path.read_bytes()[:-1])
    plan = make_plan([task(1), task(2)], told)
    assert [t.argument for t in plan.missing] == [1]
    assert len(said) == 1


def test_the_estimate_counts_rounds_of_as_many_as_run_at_once() -> None:
    plan = Plan(
        asked=7, kept=("a" * 32, "b" * 32), missing=tuple(task(n) for n in range(5)), took=(("", 20.0), ("", 40.0))
    )
    assert plan.estimate_seconds(Machines(threads=2)) == 3 * 30.0
    assert plan.estimate_seconds(Machines(workers=5)) == 30.0
    assert plan.estimate_seconds(Machines(scheduler="tcp://10.0.0.1:8786")) is None
    expected = "7 tasks asked for: 2 in the cache, 5 to run on 2 worker processes on this machine, about 90 s."
    assert plan.sentence(Machines(workers=2)) == expected
    assert Pace().left([""] * 5, at_once=2) is None
    assert Pace([("", 1.0)]).left([""] * 5, at_once=0) is None
    assert [in_words(s) for s in (0.0, 9.96, 119.0, 600.0, 7200.0)] == ["0.0 s", "10.0 s", "119 s", "10 min", "2.0 h"]


def test_each_kind_has_a_pace_of_its_own_and_the_first_that_warms_up_does_not_count(cache: Cache) -> None:
    pace = Pace([("slow", 90.0), ("slow", 10.0), ("slow", 10.0), ("fast", 1.0)])
    assert pace.left(["slow"] * 3, at_once=1) == 30.0
    assert pace.left(["fast", "fast", "slow"], at_once=1) == 12.0
    assert pace.left(["fast", "fast", "slow"], at_once=2) == 11.0, "the slow one begins when a fast one is done"
    assert pace.left(["never seen"], at_once=1) == 10.0
    one, two = (Task(fingerprint({"n": n}), str(n), n, kind) for n, kind in ((1, "slow"), (2, "fast")))
    cache.write(one.key, Answer({}, {"seconds": 40.0}))
    cache.write(two.key, Answer({}, {"seconds": 2.0}))
    plan = make_plan([one, two, Task(fingerprint({"n": 3}), "3", 3, "fast")], cache)
    assert plan.estimate_seconds(ONE) == 2.0
