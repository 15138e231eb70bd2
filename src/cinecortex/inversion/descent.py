"""Preconditioned L-BFGS with Armijo backtracking, stopping on the energy; of one problem, or of many side by side."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

Energy = Callable[[Tensor], tuple[float, Tensor]]
"""Energy in nats and its gradient."""

Energies = Callable[[Tensor, list[int]], tuple[Tensor, Tensor]]
"""Energies in nats, ``batch``, and their gradients, ``batch ...``, at some positions, ``batch ...``; the list names the
problem that each position belongs to, as a place in the start."""

FIRST_STEP = 0.5
"""Of the step that the diagonal of the Hessian asks for, while nothing is known but that. The diagonal leaves out what
coordinates do together: on every third clip of the default mouse the whole step is too long, and a pass is lost."""

Descent = Generator[Tensor, tuple[float, Tensor], "Minimum"]
"""Asks for the energy and the gradient at a point, again and again, and returns where it came to rest."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a descent came to rest.

    Attributes:
        position: The best point found.
        energy: Its energy in nats.
        evaluations: How many times energy and gradient were computed.
        trace: Energy after every accepted step.
        ended: Why it stopped, in words.
    """

    position: Tensor
    energy: float
    evaluations: int
    trace: tuple[float, ...]
    ended: str


def minimise(
    energy: Energy,
    start: Tensor,
    *,
    inverse_hessian: Tensor | float = 1.0,
    evaluations: int = 100,
    tolerance_nats: float = 0.5,
    window: int = 5,
    history: int = 12,
) -> Minimum:
    """Minimise ``energy`` from ``start``.

    Args:
        energy: What to minimise.
        start: First point, any shape.
        inverse_hessian: Diagonal estimate of the inverse Hessian; broadcast against ``start``.
        evaluations: Most evaluations of ``energy``.
        tolerance_nats: Stop when ``window`` accepted steps together lowered the energy by less than this.
        window: See ``tolerance_nats``.
        history: Number of past steps that shape the next one.

    Source: Nocedal & Wright 2006, Numerical Optimization, algorithms 7.4 (scaled by equation 7.20) and 3.1.
    """
    descent = _descend(start, inverse_hessian, evaluations, tolerance_nats, window, history)
    asked = next(descent)
    while True:
        try:
            asked = descent.send(energy(asked))
        except StopIteration as rest:
            return _at_rest(rest)


def minimise_many(
    energies: Energies,
    start: Tensor,
    *,
    inverse_hessian: Tensor | float = 1.0,
    evaluations: int = 100,
    tolerance_nats: float = 0.5,
    window: int = 5,
    history: int = 12,
) -> list[Minimum]:
    """Minimise many energies that do not depend on one another, each as `minimise` does it by itself.

    Every problem has its own line search, its own memory of past steps and its own end. What they share is the
    evaluation: in every round each problem that has not ended asks for one point, and ``energies`` answers all of them
    at once. Where it gives every problem what it would be given alone, so does the descent, to the last bit.

    Memory beside that of ``energies``: up to ``2 * history + 6`` tensors of the shape of the start.

    Args:
        energies: What to minimise, see `Energies`.
        start: First points, ``batch ...``.
        inverse_hessian: As in `minimise`; broadcast against one start.
        evaluations: Most evaluations for each problem.
        tolerance_nats: As in `minimise`, on each problem's own energy.
        window: See ``tolerance_nats``.
        history: Number of past steps that shape the next one.

    Returns:
        One minimum for each start, in their order.
    """
    descents = [_descend(one, inverse_hessian, evaluations, tolerance_nats, window, history) for one in start]
    asked = {number: next(descent) for number, descent in enumerate(descents)}
    found: dict[int, Minimum] = {}
    while asked:
        running = list(asked)
        values, gradients = energies(torch.stack([asked[number] for number in running]), running)
        for number, value, gradient in zip(running, values.tolist(), gradients, strict=True):
            try:
                asked[number] = descents[number].send((value, gradient))
            except StopIteration as rest:
                found[number] = _at_rest(rest)
                del asked[number]
    return [found[number] for number in range(len(descents))]


def _at_rest(rest: StopIteration) -> Minimum:
    minimum: Minimum = rest.value
    return minimum


def _descend(
    start: Tensor,
    inverse_hessian: Tensor | float,
    evaluations: int,
    tolerance_nats: float,
    window: int,
    history: int,
) -> Descent:
    """The algorithm of `minimise`; whoever drives it sends the energy and the gradient at each point it yields."""
    position = start.detach().clone()
    value, gradient = yield position
    trace, count = [value], 1
    pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
    while count < evaluations:
        direction = -_two_loops(gradient, pairs, inverse_hessian)
        slope = _dot(direction, gradient)
        if slope >= 0:  # rounding has spoilt the memory: forget it and go straight down
            pairs.clear()
            direction = -inverse_hessian * gradient
            slope = _dot(direction, gradient)
        if not math.isfinite(slope):
            return Minimum(position, value, count, tuple(trace), "the gradient is not a number")
        if slope == 0:
            return Minimum(position, value, count, tuple(trace), "the gradient vanished")
        step, accepted = 1.0 if pairs else FIRST_STEP, False
        while count < evaluations:
            candidate = position + step * direction
            new_value, new_gradient = yield candidate
            count += 1
            if math.isfinite(new_value) and new_value <= value + 1e-4 * step * slope:
                accepted = True
                break
            # The minimum of the parabola through what is known, kept between a tenth and a half of the step.
            rise = new_value - value - step * slope
            guess = -slope * step**2 / (2 * rise) if math.isfinite(rise) and rise > 0 else 0.1 * step
            step = min(max(guess, 0.1 * step), 0.5 * step)
            if step < 1e-10:
                return Minimum(position, value, count, tuple(trace), "no step lowers the energy any more")
        if not accepted:
            break
        moved, turned = candidate - position, new_gradient - gradient
        curvature = _dot(moved, turned)
        if curvature > 1e-10 * _dot(turned, turned):
            pairs.append((moved, turned, curvature))
        position, value, gradient = candidate, new_value, new_gradient
        trace.append(value)
        if len(trace) > window and trace[-1 - window] - value < tolerance_nats:
            ended = f"converged: {window} steps lowered the energy by less than {tolerance_nats:g} nats"
            return Minimum(position, value, count, tuple(trace), ended)
    return Minimum(position, value, count, tuple(trace), f"stopped at the limit of {evaluations} evaluations")


def _dot(a: Tensor, b: Tensor) -> float:
    # Row by row in the tensors' own precision, and over rows in double: no third tensor of that size is made.
    if a.ndim < 2:
        return float((a * b).sum(dtype=torch.float64))
    return float(torch.linalg.vecdot(a.flatten(1), b.flatten(1)).sum(dtype=torch.float64))


def _two_loops(gradient: Tensor, pairs: deque[tuple[Tensor, Tensor, float]], inverse_hessian: Tensor | float) -> Tensor:
    direction, weights = gradient, []
    for moved, turned, curvature in reversed(pairs):
        weight = _dot(moved, direction) / curvature
        direction = torch.add(direction, turned, alpha=-weight)
        weights.append(weight)
    direction = inverse_hessian * direction
    if pairs:
        # Brought to the scale of the newest curvature: equation 7.20, the estimate standing for the identity.
        _, turned, curvature = pairs[-1]
        direction *= curvature / _dot(turned, inverse_hessian * turned)
    for (moved, turned, curvature), weight in zip(pairs, reversed(weights), strict=True):
        direction.add_(moved, alpha=weight - _dot(turned, direction) / curvature)
    return direction
