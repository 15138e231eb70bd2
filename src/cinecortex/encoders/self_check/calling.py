"""Can it be called, and are its rates rates: shapes, lengths, formats."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.self_check.probe import Probe
from cinecortex.recording import Problem
from cinecortex.tensors import Behaviors, Movies


def sentence_of(problem: Problem) -> str:
    """A problem in one sentence: what is wrong, and what to do."""
    return f"{problem.what.rstrip('.')}; {problem.remedy[0].lower()}{problem.remedy[1:]}"


def call(encoder: Encoder, movies: Movies, behaviors: Behaviors) -> Tensor | Problem:
    """The rates, or what is wrong with how they come."""
    try:
        answer: Any = encoder(movies, behaviors)
    except Exception as error:  # whatever a stranger's network raises is the answer
        return _unusable(encoder, movies, behaviors, error)
    if not isinstance(answer, Tensor):
        return Problem(
            "rates",
            f"The network returns a {type(answer).__name__}, not a tensor.",
            "Return the rates alone; a layout function can pick them out.",
        )
    wanted = (len(movies), movies.shape[1], encoder.neurons)
    return _misshapen(tuple(answer.shape), wanted) or answer


def _unusable(encoder: Encoder, movies: Movies, behaviors: Behaviors, error: Exception) -> Problem:
    formats = _formats(encoder)
    if len(formats) > 1:
        return Problem(
            "weights",
            f"The weights of the network are of several formats or devices ({', '.join(sorted(formats))}), and it "
            f"cannot be called ({short(error)}).",
            "Bring all of it to one of each, such as module.float().cpu().",
        )
    return Problem(
        "call",
        f"The network cannot be called on movies of {tuple(movies.shape)} (batch, time, height, width) with behavior "
        f"of {tuple(behaviors.shape)} (batch, time, channel): {short(error)}.",
        "Wrap it with a layout that hands it what it expects, and the behavior_channels it was made for.",
    )


def _formats(encoder: Encoder) -> set[str]:
    tensors = [*encoder.parameters(), *encoder.buffers()]
    return {f"{str(t.dtype).removeprefix('torch.')} on {t.device}" for t in tensors if t.is_floating_point()}


def short(error: Exception) -> str:
    """The first line of an error, without a full stop, to stand in a sentence."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200].rstrip('.') if lines else 'no message'}"


def _misshapen(shape: tuple[int, ...], wanted: tuple[int, ...]) -> Problem | None:
    batch, frames, neurons = wanted
    if shape == wanted:
        return None
    what, remedy = f"has the shape {shape} where {wanted} (batch, time, neuron) is needed", "write a layout function"
    if sorted(shape) == sorted(wanted):
        turned = {(batch, neurons, frames): "time and neuron", (frames, batch, neurons): "batch and time"}
        axes = turned.get((shape[0], shape[1], shape[2]), "batch, time and neuron")
        what = f"has the axes {axes} the wrong way round: {shape}, not {wanted}"
        remedy = "transpose it in a layout function"
    elif len(shape) != 3:
        what = f"has {len(shape)} axes, {shape}, where 3 (batch, time, neuron) {wanted} are needed"
        remedy = "give a rate for every frame and neuron, by a layout function if need be"
    elif shape[2] != neurons:
        what = f"is for {shape[2]} neurons where neurons={neurons} was claimed"
        remedy = "correct one of them"
    elif shape[1] != frames:
        what = f"has {shape[1]} frames for a movie of {frames}"
        remedy = "pad the convolutions in time, so that every frame has its rate"
    elif shape[0] != batch:
        what = f"is for {shape[0]} movies where {batch} were shown"
        remedy = "keep the movies of a batch apart"
    return Problem("rates", f"What the network returns {what}.", f"{remedy[0].upper()}{remedy[1:]}.")


def at_another_length(probe: Probe) -> Problem | None:
    """Movies of three frames more must do as well."""
    index = [*range(probe.frames), 0, 1, 2]
    answer = call(probe.encoder, probe.movies[:, index], probe.behaviors[:, index])
    if not isinstance(answer, Problem):
        return None
    return Problem(
        "length",
        f"The network takes a movie of {probe.frames} frames but not one of {len(index)}: "
        f"{sentence_of(answer).rstrip('.')}.",
        "Make it take movies of any length, or pad and cut them in a layout function.",
    )


def wrong_format(encoder: Encoder, rates: Tensor) -> Problem | None:
    """Rates in another number format, or on another device, than the weights."""
    if rates.dtype == encoder.dtype and rates.device == encoder.device:
        return None
    return Problem(
        "format",
        f"Rates come as {rates.dtype} on {rates.device} from movies of {encoder.dtype} on {encoder.device}.",
        "Keep one number format and one device from the movie to the rates.",
    )


def in_place(probe: Probe) -> Problem | None:
    """A movie that comes back changed: a descent would lose its place without a word."""
    given = probe.movies.clone()
    probe.rates(given)
    if torch.equal(given, probe.movies):
        return None
    return Problem(
        "movie",
        "The network changes the movie that it is given.",
        "Work on a copy instead of in place, such as movies = movies - mean instead of movies -= mean.",
    )
