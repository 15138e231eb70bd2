"""The content address of a task: a digest of everything that goes into its answer.

Two tasks with one fingerprint have one answer, so it is computed once. What may differ without a change of the
fingerprint is what does not change the content: the order of the keys of a mapping, the memory layout and byte order of
an array, the device of a tensor, a list or a tuple.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed

_LAYOUT = "cinecortex.fingerprint/1"
"""Part of every digest: a change of how content is written down changes all fingerprints, never some of them."""
_NUMERIC = "biufc"


def fingerprint(content: Mapping[str, Any]) -> str:
    """Digest of named content: settings as canonical JSON, arrays by their bytes.

    Numbers count bit by bit: 1 is neither 1.0 nor true, 0.0 is not -0.0, and an array in another precision is another
    array.

    >>> fingerprint({"steps": 50, "seed": 7}) == fingerprint({"seed": 7, "steps": 50})
    True
    >>> fingerprint({"steps": 50}) == fingerprint({"steps": 51})
    False

    Args:
        content: Mappings with words as keys, lists, tuples, words, numbers, None, bytes, `Seed`, numeric or boolean
            arrays and tensors, nested at will.

    Returns:
        32 hexadecimal digits, the same in every process and on every platform.

    Raises:
        WrongUse: something in there is of another kind; the sentence says where.
    """
    written = json.dumps([_LAYOUT, _plain(content, "")], sort_keys=True, separators=(",", ":"))
    return blake2b(written.encode("ascii"), digest_size=16).hexdigest()


def _plain(item: Any, where: str) -> Any:
    """What JSON can hold. Every mapping in the answer has one key that is ours: no content can pose as another."""
    if item is None or isinstance(item, bool):
        return item
    for kind in (int, float, str):
        if isinstance(item, kind):
            return kind(item)  # subclasses, such as NumPy's float64, are written as the plain kind they are
    if isinstance(item, np.generic):
        return _plain(item.item(), where)
    if isinstance(item, Mapping):
        if odd := next((key for key in item if not isinstance(key, str)), None):
            raise WrongUse(f"a fingerprint takes words as keys, and {where or 'the content'} has {odd!r}.")
        return {"mapping": {str(key): _plain(value, f"{where}.{key}".strip(".")) for key, value in item.items()}}
    if isinstance(item, list | tuple):
        return [_plain(value, f"{where}[{index}]") for index, value in enumerate(item)]
    if isinstance(item, Seed):
        return {"seed": [item.root, *item.path]}
    if isinstance(item, bytes):
        return {"bytes": blake2b(item, digest_size=16).hexdigest()}
    if isinstance(item, torch.Tensor):
        return {"array": _tensor(item)}
    if isinstance(item, np.ndarray) and item.dtype.kind in _NUMERIC:
        return {"array": _array(item, item.dtype.name)}
    kind_of = f"array of {item.dtype}" if isinstance(item, np.ndarray) else type(item).__name__
    raise WrongUse(
        f"a fingerprint cannot be taken of {where or 'the content'}: it is of kind {kind_of}; give words, "
        "numbers, seeds, lists, mappings and numeric arrays."
    )


def _tensor(tensor: torch.Tensor) -> list[Any]:
    held = tensor.detach().cpu().resolve_conj().resolve_neg()
    if held.dtype == torch.bfloat16:  # which NumPy lacks
        return _array(held.contiguous().view(torch.int16).numpy(), "bfloat16")
    values = held.numpy()
    return _array(values, values.dtype.name)


def _array(values: np.ndarray, kind: str) -> list[Any]:
    little = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
    return [kind, list(values.shape), blake2b(little.tobytes(), digest_size=16).hexdigest()]
