"""One root seed, from which every random stream is derived by name.

A stream depends on the root and on its own path of names only, never on the order in which streams are asked for, so
adding a control or a trial changes no other number of a study.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Seed:
    """A named random stream.

    >>> root = Seed(7)
    >>> root / "controls" / "trial 3"
    Seed(7)/controls/trial 3
    >>> (root / "a").integer() == (Seed(7) / "a").integer()
    True
    >>> (root / "a").integer() == (root / "b").integer()
    False
    """

    root: int
    path: tuple[str, ...] = ()

    def __truediv__(self, name: str | int) -> Seed:
        return Seed(self.root, (*self.path, str(name)))

    def __repr__(self) -> str:
        return "/".join((f"Seed({self.root})", *self.path))

    def _sequence(self) -> np.random.SeedSequence:
        # Names are hashed one by one, so that ("ab",) and ("a", "b") are different streams.
        key = tuple(int.from_bytes(hashlib.blake2b(n.encode(), digest_size=8).digest(), "little") for n in self.path)
        return np.random.SeedSequence(self.root, spawn_key=key)

    def integer(self) -> int:
        """A non-negative integer below 2**63, for libraries that want one."""
        return int(self._sequence().generate_state(1, np.uint64)[0] >> np.uint64(1))

    def numpy(self) -> np.random.Generator:
        """A fresh NumPy generator at the start of this stream."""
        return np.random.default_rng(self._sequence())

    def torch(self, device: torch.device | str = "cpu") -> torch.Generator:
        """A fresh torch generator at the start of this stream, on ``device``."""
        return torch.Generator(device).manual_seed(self.integer())
