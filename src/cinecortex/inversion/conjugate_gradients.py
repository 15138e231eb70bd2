"""Solves with an operator that can only be applied: preconditioned conjugate gradients, several sides at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Vectors = Float[Tensor, "draw time height width"]
"""Vectors in whitened coordinates."""
Operator = Callable[[Vectors], Vectors]
"""Linear, symmetric and positive."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What conjugate gradients found.

    Attributes:
        vectors: One solution for each right-hand side.
        iterations: How many times the operator was applied to each.
        residual: Norm of what is left over the norm of the right-hand side, the largest over the right-hand sides.
    """

    vectors: Vectors
    iterations: int
    residual: float


def conjugate_gradients(
    operator: Operator,
    right: Vectors,
    *,
    preconditioner: Tensor | float | Operator = 1.0,
    iterations: int = 12,
    tolerance: float = 1e-3,
) -> Solution:
    """``operator^-1 right``, all right-hand sides side by side.

    Args:
        operator: What to undo.
        right: Right-hand sides.
        preconditioner: Estimate of the inverse of the operator: its diagonal, or a function that applies it.
        iterations: Most applications of the operator.
        tolerance: Stop when every residual is this small relative to its right-hand side.

    Source: Shewchuk 1994, An Introduction to the Conjugate Gradient Method, section B3.
    """

    def scale(vectors: Vectors) -> Vectors:
        return preconditioner(vectors) if callable(preconditioner) else preconditioner * vectors

    found = torch.zeros_like(right)
    residual, whole = right, _norm(right).clamp_min(1e-30)
    scaled = scale(residual)
    direction, size = scaled, _dot(residual, scaled)
    for done in range(iterations):
        left = float((_norm(residual) / whole).max())
        if left <= tolerance:
            return Solution(found, done, left)
        moved = operator(direction)
        step = size / _dot(direction, moved).clamp_min(1e-30)
        found = found + step * direction
        residual = residual - step * moved
        scaled = scale(residual)
        size, before = _dot(residual, scaled), size
        direction = scaled + size / before.clamp_min(1e-30) * direction
    return Solution(found, iterations, float((_norm(residual) / whole).max()))


def _dot(a: Vectors, b: Vectors) -> Float[Tensor, "draw 1 1 1"]:
    return (a * b).flatten(1).sum(1, dtype=torch.float64).to(a)[:, None, None, None]


def _norm(a: Vectors) -> Float[Tensor, "draw 1 1 1"]:
    return _dot(a, a).sqrt()
