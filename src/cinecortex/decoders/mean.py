"""The answer without any data: the mean of the training movies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask


@dataclass(frozen=True, eq=False)
class TrainingMean:
    """Answers every observation with one picture, constant in time: what is known before any neuron is heard.

    Attributes:
        image: Mean luminance of each pixel, 0..1, ``height width``.
    """

    image: Mask

    @property
    def name(self) -> str:
        """``mean``."""
        return "mean"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """The picture, once for each frame of the observation; the response and the seed are not looked at.

        Raises:
            WrongUse: the observation asks for movies of another size.
        """
        began = time.perf_counter()
        if tuple(self.image.shape) != observation.frame_size:
            raise WrongUse(
                f"the training mean is {_size(self.image.shape)} px and the observation asks for "
                f"{_size(observation.frame_size)} px; fit it on movies of that size."
            )
        movie = self.image.expand(observation.frames, -1, -1).clone()
        return Reconstruction(movie=movie, ended="mean of the training movies", seconds=time.perf_counter() - began)


def fit_mean(trials: Sequence[Trial]) -> TrainingMean:
    """Mean movie of some trials, per pixel over all their frames; they are read one at a time.

    A clip shown twice counts twice: it is the mean of what was seen.

    Args:
        trials: At least one trial, all of one frame size.

    Raises:
        WrongUse: there is no trial.
        BadData: a trial has movies of another size.
    """
    if not trials:
        raise WrongUse("the mean movie needs at least one training trial; none was given.")
    frame_size = trials[0].frame_size
    total = torch.zeros(frame_size, dtype=torch.float64)
    frames = 0
    for trial in trials:
        movie = trial.movie
        if tuple(movie.shape[1:]) != frame_size:
            raise BadData(
                f"trial {trial.trial_id} of session {trial.session_id} has a movie of {_size(movie.shape[1:])} px "
                f"where the first training trial has {_size(frame_size)} px; fit trials of one size."
            )
        total += movie.sum(0, dtype=torch.float64).cpu()
        frames += movie.shape[0]
    return TrainingMean(image=(total / frames).float().clamp_(0.0, 1.0))


def _size(shape: Sequence[int]) -> str:
    return "x".join(str(int(side)) for side in shape)
