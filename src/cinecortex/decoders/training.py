"""What every decoder that is fitted to trials needs of them: responses, their statistics, and pairs to regress on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cinecortex.decoders.lags import Lagging
from cinecortex.decoders.normal_equations import Pairs
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Observation, Trial
from cinecortex.tensors import Mask, PerNeuron, Response

CHUNK = 1024
"""Frames of a trial that are turned into features at once."""


def need_trials(decoder: str, **roles: Sequence[Trial]) -> None:
    """Refuse to fit without trials of some role.

    Raises:
        WrongUse: a role has no trial.
    """
    for role, trials in roles.items():
        if not trials:
            raise WrongUse(f"the {decoder} decoder needs at least one {role} trial; none was given.")


def refuse_strangers(
    decoder: str, observation: Observation, *, neurons: int, image: Mask, frame_rate_hz: float
) -> None:
    """Refuse an observation that does not come from the recording that a decoder was fitted to.

    Raises:
        WrongUse: the number of neurons, the frame size or the frame rate differ.
    """
    theirs = (observation.heard.numel(), tuple(observation.frame_size), observation.frame_rate_hz)
    ours = (neurons, tuple(image.shape), frame_rate_hz)
    for what, their, our in zip(("neurons", "pixels", "frames per second"), theirs, ours, strict=True):
        if their != our:
            raise WrongUse(
                f"the {decoder} decoder was fitted to {our} {what} and the observation has {their}; "
                "fit a decoder to the recording that the observation comes from."
            )


def chunks_of(frames: int) -> list[range]:
    """The frames of a trial in stretches of at most ``CHUNK``."""
    return [range(start, min(start + CHUNK, frames)) for start in range(0, frames, CHUNK)]


def recorded_response(trial: Trial, neurons: int | None = None) -> Response:
    """The response of a trial to fit to.

    Raises:
        BadData: it has none, or not that many neurons.
    """
    response, which = trial.response, f"trial {trial.trial_id} of session {trial.session_id}"
    if response is None:
        raise BadData(f"{which} has no recorded response; fit trials that have one.")
    if neurons is not None and response.shape[1] != neurons:
        raise BadData(
            f"{which} has {response.shape[1]} neurons where the first training trial has {neurons}; "
            "fit trials of one session."
        )
    return response


def response_statistics(trials: Sequence[Trial]) -> tuple[PerNeuron, PerNeuron, int]:
    """Mean and one over standard deviation of every neuron on its recorded frames, and the number of frames.

    A neuron that never varied has 0 for the second.
    """
    first = recorded_response(trials[0])
    # Deviations from the first trial's mean, so that the squares cannot cancel.
    offset = first.double().nanmean(0).nan_to_num()
    count, total, squares = torch.zeros_like(offset), torch.zeros_like(offset), torch.zeros_like(offset)
    frames = 0
    for trial in trials:
        response = recorded_response(trial, len(offset)).double() - offset
        known = torch.isfinite(response)
        response = torch.where(known, response, 0.0)
        count += known.sum(0)
        total += response.sum(0)
        squares += response.square().sum(0)
        frames += len(response)
    mean = total / count.clamp_min(1)
    deviation = (squares / count.clamp_min(1) - mean.square()).clamp_min(0.0).sqrt()
    varies = deviation > 1e-6 * (mean + offset).abs()
    gain = torch.where(varies, 1.0 / deviation.where(varies, 1.0), 0.0)
    return (mean + offset).float(), gain.float(), frames


def feature_pairs(trials: Sequence[Trial], lagging: Lagging, image: Mask) -> Pairs:
    """Features and pixels minus the mean image, a stretch of one trial at a time.

    Raises:
        BadData: a trial has no response, or movie and response do not fit the others or each other.
    """
    for trial in trials:
        response, movie = recorded_response(trial, lagging.neurons), trial.movie
        if movie.shape != (len(response), *image.shape):
            raise BadData(
                f"trial {trial.trial_id} of session {trial.session_id} has a movie of shape {tuple(movie.shape)} and "
                f"{len(response)} frames of response for a decoder of {tuple(image.shape)} px; fit matching trials."
            )
        sums = lagging.running_sums(response)
        for chunk in chunks_of(len(response)):
            pixels = movie[chunk.start : chunk.stop].to(image) - image
            yield lagging.features_at(sums, chunk), pixels.flatten(1)
