"""`langevin`, `hmc`: draws from the posterior itself by Markov chains; slow, and the reference for what is fast."""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.inversion.chains import Draws, run_chains
from cinecortex.inversion.convergence import effective_draws, r_hat
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.map import default_likelihood, default_prior
from cinecortex.inversion.priors import Prior
from cinecortex.inversion.problem import Problem
from cinecortex.inversion.sensitivity import binned_fisher, population_mask
from cinecortex.inversion.trajectory import Reference, one_by_one
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

LEVEL = 0.9
"""Probability inside the interval from ``lower`` to ``upper``."""

R_HAT, EFFECTIVE = 1.05, 100.0
"""Chains have converged when the worst of all watched quantities is below the first and above the second.

Vehtari et al. 2021 ask for 1.01 and 100 draws a chain of one quantity; the worst of hundreds is above 1.01 by chance.
"""

WATCHED = 256
"""Pixels whose convergence is watched."""


class Langevin:
    """Draws of the movie from ``exp(-energy)``, by chains in whitened coordinates that start around optima.

    Every chain descends from a random start of its own, as `map` does, is moved from its optimum by a draw of the
    Gaussian that the preconditioner describes, and then runs. What is returned is the mean of the draws, their
    standard deviation, and the central 90 % of them.

    Args:
        encoder: Forward model of the population.
        likelihood: How responses scatter; by default the tempered Poisson of the encoder's observation model.
        prior: What movies are like; by default the spectral prior of the encoder's training clips. It must be a
            proper one: under `Flat` there is no posterior to draw from.
        draws: Draws kept of all chains together.
        chains: How many chains.
        path: Radians of a trajectory: 0 for Langevin (one evaluation in each), about half pi for Hamiltonian Monte
            Carlo.
        warm_up: Transitions of each chain that find the step and are thrown away.
        thin: Transitions for each draw that is kept.
        descent_evaluations: Most evaluations of the descent before each chain.
        samples: Whether the draws themselves are returned; they are held in memory in any case.

    Raises:
        WrongUse: a default was needed that the encoder does not carry, or chains would be too short to be judged.
    """

    _remembers = ("_fishers",)

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
        draws: int = 200,
        chains: int = 4,
        path: float = 0.0,
        warm_up: int = 300,
        thin: int = 10,
        descent_evaluations: int = 60,
        samples: bool = False,
    ) -> None:
        if chains < 1 or draws <= 3 * chains:
            raise WrongUse(
                f"{draws} draws of {chains} chains cannot be judged; ask for at least 4 draws of each chain."
            )
        self.encoder = encoder.eval().requires_grad_(False)
        self.likelihood = likelihood if likelihood is not None else default_likelihood(encoder)
        self.prior = prior if prior is not None else default_prior(encoder)
        self.draws, self.chains, self.path, self.warm_up, self.thin = draws, chains, path, warm_up, thin
        self.descent_evaluations, self.samples = descent_evaluations, samples
        self._fishers: dict[int, Tensor] = {}

    @property
    def name(self) -> str:
        """``langevin``, or ``hmc`` where trajectories have more than one turn."""
        return "hmc" if self.path > 0 else "langevin"

    @cached_property
    def mask(self) -> Mask:
        """Where the population can see, from the encoder's own sensitivity."""
        return population_mask(self.encoder, self.likelihood, self.prior, seed=Seed(0) / "mask")

    def _precision(self, observation: Observation) -> Tensor:
        # As `map` descends with, and weaker by what this observation does not tell; the draws are right whatever it is.
        frames = observation.frames
        if frames not in self._fishers:
            seed = Seed(0) / "preconditioner"
            self._fishers[frames] = binned_fisher(self.encoder, self.likelihood, self.prior, frames=frames, seed=seed)
        told = (observation.heard & observation.response.isfinite()).double().mean()
        return 1 + float(told) * self._fishers[frames]

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial.

        Raises:
            WrongUse: the observation does not fit the encoder, or the energy is infinite where a chain starts.
        """
        began = time.perf_counter()
        problem = Problem(self.encoder, self.likelihood, self.prior, observation)
        precision = self._precision(observation)
        optima, starts, evaluations = self._starts(problem, precision, seed)
        found = run_chains(
            one_by_one(problem.energy),
            starts,
            Reference(optima, precision),
            draws=-(-self.draws // self.chains),
            seed=seed,
            path=self.path,
            warm_up=self.warm_up,
            thin=self.thin,
            keep=lambda positions: torch.stack([self.prior.movie(position).cpu() for position in positions]),
        )
        movies = found.values.flatten(0, 1)
        lower, upper = central_interval(movies)
        return Reconstruction(
            movie=movies.mean(0).clamp(0, 1),
            mask=self.mask.cpu(),
            ended=self._ended(found, seed / "watched"),
            frame_passes=(evaluations + found.evaluations) * observation.frames,
            seconds=time.perf_counter() - began,
            std=movies.std(0),
            lower=lower.clamp(0, 1),
            upper=upper.clamp(0, 1),
            samples=movies if self.samples else None,
        )

    def _starts(self, problem: Problem, precision: Tensor, seed: Seed) -> tuple[Tensor, Tensor, int]:
        """An optimum for each chain, a point around it to start from, and the evaluations that they took."""
        optima, starts, evaluations = [], [], 0
        for chain in range(self.chains):
            random = (seed / "start" / chain).torch()
            first, offset = torch.randn(2, *problem.shape, generator=random, dtype=self.encoder.dtype).to(precision)
            found = minimise(
                problem.energy,
                0.3 * first,
                inverse_hessian=1 / precision,
                evaluations=self.descent_evaluations,
            )
            offset, evaluations = offset / precision.sqrt(), evaluations + found.evaluations
            for _ in range(10):
                evaluations += 1
                # Half a nat per dimension is the rule. Far more, where the precision is underrated, and the chain would
                # start on a slope too steep for any step to be accepted.
                if problem.energy(found.position + offset)[0] - found.energy <= offset.numel():
                    break
                offset = offset / 2
            optima.append(found.position)
            starts.append(found.position + offset)
        return torch.stack(optima), torch.stack(starts), evaluations

    def _ended(self, found: Draws, seed: Seed) -> str:
        watched = watched_quantities(found, self.mask.cpu(), seed)
        worst, fewest = float(r_hat(watched).max()), float(effective_draws(watched).min())
        # Written so that a NaN, which a quantity that stands still gives, counts as not converged.
        verdict = "converged" if worst < R_HAT and fewest > EFFECTIVE else "not converged"
        chains, draws = found.energy.shape
        return (
            f"{verdict}: {chains} chains with {draws} draws each, R-hat at most {worst:.3f} and at least {fewest:.0f} "
            f"effective draws of the energy and {watched.shape[2] - 1} pixels, acceptance {found.acceptance:.2f}"
        )


def watched_quantities(found: Draws, mask: Mask, seed: Seed) -> Float[Tensor, "chain draw quantity"]:
    """The energy and some pixels of the drawn movies, taken at random where the population can see."""
    chains, draws, frames = found.values.shape[:3]
    seen = (mask >= 0.5).flatten().nonzero().flatten()
    if not len(seen):
        seen = torch.arange(mask.numel())
    places = torch.randperm(frames * len(seen), generator=seed.torch())[:WATCHED]
    flat = (places // len(seen)) * mask.numel() + seen[places % len(seen)]
    pixels = found.values.reshape(chains, draws, -1)[:, :, flat]
    return torch.cat([found.energy[..., None], pixels.double()], -1)


def central_interval(
    movies: Float[Tensor, "draw time height width"],
) -> tuple[Float[Tensor, "time height width"], Float[Tensor, "time height width"]]:
    """The central 90 % of draws of a movie: ``lower`` and ``upper``, each ``time height width``.

    The k-th smallest of K draws is taken for the quantile k / (K + 1), which is what it is on average for a further
    draw; the more common (k - 1) / (K - 1) makes intervals of few draws too narrow. Of fewer than 19 draws the
    smallest and the largest are taken.
    """
    tail = (1 - LEVEL) / 2
    bounds = np.quantile(movies.numpy(), [tail, 1 - tail], axis=0, method="weibull")
    lower, upper = torch.from_numpy(bounds).to(movies)
    return lower, upper
