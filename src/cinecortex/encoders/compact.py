"""The compact encoder: two spatial filters per neuron, all neurons in one matrix product, made for two CPU cores."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.tensors import Behaviors, Movies, Rates

_POOL_GRID = (4, 6)
Pairs = Float[Tensor, "batch pair neuron time"]


class CompactEncoder(Encoder):
    """A per-neuron spatiotemporal energy model with divisive normalisation.

    For every neuron, two windowed spatial filters look at each frame (one matrix product for the whole population);
    causal temporal filters mix their outputs into a pair ``p, q``, so that a neuron can be direction-selective; a
    learned non-negative mixture of half-rectified, half-squared and energy terms gives the drive; the drive is divided
    by the pooled drive of the recorded neighbours, multiplied by a gain from behavior, smoothed in time (calcium) and
    added to a baseline. Gaze, where it is recorded, moves the frame under the filters.

    Frames before the start of a movie are taken to equal its first frame.

    Args:
        neurons: Number of neurons.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.
        behavior_channels: Names of the behavior channels; those that start with ``gaze`` shift the frame, the others
            set the gain.
        filter_frames: Length of the temporal filters.
        bumps: Raised-cosine bumps that make up a temporal filter.
        smoothing_past, smoothing_future: Reach of the smoothing in time. It looks ahead a little because calcium
            sampled slower than the movie and interpolated does.
        pairs: Pairs of filters per neuron; those after the first add to the energy only.
        coarse: The filters look at a frame of this many times fewer pixels along each axis, brought there by leaving
            out the finer DCT coefficients. 2 is right for mice at 36x64 px, whose cells do not see finer detail.
        blur_px: Standard deviation of the blur that every spatial filter is passed through, in pixels of the frame;
            it makes neighbouring pixels share what they learn.

    Sources: Adelson & Bergen 1985, J Opt Soc Am A 2:284 (energy model); Heeger 1992, Vis Neurosci 9:181
    (normalisation); Pillow et al. 2005, J Neurosci 25:11003 (raised-cosine bumps).
    """

    kind = "compact"

    def __init__(
        self,
        *,
        neurons: int,
        frame_size: tuple[int, int],
        frame_rate_hz: float = 30.0,
        behavior_channels: tuple[str, ...] = (),
        filter_frames: int = 16,
        bumps: int = 7,
        smoothing_past: int = 8,
        smoothing_future: int = 3,
        pairs: int = 2,
        coarse: int = 1,
        blur_px: float = 0.8,
    ) -> None:
        super().__init__()
        self.settings = {
            "neurons": neurons,
            "frame_size": list(frame_size),
            "frame_rate_hz": frame_rate_hz,
            "behavior_channels": list(behavior_channels),
            "filter_frames": filter_frames,
            "bumps": bumps,
            "smoothing_past": smoothing_past,
            "smoothing_future": smoothing_future,
            "pairs": pairs,
            "coarse": coarse,
            "blur_px": blur_px,
        }
        height, width = frame_size
        self.frame_size, self.frame_rate_hz = frame_size, frame_rate_hz
        self.memory = filter_frames + smoothing_past
        self._past, self._future = smoothing_past, smoothing_future
        gaze = [i for i, name in enumerate(behavior_channels) if name.startswith("gaze")]
        self._gaze, self._arousal = gaze, [i for i in range(len(behavior_channels)) if i not in gaze]

        grid = (math.ceil(height / coarse), math.ceil(width / coarse))
        self.spatial = nn.Parameter(torch.zeros(pairs, 2, neurons, *grid))
        self.temporal = nn.Parameter(torch.zeros(pairs, 2, 2, neurons, bumps))  # pair, output p or q, filter
        self.mixture = nn.Parameter(torch.full((5, neurons), -3.0))
        self.pool_strength = nn.Parameter(torch.full((neurons,), 0.5))
        self.pool_weight = nn.Parameter(torch.zeros(neurons))
        self.smoothing = nn.Parameter(torch.zeros(neurons, smoothing_past + smoothing_future + 1))
        self.baseline = nn.Parameter(torch.full((neurons,), -3.0))
        self.gain = nn.Parameter(torch.zeros(neurons, len(self._arousal)))
        # Not zero: bilinear interpolation has a kink there, and with it no gradient.
        self.gaze_shift_px = nn.Parameter(torch.full((2, len(gaze)), 0.05))

        self.register_buffer("centre_px", torch.zeros(neurons, 2))
        self.register_buffer("window_px", torch.full((neurons,), 4.0))
        self.register_buffer("behavior_mean", torch.zeros(len(behavior_channels)))
        self.register_buffer("behavior_std", torch.ones(len(behavior_channels)))
        self.register_buffer("mean_luminance", torch.tensor(0.5))
        self.register_buffer("bump_basis", raised_cosine_bumps(bumps, filter_frames), persistent=False)
        self.register_buffer("shrink_rows", shrink_matrix(height, grid[0]), persistent=False)
        self.register_buffer("shrink_columns", shrink_matrix(width, grid[1]), persistent=False)
        self.register_buffer("blur_rows", blur_matrix(grid[0], blur_px / coarse), persistent=False)
        self.register_buffer("blur_columns", blur_matrix(grid[1], blur_px / coarse), persistent=False)
        self.register_buffer("rows_px", _centres(height, grid[0]), persistent=False)
        self.register_buffer("columns_px", _centres(width, grid[1]), persistent=False)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.spatial.shape[2]

    @property
    def behavior_at_rest(self) -> Float[Tensor, "channel"]:
        """Mean behavior over the training clips."""
        return self.behavior_mean

    def shrink(self, movies: Movies) -> Movies:
        """The frames as the filters see them: mean luminance removed, at the resolution of the filters."""
        return self.shrink_rows @ (movies - self.mean_luminance) @ self.shrink_columns.T

    def filters(self) -> Float[Tensor, "pair two neuron height width"]:
        """The spatial filters as they meet the shrunken frame: blurred and windowed."""
        blurred = self.blur_rows @ self.spatial @ self.blur_columns.T
        row, column = self.centre_px[:, :1], self.centre_px[:, 1:]
        reach = 2 * self.window_px[:, None] ** 2
        vertical = torch.exp(-((self.rows_px - row) ** 2) / reach)
        horizontal = torch.exp(-((self.columns_px - column) ** 2) / reach)
        return blurred * vertical[:, :, None] * horizontal[:, None, :]

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses, in the unit of the recording."""
        behaviors = (behaviors - self.behavior_mean) / self.behavior_std
        drive = self._drive(*self.seen(self._follow_gaze(movies, behaviors)))
        drive = drive / (1 + functional.softplus(self.pool_strength)[:, None] * self._pool(drive))
        drive = drive * self._gain(behaviors)
        rate = self._smooth(drive) + functional.softplus(self.baseline)[:, None] + 1e-4
        return rate.transpose(1, 2)

    def _follow_gaze(self, movies: Movies, behaviors: Behaviors) -> Movies:
        if not self._gaze:
            return movies
        shift = behaviors[..., self._gaze] @ self.gaze_shift_px.T  # batch time (row, column)
        return shift_frames(movies, shift)

    def _filter_in_time(self, projected: Float[Tensor, "batch pair two neuron time"]) -> tuple[Pairs, Pairs]:
        time, lags = projected.shape[-1], self.bump_basis.shape[1]
        kernel = self.temporal @ self.bump_basis  # pair output filter neuron lag
        first = projected[..., :1]
        length = _good_length(time + lags - 1)
        spectrum = torch.fft.rfft(projected - first, n=length)
        transfer = torch.fft.rfft(kernel, n=length)
        gain = kernel.sum(-1, keepdim=True)
        outputs = []
        for output in range(2):
            mixed = (spectrum * transfer[:, output]).sum(2)
            steady = (first * gain[:, output]).sum(2)
            outputs.append(torch.fft.irfft(mixed, n=length)[..., :time] + steady)
        return outputs[0], outputs[1]

    def seen(self, movies: Movies) -> tuple[Pairs, Pairs]:
        """The outputs ``p`` and ``q`` of each pair of filters in space and time, before any nonlinearity."""
        pixels = self.shrink(movies).flatten(2)
        filters = self.filters().flatten(0, 2).flatten(1)
        # Time is last from here on: it is what the filters and the smoothing run along.
        projected = torch.matmul(filters, pixels.transpose(1, 2))
        return self._filter_in_time(projected.unflatten(1, self.spatial.shape[:3]))

    @staticmethod
    def terms(p: Pairs, q: Pairs) -> tuple[Tensor, ...]:
        """What the drive is a mixture of: rectified (both signs), half-squared, energy and its square root."""
        first = p[:, 0]
        on, energy = functional.relu(first), (p * p + q * q).sum(1)
        return on, functional.relu(-first), on * on, energy, torch.sqrt(energy + 1e-2)

    def _drive(self, p: Pairs, q: Pairs) -> Float[Tensor, "batch neuron time"]:
        weights = functional.softplus(self.mixture)[:, :, None]
        drive = torch.zeros_like(p[:, 0])
        for weight, term in zip(weights, self.terms(p, q), strict=True):
            drive = drive + weight * term
        return drive

    def _pool(self, drive: Float[Tensor, "batch neuron time"]) -> Float[Tensor, "batch neuron time"]:
        """Weighted mean drive of the neurons around each neuron, by way of a coarse grid of places on the screen."""
        weight = functional.softplus(self.pool_weight)
        gather, spread = self._pool_maps()
        gather = gather * weight
        gather = gather / gather.sum(1, keepdim=True).clamp_min(1e-6)
        return spread @ (gather @ drive)

    def _pool_maps(self) -> tuple[Float[Tensor, "place neuron"], Float[Tensor, "neuron place"]]:
        (rows, columns), (height, width) = _POOL_GRID, self.frame_size
        row = (torch.arange(rows, device=self.device) + 0.5) * height / rows
        column = (torch.arange(columns, device=self.device) + 0.5) * width / columns
        places = torch.cartesian_prod(row, column)
        spacing = torch.tensor([height / rows, width / columns], device=self.device)
        distance = (((self.centre_px[:, None] - places[None]) / spacing) ** 2).sum(-1)
        near = torch.exp(-0.5 * distance)
        return near.T, near / near.sum(1, keepdim=True).clamp_min(1e-6)

    def _gain(self, behaviors: Behaviors) -> Float[Tensor, "batch neuron time"] | float:
        if not self._arousal:
            return 1.0
        # Bounded, so that no excursion of running speed beyond the training data can run away with the rate.
        return torch.exp(torch.tanh(self.gain @ behaviors[..., self._arousal].transpose(1, 2)))

    def _smooth(self, drive: Float[Tensor, "batch neuron time"]) -> Float[Tensor, "batch neuron time"]:
        time = drive.shape[-1]
        kernel = torch.softmax(self.smoothing, -1)
        padded = functional.pad(drive, (self._past, self._future), mode="replicate")
        length = _good_length(time + 2 * (self._past + self._future))
        # Correlation rather than convolution: tap k of the kernel looks at frame t - past + k.
        product = torch.fft.rfft(padded, n=length) * torch.fft.rfft(kernel, n=length).conj()
        return torch.fft.irfft(product, n=length)[..., :time]


