"""What a recording holds, for people and programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from cinecortex.data.survey import Survey, survey
from cinecortex.errors import BadData
from cinecortex.metrics.responses import noise_ceiling, reliability
from cinecortex.recording import Problem, Recording

BURN_IN = 50
"""Frames left out at the start of every clip before repeats are compared."""


@dataclass(frozen=True)
class Summary:
    """What a recording holds.

    Attributes:
        session_id: Name of the session.
        source: File or folder.
        fingerprint: Digest of the content.
        neurons: Number of neurons.
        trials: Number of trials per tier.
        clips: Number of distinct clips, by content.
        repeats: Largest number of presentations of one clip.
        repeated_clips: Number of clips shown more than once with a recorded response.
        minutes: Duration of all trials together.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.
        response_unit: What a response counts.
        zero_fraction: Share of response values that are exactly zero, or None without responses.
        mean_response: Mean over neurons and frames, or None without responses.
        reliability: Median over neurons of the mean correlation between repeats, or None without repeats.
        noise_ceiling: Median over neurons of the estimated correlation of the true rate with a single trial, or None.
        behavior_channels: Names of the behavior channels.
        simulated: Whether the recording says that it is simulated.
        metadata: Free facts.
        problems: Every problem found.
    """

    session_id: str
    source: str
    fingerprint: str
    neurons: int
    trials: Mapping[str, int]
    clips: int
    repeats: int
    repeated_clips: int
    minutes: float
    frame_size: tuple[int, int]
    frame_rate_hz: float
    response_unit: str
    zero_fraction: float | None
    mean_response: float | None
    reliability: float | None
    noise_ceiling: float | None
    behavior_channels: tuple[str, ...]
    simulated: bool
    metadata: Mapping[str, str]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON can hold it."""
        return asdict(self)


def summarise(recording: Recording) -> Summary:
    """Describe a recording and check every array of it.

    Every trial is read once, one at a time; the presentations of repeated clips are read a second time, clip by clip.
    Repeats are compared within clips, without the first 50 frames, and averaged over clips.

    Args:
        recording: What ``load`` returned.
    """
    found = survey(recording)
    repeated, correlation, ceiling = _repeats(found)
    return Summary(
        session_id=recording.session_id,
        source=str(recording.source),
        fingerprint=recording.fingerprint,
        neurons=len(recording.neurons),
        trials={tier: len(recording.tier(tier)) for tier in recording.tiers},
        clips=len(found.clips),
        repeats=max(map(len, found.clips.values()), default=0),
        repeated_clips=repeated,
        minutes=found.frames / recording.frame_rate_hz / 60,
        frame_size=recording.frame_size,
        frame_rate_hz=recording.frame_rate_hz,
        response_unit=recording.response_unit,
        zero_fraction=_known(found.zero_fraction),
        mean_response=_known(float(found.mean_response.mean())),
        reliability=correlation,
        noise_ceiling=ceiling,
        behavior_channels=recording.behavior_channels,
        simulated=recording.simulated,
        metadata=dict(recording.metadata),
        problems=found.problems,
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _repeats(found: Survey) -> tuple[int, float | None, float | None]:
    """Number of repeated clips, and the medians over neurons of reliability and noise ceiling."""
    correlations, ceilings = [], []
    for trials in found.clips.values():
        if len(trials) < 2:
            continue
        responses = []
        for trial in trials:
            try:
                response = trial.response
            except BadData:  # already among the problems
                continue
            if response is not None:
                responses.append(response[BURN_IN:])
        frames = min(map(len, responses), default=0)
        if len(responses) > 1 and frames > 1:
            repeats = torch.stack([response[:frames] for response in responses])
            correlations.append(reliability(repeats))
            ceilings.append(noise_ceiling(repeats))
    if not correlations:
        return 0, None, None
    medians = [float(torch.stack(values).nanmean(0).nanmedian()) for values in (correlations, ceilings)]
    return len(correlations), _known(medians[0]), _known(medians[1])
