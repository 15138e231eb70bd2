"""The encoder folder: ``encoder.json`` and ``weights.safetensors``. Nothing in it is ever unpickled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.packing import KINDS, Packed, Unpacked
from cinecortex.errors import BadData, WrongUse

SCHEMA = "cinecortex.encoder/1"


@dataclass(frozen=True, eq=False)
class Model:
    """Encoders of one or several sessions that were fitted together, and what they were fitted on.

    Attributes:
        sessions: Encoder of each session, by ``session_id``.
        facts: What ``encoder.json`` says beside the weights: settings, scores, learning curves, and the fingerprints of
            the recordings and clips that were used. Plain JSON values.
    """

    sessions: Mapping[str, Encoder]
    facts: Mapping[str, Any]

    def session(self, session_id: str) -> Encoder:
        """The encoder of one population.

        Raises:
            BadData: the model was not fitted to that session.
        """
        if session_id not in self.sessions:
            known = ", ".join(sorted(self.sessions))
            raise BadData(f"the encoder was not fitted to session {session_id!r}; it knows {known}.")
        return self.sessions[session_id]

    def __repr__(self) -> str:
        sessions = ", ".join(f"{name}: {encoder.neurons} neurons" for name, encoder in self.sessions.items())
        return f"Model({self.facts.get('kind', 'encoder')}; {sessions})"


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, temporary)
    temporary.replace(path)


def save_model(model: Model, folder: Path) -> None:
    """Write the encoder folder, whole or not at all, in place of an older one."""
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    packed, sessions = Packed(), []
    for number, (session_id, encoder) in enumerate(model.sessions.items()):
        sessions.append({"session_id": session_id, **packed.add(encoder, f"session{number}.")})
    write_tensors(temporary / "weights.safetensors", packed.tensors)
    content = {"schema": SCHEMA, **model.facts, "networks": packed.networks, "sessions": sessions}
    (temporary / "encoder.json").write_text(json.dumps(content, indent=1))
    _put_in_place(temporary, folder)


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename ``new`` to ``folder``; the older folder is deleted only once the new one stands in its place."""
    aside = folder.with_name(folder.name + ".old.tmp")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.replace(aside)
    try:
        new.replace(folder)
    finally:
        if aside.exists() and not folder.exists():
            aside.replace(folder)
    shutil.rmtree(aside, ignore_errors=True)


def load_model(folder: Path) -> Model:
    """Read an encoder folder.

    Raises:
        BadData: it is not one, or its parts do not fit together.
    """
    description, weights = folder / "encoder.json", folder / "weights.safetensors"
    for path in (description, weights):
        if not path.is_file():
            raise BadData(f"{folder} is not an encoder: {path.name} is missing; make one with `cinecortex fit`.")
    try:
        content = json.loads(description.read_text())
        tensors = load_file(weights)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadData(f"{description} is not readable JSON ({error}); fit the encoder again.") from error
    except SafetensorError as error:
        raise BadData(f"{weights} is damaged ({error}); fit the encoder again.") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or content.get("kind") not in KINDS:
        found = (content.get("schema"), content.get("kind")) if isinstance(content, dict) else type(content).__name__
        raise BadData(f"{description} describes {found!r}, which is unknown here; fit the encoder again.")
    sessions = {}
    try:
        stored, networks = content.pop("sessions"), content.pop("networks", [])
        unpacked = Unpacked(tensors, networks, content["kind"])
        for number, described in enumerate(stored):
            sessions[described["session_id"]] = unpacked.encoder(described, f"session{number}.")
    except RuntimeError as error:
        raise BadData(f"{weights} does not fit the settings beside it; fit the encoder again.") from error
    except (KeyError, IndexError, TypeError, ValueError, WrongUse) as error:
        raise BadData(f"{description} lacks or misspells a part ({error!r}); fit the encoder again.") from error
    content.pop("schema")
    return Model(sessions, content)
