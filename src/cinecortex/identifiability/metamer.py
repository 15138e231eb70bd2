"""`metamer`: an inverter that answers with another movie than the MAP, which explains the responses as well."""

from __future__ import annotations

import time
from typing import cast

from cinecortex.encoders.base import Encoder
from cinecortex.identifiability.bound import largest_change
from cinecortex.identifiability.limits import Limits
from cinecortex.identifiability.metamers import Search
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Spectral
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

WEIGHTS = (0.05, 0.2, 0.8)
"""Of the data, for the bound. Larger ones would help pixels of which the neurons leave next to nothing open."""


class Metamer:
    """Finds the MAP, then a movie that differs from it as much as it can and that the neurons cannot tell from it.

    ``movie`` is that other movie. ``lower`` and ``upper`` are the MAP less and plus the largest admissible change of
    each pixel (`largest_change`), within the luminance range. That is linearised at the metamer: it has the
    contrast of a typical movie, where the MAP has less and would seem to be known several times better than it is.

    Args:
        encoder: Forward model of the population.
        likelihood: How responses scatter; by default as the encoder's observation model says.
        prior: A spectral prior; by default that of the encoder's training clips.
        limits: What counts as indistinguishable and as typical.
        ascents: See `Search`.
        draws: Made-up inferences behind the bound.
        steps: Dimensions of every Krylov space.
        evaluations: Most evaluations of the descent to the MAP.
        bounded: Whether movies are shown within 0..1.
    """

    name = "metamer"

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Spectral | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        ascents: int = 1,
        draws: int = 8,
        steps: int = 20,
        evaluations: int = 100,
        bounded: bool = True,
    ) -> None:
        self.map = MAP(encoder=encoder, likelihood=likelihood, prior=prior, evaluations=evaluations)
        self.limits, self.ascents, self.draws, self.steps = limits, ascents, draws, steps
        self.bounded = bounded

    def search(self, observation: Observation, seed: Seed) -> Search:
        """The search for metamers of the MAP of one trial; call it for several of them.

        Raises:
            WrongUse: the observation does not fit the encoder.
        """
        best = self.map.most_probable(observation, seed / "map")
        problem = self.map.problem(observation)
        return Search(
            problem=problem,
            position=best.position,
            around=Linearised(problem.encoder, problem.likelihood, problem.prior, observation, best.position),
            limits=self.limits,
            mask=self.map.mask,
            inverse_hessian=self.map.inverse_hessian(observation.frames),
            bounded=self.bounded,
            steps=self.steps,
            ascents=self.ascents,
        )

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """A metamer of one trial's MAP.

        Raises:
            WrongUse: the observation does not fit the encoder.
        """
        began = time.perf_counter()
        search = self.search(observation, seed)
        (found,) = search(1, seed / "metamer")
        encoder, likelihood, prior = self.map.encoder, self.map.likelihood, cast(Spectral, self.map.prior)
        around = Linearised(encoder, likelihood, prior, observation, found.position)
        bound = largest_change(
            around,
            limits=self.limits,
            weights=WEIGHTS,
            draws=self.draws,
            preconditioner=search.inverse_hessian,
            iterations=100,
            tolerance=0.01,
            seed=seed / "bound",
        )
        middle = prior.movie(search.position)
        return Reconstruction(
            movie=found.movie.cpu(),
            mask=self.map.mask.cpu(),
            lower=(middle - bound.largest).clamp(0, 1).cpu(),
            upper=(middle + bound.largest).clamp(0, 1).cpu(),
            ended=(
                f"{found.ended}; d' {found.discriminability:.2f}, log-likelihood {found.log_likelihood:+.1f} nats, "
                f"distance {found.distance / found.prior_distance:.0%} of that of unrelated movies; "
                f"bound solved to {bound.solved_to:.1g}"
            ),
            seconds=time.perf_counter() - began,
        )
