"""The peer of the compact encoder: a textbook factorised 3-D convolution core with a bilinear point readout.

Layers of one spatial convolution followed by one temporal convolution, batch normalisation and ELU, and for each neuron
one position at which all features are read by bilinear interpolation: the baseline of the Sensorium 2023 competition
(Turishcheva et al. 2023, arXiv:2305.19654; core after Hoefling et al. 2022, readout after Lurz et al. 2021).
It is written here to be compared with, as good as such a core gets in a few minutes on two CPU cores.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Behaviors, Movie, Movies, PerNeuron, Rates, Response

Clip = tuple[Movie, Behavior, Response]
"""Movie, behavior and response on the same frames."""

GAZE = 2
"""With four behavior channels or more, the last two are gaze, and shift the positions that are read."""

START_FRAMES = 3_000
"""About how many frames the start of the readout looks at."""


class Layer(nn.Module):
    """Spatial convolution, then causal temporal convolution, batch normalisation, ELU, and averaging of places."""

    def __init__(self, before: int, after: int, spatial: int, temporal: int, pool: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(before, after, spatial, padding=spatial // 2, bias=False)
        self.temporal = nn.Conv2d(after, after, (temporal, 1), bias=False)
        self.norm = nn.BatchNorm2d(after)
        self.reach, self.pool = temporal - 1, pool

    def forward(self, features: Tensor) -> Tensor:
        """``batch time height width channel`` in and out."""
        batch, frames, height, width, _ = features.shape
        # Frames are a batch to the spatial kernel; time is a spatial axis to the temporal one. With channels last both
        # read the same memory, and two-dimensional convolutions are several times faster on a CPU than the
        # three-dimensional ones that they equal.
        features = self.spatial(features.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        features = features.reshape(batch, frames, height * width, -1)
        features = functional.pad(features, (0, 0, 0, 0, self.reach, 0))
        features = functional.elu(self.norm(self.temporal(features.permute(0, 3, 1, 2))))
        features = features.permute(0, 2, 3, 1)
        if self.pool == 1:
            return features.reshape(batch, frames, height, width, -1)
        features = features.reshape(batch * frames, height, width, -1).permute(0, 3, 1, 2)
        features = functional.avg_pool2d(features, self.pool, ceil_mode=True).permute(0, 2, 3, 1)
        return features.reshape(batch, frames, *features.shape[1:])


class ConvolutionalCore(Encoder):
    """``rate = ELU(weights . features(position + shift(gaze)) + gain . behavior + bias) + 1``, times a scale.

    Args:
        neurons: Neurons to predict.
        frame_size: Height and width of the movies.
        frame_rate_hz: Frames per second.
        behavior_channels: How many behavior channels there are.
        channels: Features of each layer.
        spatial, temporal: Kernel sizes of each layer, odd in space.
        pool: Side of the squares that the first layer's features are averaged over; 1 keeps every pixel.
        seed: Where the first weights are drawn from.
    """

    kind = "convolutional_core"
    scale: Tensor
    behavior_mean: Tensor
    behavior_std: Tensor

    def __init__(
        self,
        neurons: int,
        frame_size: tuple[int, int],
        frame_rate_hz: float,
        *,
        behavior_channels: int = 0,
        channels: Sequence[int] = (16, 16, 16),
        spatial: Sequence[int] = (9, 5, 5),
        temporal: Sequence[int] = (9, 5, 5),
        pool: int = 2,
        seed: Seed = Seed(0),  # noqa: B008  (a frozen value)
    ) -> None:
        super().__init__()
        self.frame_size, self.frame_rate_hz = frame_size, frame_rate_hz
        self.memory = 1 + sum(size - 1 for size in temporal)
        pools = (pool, *(1 for _ in channels[1:]))
        sizes = zip((1, *channels[:-1]), channels, spatial, temporal, pools, strict=True)
        layers = [Layer(*size) for size in sizes]
        self.core = nn.Sequential(*layers)
        self.position = nn.Parameter(torch.zeros(neurons, 2))  # x, y from -1 to 1, as grid_sample takes them
        self.weights = nn.Parameter(torch.zeros(neurons, channels[-1]))
        self.bias = nn.Parameter(torch.zeros(neurons))
        self.gain = nn.Parameter(torch.zeros(neurons, behavior_channels))
        self.shift = nn.Parameter(torch.zeros(GAZE, 2))
        self.register_buffer("scale", torch.ones(neurons))
        self.register_buffer("behavior_mean", torch.zeros(behavior_channels))
        self.register_buffer("behavior_std", torch.ones(behavior_channels))
        self._draw(seed.torch(), layers[0].spatial.weight)

    def _draw(self, numbers: torch.Generator, first: Tensor) -> None:
        for module in self.core.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=numbers)
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            # Band-pass first kernels: without a mean, and smooth. White ones would follow little but the luminance.
            smooth = _blurred(first.flatten(0, 1), 1.0)
            smooth = smooth - smooth.mean((1, 2), keepdim=True)
            first.copy_((smooth / smooth.std((1, 2), keepdim=True) * first.std()).reshape(first.shape))
            self.position.uniform_(-0.8, 0.8, generator=numbers)
            self.weights.normal_(0.0, 0.05, generator=numbers)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return len(self.bias)

    def features(self, movies: Movies) -> Tensor:
        """What the core makes of movies: ``batch time channel height width``."""
        features: Tensor = self.core((movies.unsqueeze(-1) - 0.5) / 0.25)
        return features.movedim(-1, 2)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses; see the class."""
        batch, frames = movies.shape[:2]
        behavior = ((behaviors - self.behavior_mean) / self.behavior_std).nan_to_num()
        places = self.position.expand(batch, frames, -1, -1)
        if behavior.shape[2] >= 2 + GAZE:
            places = places + (behavior[..., -GAZE:] @ self.shift).unsqueeze(2)
        features = self.features(movies).flatten(0, 1)
        read = functional.grid_sample(
            features, places.flatten(0, 1).unsqueeze(1), padding_mode="border", align_corners=False
        )
        drive = torch.einsum("fcn,nc->fn", read.squeeze(2), self.weights).reshape(batch, frames, -1)
        return self.scale * (functional.elu(drive + behavior @ self.gain.T + self.bias) + 1.0 + 1e-4)


