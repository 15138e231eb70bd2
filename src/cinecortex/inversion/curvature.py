"""How fast the log-likelihood falls off around some rates: the precision of the data, as an operator on rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import cholesky_banded, solveh_banded
from torch import Tensor

from cinecortex.seeds import Seed
from cinecortex.tensors import Response

RateVectors = Float[Tensor, "draw frame neuron"]
"""Vectors in the space of rates, of all frames or of the settled ones."""


@dataclass(frozen=True, eq=False)
class Curvature:
    """Expected negative second derivative of the log-likelihood by the rates, ``W - W R A^-1 R^T W``.

    ``W`` is each neuron's own precision. The second term is there where gains are shared and unknown: with loadings
    ``R``, the change of a rate per unit of a gain factor, and ``A = P + R^T W R``, ``P`` the prior precision of the
    factors, what all neurons do together tells little about the movie (Woodbury's identity: the inverse of
    ``W^-1 + R P^-1 R^T``).

    Attributes:
        own: Precision of each response by itself, ``time neuron``; zero where nothing is known.
        shared: Change of each rate per unit of each gain factor, ``time neuron factor``; None without shared gains.
        bands: Upper bands of ``A`` as `scipy.linalg.solveh_banded` reads them, factors running fastest.
        prior_bands: Those of ``P``.
    """

    own: Response
    shared: Float[Tensor, "time neuron factor"] | None = None
    bands: np.ndarray | None = None
    prior_bands: np.ndarray | None = None

    @staticmethod
    def with_shared_gains(
        own: Response, shared: Float[Tensor, "time neuron factor"], prior_bands: np.ndarray
    ) -> Curvature:
        """The curvature where gain factors with this prior precision move the rates by ``shared``."""
        factors = shared.shape[2]
        within = torch.einsum("tn,tni,tnj->tij", own, shared, shared).double().cpu().numpy()
        bands = prior_bands.copy()
        for row in range(factors):
            for column in range(row, factors):
                # Upper bands: entry (i, j) of the matrix lies in row `last + i - j`, column j.
                bands[row - column - 1, column::factors] += within[:, row, column]
        return Curvature(own, shared, bands, prior_bands)

    def __call__(self, rates: RateVectors) -> RateVectors:
        """The operator applied to each of some vectors."""
        weighted = self.own * rates
        if self.shared is None or self.bands is None:
            return weighted
        felt = torch.einsum("tnk,dtn->tkd", self.shared, weighted)
        return weighted - self._spread(self.shared, self._solve(felt))

    def draw(self, draws: int, seed: Seed) -> RateVectors:
        """Independent Gaussian vectors whose covariance is the operator."""
        noise = torch.randn(draws, *self.own.shape, generator=seed.torch()).to(self.own)
        weighted = self.own.sqrt() * noise
        if self.shared is None or self.bands is None or self.prior_bands is None:
            return weighted
        frames, _, factors = self.shared.shape
        random = torch.randn(frames * factors, draws, generator=(seed / "factors").torch(), dtype=torch.float64)
        # The upper Cholesky factor U of P = U^T U: U^T times white noise has covariance P.
        upper = cholesky_banded(self.prior_bands)
        own_pull = np.zeros((frames * factors, draws))
        width = upper.shape[0] - 1
        for offset in range(width + 1):
            rows = upper[width - offset, offset:]
            own_pull[offset:] += rows[:, None] * random.numpy()[: len(rows)]
        felt = torch.einsum("tnk,dtn->tkd", self.shared, weighted)
        felt = felt + torch.from_numpy(own_pull).reshape(frames, factors, draws).to(felt)
        return weighted - self._spread(self.shared, self._solve(felt))

    def _solve(self, felt: Float[Tensor, "time factor draw"]) -> Float[Tensor, "time factor draw"]:
        flat = felt.double().cpu().numpy().reshape(-1, felt.shape[-1])
        return torch.from_numpy(solveh_banded(self.bands, flat)).reshape(felt.shape).to(felt)

    def _spread(
        self, shared: Float[Tensor, "time neuron factor"], factors: Float[Tensor, "time factor draw"]
    ) -> RateVectors:
        return self.own * torch.einsum("tnk,tkd->dtn", shared, factors)
