"""Stopping tasks that run in threads of this process, which nothing else can.

Ctrl-C reaches the main thread alone. Were the others left to themselves, leaving would wait for them, or end the
interpreter under the feet of a thread that is inside torch, which aborts the process.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_LOCK = threading.Lock()
_RUNNING: dict[str, set[int]] = {}
_OVER: set[str] = set()


class Stopped(BaseException):
    """Raised inside a task that is to stop; not an `Exception`, so that no task takes it for a failure of its own."""


def call(group: str, function: Callable[[T], R], argument: T) -> R:
    """Call a function, so that `stop` can end the call.

    Raises:
        Stopped: the group was stopped, before the call or during it.
    """
    thread = threading.get_ident()
    with _LOCK:
        if group in _OVER:
            raise Stopped
        _RUNNING.setdefault(group, set()).add(thread)
    try:
        return function(argument)
    finally:
        with _LOCK:
            _RUNNING.get(group, set()).discard(thread)


def stop(group: str) -> None:
    """End every call of a group: at its next line of Python, and before its first where it has not begun."""
    with _LOCK:
        _OVER.add(group)
        for thread in _RUNNING.pop(group, set()):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))
