"""Movies that differ as much as they can from a reconstruction, and evoke what the neurons cannot tell from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from cinecortex.identifiability.lanczos import Krylov, lanczos
from cinecortex.identifiability.limits import Limits, bands_of, energy_by_band, largest_step
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Whitened
from cinecortex.inversion.problem import Problem, behavior_told
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

HEAVIEST = 1e9
"""Weight of the data at which nothing that they see is left."""

WALL, SLACK, AIM = 10.0, 0.01, 0.7
"""How steep the wall is around the energy that a band may have, what of it is left to the line back, and how much of
the log-likelihood that may be lost a descent aims to lose at most: as it ends early it loses a little more."""

FIRST = 300.0
"""Weight of the first descent with the encoder itself; a small Krylov space asks for more than it takes."""


@dataclass(frozen=True, eq=False)
class Found:
    """A movie that the neurons cannot tell from the reconstruction.

    Attributes:
        position: Whitened coordinates.
        movie: In pixels; where the search was bounded, within 0..1.
        distance: Root mean square difference from the reconstruction inside the mask, in luminance.
        prior_distance: The same of two unrelated draws of the prior: what "nothing in common" would be.
        discriminability: d' between the two by the encoder's own rates, not the linear ones.
        linear_discriminability: d' by the linear rates, of the same movie.
        log_likelihood: Of the recorded responses, minus that of the reconstruction, in nats.
        energy: ``|z|^2`` over the number of coordinates: 1 is what the prior draws on average.
        reach: How far towards the movie that was descended to it lies; below 1 where that was not yet admissible.
        ended: How the search ended.
    """

    position: Whitened
    movie: Movie
    distance: float
    prior_distance: float
    discriminability: float
    linear_discriminability: float
    log_likelihood: float
    energy: float
    reach: float
    ended: str


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for metamers of one reconstruction.

    A movie ``z + v`` is admissible where (a) no band of frequency holds more energy ``|z + v|^2`` than the upper end of
    the central interval of the chi-square distribution with as many degrees of freedom as it has coordinates (or than
    the reconstruction, where that has more). There is no lower end: a most probable movie holds far less than a typical
    one, since where the data say nothing it says gray, and where they do say something they may say "little". (b) The
    best observer is right about which of the two movies evoked the responses in no more than 75 % of cases, which is
    ``d' <= 1.35``; and (c) the recorded responses are no less likely than that costs by noise alone.

    The search starts at a draw of the prior, added to the reconstruction. The nearest movie that is not seen is a
    trust-region problem: ``min |v - w|^2`` subject to ``v^T F v <= d^2`` has ``v = (I + m F)^-1 w``, with the one ``m``
    at which the limit is met (Moré & Sorensen 1983, SIAM J Sci Stat Comput 4:553). One Krylov space holds the answers
    for all ``m``. To make it more different, ``w`` is then replaced, ``ascents`` times, by the movie in which each band
    has all the energy it may have in the direction that makes the pixels differ most, ``M v`` with ``M = S^T mask S``
    (the squared distance is convex, and this is where its tangent is largest: Hunter & Lange 2004, Am Stat 58:30).

    Rates are not linear, and far from the reconstruction the linear answer is seen. So the same problem is solved with
    the encoder itself by descent in ``|z' - (z + w)|^2 / 2 + m d'^2 / 2``, with soft walls around (a) and (c), ``m``
    rising until the limits hold. What is left is settled on the straight line back to the reconstruction.

    Attributes:
        problem: The observation, with encoder, likelihood and prior.
        position: The reconstruction, in whitened coordinates.
        around: Rates taken as linear around it.
        limits: What is admissible.
        mask: Where the movies shall differ; None is everywhere.
        inverse_hessian: Diagonal estimate of ``(I + F)^-1``.
        bounded: Whether movies are shown within 0..1, as a screen would.
        steps: Dimensions of the Krylov space.
        evaluations: Most evaluations of each descent.
        rounds: Most descents.
        ascents: How often the start is made more different.
    """

    problem: Problem
    position: Whitened
    around: Linearised
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    mask: Mask | None = None
    inverse_hessian: Tensor | float = 1.0
    bounded: bool = True
    steps: int = 30
    evaluations: int = 20
    rounds: int = 4
    ascents: int = 1

    def __call__(self, count: int, seed: Seed) -> list[Found]:
        """As many metamers, each from a draw of its own."""
        return [self._one(seed / number) for number in range(count)]

    def linear(self, seed: Seed) -> tuple[Whitened, Whitened, float]:
        """A metamer as if rates were linear: the target, the change that is not seen, and the weight m."""
        z, limit = self.position, self.limits.discriminability
        drawn = torch.randn(z.shape, generator=seed.torch(), dtype=z.dtype).to(z)
        target = self._held(drawn)
        for ascent in range(self.ascents + 1):
            known = lanczos(self.around.information, target[None], steps=self.steps)
            weight = unseen_weight(known, limit)
            change = known.applied(partial(damped, weight=weight))[0]
            if ascent < self.ascents:
                target = self._full(change)
        return target, change, weight

    @cached_property
    def _bands(self) -> Tensor:
        return bands_of(self.problem.prior, self.position)

    @cached_property
    def _most(self) -> Tensor:
        return torch.maximum(self.limits.energies(self._bands).to(self._own), self._own)

    @cached_property
    def _own(self) -> Tensor:
        return energy_by_band(self.position, self._bands)

    def _held(self, change: Whitened) -> Whitened:
        """The change, less of it in the bands that it would fill with more energy than they may have."""
        z = self.position
        energy = energy_by_band(z + change, self._bands)
        factor = (self._most / energy.clamp_min(1e-30)).clamp_max(1).sqrt().to(z)
        return factor[self._bands] * (z + change) - z

    def _full(self, change: Whitened) -> Whitened:
        """The movie in which every band differs as much as it may where the pixels differ already."""
        prior, z = self.problem.prior, self.position
        pixels = self.around.pixels(change[None])[0]
        slope = prior.whiten(pixels if self.mask is None else pixels * self.mask.to(pixels))
        # The largest of a linear function over a ball is at its edge.
        scale = (self._most / energy_by_band(slope, self._bands).clamp_min(1e-30)).sqrt().to(z)
        return scale[self._bands] * slope - z

    def _shown(self, z: Whitened) -> Movie:
        movie = self.problem.prior.movie(z)
        return movie.clamp(0, 1) if self.bounded else movie

    def _rate(self, movie: Movie) -> Tensor:
        rates: Tensor = self.problem.encoder(movie[None], self._behavior)
        return rates[0][self.around.settled]

    @cached_property
    def _behavior(self) -> Tensor:
        problem = self.problem
        told = behavior_told(problem.encoder, problem.observation, problem.behavior)
        return told.to(problem.encoder.device, problem.encoder.dtype)[None]

    @cached_property
    def _reference(self) -> tuple[Movie, Tensor, float]:
        with torch.no_grad():
            movie = self._shown(self.position)
            return movie, self._rate(movie), float(self.problem.log_likelihood(movie))

    def discriminability(self, movie: Movie) -> float:
        """How far a movie can be told from the reconstruction, d', by the encoder's rates."""
        with torch.no_grad():
            changed = (self._rate(movie) - self._reference[1])[None]
            return float((changed * self.around.curvature(changed)).sum().clamp_min(0).sqrt())

    def _energy(self, target: Whitened, weight: float) -> Callable[[Whitened], tuple[float, Tensor]]:
        """What is minimised: the distance from the target, d', and soft walls around the other limits."""
        (_, reference, likelihood), curvature = self._reference, self.around.curvature
        allowed = likelihood - AIM * self.limits.loss_nats
        observation, settled = self.problem.observation, self.around.settled
        response = observation.response.to(reference)[settled]
        heard = observation.heard.to(reference.device)

        def energy(z: Whitened) -> tuple[float, Tensor]:
            z = z.detach().requires_grad_()
            rate = self._rate(self._shown(z))
            changed = (rate - reference)[None]
            # Half the quadratic form, in a shape whose derivative needs none of the curvature's.
            pull = curvature(changed.detach())
            value = (changed * pull).sum() - 0.5 * (changed.detach() * pull).sum()
            short = torch.relu(allowed - self.problem.likelihood.log_prob(response, rate, heard))
            seen = weight * (value + 0.5 * short**2)
            (gradient,) = torch.autograd.grad(seen, z)
            away = z.detach() - target
            price, slope = self._price(z.detach())
            return 0.5 * float((away**2).sum()) + float(seen.detach()) + price, gradient + away + slope

        return energy

    def _overfull(self, z: Whitened) -> float:
        """By how much, relatively, the fullest band holds more energy than it may."""
        energy = energy_by_band(z, self._bands)
        return float(((energy - self._most) / self._most.clamp_min(1e-30)).max())

    def _price(self, z: Whitened) -> tuple[float, Whitened]:
        """What bands cost that hold more energy than they may, and its gradient; a soft wall."""
        excess = ((energy_by_band(z, self._bands) - self._most) / self._most.clamp_min(1e-30)).clamp_min(0)
        price = 0.5 * WALL * (self._most * excess**2).sum()
        return float(price), (2 * WALL * excess).to(z)[self._bands] * z

    def _one(self, seed: Seed) -> Found:
        target, change, weight = self.linear(seed)
        z, limit = self.position, self.limits.discriminability
        fisher = 1 / torch.as_tensor(self.inverse_hessian).to(z) - 1
        at, spent, weight = z + change, 0, min(max(weight, 1.0), FIRST)
        seen = self.discriminability(self._shown(at))
        for _ in range(self.rounds):
            if seen <= limit and self._overfull(at) <= SLACK and self._lost(self._shown(at)) <= self.limits.loss_nats:
                break
            found = minimise(
                self._energy(z + target, weight),
                at,
                inverse_hessian=1 / (1 + weight * fisher),
                evaluations=self.evaluations,
                tolerance_nats=limit,
            )
            at, spent = found.position, spent + found.evaluations
            seen = self.discriminability(self._shown(at))
            if seen <= limit:
                break
            # Where many directions are seen d' falls with the root of the weight or faster.
            weight *= min(max((seen / limit) ** 2, 2.0), 30.0)
        return self._settled(at - z, spent, seen)

    def _settled(self, change: Whitened, spent: int, seen: float) -> Found:
        """The farthest admissible movie on the line to what was found, by halving."""
        z = self.position
        full = largest_step(z, change, self._most, self._bands)
        reach, step = (full, 0.0) if self._admissible(full * change) else (0.0, full / 2)
        for _ in range(14):
            if step == 0:
                break
            if self._admissible((reach + step) * change):
                reach += step
            step /= 2
        ended = f"{spent} evaluations to d' {seen:.2f}; {reach:.0%} of the way is admissible"
        return self._measured(reach * change, reach, ended)

    def _admissible(self, change: Whitened) -> bool:
        movie = self._shown(self.position + change)
        if self.discriminability(movie) > self.limits.discriminability:
            return False
        return self._lost(movie) <= self.limits.loss_nats

    def _lost(self, movie: Movie) -> float:
        """How much less likely the recorded responses are than under the reconstruction, in nats."""
        with torch.no_grad():
            return self._reference[2] - float(self.problem.log_likelihood(movie))

    def _measured(self, change: Whitened, reach: float, ended: str) -> Found:
        z, prior = self.position + change, self.problem.prior
        movie, reference = self._shown(z), self._reference[0]
        seen = float((change * self.around.information(change[None])[0]).sum().clamp_min(0).sqrt())
        draws = [prior.draw(len(z), self.problem.observation.frame_size, Seed(0) / "unrelated" / n) for n in range(2)]
        return Found(
            position=z,
            movie=movie,
            distance=self._distance(movie - reference),
            prior_distance=self._distance((draws[0] - draws[1]).to(movie)),
            discriminability=self.discriminability(movie),
            linear_discriminability=seen,
            log_likelihood=-self._lost(movie),
            energy=float(z.double().square().mean()),
            reach=reach,
            ended=ended,
        )

    def _distance(self, change: Movie) -> float:
        weight = torch.ones_like(change) if self.mask is None else self.mask.to(change).expand_as(change)
        return float(((weight * change**2).sum() / weight.sum().clamp_min(1e-30)).sqrt())


def damped(values: np.ndarray, weight: float) -> np.ndarray:
    """``1 / (1 + weight x)``: what stays of a direction of this Fisher information."""
    kept: np.ndarray = 1 / (1 + weight * values)
    return kept


def unseen_weight(known: Krylov, limit: float) -> float:
    """The weight m at which ``|(I + m F)^-1 w|`` in the norm of F meets the limit; 0 where w itself is within it."""

    def seen(weight: float) -> float:
        return float(known.quadratic(lambda values: values * damped(values, weight) ** 2)[0])

    if seen(0.0) <= limit**2:
        return 0.0
    low, high = 0.0, 1.0
    while seen(high) > limit**2 and high < HEAVIEST:
        low, high = high, 4 * high
    for _ in range(60):
        middle = (low + high) / 2
        if seen(middle) > limit**2:
            low = middle
        else:
            high = middle
    return high
