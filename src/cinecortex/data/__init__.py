"""Files in, recordings out: loaders, clip identity, splits by clip, the deep check, and the store for results."""

from __future__ import annotations

from pathlib import Path

from cinecortex.data.arrays import load_npz, load_zarr
from cinecortex.data.cut import Cut
from cinecortex.data.faults import Fault
from cinecortex.data.folds import Dropped, Split, folds_by_clip, split
from cinecortex.data.identity import NearCopy, clip_groups, clip_identity, near_copies
from cinecortex.data.results import read_result, reconstructions, words, write_result
from cinecortex.data.sensorium import is_session, load_sensorium
from cinecortex.data.summary import Summary, summarise
from cinecortex.data.survey import find_problems
from cinecortex.recording import Recording

__all__ = [
    "Cut",
    "Dropped",
    "NearCopy",
    "Split",
    "Summary",
    "clip_groups",
    "clip_identity",
    "find_problems",
    "folds_by_clip",
    "load",
    "load_all",
    "near_copies",
    "read_result",
    "reconstructions",
    "split",
    "summarise",
    "words",
    "write_result",
]


def load(path: Path | str, *, cut: Cut = Cut()) -> Recording:  # noqa: B008 - frozen
    """Open one recording; trials are read when they are asked for.

    Args:
        path: A Sensorium session folder, an .npz file or a .zarr folder.
        cut: How a continuous recording is cut into clips; without effect on one that says where trials begin.

    Raises:
        BadData: there is nothing to open at ``path``, or it is damaged; the sentence names the file.
        WrongUse: ``cut`` does not fit the length of the recording.
    """
    path = Path(path)
    if not path.exists():
        raise Fault(path, "does not exist", "check the path")
    if path.is_file() and path.suffix == ".npz":
        return load_npz(path, cut=cut)
    if path.is_dir() and (path.suffix == ".zarr" or (path / "zarr.json").exists() or (path / ".zgroup").exists()):
        return load_zarr(path, cut=cut)
    if path.is_dir() and is_session(path):
        return load_sensorium(path)
    raise Fault(path, "is not a recording", "give a Sensorium session folder, an .npz file or a .zarr folder")


def load_all(path: Path | str, *, cut: Cut = Cut()) -> tuple[Recording, ...]:  # noqa: B008 - frozen
    """Open one recording, or every Sensorium session folder inside a folder, in the order of their names.

    Args:
        path: What ``load`` takes, or a folder that holds several session folders.
        cut: As for ``load``.

    Raises:
        BadData: as for ``load``, or two sessions have the same name.
        WrongUse: as for ``load``.
    """
    path = Path(path)
    if not path.is_dir() or is_session(path):
        return (load(path, cut=cut),)
    sessions = tuple(folder for folder in sorted(path.iterdir()) if folder.is_dir() and is_session(folder))
    if not sessions:
        return (load(path, cut=cut),)
    recordings = tuple(load(folder, cut=cut) for folder in sessions)
    names = [recording.session_id for recording in recordings]
    for name, folder in zip(names, sessions, strict=True):
        if names.count(name) > 1:
            raise Fault(folder, f"has the session_id {name!r}, as has another folder beside it", "rename one of them")
    return recordings
