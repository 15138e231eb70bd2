"""`map`: the most probable movie given the responses, by preconditioned descent in whitened coordinates."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.errors import WrongUse
from cinecortex.inversion.coarse import Coarse
from cinecortex.inversion.contrast import fit_contrast
from cinecortex.inversion.descent import Minimum, minimise_many
from cinecortex.inversion.likelihoods import Likelihood, likelihood_of
from cinecortex.inversion.memory import free_bytes, kept_bytes
from cinecortex.inversion.plan import Plan, plan_for, while_it_fits
from cinecortex.inversion.priors import Prior, Spectral
from cinecortex.inversion.problem import BehaviorGiven, Problem
from cinecortex.inversion.restricted import Masked
from cinecortex.inversion.sensitivity import binned_fisher, population_mask
from cinecortex.inversion.several import Together
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

Contrast = Literal["training", "inferred"]
"""Which contrast a clip is taken to have."""
Average = Literal["rates", "likelihoods"]
"""What is averaged over the members of an ensemble."""


@dataclass(frozen=True, eq=False)
class MostProbable:
    """The mode of the posterior in the prior's own coordinates.

    Attributes:
        position: Whitened coordinates, ``time height width``.
        energy: Energy there in nats.
        ended: How the descent ended, in words.
        frame_passes: Movie frames that went through the encoder forward and backward.
    """

    position: Tensor
    energy: float
    ended: str
    frame_passes: int


class MAP:
    """argmin over z of ``-log p(response | movie(z)) - log p(z)``.

    Starts from a small random ``z``: for encoders that respond only to contrast, uniform gray is a stationary point.

    Args:
        encoder: Forward model of the population; its measured observation model and movie statistics are the defaults
            of the next two. Of an `Ensemble` the mean rate is inverted, unless ``average`` says otherwise.
        likelihood: How responses scatter; by default the tempered Poisson of the encoder's observation model.
        prior: What movies are like; by default the spectral prior of the encoder's training clips.
        evaluations: Most evaluations of energy and gradient, for each start.
        tolerance_nats: Five steps that together gain less than this end the descent.
        start_scale: Standard deviation of the first ``z``.
        starts: Descents from different random starts; the one of the lowest energy is the answer.
        behavior: What the encoder is told of the behavior: as recorded, or held at its training mean.
        mask: Where the population can see; by default from the encoder's sensitivity. It is part of the answer and
            changes nothing else.
        changes: Where pixels may differ from gray, 0..1; by default everywhere. See `Masked`.
        contrast: The log-contrast of the clip: the mean of the ``training`` clips, or ``inferred`` by the evidence
            along with the movie (see `fit_contrast`), which takes several descents. It is right where the encoder is;
            an encoder whose own errors shrink contrast makes it shrink further.
        average: What is averaged over the members of an ensemble: their ``rates``, or their ``likelihoods`` and with
            them the gradients. The second asks every member to explain the responses by itself and so keeps away from
            movies on which the members disagree; see `Problem`. Averaging finished reconstructions is a third way.

    Raises:
        WrongUse: a default was needed that the encoder does not carry, or ``average`` does not fit the encoder.
    """

    name = "map"
    _remembers = ("_preconditioners",)

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
        evaluations: int = 100,
        tolerance_nats: float = 0.5,
        start_scale: float = 0.3,
        starts: int = 1,
        behavior: BehaviorGiven = "recorded",
        mask: Mask | None = None,
        changes: Mask | None = None,
        contrast: Contrast = "training",
        average: Average = "rates",
    ) -> None:
        if starts < 1:
            raise WrongUse(f"starts={starts}: a descent needs at least one start.")
        self.encoder = encoder.eval().requires_grad_(False)
        self.likelihood = likelihood if likelihood is not None else default_likelihood(encoder)
        self.prior: Prior = prior if prior is not None else default_prior(encoder)
        if contrast == "inferred" and (not isinstance(self.prior, Spectral) or changes is not None):
            raise WrongUse("a contrast can be inferred under the spectral prior only, with pixels free everywhere.")
        self.contrast: Contrast = contrast
        if changes is not None:
            self.prior = Masked(self.prior, changes)
        self._given_mask = mask
        self.evaluations, self.tolerance_nats, self.start_scale = evaluations, tolerance_nats, start_scale
        self.starts, self.behavior, self.average = starts, behavior, average
        self._member_likelihoods = () if average == "rates" else member_likelihoods(encoder, likelihood)
        self._preconditioners: dict[int, Tensor] = {}

    @cached_property
    def mask(self) -> Mask:
        """Where the population can see: as given, or from the encoder's own sensitivity."""
        if self._given_mask is not None:
            return self._given_mask

        def work(plan: Plan) -> Mask:
            return population_mask(plan.shaped(self.encoder), self.likelihood, self.prior, seed=Seed(0) / "mask")

        return while_it_fits(work, Plan(1), self.encoder, 2 * self.encoder.memory)[0]

    @cached_property
    def _kept(self) -> tuple[float, float]:
        return kept_bytes(self.encoder)

    def _inverse_hessian(self, frames: int, plan: Plan) -> Tensor:
        # Once for each clip length; it shapes the path of the descent, not its end, so its seed is its own.
        if frames not in self._preconditioners:
            seed = Seed(0) / "preconditioner"

            def work(plan: Plan) -> Tensor:
                shaped = plan.shaped(self.encoder)
                return binned_fisher(shaped, self.likelihood, self.prior, frames=frames, seed=seed)

            fisher, _, _ = while_it_fits(work, replace(plan, clips=1), self.encoder, frames)
            self._preconditioners[frames] = 1 / (1 + fisher)
        return self._preconditioners[frames]

    def problem(self, observation: Observation) -> Problem:
        """What is minimised for this observation.

        Raises:
            WrongUse: the observation does not fit the encoder.
        """
        return Problem(
            self.encoder,
            self.likelihood,
            self.prior,
            observation,
            behavior=self.behavior,
            member_likelihoods=self._member_likelihoods,
        )

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial.

        Raises:
            WrongUse: the observation does not fit the encoder.
            OutOfMemory: not even a stretch of the clip fits into memory.
        """
        return self.several([observation], [seed])[0]

    def several(self, observations: Sequence[Observation], seeds: Sequence[Seed]) -> list[Reconstruction]:
        """Reconstruct trials together; those of one length share their passes through the encoder.

        Every answer is what it would be alone, but for rounding: sums are taken in another order in a batch. The
        seconds of a batch are divided among its trials by their frame-passes.

        Args:
            observations: What was recorded.
            seeds: One for each.

        Raises:
            WrongUse: an observation does not fit the encoder, or there is not one seed for each.
            OutOfMemory: not even a stretch of a clip fits into memory.
        """
        if len(observations) != len(seeds):
            raise WrongUse(f"{len(observations)} observations and {len(seeds)} seeds: give one seed for each.")
        problems = [self.problem(observation) for observation in observations]
        by_length: dict[int, list[int]] = {}
        for number, problem in enumerate(problems):
            by_length.setdefault(problem.shape[0], []).append(number)
        answers: dict[int, Reconstruction] = {}
        for numbers in by_length.values():
            room = self._descents_at_once(problems[numbers[0]])
            for first in range(0, len(numbers), room):
                batch = numbers[first : first + room]
                found = self._solve([problems[n] for n in batch], [seeds[n] for n in batch])
                answers |= dict(zip(batch, found, strict=True))
        return [answers[number] for number in range(len(problems))]

    def _descents_at_once(self, problem: Problem) -> int:
        # A descent remembers its last steps: 30 movies or so. A quarter of the memory may go there.
        one = 30 * math.prod(problem.shape) * self.encoder.dtype.itemsize * self.starts
        return max(1, int(0.25 * free_bytes(self.encoder.device) / one))

    def most_probable(self, observation: Observation, seed: Seed) -> MostProbable:
        """The answer before it is turned into a movie; what draws from the posterior start from.

        Raises:
            WrongUse: the observation does not fit the encoder.
            OutOfMemory: not even a stretch of the clip fits into memory.
        """
        minima, together = self._descend([self.problem(observation)], [seed])
        best = _lowest(minima)
        ended = "; ".join(words for words in (best.ended, together.ended) if words)
        return MostProbable(best.position, best.energy, ended, sum(together.frame_passes))

    def inverse_hessian(self, frames: int) -> Tensor:
        """Diagonal estimate of the inverse Hessian of the energy in whitened coordinates, ``time height width``."""
        return self._inverse_hessian(frames, plan_for(self.encoder, clips=1, frames=frames, kept=self._kept))

    def _descend(self, problems: list[Problem], seeds: list[Seed]) -> tuple[list[Minimum], Together]:
        """Every start of every problem, those of one problem side by side."""
        frames = problems[0].shape[0]
        owners = [number for number in range(len(problems)) for _ in range(self.starts)]
        plan = plan_for(self.encoder, clips=len(owners), frames=frames, kept=self._kept)
        starts = [self._start(p, seed, n) for p, seed in zip(problems, seeds, strict=True) for n in range(self.starts)]
        start, inverse_hessian = torch.stack(starts).to(self.encoder.device), self._inverse_hessian(frames, plan)
        coarse = Coarse.of(self.prior, self.encoder)
        if coarse is not None:
            problems = [replace(problem, prior=coarse) for problem in problems]
            start, inverse_hessian = coarse.cut(start), coarse.cut(inverse_hessian)
        together = Together([problems[number] for number in owners], plan=plan)
        minima = minimise_many(
            together,
            start,
            inverse_hessian=inverse_hessian,
            evaluations=self.evaluations,
            tolerance_nats=self.tolerance_nats,
        )
        if coarse is not None:
            minima = [replace(minimum, position=coarse.whole(minimum.position)) for minimum in minima]
        return minima, together

    def _solve(self, problems: list[Problem], seeds: list[Seed]) -> list[Reconstruction]:
        began = time.perf_counter()
        minima, together = self._descend(problems, seeds)
        mask = self.mask.cpu()
        seconds = (time.perf_counter() - began) / sum(together.frame_passes)
        answers = []
        if self.contrast == "inferred":
            return [
                self._at_its_contrast(problem, _lowest(minima[n * self.starts : (n + 1) * self.starts]), seed, mask)
                for n, (problem, seed) in enumerate(zip(problems, seeds, strict=True))
            ]
        for first in range(0, len(minima), self.starts):
            own = slice(first, first + self.starts)
            passes = sum(together.frame_passes[own])
            answers.append(self._answer(minima[own], mask, together.ended, passes, seconds * passes))
        return answers

    def _at_its_contrast(self, problem: Problem, start: Minimum, seed: Seed, mask: Mask) -> Reconstruction:
        began = time.perf_counter()
        frames = problem.shape[0]
        found = fit_contrast(
            lambda prior: replace(problem, prior=prior),
            cast(Spectral, self.prior),
            start.position,
            inverse_hessian=self.inverse_hessian(frames),
            seed=seed / "contrast",
            evaluations=self.evaluations,
            tolerance_nats=self.tolerance_nats,
        )
        return Reconstruction(
            movie=found.prior.movie(found.minimum.position).clamp(0, 1).cpu(),
            mask=mask,
            energy=found.minimum.energy,
            ended=found.ended,
            frame_passes=found.frame_passes + start.evaluations * frames,
            seconds=time.perf_counter() - began,
        )

    def _start(self, problem: Problem, seed: Seed, number: int) -> Tensor:
        observation = problem.observation
        if not (observation.heard & observation.response.isfinite().any(0)).any():
            # With nothing heard the energy is the prior's alone, and its minimum is known.
            return torch.zeros(problem.shape, dtype=self.encoder.dtype)
        stream = seed / "start" / number if number else seed / "start"
        return self.start_scale * torch.randn(problem.shape, generator=stream.torch(), dtype=self.encoder.dtype)

    def _answer(
        self, minima: Sequence[Minimum], mask: Mask, memory: str, frame_passes: int, seconds: float
    ) -> Reconstruction:
        best = _lowest(minima)
        ended = [best.ended]
        if len(minima) > 1:
            energies = ", ".join(f"{minimum.energy:.1f}" for minimum in minima)
            ended.append(f"the lowest of {len(minima)} starts ({energies} nats)")
        return Reconstruction(
            movie=self.prior.movie(best.position).clamp(0, 1).cpu(),
            mask=mask,
            energy=best.energy,
            ended="; ".join([*ended, memory] if memory else ended),
            frame_passes=frame_passes,
            seconds=seconds,
        )


def _lowest(minima: Sequence[Minimum]) -> Minimum:
    return min(minima, key=lambda minimum: minimum.energy if math.isfinite(minimum.energy) else math.inf)


def member_likelihoods(encoder: Encoder, likelihood: Likelihood | None) -> tuple[Likelihood, ...]:
    """What each member of an ensemble is judged by: its own observation model, or one likelihood for all.

    Raises:
        WrongUse: the encoder is no ensemble, or a member carries no observation model and no likelihood is given.
    """
    if not isinstance(encoder, Ensemble):
        raise WrongUse("likelihoods are averaged over the members of an ensemble, but the encoder is a single one.")
    if likelihood is not None:
        return (likelihood,) * len(encoder.members)
    return tuple(default_likelihood(member) for member in encoder.members)


def default_likelihood(encoder: Encoder) -> Likelihood:
    """The tempered Poisson likelihood of the encoder's observation model, with shared gains where some were found."""
    if encoder.observation_model is None:
        raise WrongUse("the encoder carries no observation model: fit it, or measure one with `cinecortex calibrate`.")
    return likelihood_of(encoder.observation_model)


def default_prior(encoder: Encoder) -> Spectral:
    """The spectral prior of the encoder's training clips."""
    if encoder.movie_statistics is None:
        raise WrongUse("the encoder carries no movie statistics: fit it, or measure them with `cinecortex calibrate`.")
    return Spectral.of(encoder.movie_statistics)
