"""Does the gradient reach the movie, and is it right."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cinecortex.encoders.self_check.calling import short
from cinecortex.encoders.self_check.probe import Probe
from cinecortex.recording import Problem
from cinecortex.seeds import Seed
from cinecortex.tensors import Movies, Rates

_STEP = 0.02
"""Of the finite differences: this share of the way from one noise movie to another."""

_LEAST_AGREEMENT = 0.1
"""Largest squared disagreement with finite differences, relative to their square."""


def wrong_gradient(probe: Probe, *, steady: bool) -> Problem | None:
    """Whether the gradient over the movie is there, is finite, and is right."""
    movies = probe.movies.clone().requires_grad_()
    try:
        with torch.enable_grad():
            rates = probe.encoder(movies, probe.behaviors)
            if not rates.requires_grad:
                return _cut()
            (direct,) = torch.autograd.grad(rates.sum(), movies, retain_graph=True, allow_unused=True)
            if direct is None:
                return _cut()
            pulled = [_pull(rates, movies, probe.seed / "weights" / draw) for draw in range(3)]
            gray = torch.full_like(movies[:1], 0.5).requires_grad_()
            (level,) = torch.autograd.grad(
                probe.encoder(gray, probe.behaviors[:1]).sum(), gray, allow_unused=True, materialize_grads=True
            )
    except Exception as error:  # as above
        return Problem(
            "gradient",
            f"The gradient over the movie cannot be computed: {short(error)}.",
            "Use differentiable operations only, none of them in place; recurrent layers on a GPU need cudnn off.",
        )
    gradients = torch.stack([gradient for _, gradient in pulled])
    if not bool((gradients != 0).any()):
        return _flat()
    if not bool(torch.isfinite(gradients).all() and torch.isfinite(level).all()):
        where = "noise movies" if bool(torch.isfinite(level).all()) else "a uniform gray movie"
        return Problem(
            "gradient",
            f"The gradient over the movie is not finite at {where}.",
            "Add a small constant under square roots and to divisors.",
        )
    return _against_differences(probe, pulled) if steady else None


def _pull(rates: Rates, movies: Movies, seed: Seed) -> tuple[Rates, Movies]:
    """Random weights over rates, each neuron in units of its own range, and the gradient of the weighted sum."""
    spread = (rates.detach().amax((0, 1)) - rates.detach().amin((0, 1))).clamp_min(torch.finfo(rates.dtype).tiny)
    weight = torch.randn(rates.shape, generator=seed.torch()).to(rates) / torch.maximum(spread, 0.01 * spread.median())
    (gradient,) = torch.autograd.grad((rates * weight).sum(), movies, retain_graph=True)
    return weight, gradient


def _cut() -> Problem:
    return Problem(
        "gradient",
        "The gradient does not reach the movie: somewhere between movie and rates it is cut off.",
        "Remove detach, no_grad and conversions to NumPy from the way.",
    )


def _flat() -> Problem:
    return Problem(
        "gradient",
        "The gradient over the movie is zero at every pixel of every noise movie, though rates change with the movie.",
        "Replace rounding, thresholds and arg max by differentiable operations.",
    )


def _against_differences(probe: Probe, pulled: list[tuple[Rates, Movies]]) -> Problem | None:
    change = probe.other - probe.movies
    more, less = (probe.rates(probe.movies + sign * _STEP * change) for sign in (1, -1))
    slope = (more - less) / (2 * _STEP)

    def per_movie(of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return torch.stack([of(weight, gradient).flatten(1).sum(1) for weight, gradient in pulled])

    measured = per_movie(lambda weight, gradient: weight * slope)
    derived = per_movie(lambda weight, gradient: gradient * change)
    if float((measured - derived).square().sum()) <= _LEAST_AGREEMENT * float(measured.square().sum()):
        return None
    return Problem(
        "gradient",
        "The gradient over the movie disagrees with finite differences of the rates.",
        "Let the gradient pass through every step and every frame (no detached states, no straight-through rounding).",
    )
