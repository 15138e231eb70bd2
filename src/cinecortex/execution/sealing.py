"""Functions and arguments as bytes that nobody opens but the task they are for.

Dask opens what it carries on the way. Where a worker cannot, because it lacks a module, it loses its connection, the
task goes to the next worker, which loses its own, and whoever waits for the answer waits for ever. Sealed, what cannot
be opened is the failure of a task.
"""

from __future__ import annotations

import pickle
import threading
from typing import Any

import cloudpickle

from cinecortex.errors import CinecortexError, WrongUse

_LOCK = threading.Lock()
_OPENED: dict[str, Any] = {}
_MOST_OPENED = 2


class CannotOpen(CinecortexError):
    """What was sent cannot be read where it arrived."""


def seal(thing: Any, what: str) -> bytes:
    """Pickle a function or an argument, for workers of our own.

    Args:
        thing: What to send.
        what: What it is called in the error.

    Raises:
        WrongUse: it cannot be pickled.
    """
    try:
        sealed: bytes = cloudpickle.dumps(thing)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise WrongUse(f"{what} cannot be sent to a worker ({' '.join(str(error).split())}).") from error
    return sealed


def opened(sealed: bytes) -> Any:
    """The reverse of `seal`.

    Raises:
        CannotOpen: something is missing here that was there where it was sealed.
    """
    try:
        return pickle.loads(sealed)  # noqa: S301 - came through Dask, which pickles all it carries
    except Exception as error:
        raise CannotOpen(
            f"a worker cannot read what it was sent ({type(error).__name__}: {' '.join(str(error).split())}); "
            "install there what is installed here."
        ) from error


def opened_once(name: str, sealed: bytes) -> Any:
    """The same, opened once under this name in this process, for all its threads; the latest two names are held."""
    with _LOCK:
        if name not in _OPENED:
            thing = opened(sealed)
            while len(_OPENED) >= _MOST_OPENED:
                del _OPENED[next(iter(_OPENED))]
            _OPENED[name] = thing
        return _OPENED[name]


def forget(name: str) -> None:
    """Let go of what was opened under this name."""
    with _LOCK:
        _OPENED.pop(name, None)
