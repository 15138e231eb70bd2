"""A fitted decoder as a folder: ``decoder.json`` and ``weights.safetensors``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cinecortex.errors import BadData

SCHEMA = "cinecortex.decoder/1"


def write_decoder(folder: Path, *, kind: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write both files, each under a temporary name first; the facts, which come last, name the weights' digest."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    facts = {"schema": SCHEMA, "kind": kind, "weights_digest": _digest(weights), **facts}
    _replace(folder / "weights.safetensors", weights)
    _replace(folder / "decoder.json", (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())


def read_decoder(folder: Path, *, kind: str, tensors: Sequence[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read both files.

    Raises:
        BadData: a file is missing or damaged, the two were not written together, or they hold another kind of decoder.
    """
    facts_file, weights_file = folder / "decoder.json", folder / "weights.safetensors"
    try:
        facts = json.loads(facts_file.read_bytes())
        weights = weights_file.read_bytes()
    except OSError as error:
        raise BadData(f"{error.filename} cannot be read ({error.strerror}); fit the decoder again.") from error
    except ValueError as error:
        raise BadData(f"{facts_file} is not JSON; fit the decoder again.") from error
    if not isinstance(facts, dict) or (facts.get("schema"), facts.get("kind")) != (SCHEMA, kind):
        raise BadData(f"{facts_file} does not describe a {kind} decoder of schema {SCHEMA}; fit the decoder again.")
    if facts.get("weights_digest") != _digest(weights):
        raise BadData(f"{weights_file} is not the file that decoder.json was written with; fit the decoder again.")
    try:
        held = load(weights)
    except SafetensorError as error:
        raise BadData(f"{weights_file} is not a safetensors file; fit the decoder again.") from error
    if missing := [name for name in tensors if name not in held]:
        raise BadData(f"{weights_file} lacks {', '.join(missing)}; fit the decoder again.")
    return facts, held


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
