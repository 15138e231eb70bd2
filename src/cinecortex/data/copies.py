"""Near-copies: clips that share a stretch of frames up to brightness, noise, mirroring, a small shift, or time.

Every frame becomes a short vector: its band-passed low spatial frequencies, and how they change over a few frames.
Dividing by the amplitude spectrum of natural scenes (multiplying by frequency) makes unrelated scenes nearly
orthogonal; leaving the highest frequencies out forgives noise, small shifts and small crops; frequencies of a cosine
transform change only their sign under mirroring. Two clips share a stretch when these vectors stay alike along one
time lag, and when the stretch has enough independent detail that chance cannot explain it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.fft import dct, dctn

from cinecortex.errors import WrongUse
from cinecortex.tensors import Movie

_GRID = (9, 16)
_CUTOFF = 5.0  # half-cycles per frame width; the pass band falls off beyond it
_MOTION = 1.0  # weight of the change over four frames beside the frame itself
_UNIFORM = 1 / 255  # frames of less contrast say nothing
_BLUR = 5  # frames averaged against noise
_GLANCE = 0.7  # similarity of single frames that makes a pair worth a closer look
_SURPRISE = 16.0  # minus the log of the share of unrelated stretches that look as alike

Mirror = Literal["not mirrored", "mirrored left-right", "mirrored upside down"]


@dataclass(frozen=True)
class NearCopy:
    """A stretch of frames that two clips share.

    Attributes:
        first, second: Names of the clips.
        first_frames, second_frames: First frame of the stretch in each clip and the frame after its last.
        mirrored: Whether the second clip is a mirror image of the first.
        contrast: Contrast of the second clip, as a multiple of that of the first.
        brighter: Mean luminance of the second clip minus that of the first.
        similarity: Mean similarity of the frames, at most 1.
    """

    first: str
    second: str
    first_frames: tuple[int, int]
    second_frames: tuple[int, int]
    mirrored: Mirror
    contrast: float
    brighter: float
    similarity: float

    @property
    def relation(self) -> str:
        """How the two are related, in words."""
        lag = self.second_frames[0] - self.first_frames[0]
        when = f"{abs(lag)} frames {'later' if lag > 0 else 'earlier'}" if lag else "at the same time"
        return (
            f"frames {self.second_frames[0]}-{self.second_frames[1] - 1} of {self.second} are frames "
            f"{self.first_frames[0]}-{self.first_frames[1] - 1} of {self.first}: {when}, {self.mirrored}, "
            f"contrast x{self.contrast:.2f}, brightness {self.brighter:+.2f}, similarity {self.similarity:.2f}"
        )


@dataclass(frozen=True, eq=False)
class Sketch:
    """A clip as ``near_copies`` sees it, a few hundred numbers per frame.

    Attributes:
        vectors: One unit vector per frame, what is seen and how it changes; zero for a uniform frame.
        glance: One shorter unit vector per frame, for a first look.
        mean: Mean luminance per frame.
        contrast: Standard deviation of luminance per frame.
    """

    vectors: np.ndarray
    glance: np.ndarray
    mean: np.ndarray
    contrast: np.ndarray


def near_copies(
    clips: Mapping[str, Callable[[], Movie]], *, min_frames: int = 16, similarity: float = 0.8
) -> tuple[NearCopy, ...]:
    """Find every pair of clips that share a stretch of frames; of each pair, the longest one found.

    Clips of one scene in which hardly anything moves share its frames, and so count as near-copies.

    Args:
        clips: For every clip, how to get its movie; each is called once, one at a time.
        min_frames: Shortest stretch that counts.
        similarity: Mean similarity over ``min_frames`` frames from which on they count as the same.

    Returns:
        Pairs in the order of ``clips``.

    Raises:
        WrongUse: ``min_frames`` is below 6 or ``similarity`` is not in (0, 1).
    """
    return compare({name: sketch(clip()) for name, clip in clips.items()}, min_frames=min_frames, similarity=similarity)


def compare(clips: Mapping[str, Sketch], *, min_frames: int = 16, similarity: float = 0.8) -> tuple[NearCopy, ...]:
    """What ``near_copies`` finds, from sketches of the clips."""
    if min_frames < 6 or not 0 < similarity < 1:
        raise WrongUse(f"min_frames={min_frames}, similarity={similarity}: at least 6, and between 0 and 1.")
    names, sketches = list(clips), list(clips.values())
    found = []
    for i, j, mirror, lags in _glances(sketches, min_frames):
        flipped = sketches[j].vectors * np.tile(_SIGNS[mirror], 2)
        stretches = (_stretch(sketches[i].vectors, flipped, lag, min_frames, similarity) for lag in lags)
        best = max((stretch for stretch in stretches if stretch is not None), key=lambda s: s.surprise, default=None)
        if best is not None and best.surprise > _SURPRISE:
            found.append((best.surprise, _describe(names[i], names[j], sketches[i], sketches[j], best, mirror)))
    return _one_per_pair(found)


def _frequencies() -> np.ndarray:
    vertical = np.arange(_GRID[0])[:, None] * (_GRID[1] / _GRID[0])
    return np.asarray(np.hypot(vertical, np.arange(_GRID[1])[None]))


_WEIGHT = _frequencies() * np.exp(-0.5 * (_frequencies() / _CUTOFF) ** 2)
_KEPT = 0.15 * _WEIGHT.max() < _WEIGHT
_LOW = np.sort(np.argsort(_frequencies()[_KEPT], kind="stable")[:40])
_ODD = np.indices(_GRID) % 2 == 1
_SIGNS: dict[Mirror, np.ndarray] = {
    "not mirrored": np.ones(int(_KEPT.sum()), np.float32),
    "mirrored left-right": np.where(_ODD[1][_KEPT], -1, 1).astype(np.float32),
    "mirrored upside down": np.where(_ODD[0][_KEPT], -1, 1).astype(np.float32),
}


def sketch(movie: Movie) -> Sketch:
    """The sketch of a clip."""
    small = torch.nn.functional.adaptive_avg_pool2d(movie[:, None].float(), _GRID)[:, 0].numpy()
    contrast = small.std(axis=(1, 2))
    bands = (dctn(small, axes=(1, 2), norm="ortho") * _WEIGHT)[:, _KEPT]
    steady = _running_mean(bands, _BLUR)
    change = np.zeros_like(steady)
    if len(steady) > 4:
        change[2:-2] = _MOTION * (steady[4:] - steady[:-4])
    seen = (contrast > _UNIFORM)[:, None]
    return Sketch(
        vectors=_unit(np.concatenate([steady, change], axis=1) * seen),
        glance=_unit(steady[:, _LOW] * seen),
        mean=small.mean(axis=(1, 2)),
        contrast=contrast,
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def _running_mean(values: np.ndarray, window: int) -> np.ndarray:
    wide = np.pad(values, ((window // 2, window - 1 - window // 2), (0, 0)), mode="edge")
    total = np.cumsum(np.concatenate([np.zeros_like(wide[:1]), wide], dtype=np.float64), axis=0)
    return np.asarray((total[window:] - total[:-window]) / window)


def _glances(sketches: Sequence[Sketch], min_frames: int) -> Iterator[tuple[int, int, Mirror, list[int]]]:
    """Pairs in which several frames look alike at one time lag, with the lags worth a closer look."""
    probe_step, frame_step = min_frames // 3, 3
    times = [np.arange(0, len(sketch.glance), frame_step) for sketch in sketches]
    owner = np.repeat(np.arange(len(sketches)), [len(time) for time in times])
    time = np.concatenate([*times, np.empty(0, int)])
    frames = np.concatenate([*(s.glance[::frame_step] for s in sketches), np.empty((0, len(_LOW)), np.float32)])
    for i, sketch in enumerate(sketches):
        later = int(np.searchsorted(owner, i + 1))
        probes = sketch.glance[::probe_step]
        for mirror, signs in _SIGNS.items():
            alike = (probes * signs[_LOW]) @ frames[later:].T
            probe, frame = np.divmod(np.flatnonzero(alike > _GLANCE), max(1, alike.shape[1]))
            lag, partner = time[later + frame] - probe * probe_step, owner[later + frame]
            weight = -np.log(1 - alike[probe, frame].clip(max=1 - 1e-6) ** 2)
            for j in np.unique(partner):
                lags = _common_lags(lag[partner == j], weight[partner == j], reach=frame_step)
                if lags:
                    yield i, int(j), mirror, lags


def _common_lags(lags: np.ndarray, weights: np.ndarray, *, reach: int, most: int = 3) -> list[int]:
    """The lags that most evidence speaks for, from at least two frames each, and their neighbours."""
    values, inverse, counts = np.unique(lags, return_inverse=True, return_counts=True)
    near = np.abs(values[:, None] - values) < reach
    evidence = np.where(near @ counts > 1, near @ np.bincount(inverse, weights), 0.0)
    best = values[np.argsort(-evidence, kind="stable")[:most]][: int((evidence > 0).sum())]
    return sorted({int(value) + step for value in best for step in range(-reach, reach + 1)})


@dataclass(frozen=True)
class _Stretch:
    """Frames that look alike: where they are, how alike they are, and minus the log of the chance of that."""

    begin: int
    end: int
    lag: int
    alike: float
    surprise: float


def _stretch(first: np.ndarray, second: np.ndarray, lag: int, min_frames: int, similarity: float) -> _Stretch | None:
    """The longest stretch in which ``second`` looks like ``first`` did ``lag`` frames earlier."""
    offset = max(0, -lag)
    first, second = first[offset:], second[max(0, lag) :]
    frames = min(len(first), len(second))
    alike = np.einsum("ij,ij->i", first[:frames], second[:frames])
    begin, end = _longest(alike, min_frames, similarity)
    # Frames are blurred in time: those at the ends may be half outside of what is shared.
    good = begin + np.flatnonzero(alike[begin:end] >= similarity)
    if len(good) < min_frames:
        return None
    begin, end = int(good[0]), int(good[-1]) + 1
    mean = float(alike[begin:end].mean())
    details = _independent_details(first[begin:end], second[begin:end])
    surprise = -0.5 * (details - 1) * math.log(max(1 - mean**2, 1e-6))
    return _Stretch(begin + offset, end + offset, lag, mean, surprise)


def _longest(alike: np.ndarray, window: int, least: float) -> tuple[int, int]:
    """The longest stretch in which the mean over every ``window`` frames is at least ``least``."""
    if len(alike) < window:
        return 0, 0
    total = np.cumsum(np.concatenate([[0.0], alike]))
    good = np.concatenate([[False], (total[window:] - total[:-window]) / window >= least, [False]])
    edges = np.flatnonzero(np.diff(good.astype(np.int8)))
    if len(edges) == 0:
        return 0, 0
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest]) + window - 1


def _describe(first: str, second: str, one: Sketch, other: Sketch, found: _Stretch, mirror: Mirror) -> NearCopy:
    here, there = slice(found.begin, found.end), slice(found.begin + found.lag, found.end + found.lag)
    return NearCopy(
        first=first,
        second=second,
        first_frames=(here.start, here.stop),
        second_frames=(there.start, there.stop),
        mirrored=mirror,
        contrast=float(np.median(other.contrast[there] / one.contrast[here].clip(_UNIFORM))),
        brighter=float(np.mean(other.mean[there]) - np.mean(one.mean[here])),
        similarity=min(found.alike, 1.0),
    )


def _independent_details(a: np.ndarray, b: np.ndarray) -> float:
    """Effective number of independent values in a stretch: participation ratio of its power over space and time.

    Of unrelated Gaussian coefficients, power estimated from two samples halves the ratio, which is undone. With ``n``
    independent values a correlation ``r`` comes about by chance with probability of order ``(1 - r^2)^((n - 1) / 2)``.
    """
    power = dct(a, axis=0, norm="ortho") ** 2 + dct(b, axis=0, norm="ortho") ** 2
    return 2 * float(power.sum() ** 2 / (power**2).sum())


def _one_per_pair(found: Sequence[tuple[float, NearCopy]]) -> tuple[NearCopy, ...]:
    """Of each pair the most surprising."""
    best: dict[tuple[str, str], tuple[float, NearCopy]] = {}
    for surprise, copy in found:
        pair = copy.first, copy.second
        if pair not in best or surprise > best[pair][0]:
            best[pair] = surprise, copy
    return tuple(copy for _, copy in best.values())