def raised_cosine_bumps(bumps: int, frames: int) -> Float[Tensor, "bump lag"]:
    """Raised-cosine bumps on a logarithmic lag axis, each of unit norm, peaking from lag 0 to near ``frames``.

    Source: Pillow et al. 2005, J Neurosci 25:11003.
    """
    stretched = torch.log(torch.arange(frames, dtype=torch.float32) + 1.5)
    peaks = torch.linspace(float(stretched[0]), float(stretched[-1]) * 0.93, bumps)
    spacing = peaks[1] - peaks[0]
    phase = ((stretched[None] - peaks[:, None]) * math.pi / (2 * spacing)).clamp(-math.pi, math.pi)
    basis = (1 + torch.cos(phase)) / 2
    return basis / basis.norm(dim=1, keepdim=True)


def blur_matrix(size: int, sigma: float) -> Float[Tensor, "pixel pixel"]:
    """Gaussian blur along one axis as a matrix; rows sum to one, also at the border. Sigma 0 is no blur."""
    if sigma <= 0:
        return torch.eye(size)
    position = torch.arange(size, dtype=torch.float32)
    weight = torch.exp(-0.5 * ((position[:, None] - position[None]) / sigma) ** 2)
    return weight / weight.sum(1, keepdim=True)


def shrink_matrix(size: int, fewer: int) -> Float[Tensor, "coarse fine"]:
    """Resampling along one axis by keeping the ``fewer`` coarsest DCT-II coefficients; a constant stays what it is."""
    if fewer == size:
        return torch.eye(size)
    fine, coarse = (
        torch.cos(math.pi / n * torch.outer(torch.arange(fewer, dtype=torch.float64), torch.arange(n) + 0.5))
        for n in (size, fewer)
    )
    weight = torch.full((fewer, 1), 2.0, dtype=torch.float64)
    weight[0] = 1.0
    return (coarse.T @ (weight * fine) / size).float()


