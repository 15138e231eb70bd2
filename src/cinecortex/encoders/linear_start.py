"""A closed-form start for the linear-nonlinear baseline, and its settings before it knows a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cinecortex.encoders.fit import TrialClips
from cinecortex.encoders.separable import SPATIAL_SCALE, SeparableEncoder
from cinecortex.recording import Recording, Trial

Clip = tuple[Tensor, Tensor, Tensor]

_LARGE_FRAME = 24
_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def start(encoder: SeparableEncoder, clips: Sequence[Clip]) -> None:
    """Set the parameters from the training clips in closed form: ridge regression, cut to the rank of the encoder.

    One penalty serves all neurons: the one that predicts every fourth clip best from the others. The nonlinearity is
    met to first order, with its slope at the mean response.

    Args:
        encoder: Changed in place.
        clips: Training clips; responses that were not recorded (NaN) count as the mean of their neuron.
    """
    luminance, mean = _means(clips)
    encoder.mean_luminance.copy_(luminance)
    every = range(len(clips))
    gram, cross = _moments(encoder, clips, [i for i in every if i % 4] or every, mean)
    held = _moments(encoder, clips, [i for i in every if i % 4 == 0], mean)
    unit = gram.diagonal().mean().clamp_min(1e-12)
    identity = torch.eye(len(gram))

    def weights(gram: Tensor, cross: Tensor, penalty: float) -> Tensor:
        factor = torch.linalg.cholesky(gram + penalty * unit * identity)
        return torch.cholesky_solve(cross, factor)

    def score(penalty: float) -> float:
        # Mean correlation on the held clips, up to the power of the responses. Squared error would let the many cells
        # that no linear filter predicts choose a penalty that flattens those that one does.
        w = weights(gram, cross, penalty)
        spread = (w * (held[0] @ w)).sum(0).clamp_min(1e-12).sqrt()
        return float(((w * held[1]).sum(0) / spread / mean.clamp_min(1e-3).sqrt()).mean())

    penalty = max(_PENALTIES, key=score)
    solved = weights(gram + held[0], cross + held[1], penalty)
    bumps, rank = encoder.temporal.shape[2], encoder.temporal.shape[0]
    matrices = solved.T.reshape(len(mean), bumps, -1)
    # The leading singular vectors in time, from the small product of each neuron's matrix with its transpose.
    _, vectors = torch.linalg.eigh(matrices @ matrices.transpose(1, 2))
    temporal = vectors[..., -rank:].flip(-1).permute(2, 0, 1)
    level = mean.clamp_min(1e-3)
    offset = level + torch.log(-torch.expm1(-level))  # the inverse of softplus
    with torch.no_grad():
        encoder.offset.copy_(offset)
        encoder.temporal.copy_(temporal)
        spatial = torch.einsum("rnb,nbp->rnp", temporal, matrices) / torch.sigmoid(offset)[:, None]
        encoder.spatial.copy_(spatial / SPATIAL_SCALE)


def _means(clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """Mean luminance, and the mean recorded response of each neuron; one clip is held at a time."""
    luminance: list[Tensor] = []
    totals: list[Tensor] = []
    counts: list[Tensor] = []
    for movie, _, response in clips:
        luminance.append(movie.mean())
        totals.append(response.nansum(0))
        counts.append((~response.isnan()).sum(0))
    return torch.stack(luminance).mean(), torch.stack(totals).sum(0) / torch.stack(counts).sum(0).clamp_min(1)


def _moments(
    encoder: SeparableEncoder, clips: Sequence[Clip], chosen: Sequence[int], mean: Tensor
) -> tuple[Tensor, Tensor]:
    """Products of the features (bumps of pixels) with themselves and with the responses, summed over clips."""
    gram: Tensor | float = 0.0
    cross: Tensor | float = 0.0
    lags = encoder.bump_basis.shape[1]
    for number in chosen:
        movie, _, response = clips[number]
        with torch.no_grad():
            pixels = encoder.look(movie[None])[0]
        padded = torch.cat([pixels[:1].expand(lags - 1, -1), pixels])
        windows = padded.unfold(0, lags, 1)  # time pixel lag, the latest frame last
        features = (windows @ encoder.bump_basis.flip(1).T).transpose(1, 2).flatten(1)
        known = torch.where(response.isnan(), mean, response) - mean
        gram = gram + features.T @ features
        cross = cross + features.T @ known
    return torch.as_tensor(gram), torch.as_tensor(cross)


@dataclass(frozen=True)
class LinearNonlinearSettings:
    """The linear-nonlinear baseline, before it knows a recording.

    Attributes:
        filter_frames: Length of the temporal filters.
        bumps: Raised-cosine bumps that make up a temporal filter.
        rank: Separable filters per neuron.
        coarse: Frames are averaged over squares of this many pixels; None for 2 where the frame has more than 24 rows
            and columns, else 1.
    """

    filter_frames: int = 20
    bumps: int = 6
    rank: int = 2
    coarse: int | None = None

    def build(self, recording: Recording, train: Sequence[Trial]) -> SeparableEncoder:
        """An encoder for this population, started in closed form from the training trials."""
        encoder = SeparableEncoder(
            neurons=len(recording.neurons),
            frame_size=recording.frame_size,
            frame_rate_hz=recording.frame_rate_hz,
            filter_frames=self.filter_frames,
            bumps=self.bumps,
            rank=self.rank,
            coarse=self.coarse or (2 if min(recording.frame_size) > _LARGE_FRAME else 1),
        )
        start(encoder, TrialClips(train))
        return encoder
