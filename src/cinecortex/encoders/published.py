"""Published weights of DwiseNeuro: checkpoints of the argus framework, read without running anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.torch_file import StoredTensor, TorchFile
from cinecortex.errors import BadData, WrongUse

# Sessions of Sensorium 2023 and their numbers of neurons, in the order of the published readouts: those of the
# competition, then those released before. Source: src/constants.py of lRomul/sensorium.
SENSORIUM_SESSIONS = {
    "dynamic29515-10-12-Video-9b4f6a1a067fe51e15306b9628efea20": 7863,
    "dynamic29623-4-9-Video-9b4f6a1a067fe51e15306b9628efea20": 7908,
    "dynamic29647-19-8-Video-9b4f6a1a067fe51e15306b9628efea20": 8202,
    "dynamic29712-5-9-Video-9b4f6a1a067fe51e15306b9628efea20": 7939,
    "dynamic29755-2-8-Video-9b4f6a1a067fe51e15306b9628efea20": 8122,
    "dynamic29156-11-10-Video-8744edeac3b4d1ce16b680916b5267ce": 7440,
    "dynamic29228-2-10-Video-8744edeac3b4d1ce16b680916b5267ce": 7928,
    "dynamic29234-6-9-Video-8744edeac3b4d1ce16b680916b5267ce": 8285,
    "dynamic29513-3-5-Video-8744edeac3b4d1ce16b680916b5267ce": 7671,
    "dynamic29514-2-9-Video-8744edeac3b4d1ce16b680916b5267ce": 7495,
}

_SETTINGS = {
    "readout_outputs": (int,),
    "in_channels": int,
    "core_features": (int,),
    "spatial_strides": (int,),
    "spatial_kernel": int,
    "temporal_kernel": int,
    "expansion_ratio": int,
    "se_reduce_ratio": int,
    "cortex_features": (int,),
    "groups": int,
    "softplus_beta": float,
    "drop_rate": float,
    "drop_path_rate": float,
}
_LARGEST = 1 << 16  # of any setting; keeps a forged file from asking for a network that fills the memory


def import_weights(
    file: Path,
    sessions: Sequence[str] | None = None,
    *,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
) -> tuple[dict[str, DwiseNeuroEncoder], dict[str, Any]]:
    """Encoders of all animals of a published checkpoint, which share one network, and the facts about it.

    The checkpoint says how its network is built; that is compared with the names and shapes of its tensors before any
    number is read.

    Args:
        file: The checkpoint: a dict with ``params`` and ``nn_state_dict``, as argus writes it.
        sessions: ``session_id`` of each readout, in order. None for those of Sensorium 2023 where the numbers of
            neurons are theirs, else ``mouse0, mouse1, ...``.
        frame_size: Height and width of the movies that the encoders are to take.
        frame_rate_hz: Frames per second of these movies.

    Raises:
        BadData: the file is not such a checkpoint, holds anything but tensors and plain containers, or its parts
            contradict each other.
        WrongUse: ``sessions`` does not name each readout once.
    """
    with TorchFile(file) as stored:
        content = stored.content
        if not isinstance(content, dict):
            raise BadData(f"{file} holds no dict at its top; it is not a checkpoint of argus.")
        params, state = (_dict(content, key, f"{file}") for key in ("params", "nn_state_dict"))
        settings = _settings(params, file)
        windows = _windows(params, file)
        weights = _named(state, file)
        with torch.device("meta"):
            try:
                network = DwiseNeuroNetwork(**settings).eval()
            except (ValueError, RuntimeError, ZeroDivisionError) as error:
                raise BadData(f"{file} describes a network that cannot exist ({error}); it is not read.") from error
        _check_shapes(network, weights, settings, file)
        tensors = {name: _numbers(stored, weights[name], like, file) for name, like in network.state_dict().items()}
    network.load_state_dict(tensors, strict=True, assign=True)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    counts = settings["readout_outputs"]
    names = _sessions(sessions, counts)
    encoders = {
        name: DwiseNeuroEncoder(network, index, frame_size=frame_size, frame_rate_hz=frame_rate_hz, **windows).eval()
        for index, name in enumerate(names)
    }
    with file.open("rb") as opened:
        fingerprint = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    facts = {
        "kind": DwiseNeuroEncoder.kind,
        "imported": {
            "file": file.name,
            "fingerprint": fingerprint,
            "neurons": dict(zip(names, counts, strict=True)),
            "behavior": "raw units; the checkpoint does not say the mean behavior, so a missing channel counts as 0",
        },
        "fitted": [],
    }
    return encoders, facts


def _dict(content: Mapping[Any, Any], key: str, where: str) -> dict[str, Any]:
    value = content.get(key)
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise BadData(f"{where} has no dict named {key!r}; it is not a checkpoint of argus with DwiseNeuro in it.")
    return value


def _settings(params: dict[str, Any], file: Path) -> dict[str, Any]:
    """How the network is built, as the checkpoint says it."""
    module = params.get("nn_module")
    if not isinstance(module, tuple | list) or len(module) != 2 or module[0] != "dwiseneuro":
        raise BadData(f"{file} is not a checkpoint of DwiseNeuro: its params name {_short(module)} as the network.")
    given = _dict({"nn_module": module[1]}, "nn_module", f"{file}")
    missing, unknown = _SETTINGS.keys() - given.keys(), given.keys() - _SETTINGS.keys()
    for names, what in ((missing, "do not say"), (unknown, "have an unknown setting")):
        if names:
            raise BadData(f"the params of {file} {what} {min(names)!r}; it is of another version of DwiseNeuro.")
    return {name: _setting(given[name], kind, name, file) for name, kind in _SETTINGS.items()}


def _setting(value: Any, kind: Any, name: str, file: Path) -> Any:
    if isinstance(kind, tuple):
        if isinstance(value, tuple | list) and value:
            return [_setting(part, kind[0], name, file) for part in value]
    elif kind is int and type(value) is int and 0 < value <= _LARGEST:
        return value
    elif kind is float and type(value) in (int, float) and 0 <= value <= _LARGEST:
        return float(value)
    raise BadData(f"the params of {file} give {_short(value)} as {name}, which cannot be; the file is damaged.")


def _windows(params: dict[str, Any], file: Path) -> dict[str, Any]:
    """Window and frame that the network was trained with, as arguments of the encoder."""
    stack, inputs = params.get("frame_stack"), params.get("inputs_processor")
    try:
        width, height = inputs[1]["size"]  # type: ignore[index]
        values = [stack["size"], stack["step"], height, width]  # type: ignore[index]
        fill, position = inputs[1].get("pad_fill_value", 0), stack["position"]  # type: ignore[index]
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise BadData(f"the params of {file} do not say the windows the network was trained with.") from error
    if inputs[0] != "stack_inputs" or fill != 0 or position != "last" or not all(type(n) is int for n in values):  # type: ignore[index]
        raise BadData(f"the params of {file} describe inputs that differ from those of DwiseNeuro; it is not read.")
    for number in values:
        _setting(number, int, "windows", file)
    return {"window_frames": values[0], "window_step": values[1], "padded_size": (values[2], values[3])}


def _named(state: dict[str, Any], file: Path) -> dict[str, StoredTensor]:
    """Tensors by name, without the prefix that data-parallel training adds."""
    for name, value in state.items():
        if not isinstance(value, StoredTensor):
            raise BadData(f"{file} holds {_short(value)} where the tensor {name!r} should be; the file is damaged.")
    prefix = "module." if state and all(name.startswith("module.") for name in state) else ""
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _check_shapes(
    network: DwiseNeuroNetwork, weights: Mapping[str, StoredTensor], settings: Mapping[str, Any], file: Path
) -> None:
    expected = network.state_dict()
    ratio = _ratio(weights)
    if ratio not in (None, settings["expansion_ratio"]):
        raise BadData(
            f"the params of {file} give an expansion ratio of {settings['expansion_ratio']}, but its tensors have one "
            f"of {ratio:g}; the file is damaged."
        )
    readouts = sum(name.endswith(".layer.1.weight") and name.startswith("readouts.") for name in weights)
    if readouts != len(settings["readout_outputs"]):
        raise BadData(
            f"the params of {file} name {len(settings['readout_outputs'])} animals, but it holds {readouts} readouts."
        )
    for names, what in ((expected.keys() - weights.keys(), "lacks"), (weights.keys() - expected.keys(), "also holds")):
        if names:
            raise BadData(f"{file} {what} the tensor {min(names)!r}; it is not the network that its params describe.")
    for name, like in expected.items():
        if weights[name].shape != tuple(like.shape):
            raise BadData(
                f"the tensor {name!r} of {file} has shape {weights[name].shape} where its params ask for "
                f"{tuple(like.shape)}; the file is damaged."
            )


def _ratio(weights: Mapping[str, StoredTensor]) -> float | None:
    """Expansion ratio, from the shape of the first expansion."""
    first = weights.get("core.blocks.1.conv_pw.0.weight")
    if first is None or len(first.shape) < 2 or not first.shape[1]:
        return None
    return first.shape[0] / first.shape[1]


def _numbers(stored: TorchFile, tensor: StoredTensor, like: Tensor, file: Path) -> Tensor:
    numbers = stored.read(tensor)
    if numbers.is_floating_point() != like.is_floating_point():
        raise BadData(f"{file} has tensors of type {numbers.dtype} where {like.dtype} is needed; the file is damaged.")
    if not bool(torch.isfinite(numbers).all()):
        raise BadData(f"{file} has weights that are not finite numbers; it was saved from a fit that failed.")
    return numbers.to(like.dtype)


def _sessions(sessions: Sequence[str] | None, counts: Sequence[int]) -> list[str]:
    if sessions is not None:
        if len(sessions) != len(counts) or len(set(sessions)) != len(sessions):
            raise WrongUse(
                f"the checkpoint has {len(counts)} animals, of {', '.join(map(str, counts))} neurons; name a session "
                f"for each of them once, in this order ({len(set(sessions))} were named)."
            )
        return list(sessions)
    known = list(SENSORIUM_SESSIONS.items())
    for part in (known, known[:5], known[5:]):
        if [count for _, count in part] == list(counts):
            return [name for name, _ in part]
    return [f"mouse{number}" for number in range(len(counts))]


def _short(value: Any) -> str:
    if isinstance(value, str | int | float | bool) or value is None:
        return repr(value)[:60]
    return f"a {type(value).__name__}"
