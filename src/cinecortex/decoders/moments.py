"""Sums of features and component scores over training trials, and the means and covariances they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.decoders.lags import Lagging
from cinecortex.decoders.normal_equations import add_lower, blocks
from cinecortex.decoders.training import chunks_of, feature_pairs, recorded_response
from cinecortex.errors import BadData
from cinecortex.recording import Trial
from cinecortex.tensors import Mask

Square = Float[Tensor, "feature feature"]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the frames that have every feature; those of two sets of trials add up.

    Attributes:
        frames: How many frames that is.
        feature: Products of features with features, of which only the lower triangle is filled, float64.
        cross: Products of features with the scores of the components and, in the last column, with 1; float64.
        score: Products of scores and 1 with each other, float64.
    """

    frames: int
    feature: Square
    cross: Float[Tensor, "feature score"]
    score: Float[Tensor, "score score"]

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(one + another for one, another in zip(vars(self).values(), vars(other).values(), strict=True)))

    def moments(self) -> Moments:
        """Means and covariances."""
        feature, cross, score = (part / max(self.frames, 1) for part in (self.feature, self.cross, self.score))
        mean, mean_score = cross[:, -1], score[:-1, -1]
        lower = feature.tril() - torch.outer(mean, mean).tril()
        return Moments(
            frames=self.frames,
            mean=mean.float(),
            feature=(lower + lower.tril(-1).T).float(),
            cross=(cross[:, :-1] - torch.outer(mean, mean_score)).float(),
            score=(score[:-1, :-1] - torch.outer(mean_score, mean_score)).float(),
        )


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of features and component scores over the frames that have every feature.

    Attributes:
        frames: How many frames that is.
        mean: Mean of each feature.
        feature: Covariance of the features.
        cross: Covariance of features and scores, ``feature component``.
        score: Covariance of the scores.
    """

    frames: int
    mean: Float[Tensor, "feature"]
    feature: Square
    cross: Float[Tensor, "feature component"]
    score: Float[Tensor, "component component"]


def sum_up(trials: Sequence[Trial], lagging: Lagging, image: Mask, basis: Float[Tensor, "component pixel"]) -> Sums:
    """Sum up trials, one stretch of a trial at a time.

    Raises:
        BadData: no frame was recorded in full.
    """
    count, latents = lagging.features, len(basis)
    feature = torch.zeros(count, count, dtype=torch.float64)
    cross = torch.zeros(count, latents + 1, dtype=torch.float64)
    score = torch.zeros(latents + 1, latents + 1, dtype=torch.float64)
    to_scores = (basis / basis.square().sum(1, keepdim=True)).T
    for features, pixels in blocks(complete_pairs(trials, lagging, image)):
        scores = torch.cat([pixels @ to_scores, torch.ones(len(pixels), 1)], dim=1)
        add_lower(feature, features.T)
        cross += features.T @ scores
        score += scores.T @ scores
    frames = int(score[-1, -1])
    if frames == 0:
        raise BadData(
            f"no frame of the training trials of session {trials[0].session_id} has all its neurons recorded over "
            f"lags {lagging.edges[0]} to {lagging.edges[-1] - 1}; use longer clips, fewer lags, or fewer neurons."
        )
    return Sums(frames, feature, cross, score)


def complete_pairs(trials: Sequence[Trial], lagging: Lagging, image: Mask) -> Iterator[tuple[Tensor, Tensor]]:
    """Features and pixels minus the mean image, of the frames that have every feature."""
    for trial in trials:
        response = recorded_response(trial, lagging.neurons)
        for chunk, (features, pixels) in zip(
            chunks_of(len(response)), feature_pairs([trial], lagging, image), strict=True
        ):
            complete = lagging.known_at(response, chunk).all(1)
            if complete.any():
                yield features[complete], pixels[complete]
