"""Is it an encoder? Asks a network for rates and gradients and says in words what is wrong."""

from __future__ import annotations

import torch

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.encoders.self_check.calling import at_another_length, call, in_place, sentence_of, wrong_format
from cinecortex.encoders.self_check.gradients import wrong_gradient
from cinecortex.encoders.self_check.probe import Probe, tolerance_of
from cinecortex.encoders.self_check.rates import (
    alone,
    finite,
    foresees,
    ignores_the_movie,
    negative,
    remembers,
    repeatable,
    resolves_more,
)
from cinecortex.recording import Problem
from cinecortex.seeds import Seed

__all__ = ["check_encoder", "sentence_of"]


def check_encoder(encoder: Encoder, *, seed: Seed = Seed(0)) -> tuple[Problem, ...]:  # noqa: B008 - frozen
    """Ask an encoder whether it keeps the promises that an inversion rests on.

    In this order, and no further than what was found leaves worth asking: it can be called, on movies of any length;
    rates come as ``batch time neuron`` in the format and on the device of the weights; the movie is left unchanged;
    rates are finite and not negative, also of uniform gray, black and white; the same movie gives the same rates; a
    batch gives what its movies give one by one; no rate depends on later frames where ``causal`` is claimed, nor on
    frames older than ``memory``, nor on detail finer than ``resolution``; the gradient reaches the movie, is finite
    also at uniform gray, and agrees with finite differences. Movies are Gaussian noise, because a contrast-energy
    network has no gradient at uniform gray.

    Differences of rates count when they exceed 0.1 % of the neuron's range. Behavior that makes no difference is no
    fault. The encoder is asked in evaluation mode and left in the mode it was found in.

    Args:
        encoder: Any encoder, wrapped or not.
        seed: Where the movies come from.

    Returns:
        What is wrong, the first to be mended first; empty when nothing is.
    """
    with torch.no_grad(), evaluating(encoder):
        probe = Probe.draw(encoder, seed / "self-check")
        rates = call(encoder, probe.movies.clone(), probe.behaviors)
        if isinstance(rates, Problem):
            return (rates,)
        found = at_another_length(probe) or wrong_format(encoder, rates) or in_place(probe) or finite(probe, rates)
        if found is not None:
            return (found,)
        probe.tolerance = tolerance_of(rates)
        unsteady = repeatable(probe, rates) or alone(probe, rates)
        # What one perturbed frame does to other rates is not worth asking where rates change by themselves.
        timing = () if unsteady is not None else (foresees(probe), remembers(probe), resolves_more(probe))
        constant = ignores_the_movie(probe, rates)
        gradient = None if constant is not None else wrong_gradient(probe, steady=unsteady is None)
        everything = (negative(probe, rates), unsteady, *timing, constant, gradient)
        return tuple(problem for problem in everything if problem is not None)
