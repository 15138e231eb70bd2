"""How much memory there is, and how much a clip takes on its way through an encoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating

_UNLIMITED = 1 << 60


def kept_bytes(encoder: Encoder) -> tuple[float, float]:
    """Bytes that one forward pass keeps for the gradient: those of any clip, and those of each of its frames.

    Counted on two short clips, every piece of memory once; weights are not counted, nor what is computed anew when the
    gradient is due. Zero where not even those two fit: what does is then found by trying.
    """
    short = encoder.memory + 2
    long = short + 16
    try:
        few, many = _kept(encoder, short), _kept(encoder, long)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return 0.0, 0.0
    per_frame = max(many - few, 0) / (long - short)
    return max(few - per_frame * short, 0.0), per_frame


def _kept(encoder: Encoder, frames: int) -> int:
    weights = {t.untyped_storage().data_ptr() for t in (*encoder.parameters(), *encoder.buffers())}
    storages: dict[int, int] = {}
    held = []  # so that no address is used twice

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
            held.append(tensor.detach())
        return tensor

    movie = torch.full((1, frames, *encoder.frame_size), 0.5, device=encoder.device, dtype=encoder.dtype)
    rest = encoder.behavior_at_rest.detach().to(movie).expand(1, frames, -1)
    with (
        evaluating(encoder),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
    ):
        encoder(movie.requires_grad_(), rest)
    return sum(storages.values())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is how torch or Python say that memory ran out, on an accelerator or on a processor."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and ("not enough memory" in words or "can't allocate memory" in words)


def free_bytes(device: torch.device) -> int:
    """Memory that can be taken on this device, in bytes; within the limits of a control group on a processor."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds and does not use is free as well.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + int(unused)
    return min(int(psutil.virtual_memory().available), group_bytes())


def group_bytes(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """What the control groups of this process leave, in bytes; a very large number where they set no limit.

    The tightest of the process's own group and all above it counts. File cache that can be dropped is free.

    Args:
        root: Where control groups are mounted.
        membership: Which groups the process is in.

    Source: Linux kernel documentation, admin-guide/cgroup-v2 and admin-guide/cgroup-v1/memory.
    """
    left = _UNLIMITED
    for folder, names in _groups(root, membership):
        limit, used = (_number(folder / name) for name in names[:2])
        if limit is not None and used is not None:
            left = min(left, max(0, limit - used + _statistic(folder / "memory.stat", names[2])))
    return left


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def _groups(root: Path, membership: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Every group from the process's own to the topmost, and how its files are called."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, names = (root / "memory", _V1) if controllers else (root, _V2)
        own = top / path.lstrip("/")
        # In a container the path is that of the host, and only the topmost folder is there.
        for folder in (own, *own.parents):
            if folder == top or top in folder.parents:
                yield folder, names


def _number(file: Path) -> int | None:
    """None where the file is missing or says that there is no limit."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None


def _statistic(file: Path, name: str) -> int:
    try:
        found = [line.split()[1] for line in file.read_text().splitlines() if line.startswith(name + " ")]
    except OSError:
        return 0
    return int(found[0]) if found else 0
