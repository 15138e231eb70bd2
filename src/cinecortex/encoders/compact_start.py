"""A closed-form start for the compact encoder: correlate every response with a dictionary of Gabor pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.compact import CompactEncoder

Clip = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class _Dictionary:
    """Pairs of filters in quadrature, unit norm, with where and how large they are."""

    even: Float[Tensor, "pair pixel"]
    odd: Float[Tensor, "pair pixel"]
    centre_px: Float[Tensor, "pair two"]
    size_px: Float[Tensor, "pair"]


def _gabor_dictionary(encoder: CompactEncoder, sizes_px: Sequence[float]) -> _Dictionary:
    height, width = encoder.frame_size
    rows, columns = torch.meshgrid(encoder.rows_px, encoder.columns_px, indexing="ij")
    even: list[Tensor] = []
    odd: list[Tensor] = []
    centres, sizes = [], []
    for size in sizes_px:
        step = max(1.0, 1.25 * size)
        places = torch.cartesian_prod(torch.arange(0.0, height, step), torch.arange(0.0, width, step))
        y = rows.flatten()[None] - places[:, :1]
        x = columns.flatten()[None] - places[:, 1:]
        envelope = torch.exp(-(y**2 + x**2) / (2 * size**2))
        shapes = [(math.inf, 0.0)] + [(ratio * size, angle * math.pi / 6) for ratio in (2.5, 5.0) for angle in range(6)]
        for wavelength, angle in shapes:
            phase = 2 * math.pi / wavelength * (x * math.cos(angle) + y * math.sin(angle))
            pair = envelope * torch.cos(phase), envelope * torch.sin(phase)
            for store, filters in zip((even, odd), pair, strict=True):
                store.append(filters / filters.norm(dim=1, keepdim=True).clamp_min(1e-6))
            centres.append(places)
            sizes.append(torch.full((len(places),), size))
    return _Dictionary(torch.cat(even), torch.cat(odd), torch.cat(centres), torch.cat(sizes))


def _candidate_kernels(frames: int, frame_rate_hz: float) -> Float[Tensor, "kernel lag"]:
    """A sustained and two transient temporal kernels, at the latencies of visual neurons."""
    seconds = (torch.arange(frames) + 0.5) / frame_rate_hz

    def gamma(peak_s: float) -> Tensor:
        ratio = seconds / peak_s
        return (ratio * torch.exp(1 - ratio)) ** 3

    fast, slow = gamma(0.07), gamma(0.16)
    kernels = torch.stack([gamma(0.11), fast / fast.sum() - 0.8 * slow / slow.sum(), fast])
    unit: Tensor = kernels / kernels.norm(dim=1, keepdim=True)
    return unit


def _correlate(features: Float[Tensor, "frame feature"], responses: Float[Tensor, "frame neuron"]) -> Tensor:
    """Correlation of every feature with every response; the responses are standardised already."""
    features = features - features.mean(0)
    length = features.norm(dim=0).clamp_min(1e-6)[:, None] * math.sqrt(len(responses))
    correlation: Tensor = features.T @ responses / length
    return correlation


def start(encoder: CompactEncoder, clips: Sequence[Clip], *, most_frames: int = 6_000) -> None:
    """Set the parameters of ``encoder`` from the training clips, without any descent.

    Every neuron gets the Gabor pair and the temporal kernel that explain most of its variance, as a signed (linear)
    and an energy response together; the mixture follows by non-negative least squares.

    Args:
        encoder: Changed in place.
        clips: Training clips: movie, behavior and response of each.
        most_frames: Frames to correlate over; they are taken evenly from the clips.
    """
    kernels = _candidate_kernels(encoder.bump_basis.shape[1], encoder.frame_rate_hz)
    total = sum(movie.shape[0] for movie, _, _ in clips)
    stride = max(1, math.ceil(total / most_frames))
    mean = float(torch.stack([movie.mean() for movie, _, _ in clips]).mean())
    encoder.mean_luminance.fill_(mean)
    filtered, responses = _filtered_frames(encoder, clips, kernels, stride)
    standard = responses - responses.mean(0)
    standard = standard / standard.norm(dim=0).clamp_min(1e-6) * math.sqrt(len(standard))

    dictionary = _gabor_dictionary(encoder, (1.5, 2.5, 4.0) if min(encoder.frame_size) > 24 else (0.7, 1.2, 2.0))
    best = _Best.empty(encoder.neurons)
    for k, frames in enumerate(filtered):
        for first in range(0, len(dictionary.size_px), 1024):
            part = slice(first, first + 1024)
            even, odd = frames @ dictionary.even[part].T, frames @ dictionary.odd[part].T
            energy = even**2 + odd**2
            best.update(_correlate(even, standard), _correlate(odd, standard), _correlate(energy, standard), k, first)
    with torch.no_grad():
        _set_filters(encoder, dictionary, best, kernels, clips)
        _set_mixture(encoder, clips)


@dataclass
class _Best:
    """The best pair found so far for every neuron."""

    score: Tensor
    pair: Tensor
    kernel: Tensor
    even: Tensor
    odd: Tensor

    @staticmethod
    def empty(neurons: int) -> _Best:
        zero = torch.zeros(neurons)
        index = torch.zeros(neurons, dtype=torch.long)
        return _Best(zero - 1, index, index.clone(), zero.clone(), zero.clone())

    def update(self, even: Tensor, odd: Tensor, energy: Tensor, kernel: int, first: int) -> None:
        # A negative correlation with energy is suppression, which the drive cannot express: it earns nothing.
        score = even**2 + odd**2 + energy.clamp_min(0) ** 2
        value, index = score.max(0)
        better = value > self.score
        take = index[None]
        self.even = torch.where(better, even.gather(0, take)[0], self.even)
        self.odd = torch.where(better, odd.gather(0, take)[0], self.odd)
        self.pair = torch.where(better, index + first, self.pair)
        self.kernel = torch.where(better, torch.full_like(self.kernel, kernel), self.kernel)
        self.score = torch.where(better, value, self.score)


def _filtered_frames(
    encoder: CompactEncoder, clips: Sequence[Clip], kernels: Tensor, stride: int
) -> tuple[list[Tensor], Tensor]:
    filtered: list[list[Tensor]] = [[] for _ in kernels]
    responses = []
    for movie, _, response in clips:
        pixels = encoder.look(movie[None])[0].transpose(1, 2).flatten(1)
        chosen = torch.arange(min(encoder.memory, len(movie) - 1), len(movie), stride)
        lags = chosen[:, None] - torch.arange(kernels.shape[1])
        for k, kernel in enumerate(kernels):
            weights = torch.zeros(len(chosen), len(movie)).scatter_add_(
                1, lags.clamp_min(0), kernel.expand(len(chosen), -1).contiguous()
            )
            filtered[k].append(weights @ pixels)
        responses.append(response[chosen])
    joined = torch.cat(responses)
    known = torch.isfinite(joined).all(1)
    return [torch.cat(frames)[known] for frames in filtered], joined[known]


def _set_filters(
    encoder: CompactEncoder, dictionary: _Dictionary, best: _Best, kernels: Tensor, clips: Sequence[Clip]
) -> None:
    length = torch.sqrt(best.even**2 + best.odd**2).clamp_min(1e-6)
    cosine, sine = (best.even / length)[:, None], (best.odd / length)[:, None]
    even, odd = dictionary.even[best.pair], dictionary.odd[best.pair]
    encoder.centre_px.copy_(dictionary.centre_px[best.pair])
    encoder.window_px.copy_(2.5 * dictionary.size_px[best.pair] + 1.0)
    shape = encoder.spatial.shape[2:]
    encoder.spatial[0, 0].copy_((cosine * even + sine * odd).reshape(shape))
    encoder.spatial[0, 1].copy_((cosine * odd - sine * even).reshape(shape))
    # Further pairs look a little beside the first, each to another side, and have yet to earn their weight.
    for number in range(1, encoder.spatial.shape[0]):
        side = (0, 1) if number % 2 else (1, 0)
        shift = (number + 1) // 2
        encoder.spatial[number].copy_(0.3 * encoder.spatial[0].roll((shift * side[0], shift * side[1]), (2, 3)))
    # Least squares of the kernels on the bumps; p takes filter 1, q takes filter 2. In double precision, because the
    # single-precision solver does not return the same bits twice.
    bumps = encoder.bump_basis.double()
    weights = torch.linalg.solve(bumps @ bumps.T, bumps @ kernels.double().T).T.float()[best.kernel]
    encoder.temporal.zero_()
    encoder.temporal[:, 0, 0] = weights
    encoder.temporal[:, 1, 1] = weights
    # Bring p to unit variance on some training clips, so that every term of the mixture starts at a like scale.
    some = clips[:: max(1, len(clips) // 8)][:8]
    square, count = torch.zeros(encoder.neurons), 0
    for movie, _, _ in some:
        p, _ = encoder.seen(movie[None])
        square, count = square + (p[0, :, 0] ** 2).sum(1), count + p.shape[-1]
    scale = torch.sqrt(square / count).clamp_min(1e-6)
    encoder.spatial.div_(scale[:, None, None])


def _set_mixture(encoder: CompactEncoder, clips: Sequence[Clip], *, steps: int = 300) -> None:
    """Non-negative least squares of the responses on the three terms and a constant, all neurons at once."""
    some = clips[:: max(1, len(clips) // 24)][:24]
    gram = torch.zeros(encoder.neurons, 4, 4)
    cross = torch.zeros(encoder.neurons, 4)
    for movie, _, response in some:
        known = torch.isfinite(response).all(1)
        terms = torch.stack([term[:, 0] for term in encoder.terms(*encoder.seen(movie[None]))], 1)
        features = torch.cat([terms, torch.ones_like(terms[:, :1])], 1)[:, :, known]
        gram += features @ features.transpose(1, 2)
        cross += (features @ response[known].T[:, :, None])[..., 0]
    scale = gram.diagonal(dim1=1, dim2=2).sqrt().clamp_min(1e-6)
    gram = gram / (scale[:, :, None] * scale[:, None, :]) + 0.02 * torch.eye(4)
    cross = cross / scale
    weight = torch.zeros_like(cross)
    step = 1 / torch.linalg.eigvalsh(gram)[:, -1:]
    for _ in range(steps):
        weight = (weight - step * ((gram @ weight[..., None])[..., 0] - cross)).clamp_min(0)
    weight = weight / scale
    smallest = 1e-3 * response.nanmean(0).clamp_min(1e-3)
    mixture, baseline = weight[:, :3], weight[:, 3]
    encoder.mixture.copy_(_inverse_softplus(torch.maximum(mixture, smallest[:, None]).T))
    encoder.baseline.copy_(_inverse_softplus(torch.maximum(baseline, smallest)))


def _inverse_softplus(value: Tensor) -> Tensor:
    return value + torch.log(-torch.expm1(-value.clamp_min(1e-6)))
