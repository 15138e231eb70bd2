"""Krylov spaces of the Fisher information: many filters for one price, and leading directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.inversion.linearised import Vectors

Operator = Callable[[Vectors], Vectors]
"""A symmetric, positive semidefinite operator applied to each of some vectors."""


@dataclass(frozen=True, eq=False)
class Space:
    """Krylov spaces of one operator, one from each start; in them the operator is a small tridiagonal matrix.

    Attributes:
        basis: Orthonormal vectors, ``step draw time height width``; zero where a space was exhausted.
        matrix: The operator in that basis, ``draw step step``.
        length: Norm of each start.
    """

    basis: Float[torch.Tensor, "step draw time height width"]
    matrix: Float[np.ndarray, "draw step step"]
    length: Float[np.ndarray, " draw"]

    def filtered(self, weight: float) -> Vectors:
        """``(I + weight F)^-1 start`` for every start: what of it stays where directions that F sees are damped."""
        along = np.stack([np.linalg.solve(np.eye(len(one)) + weight * one, self._first(one)) for one in self.matrix])
        along = along * self.length[:, None]
        return torch.einsum("ks,skthw->kthw", torch.from_numpy(along).to(self.basis), self.basis)

    def seen(self, weight: float) -> Float[np.ndarray, " draw"]:
        """``v^T F v`` of every vector of `filtered`."""
        found = []
        for one, length in zip(self.matrix, self.length, strict=True):
            along = length * np.linalg.solve(np.eye(len(one)) + weight * one, self._first(one))
            found.append(float(along @ one @ along))
        return np.array(found)

    def _first(self, matrix: np.ndarray) -> np.ndarray:
        unit: np.ndarray = np.eye(len(matrix))[0]
        return unit


def space(operator: Operator, start: Vectors, *, steps: int) -> Space:
    """Lanczos' recursion from each start side by side, every vector made orthogonal to all before it, twice.

    Args:
        operator: Applied ``steps`` times to every start.
        start: Where the spaces begin.
        steps: Dimensions of each; no more than there are coordinates.

    Source: Golub & Van Loan 2013, Matrix Computations, section 10.3.
    """
    steps = min(steps, start[0].numel())
    length = start.flatten(1).double().norm(dim=1)
    current = start / length.clamp_min(1e-30).to(start)[:, None, None, None]
    basis = start.new_zeros(steps, *start.shape)
    basis[0] = current
    matrix, alive, taken = np.zeros((len(start), steps, steps)), np.ones(len(start), bool), 1
    for step in range(steps):
        moved = operator(basis[step])
        matrix[:, step, step] = _dot(moved, basis[step])
        if step + 1 == steps:
            break
        for _ in range(2):
            moved = moved - _within(basis[: step + 1], moved)
        link = np.sqrt(_dot(moved, moved))
        alive &= link > _rounding(start) * np.abs(matrix).max((1, 2)).clip(min=1e-30)
        if not alive.any():
            break
        link = np.where(alive, link, 0.0)
        matrix[:, step, step + 1] = matrix[:, step + 1, step] = link
        inverse = np.where(alive, 1 / np.where(alive, link, 1.0), 0.0)
        basis[step + 1] = moved * torch.from_numpy(inverse).to(moved)[:, None, None, None]
        taken += 1
    return Space(basis[:taken], matrix[:, :taken, :taken], length.cpu().numpy())


def _within(basis: Float[torch.Tensor, "step draw time height width"], moved: Vectors) -> Vectors:
    """The part of each vector that lies in the span of its own basis."""
    known = basis.flatten(2).transpose(0, 1)
    along = torch.bmm(known, moved.flatten(1)[:, :, None])
    return torch.bmm(along.transpose(1, 2), known).reshape(moved.shape)


@dataclass(frozen=True, eq=False)
class Leading:
    """The largest eigenvalues of an operator and their directions.

    Attributes:
        vectors: Orthonormal.
        values: In falling order.
        residuals: ``|A u - value u| / value`` of each.
        applied: To how many vectors the operator was applied.
    """

    vectors: Vectors
    values: tuple[float, ...]
    residuals: tuple[float, ...]
    applied: int


def leading(operator: Operator, start: Vectors, *, count: int, steps: int, tolerance: float) -> Leading:
    """The directions in which an operator is largest, from a block Krylov space (Rayleigh and Ritz).

    Args:
        operator: Applied to one block at each step.
        start: The first block; a few vectors more than ``count`` make directions with close values come apart.
        count: How many directions are wanted.
        steps: Most blocks.
        tolerance: Residual of every wanted direction at which the space is large enough.

    Source: Golub & Van Loan 2013, Matrix Computations, section 10.3.6.
    """
    shape = start.shape[1:]
    block = torch.linalg.qr(start.flatten(1).T).Q
    basis, moved = block[:, :0], block[:, :0]
    for step in range(steps):
        image = operator(block.T.reshape(-1, *shape).contiguous()).flatten(1).T
        basis, moved = torch.cat([basis, block], 1), torch.cat([moved, image], 1)
        small = (basis.T @ moved).double()
        values, along = torch.linalg.eigh((small + small.T) / 2)
        wanted = along[:, -count:].flip(1).to(basis)
        top = values[-count:].flip(0).clamp_min(0)
        vectors = basis @ wanted
        residual = (moved @ wanted - vectors * top.to(vectors)).norm(dim=0).double() / top.clamp_min(1e-30)
        if bool((residual <= tolerance).all()) or step + 1 == steps:
            break
        rest = image
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        kept = rest.norm(dim=0) > _rounding(start) * float(values[-1])
        if not bool(kept.any()) or basis.shape[1] + int(kept.sum()) > len(basis):
            break
        block = torch.linalg.qr(rest[:, kept]).Q
        block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
    return Leading(vectors.T.reshape(-1, *shape), tuple(top.tolist()), tuple(residual.tolist()), basis.shape[1])


def _dot(one: Vectors, other: Vectors) -> Float[np.ndarray, " draw"]:
    found: np.ndarray = (one * other).flatten(1).sum(1, dtype=torch.float64).cpu().numpy()
    return found


def _rounding(like: torch.Tensor) -> float:
    """What is left of a vector, relative to the operator's size, when all that is known of it has been taken away."""
    return 100 * torch.finfo(like.dtype).eps
