"""`sample`: draws from the posterior by randomised MAP, and what they say about every pixel."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.errors import WrongUse
from cinecortex.inversion.conjugate_gradients import Vectors
from cinecortex.inversion.descent import minimise
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Prior, Spectral, Whitened
from cinecortex.inversion.problem import BehaviorGiven
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

QUANTILE = 1.6448536269514722
"""Half the width of the central 90 % of a unit Gaussian."""


class Sample:
    """Draws from ``p(movie | response)`` by randomised MAP.

    A draw is the most probable movie for responses that scatter anew and a prior whose mean is a draw from it:

        ``z_k = argmin of -log p(response | movie(z)) - <xi_k, rate(z)> + |z - epsilon_k|^2 / 2``

    with ``epsilon_k ~ N(0, I)`` and ``xi_k`` of the covariance of the data's precision, shared gains included. Where
    rates are linear and noise is Gaussian these are exact draws. By default rates are taken as linear around the MAP,
    where every draw is then a linear solve, ``z_k = z_map + (I + F)^-1 (epsilon_k + S J^T xi_k)``, a few passes by
    conjugate gradients; the mean of the draws is known to be the MAP itself and is what `movie` holds. With
    ``linear=False`` every draw is descended to by itself from there.

    The standard deviation of a pixel is that of the draws, made sharper by what is known exactly: the prior's.

    Of an encoder without forward-mode derivatives the changes of the rates are central differences; `ended` says so.

    Of an `Ensemble` each member makes a MAP and draws of its own. The spread of the members' means about their mean is
    the model's part of the variance (``model_std``), the mean variance of the draws the data's (``data_std``), and
    their sum is that of ``std``; ``movie`` is the mean of the members' means.

    Args:
        encoder: Forward model of the population, or an ensemble.
        likelihood: How responses scatter; by default as each encoder's observation model says.
        prior: A prior whose coordinates are white; by default the spectral prior of each encoder's training clips.
        draws: How many in all.
        linear: Whether rates are taken as linear around the MAP.
        iterations: Most steps of conjugate gradients for a draw.
        tolerance: Residual of the solve at which a draw is good enough, relative to its right-hand side.
        evaluations: Most evaluations of the energy for the MAP and, unless ``linear``, for each draw.
        tolerance_nats: See `MAP`.
        keep: Whether the answer holds the draws themselves.
        mask: Where the population can see; by default the mean of what each encoder's sensitivity says.
        behavior: What the encoder is told of the behavior; see `MAP`.

    Raises:
        WrongUse: there is less than one draw for a member, or the prior's coordinates are not white.

    Sources: Papandreou & Yuille 2010, NIPS (perturb and optimise); Bardsley et al. 2014, SIAM J Sci Comput 36:A1895.
    """

    name = "sample"

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
        draws: int = 32,
        linear: bool = True,
        iterations: int = 12,
        tolerance: float = 0.01,
        evaluations: int = 100,
        tolerance_nats: float = 0.5,
        keep: bool = False,
        mask: Mask | None = None,
        behavior: BehaviorGiven = "recorded",
    ) -> None:
        members = encoder.members if isinstance(encoder, Ensemble) else (encoder,)
        if draws < 2 * len(members):
            raise WrongUse(f"{draws} draws are too few for a spread; ask for at least 2 of each encoder.")
        self._maps = [
            MAP(
                encoder=member,
                likelihood=likelihood,
                prior=prior,
                evaluations=evaluations,
                tolerance_nats=tolerance_nats,
                mask=mask,
                behavior=behavior,
            )
            for member in members
        ]
        if not all(inverter.prior.whitened for inverter in self._maps):
            raise WrongUse("randomised draws need a prior of white coordinates, such as the spectral one.")
        self.draws, self.linear, self.keep = draws, linear, keep
        self.iterations, self.tolerance, self.evaluations = iterations, tolerance, evaluations

    @property
    def mask(self) -> Mask:
        """Where the population can see: the mean over the encoders."""
        return torch.stack([inverter.mask for inverter in self._maps]).mean(0)

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial.

        Raises:
            WrongUse: the observation does not fit the encoder.
        """
        began = time.perf_counter()
        shares = [len(part) for part in torch.arange(self.draws).tensor_split(len(self._maps))]
        drawn = [
            self._member(inverter, count, observation, seed / "member" / number)
            for number, (inverter, count) in enumerate(zip(self._maps, shares, strict=True))
        ]
        means = torch.stack([member.mean for member in drawn])
        data = torch.stack([member.variance for member in drawn]).mean(0)
        model = means.var(0) if len(drawn) > 1 else torch.zeros_like(data)
        mean, std = means.mean(0), (data + model).sqrt()
        samples = torch.cat([member.samples for member in drawn]).cpu() if self.keep else None
        ended = [member.ended for member in drawn]
        return Reconstruction(
            movie=mean.clamp(0, 1).cpu(),
            mask=self.mask.cpu(),
            std=std.cpu(),
            data_std=data.sqrt().cpu(),
            model_std=model.sqrt().cpu() if len(drawn) > 1 else None,
            lower=(mean - QUANTILE * std).clamp(0, 1).cpu(),
            upper=(mean + QUANTILE * std).clamp(0, 1).cpu(),
            samples=samples,
            energy=sum(member.energy for member in drawn) / len(drawn),
            ended="; ".join(dict.fromkeys(ended)),
            frame_passes=sum(member.frame_passes for member in drawn),
            seconds=time.perf_counter() - began,
        )

    def _member(self, inverter: MAP, count: int, observation: Observation, seed: Seed) -> _Drawn:
        best = inverter.most_probable(observation, seed)
        z, prior = best.position, inverter.prior
        around = Linearised(inverter.encoder, inverter.likelihood, prior, observation, z, behavior=inverter.behavior)
        noise = torch.randn(count, *z.shape, generator=(seed / "prior").torch(), dtype=z.dtype).to(z.device)
        slopes = around.curvature.draw(count, seed / "data")
        inverse_hessian = inverter.inverse_hessian(observation.frames)
        solved = around.solve(
            noise + around.pulled_back(slopes),
            preconditioner=inverse_hessian,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
        passes = best.frame_passes + observation.frames * (2 * around.applied + count)
        if self.linear:
            deviations = solved.vectors
            mean = prior.movie(z)
            ended = f"{count} draws, linear around the MAP, solved to {solved.residual:.1g}"
        else:
            draws, evaluations = [], 0
            problem = inverter.problem(observation)
            for start, center, slope in zip(z + solved.vectors, noise, slopes, strict=True):
                found = minimise(
                    lambda at, center=center, slope=slope: problem.tilted_energy(  # type: ignore[misc]
                        at, center=center, slope=slope, rate=around.rate[around.settled]
                    ),
                    start,
                    inverse_hessian=inverse_hessian,
                    evaluations=self.evaluations,
                    tolerance_nats=inverter.tolerance_nats,
                )
                draws.append(found.position)
                evaluations += found.evaluations
            passes += evaluations * observation.frames
            positions = torch.stack(draws)
            # What the draws' own prior noise put into their mean is known and taken out again.
            center = (positions - inverse_hessian * noise).mean(0)
            deviations, mean = positions - center, prior.movie(center)
            ended = f"{count} draws, each descended to"
        if not around.forward_mode:
            ended += ", derivatives by central differences"
        pixels = around.pixels(deviations)
        return _Drawn(
            mean=mean,
            variance=_variance(pixels, around.pixels(noise), _prior_variance(prior, z)),
            samples=mean + pixels,
            energy=best.energy,
            ended=f"{best.ended}; {ended}",
            frame_passes=passes,
        )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What one encoder says."""

    mean: Movie
    variance: Movie
    samples: Vectors
    energy: float
    ended: str
    frame_passes: int


def _prior_variance(prior: Prior, z: Whitened) -> Movie | None:
    return prior.pixel_variance(z) if isinstance(prior, Spectral) else None


def _variance(deviations: Vectors, noise: Vectors, prior: Movie | None) -> Movie:
    """Posterior variance per pixel from draws, with the prior draws that went into them as control variate.

    Where the data say nothing a draw is the prior draw that it was made from, and how far the sample variance of those
    misses their known variance is how far that of the draws misses. In between the best multiple of the miss is the
    squared ratio of the variances, here of averages over neighbours in space and time.

    Args:
        deviations: Draws minus their known mean.
        noise: The prior draws, in pixels.
        prior: The prior's variance per pixel, where it is known.

    Source: Lavenberg & Welch 1981, Manage Sci 27:322 (control variates).
    """
    raw = deviations.square().mean(0)
    if prior is None:
        return raw
    drawn = noise.square().mean(0)
    ratio = (smoothed(raw) / smoothed(drawn)).clamp(0, 1)
    better = raw + ratio**2 * (prior - drawn)
    return torch.maximum(better, 0.1 * raw)


def smoothed(variance: Movie) -> Movie:
    """A noisy variance averaged over its neighbours: 15 frames and 3 by 3 pixels."""
    reach = [min(reach, (size - 1) // 2) for reach, size in zip((7, 1, 1), variance.shape, strict=True)]
    return functional.avg_pool3d(
        variance[None, None],
        tuple(2 * r + 1 for r in reach),
        stride=1,
        padding=tuple(reach),
        count_include_pad=False,
    )[0, 0]
