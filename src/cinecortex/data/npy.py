"""Single arrays in .npy files, read without ever unpickling."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

import numpy as np

from cinecortex.data.faults import Fault

AGAIN = "copy or export it again"
_PARSING = threading.Lock()
"""A header is a Python literal, and Python 3.11 may fail with a SystemError when threads parse literals at once."""


class Header(NamedTuple):
    """What a .npy file says about its array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    begin: int


def read_header(path: Path) -> Header:
    """Shape and type of the array in ``path``, from its first bytes and its size alone.

    Raises:
        BadData: the file is missing, empty, not a .npy file, pickled or shorter than its header says.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise Fault(path, "is empty", AGAIN)
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            with _PARSING:
                shape, fortran_order, dtype = read(file)
            begin = file.tell()
    except FileNotFoundError:
        raise Fault(path, "is missing", "copy it from where the recording came from") from None
    except (ValueError, EOFError, OSError, SyntaxError, TokenError) as error:
        raise Fault(path, "is not a readable NumPy .npy array", AGAIN) from error
    if dtype.hasobject:
        raise Fault(path, "holds pickled Python objects, which are never loaded", "save it as a plain numeric array")
    wanted = begin + math.prod(shape) * dtype.itemsize
    if size < wanted:
        raise Fault(path, f"is truncated ({size} of {wanted} bytes)", AGAIN)
    return Header(shape, dtype, fortran_order, begin)


def read_array(path: Path, *, mapped: bool = False) -> np.ndarray:
    """The array in ``path``; with ``mapped`` only what is touched of it is read.

    Raises:
        BadData: as ``read_header``.
    """
    header = read_header(path)
    if not math.prod(header.shape):
        return np.zeros(header.shape, header.dtype)  # of nothing, no map can be made
    order = "F" if header.fortran_order else "C"
    try:
        array = np.memmap(path, header.dtype, "r", offset=header.begin, shape=header.shape, order=order)  # type: ignore[call-overload]
    except (ValueError, EOFError, OSError) as error:
        raise Fault(path, "is not a readable NumPy .npy array", AGAIN) from error
    found: np.ndarray = array if mapped else np.array(array)
    return found


def is_number(dtype: np.dtype[Any]) -> bool:
    """Whether values of this type are real numbers."""
    return dtype.kind in "uif"
