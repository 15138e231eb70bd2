"""The state of an unfinished fit in a folder: whenever the process dies, ``state.json`` names a whole file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cinecortex.encoders.checkpoint import write_tensors
from cinecortex.errors import BadData

State = dict[str, Tensor]


def state_exists(folder: Path) -> bool:
    """Whether an earlier fit left its state there."""
    return (folder / "state.json").exists()


def save_state(folder: Path, name: str, tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> None:
    """Write a state in place of the one before.

    Args:
        folder: Where; made if need be.
        name: Of the file of tensors; another one for every state, so that no file is written over.
        tensors: Weights and moments.
        content: Everything else, as JSON values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.safetensors"
    write_tensors(file, tensors)
    temporary = folder / "state.json.tmp"
    temporary.write_text(json.dumps({**content, "tensors": file.name}))
    temporary.replace(folder / "state.json")
    for old in folder.glob("*.safetensors"):
        if old != file:
            old.unlink()


def load_state(folder: Path) -> tuple[dict[str, Any], State]:
    """Content and tensors of what `save_state` wrote.

    Raises:
        BadData: it cannot be read.
    """
    try:
        content = json.loads((folder / "state.json").read_text())
        return content, load_file(folder / Path(content["tensors"]).name)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, SafetensorError) as error:
        raise BadData(f"{folder} holds a damaged state of an unfinished fit; leave out --resume.") from error


def weights_of(module: nn.Module) -> State:
    """A copy of the weights."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def moments_of(optimizer: torch.optim.Optimizer) -> State:
    """The optimizer's moments, as named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, moments in state.items() for name, value in moments.items()}


def restore_moments(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """The inverse of `moments_of`."""
    state = optimizer.state_dict()
    for name, value in moments.items():
        index, moment = name.split(".", 1)
        state["state"].setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict(state)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> State:
    """The same tensors under names that begin with ``prefix``."""
    return {prefix + name: value for name, value in tensors.items()}


def under(tensors: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
