"""The posterior around one movie, as if rates were linear there: solves with ``I + F``, matrix-free."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jvp, vmap

from cinecortex.encoders.base import Encoder
from cinecortex.inversion.coarse import Coarse
from cinecortex.inversion.conjugate_gradients import Solution, Vectors, conjugate_gradients
from cinecortex.inversion.curvature import Curvature, RateVectors
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.memory import is_out_of_memory
from cinecortex.inversion.priors import Prior, Whitened
from cinecortex.inversion.problem import BehaviorGiven, behavior_told
from cinecortex.recording import Observation
from cinecortex.tensors import Movie

PIXELS_AT_ONCE = 4 * 300 * 36 * 64


class Linearised:
    """``F = S J^T W J S`` at one movie: J the derivative of the rates, W the likelihood's curvature, S the prior's.

    Where the prior has coordinates that the encoder does not resolve, ``F`` is zero in them. They are cut off before
    anything is computed and come back as zeros, or in `solve` as they were.

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
        self._coarse = Coarse.of(prior, encoder)
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
        self._graphs: dict[int, tuple[Tensor, Tensor]] = {}

    def _rates(self, movies: Tensor) -> Tensor:
        rates: Tensor = self.encoder(movies, self._behavior.expand(len(movies), -1, -1))
        return rates

    def pixels(self, vectors: Vectors) -> Vectors:
        """The same changes in pixels."""
        return self._moved(self.prior, vectors)

    def _moved(self, prior: Prior, vectors: Tensor) -> Vectors:
        movies: Tensor = vmap(prior.movie)(vectors)
        return movies - self._origin

    def _cut(self, vectors: Tensor) -> Tensor:
        return vectors if self._coarse is None else self._coarse.cut(vectors)

    def _whole(self, vectors: Tensor) -> Tensor:
        return vectors if self._coarse is None else self._coarse.whole(vectors)

    def changes(self, vectors: Vectors) -> RateVectors:
        """``J S v``: the change of the settled rates, in forward mode or by differences (see `forward_mode`)."""
        return torch.cat([self._changes(self._cut(some)) for some in torch.split(vectors, self.at_once)])

    def _changes(self, vectors: Vectors) -> RateVectors:
        return self._tangents(self._moved(self._coarse or self.prior, vectors))[:, self.settled]

    def _tangents(self, pixels: Vectors) -> RateVectors:
        while self._forward:
            try:
                with warnings.catch_warnings(), torch.no_grad():
                    # Of torch's own making, on the first use of forward mode.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    return self._forward[0](pixels)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
                # A network that cannot be mapped over, or with an operation that has no forward derivative, such as
                # checkpointed windows. An error that has nothing to do with derivatives comes back below.
                self._forward = self._forward[1:]
        # Changes of a thousandth of the luminance range, where rounding and curvature are both small.
        movies = self._movie.expand_as(pixels)
        step = 1e-3 / pixels.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        with torch.no_grad():
            difference = self._rates(movies + step * pixels) - self._rates(movies - step * pixels)
        return difference / (2 * step[:, 0])

    @cached_property
    def _forward(self) -> tuple[Callable[[Vectors], RateVectors], ...]:
        """Ways to differentiate in forward mode: the rates at the movie are found once, or anew for every vector."""

        def one(pixels: Movie) -> Tensor:
            found: Tensor = jvp(lambda movie: self._rates(movie[None])[0], (self._movie,), (pixels,))[1]
            return found

        def each(pixels: Vectors) -> Tensor:
            # Dual numbers leave what an encoder makes once of its weights, and keeps, as it is; `jvp` would wrap it.
            # Above it is there by now: the rates at the movie were found when this was made.
            with forward_ad.dual_level():
                movies = self._movie.expand_as(pixels).contiguous()
                dual = forward_ad.make_dual(movies, pixels)  # type: ignore[no-untyped-call]
                rates = forward_ad.unpack_dual(self._rates(dual))  # type: ignore[no-untyped-call]
                found: Tensor = torch.zeros_like(rates.primal) if rates.tangent is None else rates.tangent
                return found

        return vmap(one), each

    @property
    def forward_mode(self) -> bool:
        """Whether `changes` differentiates in forward mode.

        False once an encoder turned out to have no forward derivative: its changes are central differences.
        """
        return len(self._forward) > 0

    def pulled_back(self, rates: RateVectors) -> Vectors:
        """``S J^T u``, the transpose of `changes`."""
        return torch.cat([self._whole(self._pulled_back(some)) for some in torch.split(rates, self.at_once)])

    def _pulled_back(self, rates: RateVectors) -> Vectors:
        movies, found = self._graph(len(rates))
        (gradient,) = torch.autograd.grad(found, movies, rates, retain_graph=True)
        whitened: Tensor = vmap((self._coarse or self.prior).whiten)(gradient)
        return whitened

    def _graph(self, copies: int) -> tuple[Tensor, Tensor]:
        # Every vector is pulled back through the same rates: their forward pass is made once and its graph kept.
        if copies not in self._graphs:
            movies = self._movie.expand(copies, *self._movie.shape).clone().requires_grad_()
            self._graphs[copies] = movies, self._rates(movies)[:, self.settled]
        return self._graphs[copies]

    def information(self, vectors: Vectors) -> Vectors:
        """``F v``."""
        return self._whole(self._information(self._cut(vectors)))

    def _information(self, vectors: Vectors) -> Vectors:
        self.applied += len(vectors)
        # A few at a time from end to end: what lies between stays in the processor's cache.
        parts = [self._pulled_back(self.curvature(self._changes(some))) for some in torch.split(vectors, self.at_once)]
        return torch.cat(parts)

    def solve(
        self, right: Vectors, *, preconditioner: Tensor | float = 1.0, iterations: int = 12, tolerance: float = 1e-3
    ) -> Solution:
        """``(I + F)^-1 right`` by preconditioned conjugate gradients, all right-hand sides side by side.

        Args:
            right: Right-hand sides.
            preconditioner: Diagonal estimate of the inverse of ``I + F``.
            iterations: Most applications of the operator.
            tolerance: Stop when every residual is this small relative to what the encoder resolves of its right-hand
                side; the rest needs no solving.
        """
        cut = self._cut(right)
        solved = conjugate_gradients(
            lambda vectors: vectors + self._information(vectors),
            cut,
            preconditioner=self._cut(preconditioner) if isinstance(preconditioner, Tensor) else preconditioner,
            iterations=iterations,
            tolerance=tolerance,
        )
        return replace(solved, vectors=right + self._whole(solved.vectors - cut))