def _centres(size: int, fewer: int) -> Float[Tensor, "coarse"]:
    return (torch.arange(fewer, dtype=torch.float32) + 0.5) * size / fewer - 0.5


def shift_frames(movies: Movies, shift_px: Float[Tensor, "batch time two"]) -> Movies:
    """Each frame as seen after the eye moved by ``shift_px`` (rows down, columns right), bilinear, edges repeated."""
    batch, time, height, width = movies.shape
    device, dtype = movies.device, movies.dtype
    row = torch.arange(height, device=device, dtype=dtype) + shift_px[..., :1]
    column = torch.arange(width, device=device, dtype=dtype) + shift_px[..., 1:]
    return _interpolation(column, width, _interpolation(row, height, movies), along_width=True)


def _interpolation(
    position: Float[Tensor, "batch time size"], size: int, movies: Movies, along_width: bool = False
) -> Movies:
    """Linear interpolation along one axis as a batched product with hat functions: differentiable in both arguments."""
    nodes = torch.arange(size, device=movies.device, dtype=movies.dtype)
    hats = functional.relu(1 - (position.clamp(0, size - 1)[..., None] - nodes).abs())  # batch time to from
    return movies @ hats.transpose(-1, -2) if along_width else hats @ movies


def _good_length(length: int) -> int:
    """The next length that is a multiple of 32 (fast for the FFT)."""
    return math.ceil(length / 32) * 32
