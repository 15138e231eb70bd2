"""Near-copies: planted ones are found and described, unrelated clips are never joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cinecortex.data import NearCopy, clip_identity, near_copies
from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.tensors import Movie

NATURAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "natural_movies.npz"
FRAMES = 90


def compared(clips: Mapping[str, Movie]) -> tuple[NearCopy, ...]:
    return near_copies({name: (lambda movie=movie: movie) for name, movie in clips.items()})


@pytest.fixture(scope="module")
def leaves() -> dict[str, Movie]:
    return {f"leaves {root}": dead_leaves(Seed(root), frames=FRAMES, cuts_per_second=0.0) for root in range(6)}


@pytest.fixture(scope="module")
def natural() -> dict[str, Movie]:
    if not NATURAL.exists():
        pytest.skip("the real movies natural_movies.npz are not beside this checkout (../shared/data)")
    with np.load(NATURAL) as file:
        return {name: torch.from_numpy(file[name][:FRAMES] / np.float32(255)) for name in file.files}


def noisy(movie: Movie) -> Movie:
    noise = torch.randn(movie.shape, generator=Seed(3).torch())
    return (movie + 8 / 255 * noise).clamp(0, 1)


def cropped(movie: Movie) -> Movie:
    inner = movie[:, None, 1:-1, 2:-2]
    return torch.nn.functional.interpolate(inner, movie.shape[1:], mode="bilinear", align_corners=False)[:, 0]


SAME: dict[str, Callable[[Movie], Movie]] = {
    "mirrored": lambda movie: movie.flip(2),
    "upside down": lambda movie: movie.flip(1),
    "brighter, less contrast": lambda movie: 0.5 * movie + 0.4,
    "later": lambda movie: torch.cat([torch.full((17, *movie.shape[1:]), 0.5), movie[:-17]]),
    "part": lambda movie: movie[31:71],
}
LESS_SAME: dict[str, Callable[[Movie], Movie]] = {
    "noisy": noisy,
    "gamma": lambda movie: movie**1.5,
    "cropped": cropped,
    "shifted": lambda movie: movie.roll(1, 2),
    "large": lambda movie: movie.repeat_interleave(2, 1).repeat_interleave(2, 2),
}


@pytest.mark.parametrize("how", SAME)
def test_planted_copies_of_real_movies(natural: dict[str, Movie], how: str) -> None:
    clips = {**natural, **{f"{name}, {how}": SAME[how](movie) for name, movie in natural.items()}}
    found = {(copy.first, copy.second) for copy in compared(clips)}
    assert found == {(name, f"{name}, {how}") for name in natural}


@pytest.mark.parametrize("how", [*SAME, *LESS_SAME])
def test_planted_copies_of_dead_leaves(leaves: dict[str, Movie], how: str) -> None:
    change = {**SAME, **LESS_SAME}[how]
    clips = {**leaves, **{f"{name}, {how}": change(movie) for name, movie in leaves.items()}}
    found = {(copy.first, copy.second) for copy in compared(clips)}
    assert found == {(name, f"{name}, {how}") for name in leaves}


def test_changed_copies_of_real_movies_join_nothing_else(natural: dict[str, Movie]) -> None:
    for change in LESS_SAME.values():
        clips = {**natural, **{f"{name}, changed": change(movie) for name, movie in natural.items()}}
        found = {(copy.first, copy.second) for copy in compared(clips)}
        planted = {(name, f"{name}, changed") for name in natural}
        assert found <= planted
        # A dark, still street and the like hold too little detail to be sure of a blurred copy.
        assert len(found) >= 0.6 * len(planted)


def test_what_is_reported(leaves: dict[str, Movie]) -> None:
    movie = leaves["leaves 0"]
    changed = torch.cat([torch.rand(20, *movie.shape[1:], generator=Seed(1).torch()), 0.5 * movie[:60] + 0.1]).flip(2)
    (copy,) = compared({"a": movie, "b": changed})
    assert copy.second_frames[0] - copy.first_frames[0] == 20
    assert copy.first_frames[0] <= 4
    assert 56 <= copy.first_frames[1] <= 64
    assert copy.mirrored == "mirrored left-right"
    assert copy.contrast == pytest.approx(0.5, abs=0.02)
    assert copy.brighter == pytest.approx(0.1 - 0.5 * float(movie[:60].mean()), abs=0.02)
    assert copy.similarity > 0.9
    assert "20 frames later, mirrored left-right" in copy.relation


@pytest.mark.parametrize(("over_time", "over_space"), [(0, 0), (0, 2), (5, 5), (20, 6), (60, 8)])
def test_noise_is_never_joined(over_time: float, over_space: float) -> None:
    def noise(root: int) -> Movie:
        white = Seed(root).numpy().normal(size=(FRAMES, 36, 64)).astype(np.float32)
        smooth = gaussian_filter(white, (over_time, over_space, over_space))
        return torch.from_numpy(np.clip(0.5 + 0.15 * smooth / smooth.std(), 0, 1))

    assert compared({str(root): noise(root) for root in range(12)}) == ()


def test_uniform_and_short_clips_never_match(leaves: dict[str, Movie]) -> None:
    gray = torch.full((FRAMES, 36, 64), 0.5)
    short = leaves["leaves 0"][:10]
    assert compared({"gray": gray, "lighter": gray + 0.1, "short": short, "same": short.clone()}) == ()
    assert compared({}) == ()


def test_wrong_use() -> None:
    for wrong in ({"min_frames": 3}, {"similarity": 1.0}):
        with pytest.raises(WrongUse):
            near_copies({}, **wrong)  # type: ignore[arg-type]


def test_identity_is_that_of_all_frames_at_8_bits(leaves: dict[str, Movie]) -> None:
    stored = (leaves["leaves 1"] * 255).round()
    once = clip_identity(stored / 255)
    assert clip_identity((stored.double() / 255).float()) == once
    assert clip_identity(stored / 255 + 1e-4) == once
    changed = stored.clone()
    changed[-1, -1, -1] = (changed[-1, -1, -1] + 1) % 256
    assert clip_identity(changed / 255) != once
    assert clip_identity(stored[:-1] / 255) != once
    assert clip_identity(stored.reshape(FRAMES, 64, 36) / 255) != once
