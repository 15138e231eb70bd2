"""A few frames of a trial, without reading the rest of it into memory where its files allow that."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from cinecortex.data.sensorium_trial import SensoriumTrial
from cinecortex.errors import BadData
from cinecortex.recording import Trial

Window = tuple[
    Float[Tensor, "time height width"], Float[Tensor, "time channel"], Float[Tensor, "time neuron"]
]  # fmt: skip
"""Movie, behavior and response on the same frames."""


def frames_of(trial: Trial) -> int:
    """Number of frames of a trial; of a Sensorium folder read from headers and the first row of each array."""
    reader = trial.reader
    return reader.frames if isinstance(reader, SensoriumTrial) else len(trial.movie)


def read_window(trial: Trial, frames: range) -> Window:
    """Movie, behavior and response on some frames of a trial, such as every second one.

    Files of a Sensorium folder are mapped, and only the pages that hold these frames are read; what makes a file
    unusable elsewhere (such as negative responses) is not looked for here. Of other formats the whole trial is read.

    Args:
        trial: A trial with a response.
        frames: The frames, inside the trial.

    Raises:
        BadData: the trial has no response, or a file cannot be read.
    """
    reader = trial.reader
    if isinstance(reader, SensoriumTrial) and reader.response_file is not None:
        return reader.window(frames)
    response = trial.response
    if response is None:
        raise BadData(f"trial {trial.trial_id} of session {trial.session_id} has no response to fit to.")
    kept = slice(frames.start, frames.stop, frames.step)
    return trial.movie[kept], trial.behavior[kept], response[kept]
