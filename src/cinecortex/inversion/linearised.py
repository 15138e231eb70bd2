"""The posterior around one movie, as if rates were linear there: solves with ``I + F``, matrix-free."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.autograd import forward_ad

from cinecortex.encoders.base import Encoder
from cinecortex.inversion.conjugate_gradients import Solution, Vectors, conjugate_gradients
from cinecortex.inversion.curvature import Curvature, RateVectors
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.memory import is_out_of_memory
from cinecortex.inversion.priors import Prior, Whitened
from cinecortex.inversion.problem import BehaviorGiven, behavior_told
from cinecortex.recording import Observation

PIXELS_AT_ONCE = 4 * 300 * 36 * 64


class Linearised:
    """``F = S J^T W J S`` at one movie: J the derivative of the rates, W the likelihood's curvature, S the prior's.

    Args:
        encoder: Forward model.
        likelihood: How responses scatter.
        prior: A prior whose coordinates are white.
        observation: What was recorded.
        behavior: What the encoder is told of the behavior.
        z: Where to linearise, in whitened coordinates.
        at_once: Vectors that go through the encoder together; by default four clips of 10 s at 36x64 px, or as many
            smaller ones as have their pixels.

    Attributes:
        position: Where it is, in whitened coordinates.
        applied: To how many vectors F was applied.
        forward_mode: Whether `changes` differentiates in forward mode. False once an encoder turned out to have no
            forward derivative: its changes are central differences.
    """

    def __init__(
        self,
        encoder: Encoder,
        likelihood: Likelihood,
        prior: Prior,
        observation: Observation,
        z: Whitened,
        *,
        behavior: BehaviorGiven = "recorded",
        at_once: int | None = None,
    ) -> None:
        self.encoder, self.prior = encoder, prior
        self.at_once = at_once if at_once is not None else max(1, round(PIXELS_AT_ONCE / z.numel()))
        device, dtype = encoder.device, encoder.dtype
        self._behavior = behavior_told(encoder, observation, behavior).to(device, dtype)
        self.position = z.detach()
        self._movie = prior.movie(self.position)
        self._origin = prior.movie(torch.zeros_like(z))
        self.settled = encoder.settled(len(z))
        with torch.no_grad():
            self.rate = self._rates(self._movie[None])[0]
        self.curvature: Curvature = likelihood.curvature(
            observation.response.to(device, dtype)[self.settled],
            self.rate[self.settled],
            observation.heard.to(device),
        )
        self.applied = 0
        self.forward_mode = True
        self._graphs: dict[int, tuple[Tensor, Tensor]] = {}

    def _rates(self, movies: Tensor) -> Tensor:
        rates: Tensor = self.encoder(movies, self._behavior.expand(len(movies), -1, -1))
        return rates

    def pixels(self, vectors: Vectors) -> Vectors:
        """The same changes in pixels."""
        moved: Tensor = torch.func.vmap(self.prior.movie)(vectors)
        return moved - self._origin

    def changes(self, vectors: Vectors) -> RateVectors:
        """``J S v``: the change of the settled rates, in forward mode or by differences (see `forward_mode`)."""
        parts = []
        for some in torch.split(vectors, self.at_once):
            parts.append(self._tangents(self.pixels(some)))
        return torch.cat(parts)[:, self.settled]

    def _tangents(self, pixels: Vectors) -> RateVectors:
        movies = self._movie.expand_as(pixels).contiguous()
        if self.forward_mode:
            try:
                with warnings.catch_warnings(), forward_ad.dual_level(), torch.no_grad():
                    # Of torch's own making, on the first use of forward mode.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    dual = forward_ad.make_dual(movies, pixels)  # type: ignore[no-untyped-call]
                    rates = forward_ad.unpack_dual(self._rates(dual))  # type: ignore[no-untyped-call]
                tangent: Tensor | None = rates.tangent
                if tangent is not None:
                    return tangent
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
            # A network with an operation that has no forward derivative, such as checkpointed windows. An error that
            # has nothing to do with derivatives comes back below.
            self.forward_mode = False
        # Changes of a thousandth of the luminance range, where rounding and curvature are both small.
        step = 1e-3 / pixels.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        with torch.no_grad():
            difference = self._rates(movies + step * pixels) - self._rates(movies - step * pixels)
        return difference / (2 * step[:, 0])

    def pulled_back(self, rates: RateVectors) -> Vectors:
        """``S J^T u``, the transpose of `changes`."""
        parts = []
        for some in torch.split(rates, self.at_once):
            movies, found = self._graph(len(some))
            (gradient,) = torch.autograd.grad(found, movies, some, retain_graph=True)
            parts.append(torch.func.vmap(self.prior.whiten)(gradient))
        return torch.cat(parts)

    def _graph(self, copies: int) -> tuple[Tensor, Tensor]:
        # Every vector is pulled back through the same rates: their forward pass is made once and its graph kept.
        if copies not in self._graphs:
            movies = self._movie.expand(copies, *self._movie.shape).clone().requires_grad_()
            self._graphs[copies] = movies, self._rates(movies)[:, self.settled]
        return self._graphs[copies]

    def information(self, vectors: Vectors) -> Vectors:
        """``F v``."""
        self.applied += len(vectors)
        return self.pulled_back(self.curvature(self.changes(vectors)))

    def solve(
        self, right: Vectors, *, preconditioner: Tensor | float = 1.0, iterations: int = 12, tolerance: float = 1e-3
    ) -> Solution:
        """``(I + F)^-1 right`` by preconditioned conjugate gradients, all right-hand sides side by side.

        Args:
            right: Right-hand sides.
            preconditioner: Diagonal estimate of the inverse of ``I + F``.
            iterations: Most applications of the operator.
            tolerance: Stop when every residual is this small relative to its right-hand side.
        """
        return conjugate_gradients(
            lambda vectors: vectors + self.information(vectors),
            right,
            preconditioner=preconditioner,
            iterations=iterations,
            tolerance=tolerance,
        )
