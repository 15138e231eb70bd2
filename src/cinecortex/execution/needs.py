"""What a function needs where it is sent: the modules that it is read with.

Dask sends functions by pickling them, most by the name of their module. Where a worker lacks a module it loses its
connection over the message, the task goes to the next worker, which loses its own, and whoever waits for the answer
waits for ever. So it is asked beforehand, in plain words, whether a worker has them all.
"""

from __future__ import annotations

import pickle
import pickletools
import sys
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import cloudpickle

from cinecortex.errors import WrongUse

_PUSH_WORDS = frozenset(["SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"])
_RECALL = frozenset(["BINGET", "LONG_BINGET"])


def modules_of(thing: Any, what: str) -> tuple[str, ...]:
    """Names of the modules that whoever is sent this must have; what travels as code is looked into, too.

    The pickle is looked through for names, opcode by opcode; it is not read, and nothing of it runs.

    Args:
        thing: What will be sent.
        what: What it is called in the error.

    Raises:
        WrongUse: it cannot be pickled.
    """
    try:
        pickled = cloudpickle.dumps(thing)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise WrongUse(f"{what} cannot be sent to a worker ({' '.join(str(error).split())}).") from error
    names, words, remembered = set[str](), list[str](), dict[Any, str]()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "STACK_GLOBAL":
            names.add(words[-2])  # the module and what it is asked for are the last two words
        elif opcode.name in _PUSH_WORDS:
            words.append(str(argument))
        elif opcode.name in _RECALL:
            words.append(remembered.get(argument, ""))
        elif opcode.name == "MEMOIZE":
            remembered[len(remembered)] = words[-1] if words else ""
    # A function that travels as code brings the modules that it uses by this one of cloudpickle, and their names.
    names |= {name for asked, name in pairwise(words) if asked == "subimport"}
    return tuple(sorted(names))


def absent(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these modules are not to be had here."""
    return tuple(name for name in modules if name not in sys.modules and not _there(name))


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it is missing, or is no package
        return False
