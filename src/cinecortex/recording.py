"""What was recorded: Recording, Trial, and Observation (a trial without its movie)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from cinecortex.errors import BadData
from cinecortex.tensors import Behavior, Heard, Movie, Response


@dataclass(frozen=True, eq=False)
class Observation:
    """One trial as an inverter sees it: what the neurons did, and no movie.

    Inversion is blind by type: nothing reachable from here holds a pixel of the movie that was shown, its identity or
    its contrast. A control is a function from Observation to Observation.

    Attributes:
        response: Recorded activity, ``time neuron``. Columns of unheard neurons and NaN frames carry no information.
        behavior: Behavior on the same frames, ``time channel``; zero channels when none was recorded.
        behavior_channels: Names of the behavior channels, in order.
        frame_rate_hz: Frames per second of response, behavior and movie.
        frame_size: Height and width of the movie to reconstruct, in pixels.
        heard: Which neurons this observation speaks for, ``neuron``.
    """

    response: Response
    behavior: Behavior
    behavior_channels: tuple[str, ...]
    frame_rate_hz: float
    frame_size: tuple[int, int]
    heard: Heard

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.response.shape[0]

    def hearing(self, heard: Heard) -> Observation:
        """The same observation from the neurons in ``heard`` only; it cannot bring back a neuron that was not heard."""
        return replace(self, heard=self.heard & heard)

    def __repr__(self) -> str:
        height, width = self.frame_size
        return (
            f"Observation({int(self.heard.sum())} of {self.heard.numel()} neurons heard, {self.frames} frames at "
            f"{self.frame_rate_hz:g} Hz, movie of {height}x{width} px unknown)"
        )


@runtime_checkable
class TrialReader(Protocol):
    """Reads one trial from its file, anew at every call, so that a recording never fills the memory."""

    def movie(self) -> Movie:
        """Luminance 0..1."""
        ...

    def response(self) -> Response | None:
        """Recorded activity, or None where the data set withholds it."""
        ...

    def behavior(self) -> Behavior:
        """Behavior on the frames of the movie; zero channels when none was recorded."""
        ...

    def clip_id(self) -> str:
        """Identity of the movie shown, from the content of all its frames."""
        ...


@dataclass(frozen=True, eq=False)
class Trial:
    """One presentation of one clip. Its arrays are read when they are asked for.

    Attributes:
        trial_id: Name of the trial within its session (for Sensorium, the file's number).
        session_id: The session it belongs to.
        tier: The split label the data set ships (``train``, ``oracle``, ...).
        frame_rate_hz: Frames per second.
        frame_size: Height and width in pixels.
        behavior_channels: Names of the behavior channels.
        reader: Where the arrays come from.
    """

    trial_id: str
    session_id: str
    tier: str
    frame_rate_hz: float
    frame_size: tuple[int, int]
    behavior_channels: tuple[str, ...]
    reader: TrialReader = field(repr=False)

    @property
    def movie(self) -> Movie:
        """The movie that was shown, luminance 0..1."""
        return self.reader.movie()

    @property
    def response(self) -> Response | None:
        """What was recorded, or None where the data set withholds it."""
        return self.reader.response()

    @property
    def behavior(self) -> Behavior:
        """Behavior on the frames of the movie."""
        return self.reader.behavior()

    @cached_property
    def clip_id(self) -> str:
        """Identity of the clip, by content: equal for every presentation of the same movie."""
        return self.reader.clip_id()

    def observe(self) -> Observation:
        """This trial without its movie.

        Raises:
            BadData: the data set holds no response for this trial.
        """
        response = self.response
        if response is None:
            raise BadData(f"trial {self.trial_id} of session {self.session_id} has no recorded response to invert.")
        return Observation(
            response=response,
            behavior=self.behavior,
            behavior_channels=self.behavior_channels,
            frame_rate_hz=self.frame_rate_hz,
            frame_size=self.frame_size,
            heard=torch.ones(response.shape[1], dtype=torch.bool),
        )

    def __repr__(self) -> str:
        return f"Trial({self.trial_id!r} of session {self.session_id!r}, tier {self.tier!r})"


@dataclass(frozen=True)
class Problem:
    """Something wrong with a recording that does not stop its use.

    Attributes:
        where: The file (or array) it was found in.
        what: What is wrong, in one sentence.
        remedy: What to do about it, in one sentence.
    """

    where: str
    what: str
    remedy: str


@dataclass(frozen=True, eq=False)
class Neurons:
    """The recorded population.

    Attributes:
        unit_ids: One id for each neuron, ``neuron``.
        coordinates_um: Position in the tissue, ``neuron 3``, or None when unknown.
    """

    unit_ids: np.ndarray
    coordinates_um: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.unit_ids)

    def __repr__(self) -> str:
        return f"Neurons({len(self)}, {'with' if self.coordinates_um is not None else 'without'} coordinates)"


@dataclass(frozen=True, eq=False)
class Recording:
    """All trials of one session and what is known about it.

    Attributes:
        session_id: One animal, one day, one population.
        trials: Every usable trial, in the order of the data set.
        neurons: The population.
        frame_rate_hz: Frames per second of every array.
        frame_size: Height and width of the movies in pixels.
        response_unit: What a response counts, in words.
        behavior_channels: Names of the behavior channels.
        metadata: Free facts (``species``, ``subject``, ``simulated``, ``source``); unknown ones are absent.
        source: The file or folder it was read from.
        fingerprint: Digest of the content that identifies the recording.
        problems: What was found wrong while opening.
    """

    session_id: str
    trials: tuple[Trial, ...]
    neurons: Neurons
    frame_rate_hz: float
    frame_size: tuple[int, int]
    response_unit: str
    behavior_channels: tuple[str, ...]
    metadata: Mapping[str, str]
    source: Path
    fingerprint: str
    problems: tuple[Problem, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether the recording says that it comes from a simulation."""
        return self.metadata.get("simulated") == "true"

    @property
    def tiers(self) -> tuple[str, ...]:
        """Tier labels, in order of first appearance."""
        return tuple(dict.fromkeys(trial.tier for trial in self.trials))

    def tier(self, *names: str) -> tuple[Trial, ...]:
        """The trials whose tier is one of ``names``."""
        return tuple(trial for trial in self.trials if trial.tier in names)

    def trial(self, trial_id: str) -> Trial:
        """The trial with this id.

        Raises:
            BadData: there is none.
        """
        for trial in self.trials:
            if trial.trial_id == trial_id:
                return trial
        raise BadData(f"{self.source} has no trial {trial_id!r}; it has {len(self.trials)} trials.")

    def __repr__(self) -> str:
        height, width = self.frame_size
        tiers = ", ".join(f"{len(self.tier(t))} {t}" for t in self.tiers)
        return (
            f"Recording({self.session_id!r}: {len(self.neurons)} neurons, {len(self.trials)} trials ({tiers}), "
            f"{height}x{width} px at {self.frame_rate_hz:g} Hz, response in {self.response_unit})"
        )