@torch.no_grad()
def start_readout(encoder: ConvolutionalCore, clips: Sequence[Clip], *, blur: float = 1.0) -> None:
    """Start every neuron at the place where the features of the (random) core explain its response best.

    Responses are regressed on the features of each place in turn (a ridge of 5 % of the mean variance); the shares of
    variance explained are blurred (``blur``, in places), the highest place is the position, and the regression there
    gives the first weights. Rates are scaled to the mean responses.
    """
    responses = torch.cat([response for _, _, response in clips]).nan_to_num()
    behavior = torch.cat([channels for _, channels, _ in clips])
    encoder.scale.copy_(responses.mean(0).clamp_min(1e-3))
    if behavior.shape[1]:
        encoder.behavior_mean.copy_(behavior.nanmean(0))
        encoder.behavior_std.copy_((behavior - encoder.behavior_mean).square().nanmean(0).sqrt().clamp_min(1e-6))
    encoder.train()
    covariance, products, means = torch.zeros(()), torch.zeros(()), torch.zeros(())
    spread = responses.std(0).clamp_min(1e-6)
    for movie, _, response in clips:
        settled = encoder.settled(len(movie))
        features = encoder.features(movie[None])[0, settled]
        height, width = features.shape[2:]
        features = features.permute(2, 3, 1, 0).flatten(0, 1)  # place channel time
        means = means + features.mean(2) / len(clips)
        features = features - features.mean(2, keepdim=True)
        scores = (response.nan_to_num()[settled] - responses.mean(0)) / spread
        covariance = covariance + features @ features.mT
        products = products + features @ scores
    power = covariance.diagonal(dim1=1, dim2=2).mean(1)
    covariance.diagonal(dim1=1, dim2=2).add_((0.05 * power + 1e-6)[:, None])
    weights = torch.linalg.solve(covariance, products)  # place channel neuron
    explained = (weights * products).sum(1).T.reshape(-1, height, width)
    best = _blurred(explained, blur).flatten(1).argmax(1)
    rows, columns = best // width, best % width
    encoder.position.copy_(torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=1))
    at_best = weights[best, :, torch.arange(len(best))]
    encoder.weights.copy_(at_best * (spread / encoder.scale)[:, None])
    # Features have a mean of their own; the bias takes it away, so that ELU + 1 is 1 there: the mean response.
    encoder.bias.copy_(-(means[best] * encoder.weights).sum(1))


