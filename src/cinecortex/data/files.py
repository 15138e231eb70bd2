"""The files of a recording: none of them may leave its folder, and together they have a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cinecortex.data.faults import Fault

# A file up to this size is digested whole; of a larger one, evenly spaced blocks with the first and the last.
_WHOLE_BYTES = 256 * 1024
_BLOCK_BYTES = 4096
_BLOCKS = 8


def stay_inside(path: Path, root: Path) -> Path:
    """``path`` itself, unless it is a symbolic link that leaves ``root``.

    Raises:
        BadData: it leaves.
    """
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise Fault(path, "is a symbolic link that leaves the session folder", "put a copy of the file in its place")
    return path


def walk(folder: Path, root: Path) -> Iterator[Path]:
    """Every file under ``folder``, in name order, none of them outside ``root``.

    Raises:
        BadData: a symbolic link leaves ``root``.
    """
    for path in sorted(folder.iterdir()):
        stay_inside(path, root)
        if path.is_dir() and not path.is_symlink():  # a linked folder would be walked twice, or for ever
            yield from walk(path, root)
        elif path.is_file():
            yield path


def fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Digest of the names, sizes and sampled content of ``files``, whatever ``root`` is called and wherever it lies.

    Cheap on purpose: of a file over 256 KiB it reads eight blocks of 4 KiB. Recordings that differ only between those
    blocks, byte by byte of equal length, get the same fingerprint.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        size = path.stat().st_size
        name = "" if path == root else path.relative_to(root).as_posix()
        digest.update(f"{name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(file.read())
                continue
            for block in range(_BLOCKS):
                file.seek((size - _BLOCK_BYTES) * block // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
