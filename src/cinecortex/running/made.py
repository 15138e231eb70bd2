"""What a study has made, and out of what."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinecortex.errors import BadData, WrongUse
from cinecortex.studyfile import Study

SCHEMA = "cinecortex.study/1"
MARK = "study.json"


@dataclass(frozen=True, eq=False)
class Made:
    """The folder of a study, and what was made in it out of what.

    Attributes:
        folder: Where.
        keys: Content address of all that went into each thing that is there, by its name.
    """

    folder: Path
    keys: dict[str, str]

    @staticmethod
    def open(folder: Path, study: Study) -> Made:
        """Make the folder, or find it as an earlier run left it.

        Raises:
            WrongUse: it holds something else.
            BadData: it cannot be made.
        """
        mark = folder / MARK
        if folder.exists() and not mark.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise WrongUse(f"{folder} exists and holds something else; choose another folder as report.out.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            content = json.loads(mark.read_text()) if mark.exists() else {"made": {}}
            made = Made(folder, dict(content["made"]))
            made._write({"study": study.model_dump(mode="json", exclude={"execution", "report"})})
        except OSError as error:
            raise BadData(f"{folder} cannot be written ({error.strerror}); choose another as report.out.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadData(f"{mark} is damaged; remove it, and every stage is run again.") from error
        return made

    def has(self, name: str, key: str) -> bool:
        """Whether this is there, made out of the same."""
        return self.keys.get(name) == key and (self.folder / name).exists()

    def note(self, name: str, key: str) -> None:
        """Remember that it was made."""
        self.keys[name] = key
        self._write({})

    def _write(self, more: Mapping[str, Any]) -> None:
        mark = self.folder / MARK
        before = json.loads(mark.read_text()) if mark.exists() else {}
        unfinished = mark.with_name(f".{MARK}.{os.getpid()}.unfinished")
        unfinished.write_text(json.dumps({**before, "schema": SCHEMA, **more, "made": self.keys}, indent=1))
        unfinished.replace(mark)

    def there(self, name: str, key: str, what: str, say: Callable[[str], None]) -> bool:
        """The same as `has`, and it is said where this is so, or is no longer."""
        there = self.has(name, key)
        if there:
            say(f"{what}: there already, in {self.folder / name}")
        elif name in self.keys:
            say(f"{what}: made anew, what goes into it has changed")
        return there
