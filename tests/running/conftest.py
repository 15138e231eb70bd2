"""A small session, and a study of it that takes a second or two."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cinecortex.running import Ran, run_study
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session
from cinecortex.studyfile import read_study

SETTINGS = {
    "encoder": "epochs = 1\nfolds = 3",
    "trials": 'tier = "oracle"',
    "validation": 'checks = ["controls.no_neurons"]\nbaselines = []',
    "execution": "threads = 1",
}


@dataclass
class Runner:
    """Runs studies of one recording in one folder, and remembers what was said and done."""

    folder: Path
    mouse: Path
    said: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    interrupt: Callable[[str, int], bool] = lambda title, done: False

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def __call__(self, **changes: str) -> list[Ran]:
        """Run the small study with some sections otherwise."""
        self.said.clear()
        self.did.clear()
        sections = {"recordings": f'paths = ["{self.mouse}"]', "report": 'out = "out"', **SETTINGS, **changes}
        file = self.folder / "study.toml"
        file.write_text("\n".join(f"[{name}]\n{text}" for name, text in sections.items()))
        return list(run_study(read_study(file), command="cinecortex run", stage=self._stage, say=self.said.append))

    @contextmanager
    def _stage(self, title: str) -> Iterator[Callable[[int, int, str], None]]:
        self.did.append(title)

        def progress(done: int, total: int, message: str) -> None:
            if self.interrupt(title, done):
                raise KeyboardInterrupt

        yield progress

    def bytes(self, name: str) -> dict[str, Any]:
        """Every file below, with its content."""
        below = sorted(path for path in (self.out / name).rglob("*") if path.is_file())
        return {str(path.relative_to(self.out)): path.read_bytes() for path in below}


@pytest.fixture(scope="session")
def small_mouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "mouse"
    write_session(folder, seed=Seed(0), neurons=8, clips=6, oracle_clips=3, oracle_repeats=1, test_clips=1, seconds=1.5)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small_mouse: Path) -> tuple[Runner, Ran]:
    """A small study that ran to its end, with what it said; not to be run again."""
    first = Runner(tmp_path_factory.mktemp("finished"), small_mouse)
    (ran,) = first()
    return first, ran


@pytest.fixture
def again(tmp_path: Path, small_mouse: Path, finished: tuple[Runner, Ran]) -> Runner:
    """The small study in a folder of its own, where it has run once."""
    shutil.copytree(finished[0].folder, tmp_path / "again")
    return Runner(tmp_path / "again", small_mouse)


@pytest.fixture
def runner(tmp_path: Path, small_mouse: Path) -> Runner:
    return Runner(tmp_path, small_mouse)
