"""The lagged linear decoder: what a lab would try first, done well."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.decoders.lags import Lagging, bin_edges
from cinecortex.decoders.mean import fit_mean
from cinecortex.decoders.normal_equations import accumulate
from cinecortex.decoders.scoring import score_linear, scored_pixels
from cinecortex.decoders.stored import read_decoder, write_decoder
from cinecortex.decoders.training import (
    chunks_of,
    feature_pairs,
    need_trials,
    refuse_strangers,
    response_statistics,
)
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

PENALTIES = (1e-2, 1e-1, 3e-1, 1.0, 3.0, 1e1, 1e2)
"""Penalties tried by default, in units of the mean of the Gram matrix's diagonal."""


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear map from the responses around a frame to the movie at that frame.

    ``movie[t] = image + weights^T features[t]``, clipped to 0..1, with the features of :class:`Lagging`. With no neuron
    heard the answer is ``image``, the training mean.

    Attributes:
        image: Mean training movie per pixel, ``height width``.
        weights: Luminance per unit of feature, ``feature pixel`` (pixels row by row).
        lagging: How a response becomes features.
        frame_rate_hz: Frames per second of the recording it was fitted to.
        penalty: The chosen penalty, in units of the mean of the Gram matrix's diagonal.
        penalties: The penalties that were tried, descending.
        scores: Correlation with the movies of the select trials for each of them: the evidence for the choice.
    """

    image: Mask
    weights: Float[Tensor, "feature pixel"]
    lagging: Lagging
    frame_rate_hz: float
    penalty: float
    penalties: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def name(self) -> str:
        """``ridge``."""
        return "ridge"

    @property
    def at_edge(self) -> bool:
        """Whether the chosen penalty is the first or last of several tried, so that a wider grid may do better."""
        return len(self.penalties) > 1 and self.penalty in (self.penalties[0], self.penalties[-1])

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Decode one trial. Nothing is drawn: the seed is not used.

        Raises:
            WrongUse: the observation has another number of neurons, frame size or frame rate.
        """
        began = time.perf_counter()
        refuse_strangers(
            "ridge", observation, neurons=self.lagging.neurons, image=self.image, frame_rate_hz=self.frame_rate_hz
        )
        sums = self.lagging.running_sums(observation.response, observation.heard)
        pixels = [self.lagging.features_at(sums, chunk) @ self.weights for chunk in chunks_of(observation.frames)]
        movie = torch.cat(pixels).reshape(-1, *self.image.shape).add_(self.image).clamp_(0.0, 1.0)
        ended = f"linear map applied, penalty {self.penalty:g}"
        return Reconstruction(movie=movie, ended=ended, seconds=time.perf_counter() - began)

    def save(self, folder: Path) -> None:
        """Write ``decoder.json`` and ``weights.safetensors`` into a folder, which is made when it is not there."""
        tensors = {
            "image": self.image,
            "weights": self.weights,
            "center": self.lagging.center,
            "gain": self.lagging.gain,
        }
        facts = {
            "edges": list(self.lagging.edges),
            "frame_rate_hz": self.frame_rate_hz,
            "penalty": self.penalty,
            "penalties": list(self.penalties),
            "scores": list(self.scores),
        }
        write_decoder(folder, kind=self.name, facts=facts, tensors=tensors)

    @staticmethod
    def load(folder: Path) -> Ridge:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Raises:
            BadData: a file is missing, damaged, or not that of a ridge decoder.
        """
        facts, tensors = read_decoder(folder, kind="ridge", tensors=("image", "weights", "center", "gain"))
        try:
            edges = tuple(int(edge) for edge in facts["edges"])
            ridge = Ridge(
                image=tensors["image"],
                weights=tensors["weights"],
                lagging=Lagging(edges=edges, center=tensors["center"], gain=tensors["gain"]),
                frame_rate_hz=float(facts["frame_rate_hz"]),
                penalty=float(facts["penalty"]),
                penalties=tuple(float(penalty) for penalty in facts["penalties"]),
                scores=tuple(float(score) for score in facts["scores"]),
            )
            fits = tuple(ridge.weights.shape) == (ridge.lagging.features, ridge.image.numel())
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise BadData(f"{folder}/decoder.json does not describe the weights beside it; fit the decoder again.")
        return ridge


def fit_ridge(
    train: Sequence[Trial],
    select: Sequence[Trial],
    *,
    lags: tuple[int, int] = (-2, 18),
    features: int = 4_000,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Fit the lagged linear decoder and choose its penalty on clips that it was not fitted to.

    Rule for the bins: each neuron gets ``features // neurons`` lag bins, at least 1 and at most one for each lag; their
    widths grow threefold from the first lag to the last (4 bins for 1,000 neurons, one for each lag up to 190).

    The normal equations are summed up in blocks of trials (float32 products, float64 sums), so that memory does not
    grow with their number; with fewer frames than features the equivalent system over frames is solved. The penalty is
    the one with the highest movie correlation, pooled over pixels, frames and clips of ``select``.

    Args:
        train: Trials to fit.
        select: Trials of other clips, to choose the penalty on.
        lags: First and last lag in frames; the response ``lag`` frames after a movie frame tells about it.
        features: About how many features (neurons times bins) to use. Memory and time grow with its square.
        penalties: Penalties to try, positive, in units of the mean of the Gram matrix's diagonal.

    Raises:
        WrongUse: no trials, no penalty or a negative one, lags in the wrong order.
        BadData: a trial has no response, or its shape is not that of the first.
    """
    _refuse_misuse(train, select, lags, penalties)
    image = fit_mean(train).image
    center, gain, frames = response_statistics(train)
    lagging = Lagging(edges=bin_edges(lags, max(1, features // len(center))), center=center, gain=gain)
    pairs = feature_pairs(train, lagging, image)
    system = accumulate(pairs, frames=frames, features=lagging.features, pixels=image.numel())
    grid = tuple(sorted((float(penalty) for penalty in penalties), reverse=True))
    seen = scored_pixels(image)
    scores = tuple(
        score_linear(feature_pairs(select, lagging, image), image, seen, system.weights(p, seen)) for p in grid
    )
    best = grid[max(range(len(grid)), key=scores.__getitem__)]
    return Ridge(
        image=image,
        weights=system.weights(best),
        lagging=lagging,
        frame_rate_hz=train[0].frame_rate_hz,
        penalty=best,
        penalties=grid,
        scores=scores,
    )


def _refuse_misuse(
    train: Sequence[Trial], select: Sequence[Trial], lags: tuple[int, int], penalties: Sequence[float]
) -> None:
    need_trials("ridge", train=train, select=select)
    if lags[0] > lags[1]:
        raise WrongUse(f"lags {lags} run backwards; give the first lag first.")
    if not penalties or not all(math.isfinite(penalty) and penalty > 0 for penalty in penalties):
        raise WrongUse(f"penalties {tuple(penalties)} must be one or more positive numbers.")
