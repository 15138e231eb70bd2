"""Where an exported file comes from: written into it where its format can hold it, and how it is known again."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cinecortex.errors import BadData, WrongUse
from cinecortex.study import plain, versions

SCHEMA = "cinecortex.export/1"


def provenance(kind: str, facts: Mapping[str, Any], **more: Any) -> str:
    """One line of JSON, in ASCII; it begins with the mark by which `refuse_unless_ours` knows the file again."""
    content = {"export": _mark(kind), **facts, **more, "exported_by": versions()}
    return json.dumps(plain(content), allow_nan=False)


def sidecar(path: Path) -> Path:
    """Where it is said instead for a format that cannot hold it: ``findings.csv`` has ``findings.csv.json``."""
    return path.with_name(f"{path.name}.json")


def refuse_unless_ours(path: Path, kind: str) -> None:
    """Before any work is done: only what an export of this kind wrote is ever replaced.

    Raises:
        WrongUse: something else lies there.
    """
    if path.exists() and not any(_holds(file, f'"{_mark(kind)}"') for file in (path, sidecar(path))):
        raise WrongUse(
            f"{path} exists and was not written by an export of this kind; choose another name, it would be "
            "overwritten."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to beside ``path``; what is written there takes its place when all is done, or nothing does.

    Raises:
        BadData: it cannot be written there.
    """
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.unfinished{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise BadData(f"{path} cannot be written ({error.strerror or error}); choose another with --out.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _mark(kind: str) -> str:
    return f"{SCHEMA}:{kind}"


def _holds(path: Path, mark: str) -> bool:
    """Whether the mark is somewhere in the file, in one of the encodings that formats use."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    coded = [mark.encode(coding) for coding in ("ascii", "utf-16-le", "utf-16-be")]
    coded.append(mark.replace('"', "&quot;").encode())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(each) >= 0 for each in coded)
