"""Functions and leading directions of a symmetric operator that is only known by what it does to vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.inversion.conjugate_gradients import Vectors
from cinecortex.seeds import Seed

Operator = Callable[[Vectors], Vectors]
"""Symmetric, positive semidefinite; applied to several vectors side by side."""

Function = Callable[[np.ndarray], np.ndarray]
"""Of eigenvalues, element by element."""

BREAKDOWN = {torch.float32: 1e-6, torch.float64: 1e-11}
"""A direction this small beside the operator's largest value is rounding: the space ended."""


@dataclass(frozen=True, eq=False)
class Krylov:
    """What some steps of Lanczos know of an operator, seen from some probes.

    Attributes:
        probes: Where each recursion started.
        basis: Orthonormal vectors, ``step`` by ``draw`` by coordinates; zero beyond the end of a space that a probe
            has exhausted.
        diagonal: Of the tridiagonal matrix that stands for the operator, ``draw step``.
        beside: What stands beside the diagonal, ``draw step``; the last is the link to the step that was not taken,
            0 where the space is exhausted and nothing is missing.
    """

    probes: Vectors
    basis: Float[Tensor, "step draw time height width"]
    diagonal: Float[np.ndarray, "draw step"]
    beside: Float[np.ndarray, "draw step"]

    @cached_property
    def _solved(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            np.linalg.eigh(_tridiagonal(own, links[:-1])) for own, links in zip(self.diagonal, self.beside, strict=True)
        ]

    @cached_property
    def _sizes(self) -> np.ndarray:
        size: np.ndarray = self.probes.flatten(1).double().square().sum(1).cpu().numpy()
        return size

    @property
    def values(self) -> Float[np.ndarray, "draw step"]:
        """Ritz values in rising order, none below 0: the operator has none, rounding aside."""
        values: np.ndarray = np.stack([values for values, _ in self._solved]).clip(min=0)
        return values

    @property
    def weights(self) -> Float[np.ndarray, "draw step"]:
        """How much of the probe's squared length each Ritz value stands for."""
        weights: np.ndarray = np.stack([vectors[0] ** 2 for _, vectors in self._solved]) * self._sizes[:, None]
        return weights

    def quadratic(self, function: Function) -> Float[np.ndarray, "draw"]:
        """``v^T f(F) v`` of every probe, by Gauss quadrature with the Ritz values as nodes."""
        value: np.ndarray = (function(self.values) * self.weights).sum(1)
        return value

    def quadratic_from_below(self, function: Function) -> Float[np.ndarray, "draw"]:
        """The same with a further node at 0, the lower end of the spectrum (Gauss-Radau).

        Of a function whose even derivatives are negative and odd ones positive, as those of ``log(1 + x)`` and
        ``x / (1 + x)`` are, it is never above the truth, and `quadratic` never below: what the steps that were not
        taken would change lies between the two.

        Source: Golub & Meurant 2010, Matrices, Moments and Quadrature, chapter 6.
        """
        found = []
        for own, links, size in zip(self.diagonal, self.beside, self._sizes, strict=True):
            # A last row such that 0 is an eigenvalue of the extended matrix. The small shift keeps the solve away
            # from a Ritz value that is 0 but for rounding.
            matrix = _tridiagonal(own, links[:-1])
            shifted = matrix + 1e-9 * max(float(own.max()), 1e-30) * np.eye(len(matrix))
            unit = np.zeros(len(matrix))
            unit[-1] = links[-1] ** 2
            last = max(float(np.linalg.solve(shifted, unit)[-1]), 0.0) if links[-1] else 0.0
            values, vectors = np.linalg.eigh(_tridiagonal(np.append(own, last), links))
            found.append(float((function(values.clip(min=0)) * vectors[0] ** 2).sum() * size))
        return np.array(found)

    def applied(self, function: Function) -> Vectors:
        """``f(F) v`` of every probe, as far as the space that was built goes."""
        along = np.stack([vectors @ (function(values.clip(min=0)) * vectors[0]) for values, vectors in self._solved])
        along = along * np.sqrt(self._sizes)[:, None]
        return torch.einsum("kd,kdthw->dthw", torch.from_numpy(along.T).to(self.basis), self.basis)