def _blurred(maps: Tensor, sigma: float) -> Tensor:
    reach = round(3 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    kernel = kernel / kernel.sum()
    maps = functional.conv2d(maps.unsqueeze(1), kernel[None, None, :, None], padding=(reach, 0))
    return functional.conv2d(maps, kernel[None, None, None, :], padding=(0, reach)).squeeze(1)


@dataclass(frozen=True)
class Progress:
    """The state of a fit.

    Attributes:
        seconds: Time spent in training so far, the start of the readout included, scoring left out.
        frames: Movie frames that went forward and backward so far.
        loss: Mean Poisson loss since the last row.
        correlation: Correlation of rate and response on held-out clips, one for each neuron.
    """

    seconds: float
    frames: int
    loss: float
    correlation: PerNeuron

    @property
    def frames_per_second(self) -> float:
        """Training speed."""
        return self.frames / self.seconds


def train(
    encoder: ConvolutionalCore,
    clips: Sequence[Clip],
    held_out: Sequence[Clip],
    *,
    seconds: float = 120.0,
    steps: int | None = None,
    every_seconds: float = 10.0,
    learning_rate: float = 1e-2,
    batch: int = 2,
    frames: int = 64,
    start: bool = True,
    seed: Seed = Seed(0),  # noqa: B008
) -> Iterator[Progress]:
    """Fit by Adam on the Poisson loss of random windows, and report on the way.

    The learning rate warms up over the first 20 steps and falls to a tenth of itself, by a cosine, as the time (or the
    number of steps, where given) runs out.
    """
    numbers = (seed / "windows").numpy()
    losses: list[float] = []
    began, frames_done, due = time.perf_counter(), 0, every_seconds
    if start:
        start_readout(encoder, clips[: max(1, START_FRAMES // len(clips[0][0]))])
    optimizer = torch.optim.Adam(encoder.parameters(), lr=learning_rate)
    step, spent = 0, time.perf_counter() - began
    while True:
        done = step / steps if steps is not None else spent / seconds
        if losses and (done >= 1.0 or spent >= due):
            yield Progress(spent, frames_done, sum(losses) / len(losses), correlations(encoder, held_out))
            due, losses = spent + every_seconds, []
        if done >= 1.0:
            return
        began = time.perf_counter()
        rate = 0.1 + 0.9 * 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * done))))
        optimizer.param_groups[0]["lr"] = learning_rate * rate * min(1.0, (step + 1) / 20)
        losses.append(_step(encoder, optimizer, _windows(clips, numbers, batch, frames + encoder.memory - 1)))
        step, spent = step + 1, spent + time.perf_counter() - began
        frames_done += batch * (frames + encoder.memory - 1)


def _windows(clips: Sequence[Clip], numbers: np.random.Generator, batch: int, frames: int) -> tuple[Tensor, ...]:
    """Random windows of equal length from random clips: movies, behaviors, responses."""
    frames = min(frames, *(len(movie) for movie, _, _ in clips))
    chosen = []
    for clip in numbers.integers(len(clips), size=batch):
        first = int(numbers.integers(len(clips[clip][0]) - frames + 1))
        chosen.append([array[first : first + frames] for array in clips[clip]])
    return tuple(torch.stack(arrays) for arrays in zip(*chosen, strict=True))


def _step(encoder: ConvolutionalCore, optimizer: torch.optim.Optimizer, windows: tuple[Tensor, ...]) -> float:
    movies, behaviors, responses = windows
    encoder.train()
    settled = encoder.settled(movies.shape[1])
    rate, responses = encoder(movies, behaviors)[:, settled], responses[:, settled]
    known = torch.isfinite(responses)
    # Per neuron in units of its mean response, so that quiet and busy neurons pull alike.
    loss = ((rate - responses.nan_to_num() * rate.log()) / encoder.scale)[known].mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def correlations(encoder: Encoder, clips: Sequence[Clip]) -> PerNeuron:
    """Correlation of rate and response over the settled frames of all clips together, one for each neuron."""
    encoder.eval()
    pairs = []
    for movie, behavior, response in clips:
        settled = encoder.settled(len(movie))
        pairs.append((encoder(movie[None], behavior[None])[0, settled], response[settled]))
    rate, response = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
    known = torch.isfinite(response).all(1)
    rate, response = rate[known] - rate[known].mean(0), response[known] - response[known].mean(0)
    power = (rate.square().sum(0) * response.square().sum(0)).sqrt()
    return torch.where(power > 0, (rate * response).sum(0) / power.clamp_min(1e-12), 0.0).float()


def benchmark_core(
    train_clips: Sequence[Clip],
    select_clips: Sequence[Clip],
    ceiling: PerNeuron,
    seconds: float,
    *,
    frame_rate_hz: float = 30.0,
    seed: Seed = Seed(0),  # noqa: B008
) -> list[tuple[float, int, float]]:
    """Learning curve of the core: rows of seconds of training, frames trained on, fraction of the noise ceiling.

    Args:
        train_clips: Clips to fit.
        select_clips: Clips to score on.
        ceiling: Highest correlation with a single trial that a perfect encoder could reach, for each neuron.
        seconds: Training time; scoring is not counted.
        frame_rate_hz: Frames per second of the clips.
        seed: Where weights and windows are drawn from.

    Returns:
        About 30 rows. The fraction is the mean correlation over the mean ceiling of all neurons.
    """
    movie, behavior, response = train_clips[0]
    encoder = ConvolutionalCore(
        response.shape[1],
        (movie.shape[1], movie.shape[2]),
        frame_rate_hz,
        behavior_channels=behavior.shape[1],
        seed=seed / "weights",
    )
    rows = train(encoder, train_clips, select_clips, seconds=seconds, every_seconds=seconds / 30, seed=seed)
    return [(row.seconds, row.frames, float(row.correlation.mean() / ceiling.mean())) for row in rows]
