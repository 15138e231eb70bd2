"""Answers on disk, addressed by what went in; each is there whole or not at all.

An answer is one safetensors file of named arrays, with facts (JSON) in its header. It is written under a temporary name
and renamed, so that two writers of the same key, on one machine or two, end with one whole answer. It is verified when
it is read: the header carries the key and a digest of arrays and facts.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cinecortex.errors import BadData, WrongUse
from cinecortex.execution.fingerprint import fingerprint

SCHEMA = "cinecortex.answer/1"
_SUFFIX = ".safetensors"
_UNFINISHED = ".unfinished"
_DAMAGED = ".damaged"
_LEFT_BEHIND_SECONDS = 24 * 3600.0
_SHORTEST_KEY = 16
_KINDS = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
)
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a task came to.

    Attributes:
        arrays: Boolean, integer or floating-point arrays by name.
        facts: What JSON can hold: settings, seconds, how it ended.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)


def _silent(sentence: str) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Cache:
    """A folder of answers.

    Attributes:
        folder: Where they are; made when the first is written.
        tell: Told, in one sentence, of every damaged answer that was set aside.
    """

    folder: Path
    tell: Tell = _silent

    def path(self, key: str) -> Path:
        """Where the answer of this key is, or will be.

        Raises:
            WrongUse: this is no key: it has fewer than 16 characters, or others than the digits of `fingerprint`.
        """
        if len(key) < _SHORTEST_KEY or set(key) - set("0123456789abcdef"):
            raise WrongUse(f"{key!r} is not a key of the cache; take the fingerprint of what went in.")
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def write(self, key: str, answer: Answer) -> None:
        """Keep an answer, whole or not at all; an answer that was there is replaced.

        Raises:
            WrongUse: an array or a fact is of a kind that cannot be kept.
            BadData: the folder cannot be written.
        """
        content, path = _content(key, answer), self.path(key)
        unfinished = path.with_name(f".{key}.{uuid.uuid4().hex}{_UNFINISHED}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with unfinished.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())  # or the name could outlive the content when the power fails
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise BadData(
                f"{path} cannot be written ({error.strerror}); make room or choose another folder."
            ) from error

    def read(self, key: str) -> Answer | None:
        """The answer of this key, verified; None when there is none.

        A damaged answer counts as none: it is set aside under another name, and `tell` is told.

        Raises:
            BadData: the file is there and cannot be read.
        """
        path = self.path(key)
        try:
            return _read(path, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadData(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
        except _DamagedAnswer as damage:
            self._set_aside(path, str(damage))
            return None

    def holds(self, key: str) -> bool:
        """Whether there is an answer of this key; it is read and verified."""
        return self.read(key) is not None

    def keys(self) -> Iterator[str]:
        """The keys of all answers, in order; they are not verified."""
        for path in sorted(self.folder.glob(f"??/*{_SUFFIX}")):
            if not path.name.startswith("."):
                yield path.name.removesuffix(_SUFFIX)

    def size_bytes(self) -> int:
        """Room that everything in the folder takes, with what was set aside."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def sweep(self) -> int:
        """Remove what killed writers left half-written a day ago or longer; how many files it was."""
        old = [path for path in self.folder.glob(f"??/.*{_UNFINISHED}") if _age(path) > _LEFT_BEHIND_SECONDS]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _set_aside(self, path: Path, damage: str) -> None:
        aside = path.with_name(f"{path.name}{_DAMAGED}")
        try:
            path.replace(aside)
        except FileNotFoundError:
            return  # somebody else has just set it aside
        self.tell(f"{path.name} in the cache {damage}; it was set aside as {aside.name} and is made again.")


class _DamagedAnswer(Exception):
    """The end of a sentence that begins with the name of the file."""


def _content(key: str, answer: Answer) -> bytes:
    arrays = {name: np.asarray(array) for name, array in answer.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.name not in _KINDS:
            raise WrongUse(f"the array {name!r} of kind {array.dtype} cannot be kept; give numbers or booleans.")
    try:
        facts = json.dumps(dict(answer.facts), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WrongUse(f"the facts of an answer are what JSON can hold, and these are not ({error}).") from error
    little = {n: a.astype(a.dtype.newbyteorder("<"), order="C", copy=False) for n, a in arrays.items()}
    return save(little, {"schema": SCHEMA, "key": key, "facts": facts, "digest": _digest(key, little, facts)})


def _read(path: Path, key: str) -> Answer:
    path.open("rb").close()  # what safetensors says of a file that cannot be opened does not tell why
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise _DamagedAnswer("is cut short or damaged") from error
    if header.get("key") != key or header.get("schema") != SCHEMA:
        raise _DamagedAnswer(f"does not say that it answers its key in the layout {SCHEMA}")
    facts = header.get("facts", "")
    if header.get("digest") != _digest(key, arrays, facts):
        raise _DamagedAnswer("is not what was written: the digest of its content differs")
    return Answer(arrays, json.loads(facts))


def _digest(key: str, arrays: Mapping[str, np.ndarray], facts: str) -> str:
    return fingerprint({"key": key, "arrays": dict(arrays), "facts": facts})


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
