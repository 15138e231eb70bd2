"""What any object is made of, for its fingerprint: its class, the code of that class, and everything it holds.

Two objects of one content do the same. What an object merely remembers between calls is no part of it: values of a
`cached_property`, and attributes that its class names in ``_remembers``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from importlib.metadata import version
from inspect import getattr_static
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed

_PLAIN = (str, int, float, bytes, Seed, np.ndarray, np.generic, torch.Tensor)
_WORDS = (Path, torch.dtype, torch.device, range)
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_VERSIONED = frozenset(["torch", "numpy"])


def content_of(thing: Any) -> Mapping[str, Any]:
    """What `fingerprint` takes of an object: what it holds, and the code it runs.

    Of a class, the Python files beside the one it is defined in count as its code, or that file alone where it is in
    no package or at the top of one. What these import from elsewhere does not count, unless an object that is held is
    of there.

    Args:
        thing: Settings, arrays, torch modules, functions and other objects, nested at will.

    Raises:
        WrongUse: it holds itself, or something whose content cannot be known; the sentence says where.
    """
    code: dict[str, Any] = {}
    try:
        held = _held(thing, code, (), "the object")
    except RecursionError as error:
        raise WrongUse("a fingerprint cannot be taken of an object that is nested without end.") from error
    return {"held": held, "code": code}


def _held(thing: Any, code: dict[str, Any], inside: tuple[int, ...], where: str) -> Any:
    if thing is None or isinstance(thing, _PLAIN):
        return thing
    if isinstance(thing, _WORDS):
        return {type(thing).__name__: str(thing)}
    if id(thing) in inside:
        raise WrongUse(f"a fingerprint cannot be taken of {where}: it holds itself.")
    within = (*inside, id(thing))
    if isinstance(thing, list | tuple):
        return [_held(item, code, within, f"{where}[{number}]") for number, item in enumerate(thing)]
    if isinstance(thing, set | frozenset):
        return {"set": sorted(map(repr, thing))} if all(isinstance(item, str | int) for item in thing) else _no(where)
    if isinstance(thing, Mapping):
        pairs = sorted(thing.items(), key=lambda pair: repr(pair[0]))
        return [_held(pair, code, within, f"{where}[{pair[0]!r}]") for pair in pairs]
    if isinstance(thing, type):
        return {"class": _named(thing, code)}
    if isinstance(thing, FunctionType | BuiltinFunctionType | MethodType | partial):
        return _function(thing, code, within, where)
    if isinstance(thing, ModuleType) or (not hasattr(thing, "__dict__") and not is_dataclass(thing)):
        _no(f"{where}, of kind {type(thing).__name__}")
    return {
        "kind": _named(type(thing), code),
        "has": {name: _held(value, code, within, f"{where}.{name}") for name, value in _attributes(thing).items()},
    }


def _no(where: str) -> Any:
    raise WrongUse(f"a fingerprint cannot be taken of {where}; hold settings, arrays and objects made of them.")


def _attributes(thing: Any) -> dict[str, Any]:
    if is_dataclass(thing):
        held = {each.name: getattr(thing, each.name) for each in fields(thing)}
    else:
        held = dict(vars(thing))
    if isinstance(thing, nn.Module):
        parts: dict[str, Any] = {**thing._parameters, **thing._buffers, **thing._modules}
        held = {name: value for name, value in held.items() if name not in _OF_EVERY_MODULE} | parts
    # NumPy writes it onto its functions when somebody first looks it up.
    remembered = {"__signature__", *getattr(type(thing), "_remembers", ())}
    return {
        name: value
        for name, value in sorted(held.items())
        if name not in remembered and not isinstance(getattr_static(type(thing), name, None), cached_property)
    }


def _function(thing: Any, code: dict[str, Any], inside: tuple[int, ...], where: str) -> dict[str, Any]:
    """A function with everything that it brings along."""
    if isinstance(thing, partial):
        parts: Any = [thing.func, list(thing.args), dict(thing.keywords)]
        return {"partial": _held(parts, code, inside, where)}
    if isinstance(thing, MethodType):
        return {"method": _held([thing.__func__, thing.__self__], code, inside, where)}
    name = _named(thing, code)
    if isinstance(thing, BuiltinFunctionType):
        return {"function": name}
    brought = [thing.__defaults__, thing.__kwdefaults__, [cell.cell_contents for cell in thing.__closure__ or ()]]
    # Lambdas of one line have one name.
    return {"function": name, "code": _bytecode(thing.__code__), "brought": _held(brought, code, inside, where)}


def _named(thing: Any, code: dict[str, Any]) -> str:
    """The full name of a class or function; its code is noted in ``code``."""
    home = thing.__module__ or "builtins"
    root = home.partition(".")[0]
    if root in _VERSIONED:
        code[root] = version(root)
    elif root not in sys.stdlib_module_names:
        file = getattr(sys.modules.get(home), "__file__", None)
        if file is None and isinstance(thing, type):  # made at a prompt
            code[f"{home}.{thing.__qualname__}"] = _class_bytecode(thing)
        elif file is not None:
            package = home.rpartition(".")[0]
            code[package if "." in package else home] = _sources(Path(file), beside="." in package)
    return f"{home}.{thing.__qualname__}"


@lru_cache(maxsize=128)
def _sources(file: Path, *, beside: bool) -> str:
    digest = blake2b(digest_size=8)
    for path in sorted(file.parent.glob("*.py")) if beside else [file]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _class_bytecode(kind: type) -> str:
    functions = [value for value in vars(kind).values() if isinstance(value, FunctionType)]
    return " ".join(_bytecode(function.__code__) for function in functions)


def _bytecode(code: CodeType) -> str:
    digest = blake2b(code.co_code, digest_size=8)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        digest.update((_bytecode(constant) if isinstance(constant, CodeType) else repr(constant)).encode())
    return digest.hexdigest()
