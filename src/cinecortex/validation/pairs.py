"""Clips in pairs, for controls that take something from another clip's trial."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cinecortex.recording import Trial
from cinecortex.seeds import Seed


def with_another_clip(trials: Sequence[Trial], seed: Seed) -> list[tuple[Trial, Trial]]:
    """One trial for every clip of a session, with one of the next clip around a random circle.

    Every clip gives once and takes once. A session with a single clip has no pairs.

    Args:
        trials: Of any sessions; only those of one session are paired.
        seed: Stream for the circles, one for each session.
    """
    pairs = []
    for session in dict.fromkeys(trial.session_id for trial in trials):
        clips: dict[str, Trial] = {}
        for trial in trials:
            if trial.session_id == session:
                clips.setdefault(trial.clip_id, trial)
        if len(clips) > 1:
            order = torch.randperm(len(clips), generator=(seed / session).torch()).tolist()
            circle = [list(clips.values())[place] for place in order]
            pairs += list(zip(circle, circle[1:] + circle[:1], strict=True))
    return pairs
