"""A restricted reader of PyTorch files: tensors and plain containers, and nothing else, is ever constructed.

A PyTorch file is a zip archive of raw numbers and one pickle that says how they make up tensors. A pickle is a program,
and unpickling it runs it. Here its few instructions that describe data are followed by hand instead: there is no
unpickler, no name is ever looked up and nothing that the file names is ever called, so there is nothing to escape from.
(`torch.load(weights_only=True)` allows more: it looks names up in a table and calls what stands there.) Numbers are
read from the archive only when they are asked for, after the shape has been approved, and compressed archives are
refused, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from cinecortex.errors import BadData

_LONGEST_PROGRAM = 1 << 26  # bytes; the published ones are of some 100 kB
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_ORDERED = "collections OrderedDict"
_NUMBERS = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {"BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
T = TypeVar("T")
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the archive: where, of what type, and how many."""

    entry: str
    dtype: torch.dtype
    numbers: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that has not been read yet."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Named:
    """Something the file refers to by name; the name is all there ever is of it."""

    name: str


class _Mark:
    """Where a collection begins on the stack."""


class TorchFile:
    """An open PyTorch file; use it in a ``with`` statement.

    Attributes:
        content: What it holds: dicts, lists, tuples, strings, numbers, and a `StoredTensor` in place of each tensor.

    Raises:
        BadData: it is not a PyTorch file of today, is damaged, or asks for anything but tensors and plain containers.
    """

    content: Any

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                start = file.read(2)
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise BadData(f"{path} cannot be read ({error.strerror or error}); check the path.") from error
        except zipfile.BadZipFile as error:
            if start == b"PK":
                raise BadData(f"{path} is damaged or was cut short; download it again.") from error
            if start[:1] == b"\x80":
                raise BadData(
                    f"{path} is in the format of PyTorch before 1.6, which cannot be read without running it; save it "
                    "again with a newer PyTorch, on a machine that you trust it on."
                ) from error
            raise BadData(f"{path} is not a PyTorch file; give the .pth file of a published checkpoint.") from error
        with ExitStack() as undo:
            undo.callback(self._archive.close)
            self._folder = self._find_folder()
            self.content = _Reader(self._program(), path, self._folder).read()
            undo.pop_all()

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, stored: StoredTensor) -> Tensor:
        """The numbers of a tensor, in memory of their own.

        Raises:
            BadData: the archive does not hold them.
        """
        storage, numbers = stored.storage, int(math.prod(stored.shape))
        content = self._entry(storage.entry)
        last = stored.offset + sum((n - 1) * s for n, s in zip(stored.shape, stored.stride, strict=True))
        inside = stored.offset >= 0 and min(stored.stride, default=0) >= 0 and last < storage.numbers
        # More numbers than are stored would be the same ones over and over, and could fill the memory.
        if len(content) != storage.numbers * storage.dtype.itemsize or numbers > storage.numbers or not inside:
            raise self._damaged(storage.entry)
        stored_numbers = torch.frombuffer(bytearray(content), dtype=storage.dtype)
        view = stored_numbers.as_strided(stored.shape, stored.stride, stored.offset)
        return view.clone(memory_format=torch.contiguous_format)

    def _find_folder(self) -> str:
        names = self._archive.namelist()
        programs = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(programs) != 1 or len(set(names)) != len(names):
            raise BadData(f"{self.path} is a zip archive but not a PyTorch file; give the .pth file of a checkpoint.")
        folder = programs[0].removesuffix("data.pkl")
        if folder + "byteorder" in names and self._entry(folder + "byteorder") != b"little":
            raise BadData(f"{self.path} was written on a big-endian machine; save it again on another.")
        return folder

    def _program(self) -> bytes:
        name = self._folder + "data.pkl"
        if self._archive.getinfo(name).file_size > _LONGEST_PROGRAM:
            raise BadData(f"{self.path} holds a description far too long for a checkpoint; it is not read.")
        return self._entry(name)

    def _entry(self, name: str) -> bytes:
        try:
            entry = self._archive.getinfo(name)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > self.path.stat().st_size:
                raise BadData(f"{self.path} is a compressed archive, which PyTorch never writes; it is not read.")
            return self._archive.read(entry)
        except (
            KeyError,
            zipfile.BadZipFile,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,  # of a compression that this Python lacks, too
        ) as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> BadData:
        return BadData(f"{self.path} is damaged at its part {name}; download it again.")


