"""Killed without a chance to say good-bye, a run leaves whole answers, and nobody who goes on computing."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cinecortex.execution.cache import Cache
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Task
from cinecortex.execution.plan import make_plan

TASKS = 400
SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
from cinecortex.execution.cache import Answer, Cache
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Task
from cinecortex.execution.plan import carry_out, make_plan

def main():
    def slow(number):
        time.sleep(0.05)
        return Answer({{"movie": np.full((30, 36, 64), number, dtype=np.float32)}})

    cache = Cache(Path(sys.argv[1]))
    tasks = [Task(fingerprint({{"number": n}}), str(n), n) for n in range({tasks})]
    carry_out(make_plan(tasks, cache), slow, cache=cache, machines=Machines({machines}))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("machines", ["threads=2", "workers=2"])
def test_a_run_that_is_killed_loses_what_is_in_flight_and_no_more(tmp_path: Path, machines: str) -> None:
    script, cache = tmp_path / "script.py", Cache(tmp_path / "cache")
    script.write_text(SCRIPT.format(tasks=TASKS, machines=machines))
    process = subprocess.Popen([sys.executable, str(script), str(cache.folder)], stderr=subprocess.PIPE)
    try:
        while len(list(cache.keys())) < 5:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()
    assert len(workers) >= 2 or machines == "threads=2"
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    kept = set(cache.keys())
    tasks = [Task(fingerprint({"number": n}), str(n), n) for n in range(TASKS)]
    plan = make_plan(tasks, cache)
    assert set(plan.kept) == kept, "every answer that is there is whole"
    assert 5 <= len(kept) < TASKS
    assert len(plan.missing) == TASKS - len(kept)
    assert plan.sentence(Machines(threads=1)).startswith(f"{TASKS} tasks asked for: {len(kept)} in the cache")
    for key, number in ((task.key, task.argument) for task in tasks if task.key in kept):
        answer = cache.read(key)
        assert answer is not None
        assert (answer.arrays["movie"] == number).all()