def random_signs(count: int, like: Tensor, seed: Seed) -> Vectors:
    """Probes of random signs (Rademacher), shaped as ``like``; see `lanczos` for why signs."""
    signs = torch.randint(0, 2, (count, *like.shape), generator=seed.torch())
    return (2.0 * signs - 1.0).to(like)


def lanczos(operator: Operator, probes: Vectors, *, steps: int) -> Krylov:
    """Tridiagonal matrices that stand for a symmetric positive semidefinite operator, one for each probe.

    Every new vector is made orthogonal to all earlier ones, twice, so that no copies of converged values appear. The
    few coefficients are kept in double precision whatever the vectors are in. The work is that of the operator; memory
    is ``steps`` vectors for each probe.

    For traces the probes should be random signs: ``v^T A v`` is then right about the diagonal of A whatever comes, and
    scatters with what is beside the diagonal only, ``2 (|A|^2 - sum of A_ii^2)`` in squares (Hutchinson 1989), where
    Gaussian probes scatter with all of it, ``2 |A|^2``.

    Args:
        operator: Applied to several vectors side by side.
        probes: Where to start.
        steps: How often the operator is applied to each; no more than there are coordinates.

    Raises:
        WrongUse: no step is asked for.

    Source: Golub & Van Loan 2013, Matrix Computations, sections 10.1-10.3.
    """
    if steps < 1:
        raise WrongUse(f"{steps} steps of Lanczos say nothing; ask for at least 1.")
    steps = min(steps, probes[0].numel())
    basis = probes.new_zeros(steps, *probes.shape)
    basis[0] = probes / _length(probes).clamp_min(1e-30).to(probes)
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for step in range(steps):
        moved = operator(basis[step])
        diagonal.append(_dot(moved, basis[step]))
        for _ in range(2):
            moved = moved - _along(basis[: step + 1], moved)
        link = _length(moved)
        # Once a probe has seen all of its space, what is left is rounding; zeros take its place from there on.
        scale = torch.stack([*diagonal, *beside]).abs().amax(0)
        link = torch.where(link > BREAKDOWN[probes.dtype] * scale, link, 0.0)
        beside.append(link)
        if step + 1 == steps or not bool(link.any()):
            break
        basis[step + 1] = torch.where(link > 0, moved / link.clamp_min(1e-30).to(moved), 0.0)
    return Krylov(probes, basis[: len(diagonal)], _columns(diagonal), _columns(beside))


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
        kept = rest.norm(dim=0) > BREAKDOWN[start.dtype] * float(values[-1])
        if not bool(kept.any()) or basis.shape[1] + int(kept.sum()) > len(basis):
            break
        block = torch.linalg.qr(rest[:, kept]).Q
        block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
    return Leading(vectors.T.reshape(-1, *shape), tuple(top.tolist()), tuple(residual.tolist()), basis.shape[1])


def _dot(a: Vectors, b: Vectors) -> Float[Tensor, "draw 1 1 1"]:
    return (a * b).flatten(1).sum(1, dtype=torch.float64)[:, None, None, None]


def _length(a: Vectors) -> Float[Tensor, "draw 1 1 1"]:
    return _dot(a, a).sqrt()


def _along(basis: Float[Tensor, "step draw time height width"], moved: Vectors) -> Vectors:
    """The part of each vector that lies in the span of its basis."""
    vectors = basis.flatten(2).transpose(0, 1)
    parts = torch.bmm(vectors, moved.flatten(1)[:, :, None])
    return torch.bmm(parts.transpose(1, 2), vectors).reshape(moved.shape)


def _columns(coefficients: list[Tensor]) -> np.ndarray:
    return torch.stack([each.flatten() for each in coefficients], 1).cpu().numpy()


def _tridiagonal(own: np.ndarray, links: np.ndarray) -> np.ndarray:
    return np.diag(own) + np.diag(links, 1) + np.diag(links, -1)