class _Reader:
    """Follows the instructions of a pickle that describe data, and refuses the others."""

    def __init__(self, program: bytes, path: Path, folder: str) -> None:
        self._program, self._path, self._folder = program, path, folder
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """What the program describes."""
        try:
            for code, argument, _ in pickletools.genops(io.BytesIO(self._program)):
                if code.name == "STOP":
                    return self._stack.pop()
                self._follow(code.name, argument)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise BadData(
                f"{self._path} describes its tensors in a way that PyTorch does not; it is not read."
            ) from error
        raise BadData(f"{self._path} is damaged or was cut short; download it again.")

    def _follow(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _SHORT_TUPLES:
            count = _SHORT_TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "MARK":
            stack.append(_Mark)
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            self._fill(name)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument if name == "GLOBAL" else " ".join(reversed([stack.pop(), stack.pop()])))
        elif name == "REDUCE":
            self._reduce()
        elif name == "BUILD":
            self._ignore_attributes()
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name not in ("PROTO", "FRAME"):
            raise self._refused(f"the instruction {name}")

    def _since_mark(self) -> list[Any]:
        place = len(self._stack) - 1 - self._stack[::-1].index(_Mark)
        values = self._stack[place + 1 :]
        del self._stack[place:]
        return values

    def _fill(self, name: str) -> None:
        count = {"APPEND": 1, "SETITEM": 2}.get(name)
        if count is None:
            values = self._since_mark()
        else:
            values = self._stack[-count:]
            del self._stack[-count:]
        target = self._stack[-1]
        if name.startswith("APPEND"):
            if type(target) is not list:
                raise TypeError(name)
            target.extend(values)
        else:
            if type(target) is not dict:
                raise TypeError(name)
            if not all(isinstance(key, str | int) for key in values[::2]):
                raise TypeError(name)
            target.update(zip(values[::2], values[1::2], strict=True))

    def _name(self, name: str) -> None:
        if name not in (_TENSOR, _PARAMETER, _ORDERED) and name not in _NUMBERS:
            raise self._refused(name.replace(" ", "."))
        self._stack.append(_Named(name))

    def _reduce(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if type(called) is not _Named or type(arguments) is not tuple:
            raise self._refused("a call")
        if called.name == _ORDERED and arguments == ():
            self._stack.append({})
        elif called.name == _PARAMETER:
            self._stack.append(_expect(arguments[0], StoredTensor))
        elif called.name == _TENSOR:
            storage, offset, shape, stride = arguments[:4]
            sizes = [tuple(_expect(n, int) for n in _expect(numbers, tuple)) for numbers in (shape, stride)]
            if len(sizes[0]) != len(sizes[1]) or min(sizes[0], default=0) < 0:
                raise TypeError("shape")
            self._stack.append(StoredTensor(_expect(storage, Storage), _expect(offset, int), sizes[0], sizes[1]))
        else:
            raise self._refused(f"a call of {called.name.replace(' ', '.')}")

    def _ignore_attributes(self) -> None:
        """A state dict carries module versions as an attribute; nothing needs them."""
        self._stack.pop()
        if type(self._stack[-1]) is not dict:
            raise self._refused("attributes of something that is no dict")

    def _storage(self, identity: Any) -> Storage:
        kind, numbers, key, _, count = identity
        if kind != "storage":
            raise TypeError(kind)
        dtype = _NUMBERS[_expect(numbers, _Named).name]
        return Storage(f"{self._folder}data/{_expect(key, str)}", dtype, _expect(count, int))

    def _refused(self, what: str) -> BadData:
        return BadData(
            f"{self._path} asks for {what[:100]!r} when it is read; only tensors and plain containers are allowed in a "
            "checkpoint, so it was refused and nothing was run: do not open it with other tools."
        )


def _expect(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value
