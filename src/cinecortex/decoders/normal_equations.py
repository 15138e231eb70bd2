"""Ridge regression from sums: constant memory in the number of trials, one factorisation for each penalty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.decoders.lags import Features
from cinecortex.errors import WrongUse

Pairs = Iterable[tuple[Tensor, Tensor]]
"""Features of some frames, ``time feature``, and luminance minus the mean image on the same frames, ``time pixel``."""

BLOCK = 2048
"""Frames multiplied at once: enough for the products, not the float64 additions, to be what takes the time."""

PANEL = 1024
"""Columns of the Gram matrix computed at once; only its lower triangle is, which halves the work."""


@dataclass(frozen=True, eq=False)
class System:
    """``(A + penalty * scale * I) solution = right``, whose solution gives the weights.

    Primal: ``A = X^T X`` and ``right = X^T Y``, and the solution is the weights. Dual, for fewer frames than features:
    ``A = X X^T`` and ``right = Y``, and the weights are ``X^T solution``; the two are identical in exact arithmetic.

    Attributes:
        matrix: ``A``, of which only the lower triangle is filled, float64.
        right: Right-hand side, float64, one column for each pixel.
        scale: Mean of the diagonal of ``X^T X``, the unit of a penalty.
        rows: ``X`` where the system is dual, else None.
    """

    matrix: Float[Tensor, "unknown unknown"]
    right: Float[Tensor, "unknown pixel"]
    scale: float
    rows: Features | None = None

    def weights(self, penalty: float, pixels: Tensor | None = None) -> Float[Tensor, "feature pixel"]:
        """Ridge weights, in float32, for all pixels or those with the given numbers.

        Raises:
            WrongUse: the penalty is too small for the matrix to be factorised.
        """
        penalized = self.matrix.clone()
        penalized.diagonal().add_(penalty * self.scale)
        factor, failed = torch.linalg.cholesky_ex(penalized)
        if int(failed):
            raise WrongUse(f"penalty {penalty:g} is too small for these responses; give larger penalties.")
        del penalized
        right = self.right if pixels is None else self.right[:, pixels]
        solution = torch.cholesky_solve(right, factor).float()
        return solution if self.rows is None else self.rows.T @ solution


def accumulate(pairs: Pairs, *, frames: int, features: int, pixels: int, dual: bool | None = None) -> System:
    """Sum up the system of a regression from features to pixels.

    Args:
        pairs: The regression, a stretch of frames at a time.
        frames: How many frames there are in all.
        features: How many features.
        pixels: How many pixels.
        dual: Which form to solve; by default the smaller one.
    """
    if dual if dual is not None else frames < features:
        return _dual(pairs)
    matrix = torch.zeros(features, features, dtype=torch.float64)
    right = torch.zeros(features, pixels, dtype=torch.float64)
    for inputs, targets in blocks(pairs):
        add_lower(matrix, inputs.T)
        right += inputs.T @ targets
    return System(matrix=matrix, right=right, scale=_unit(float(matrix.trace()) / features))


def _dual(pairs: Pairs) -> System:
    held = list(pairs)
    rows = torch.cat([inputs for inputs, _ in held])
    right = torch.cat([targets for _, targets in held]).double()
    matrix = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for start in range(0, rows.shape[1], BLOCK):
        add_lower(matrix, rows[:, start : start + BLOCK])
    return System(matrix=matrix, right=right, scale=_unit(float(matrix.trace()) / rows.shape[1]), rows=rows)


def _unit(scale: float) -> float:
    # Responses that never vary have no features to weigh; any unit then gives weights of zero.
    return scale if scale > 0.0 else 1.0


def add_lower(matrix: Tensor, factor: Tensor) -> None:
    """Add the lower triangle (and, within a panel, some more) of ``factor factor^T``."""
    for start in range(0, len(matrix), PANEL):
        matrix[start:, start : start + PANEL] += factor[start:] @ factor[start : start + PANEL].T


def blocks(pairs: Pairs) -> Iterator[tuple[Tensor, Tensor]]:
    """The same pairs, joined to blocks of at least ``BLOCK`` frames."""
    held: list[tuple[Tensor, Tensor]] = []
    for pair in pairs:
        held.append(pair)
        if sum(len(inputs) for inputs, _ in held) >= BLOCK:
            yield torch.cat([inputs for inputs, _ in held]), torch.cat([targets for _, targets in held])
            held = []
    if held:
        yield torch.cat([inputs for inputs, _ in held]), torch.cat([targets for _, targets in held])
