"""The movie of the training clip that was answered most alike: decoding by recognition."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cinecortex.decoders.mean import fit_mean
from cinecortex.decoders.training import need_trials, recorded_response, refuse_strangers, response_statistics
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, PerNeuron, Response

Summary = Float[Tensor, "stretch neuron"]
"""Mean z-score of each neuron in each stretch of frames, half precision; NaN where nothing was recorded."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """Answers with the movie of the training trial whose responses are most like those observed.

    Alike is the cosine between the z-scores of two trials over all neurons and stretches of ``frames_per_stretch``
    frames, which is the correlation taken around the training mean of every neuron. Two choices are in it. Neurons
    are weighed by one over their variance, as the noise is not known without repeats and is most of the variance of a
    single trial. And a correlation is taken rather than a distance, because among noisy responses the Euclidean
    neighbour is the trial that was answered least, whatever was shown: in many dimensions a short vector is near to
    all others. Means over stretches stand for the frames, whose noise lasts about as long.

    Neurons that were not heard and frames that were not recorded are left out of both trials. Clips are whole, and
    are compared from their first frame on without shifts; of clips that differ in length, as many stretches are
    compared as both have. The answer is read from its file when it is asked for. A longer clip is cut; frames beyond
    the end of a shorter one, and all frames when nothing is heard, show the mean training picture.

    Attributes:
        image: Mean training movie per pixel, ``height width``.
        trials: The training trials.
        summaries: Their responses, summarised, one for each trial.
        center, gain: Training mean, and one over the training standard deviation, of each neuron.
        frame_rate_hz: Frames per second of the recording it was fitted to.
        frames_per_stretch: Length of a stretch.
    """

    image: Mask
    trials: tuple[Trial, ...]
    summaries: tuple[Tensor, ...]
    center: PerNeuron
    gain: PerNeuron
    frame_rate_hz: float
    frames_per_stretch: int

    @property
    def name(self) -> str:
        """``nearest``."""
        return "nearest"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """The movie of the nearest training trial. Nothing is drawn: the seed is not used.

        Raises:
            WrongUse: the observation has another number of neurons, frame size or frame rate.
        """
        began = time.perf_counter()
        refuse_strangers(
            self.name, observation, neurons=len(self.center), image=self.image, frame_rate_hz=self.frame_rate_hz
        )
        movie = self.image.expand(observation.frames, -1, -1).clone()
        alike = self.likeness(observation)
        best = int(alike.argmax())
        if float(alike[best]) == -math.inf:
            ended = "nothing was heard to compare by: mean of the training movies"
        else:
            shown = self.trials[best].movie[: observation.frames]
            movie[: len(shown)] = shown
            ended = f"movie of training trial {self.trials[best].trial_id}, correlation {float(alike[best]):.3f}"
        return Reconstruction(movie=movie, ended=ended, seconds=time.perf_counter() - began)

    def likeness(self, observation: Observation) -> Float[Tensor, "trial"]:
        """How alike every training trial was answered, -1..1; minus infinity where nothing can be compared."""
        response = observation.response.to(self.center)
        own = summarise_response(response, self.center, self.gain, self.frames_per_stretch)
        own = own.float().masked_fill(~observation.heard.to(own.device), torch.nan)
        return torch.stack([_cosine(own[: len(s)], s[: len(own)].float()) for s in self.summaries])


def fit_nearest(trials: Sequence[Trial], *, frames_per_stretch: int = 10) -> Nearest:
    """Summarise the responses of the training trials; their movies are read once, for the mean, and not kept.

    8,000 neurons and 600 clips of 300 frames are 290 MB.

    Args:
        trials: Training trials of one session.
        frames_per_stretch: Frames averaged before trials are compared; a third of a second at 30 Hz.

    Raises:
        WrongUse: there is no trial.
        BadData: a trial has no response, or its shape is not that of the first.
    """
    need_trials("nearest", train=trials)
    image = fit_mean(trials).image
    center, gain, _ = response_statistics(trials)
    summaries = []
    for trial in trials:
        summary = summarise_response(recorded_response(trial, len(center)), center, gain, frames_per_stretch)
        summaries.append(summary)
    return Nearest(image, tuple(trials), tuple(summaries), center, gain, trials[0].frame_rate_hz, frames_per_stretch)


def summarise_response(
    response: Response, center: PerNeuron, gain: PerNeuron, frames_per_stretch: int
) -> Float[Tensor, "stretch neuron"]:
    """Mean z-score of each neuron over the recorded frames of each stretch, in half precision; NaN where none was."""
    scores = (response - center) * gain
    known = torch.isfinite(scores)
    missing = -len(scores) % frames_per_stretch  # the last stretch may be shorter
    sums, counts = (
        functional.pad(values, (0, 0, 0, missing)).reshape(-1, frames_per_stretch, len(center)).sum(1)
        for values in (torch.where(known, scores, 0.0), known.float())
    )
    means: Tensor = sums / counts
    return means.half()


def _cosine(one: Summary, other: Summary) -> Tensor:
    both = torch.isfinite(one) & torch.isfinite(other)
    one, other = torch.where(both, one, 0.0), torch.where(both, other, 0.0)
    length = one.norm() * other.norm()
    # A trial in which nothing differed from the mean is like no other.
    return torch.where(length > 0, (one * other).sum() / length.clamp_min(1e-30), -torch.inf)
