"""Which trials showed the same clip: by content, never by number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch

from cinecortex.data.copies import NearCopy, Sketch, compare, near_copies, sketch
from cinecortex.recording import Trial
from cinecortex.tensors import Movie

__all__ = ["NearCopy", "clip_groups", "clip_identity", "near_copies"]


def clip_identity(movie: Movie) -> str:
    """Identity of a clip: a digest of all its frames, rounded to 8 bits.

    Equal for the same movie stored as bytes, single or double precision, with or without padding.

    Args:
        movie: Luminance 0..1, ``time height width``.
    """
    pixels = (movie * 255).round_().clamp_(0, 255).to(torch.uint8).contiguous()
    digest = hashlib.blake2b(repr(tuple(pixels.shape)).encode(), digest_size=16)
    digest.update(pixels.numpy().data)
    return digest.hexdigest()


def clip_groups(trials: Iterable[Trial]) -> dict[tuple[str, str], int]:
    """Number of the clip group of every trial, by session and trial id.

    Trials are in one group when they showed the same clip or near-copies, in any session, directly or by a chain of
    near-copies. Every movie is read once.

    Raises:
        BadData: a movie cannot be read.
    """
    clip_of: dict[tuple[str, str], str] = {}
    sketches: dict[str, Sketch] = {}
    for trial in trials:
        movie = trial.movie
        clip = clip_of[trial.session_id, trial.trial_id] = clip_identity(movie)
        if clip not in sketches:
            sketches[clip] = sketch(movie)
    group = {clip: number for number, clip in enumerate(sketches)}
    for copy in compare(sketches):
        kept, merged = sorted((group[copy.first], group[copy.second]))
        group = {clip: kept if number == merged else number for clip, number in group.items()}
    return {key: group[clip] for key, clip in clip_of.items()}
