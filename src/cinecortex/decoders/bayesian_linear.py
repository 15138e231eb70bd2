"""The reduced-rank Bayesian linear decoder: a generative model of the responses around a frame, inverted exactly."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.decoders.lags import Features, KnownFeatures, Lagging
from cinecortex.decoders.training import chunks_of, refuse_strangers
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

NORMAL_95 = 1.6448536269514722
"""95 % of a standard normal variable lie below."""


@dataclass(frozen=True, eq=False)
class BayesianLinear:
    """The posterior of a linear-Gaussian model, frame by frame.

    The frame is ``image + components^T z + rest``, with ``z ~ N(0, I)`` and an independent ``rest`` per pixel; the
    responses around it, as features of `Lagging`, are ``offset + loading z + shared u + e`` with ``u ~ N(0, I)``: what
    many neurons do together whatever is shown; and ``e`` Gaussian, independent between neurons, its covariance over
    the lag bins of one neuron given by ``noise``.

    The model says how responses come from movies, and every neuron has noise of its own. A neuron that was not heard,
    a bin that reaches out of the trial or holds a frame that was not recorded therefore drop out exactly, by leaving
    out their rows: that is the marginal of the model, and nothing is filled in or fitted anew. With nothing heard the
    answer is the prior.

    Attributes:
        image: Mean training movie per pixel, ``height width``.
        components: Principal components of the training movies, each scaled to its standard deviation.
        rest: Variance per pixel that the components leave out, ``pixel``.
        offset: Mean of each feature.
        loading: How each feature depends on the components.
        shared: How it depends on what the neurons share besides.
        noise: Covariance of the rest of a feature over the lag bins of its neuron.
        lagging: How a response becomes features.
        frame_rate_hz: Frames per second of the recording it was fitted to.
        settings: The settings that were tried, in words, and how they scored on the select trials.

    Sources: Bishop 2006, Pattern Recognition and Machine Learning, equations 2.113 to 2.117 (linear-Gaussian models);
    Rubin & Thayer 1982, Psychometrika 47:69 (factor analysis).
    """

    image: Mask
    components: Float[Tensor, "component pixel"]
    rest: Float[Tensor, "pixel"]
    offset: Float[Tensor, "feature"]
    loading: Float[Tensor, "feature component"]
    shared: Float[Tensor, "feature factor"]
    noise: Float[Tensor, "neuron bin bin"]
    lagging: Lagging
    frame_rate_hz: float
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """``bayesian``."""
        return "bayesian"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Posterior mean of every frame, with its standard deviation and 90 % interval. Nothing is drawn.

        Mean and bounds are clipped to 0..1, the luminance range; the standard deviation is that of the Gaussian.

        Raises:
            WrongUse: the observation has another number of neurons, frame size or frame rate.
        """
        began = time.perf_counter()
        mean, std = self.infer(observation)
        return Reconstruction(
            movie=mean.clamp(0.0, 1.0),
            ended=f"posterior mean of {self.components.shape[0]} components",
            seconds=time.perf_counter() - began,
            std=std,
            lower=(mean - NORMAL_95 * std).clamp(0.0, 1.0),
            upper=(mean + NORMAL_95 * std).clamp(0.0, 1.0),
        )

    def infer(self, observation: Observation) -> tuple[Movie, Movie]:
        """Posterior mean and standard deviation of the movie, not clipped.

        Raises:
            WrongUse: the observation has another number of neurons, frame size or frame rate.
        """
        refuse_strangers(
            self.name, observation, neurons=self.lagging.neurons, image=self.image, frame_rate_hz=self.frame_rate_hz
        )
        sums = self.lagging.running_sums(observation.response, observation.heard)
        parts = [
            self.posterior(
                self.lagging.features_at(sums, chunk),
                self.lagging.known_at(observation.response, chunk, observation.heard),
            )
            for chunk in chunks_of(observation.frames)
        ]
        mean, std = (torch.cat(part).reshape(-1, *self.image.shape) for part in zip(*parts, strict=True))
        return mean, std

    def posterior(
        self, features: Features, known: KnownFeatures
    ) -> tuple[Float[Tensor, "time pixel"], Float[Tensor, "time pixel"]]:
        """Mean and standard deviation of the pixels of every frame given the features that are known."""
        patterns, which = torch.unique(known, dim=0, return_inverse=True)
        mean = features.new_empty(len(features), self.components.shape[1])
        std = torch.empty_like(mean)
        for number, pattern in enumerate(patterns):
            frames = which == number
            gain, covariance = self.solve(pattern)
            deviation = torch.where(pattern, features[frames] - self.offset, 0.0)
            mean[frames] = self.image.flatten() + deviation @ gain @ self.components
            variance = ((covariance @ self.components) * self.components).sum(0)
            std[frames] = (variance.clamp_min(0.0) + self.rest).sqrt()
        return mean, std

    def solve(
        self, known: Bool[Tensor, "feature"]
    ) -> tuple[Float[Tensor, "feature component"], Float[Tensor, "component component"]]:
        """The map from features minus their offset to the posterior mean of ``z``, and the posterior covariance."""
        loadings = torch.cat([self.loading, self.shared], dim=1)
        weighed = weigh(loadings, self.noise, known)
        precision = loadings.T @ weighed
        precision.diagonal().add_(1.0)
        factor = torch.linalg.cholesky(precision)
        components = self.loading.shape[1]
        # The first components of [z, u] given the features: the shared part is integrated out.
        wanted = torch.eye(len(precision)).to(precision)[:, :components]
        covariance = torch.cholesky_solve(wanted, factor)
        return weighed @ covariance, covariance[:components]


def weigh(
    loadings: Float[Tensor, "feature latent"], noise: Float[Tensor, "neuron bin bin"], known: Bool[Tensor, "feature"]
) -> Float[Tensor, "feature latent"]:
    """``noise^-1 loadings`` over the known features, and 0 for the others."""
    neurons, bins, _ = noise.shape
    heard = known.reshape(bins, neurons).T
    both = heard[:, :, None] & heard[:, None, :]
    # An unknown bin becomes a feature of its own that nothing depends on.
    filled = torch.where(both, noise, torch.eye(bins).to(noise))
    rows = torch.where(known[:, None], loadings, 0.0).reshape(bins, neurons, -1).transpose(0, 1)
    solved: Tensor = torch.linalg.solve(filled, rows)
    return solved.transpose(0, 1).reshape(loadings.shape)
