"""The compact encoder: two spatial filters per neuron, all neurons in one matrix product, made for two CPU cores."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.filtering import (
    MANY_SIGNALS,
    SHORT_FRAMES,
    filter_by_matrix,
    filter_in_time,
    filter_matrices,
)
from cinecortex.tensors import Behaviors, Movies, Rates

_POOL_GRID = (4, 6)
Pairs = Float[Tensor, "pair neuron batch time"]
Drive = Float[Tensor, "neuron batch time"]


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
            out the finer DCT coefficients. 2 leaves out what lies above 0.25 cycles per pixel.
        blur_px: Standard deviation of the blur that every spatial filter is passed through, in pixels of the frame;
            it makes neighbouring pixels share what they learn.

    Sources: Adelson & Bergen 1985, J Opt Soc Am A 2:284 (energy model); Heeger 1992, Vis Neurosci 9:181
    (normalisation); Pillow et al. 2005, J Neurosci 25:11003 (raised-cosine bumps).
    """

    kind = "compact"
    centre_px: Tensor
    window_px: Tensor
    behavior_mean: Tensor
    behavior_std: Tensor
    mean_luminance: Tensor
    bump_basis: Tensor
    analyse_rows: Tensor
    analyse_columns: Tensor
    blur_rows: Tensor
    blur_columns: Tensor
    rows_px: Tensor
    columns_px: Tensor

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
        pairs: int = 1,
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
        self.mixture = nn.Parameter(torch.full((3, neurons), -3.0))
        self.pool_strength = nn.Parameter(torch.full((neurons,), 0.5))
        self.pool_weight = nn.Parameter(torch.zeros(neurons))
        self.smoothing = nn.Parameter(torch.zeros(neurons, smoothing_past + smoothing_future + 1))
        self.baseline = nn.Parameter(torch.full((neurons,), -3.0))
        self.gain = nn.Parameter(torch.zeros(neurons, len(self._arousal)))
        self.gaze_shift_px = nn.Parameter(torch.zeros(2, len(gaze)))

        self._frozen: dict[str, tuple[object, Tensor]] = {}
        self.register_buffer("centre_px", torch.zeros(neurons, 2))
        self.register_buffer("window_px", torch.full((neurons,), 4.0))
        self.register_buffer("behavior_mean", torch.zeros(len(behavior_channels)))
        self.register_buffer("behavior_std", torch.ones(len(behavior_channels)))
        self.register_buffer("mean_luminance", torch.tensor(0.5))
        self.register_buffer("bump_basis", raised_cosine_bumps(bumps, filter_frames), persistent=False)
        self.register_buffer("analyse_rows", _analysis(height, grid[0]), persistent=False)
        self.register_buffer("analyse_columns", _analysis(width, grid[1]), persistent=False)
        self.register_buffer("blur_rows", blur_matrix(grid[0], blur_px / coarse), persistent=False)
        self.register_buffer("blur_columns", blur_matrix(grid[1], blur_px / coarse), persistent=False)
        self.register_buffer("rows_px", _centres(height, grid[0]), persistent=False)
        self.register_buffer("columns_px", _centres(width, grid[1]), persistent=False)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.spatial.shape[2]

    @property
    def resolution(self) -> tuple[int, int]:
        """The coefficients that `look` takes a frame apart into."""
        return len(self.analyse_rows), len(self.analyse_columns)

    @property
    def behavior_at_rest(self) -> Float[Tensor, "channel"]:
        """Mean behavior over the training clips."""
        return self.behavior_mean

    def look(self, movies: Movies, behaviors: Behaviors | None = None) -> Float[Tensor, "batch time column row"]:
        """The frames as the filters see them: mean removed, at the resolution of the filters, moved by the gaze.

        A frame is taken apart into its coarsest DCT-II coefficients and put together again at the places that the gaze
        brings under the filters: the exact shift of a band-limited picture, differentiable in the gaze.

        Args:
            movies: Luminance 0..1.
            behaviors: Standardised behavior; None looks straight ahead.
        """
        batch, time, height, width = movies.shape
        # Products of two matrices rather than of batches of small ones: several times faster on a CPU.
        by_row = (movies - self.mean_luminance).reshape(-1, width) @ self.analyse_columns.T
        by_row = by_row.reshape(batch * time, height, -1).transpose(1, 2)
        coefficients = by_row.reshape(-1, height) @ self.analyse_rows.T
        coefficients = coefficients.reshape(batch * time, self.analyse_columns.shape[0], self.analyse_rows.shape[0])
        if behaviors is None or not self._gaze:
            rows = _synthesis(self.rows_px, height, self.analyse_rows.shape[0])
            columns = _synthesis(self.columns_px, width, self.analyse_columns.shape[0])
        else:
            shift = (behaviors[..., self._gaze] @ self.gaze_shift_px.T).reshape(batch * time, 2)
            rows = _synthesis(self.rows_px + shift[:, :1], height, self.analyse_rows.shape[0])
            columns = _synthesis(self.columns_px + shift[:, 1:], width, self.analyse_columns.shape[0])
        return (columns @ coefficients @ rows.transpose(-1, -2)).reshape(
            batch, time, len(self.columns_px), len(self.rows_px)
        )

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
        drive = self._drive(*self.seen(movies, behaviors))
        strength = functional.softplus(self.pool_strength)[:, None, None]
        drive = drive / (1 + strength * self._pool(drive)) * self._gain(behaviors)
        rate = self._smooth(drive) + (functional.softplus(self.baseline)[:, None, None] + 1e-4)
        return rate.permute(1, 2, 0)

    def seen(self, movies: Movies, behaviors: Behaviors | None = None) -> tuple[Pairs, Pairs]:
        """The outputs ``p`` and ``q`` of each pair of filters in space and time, before any nonlinearity."""
        pixels = self.look(movies, behaviors).flatten(2)
        filters = self._flat_filters()
        # Neuron, batch, time from here on: time last is what the filters run along, and every product is one product.
        projected = filters @ pixels.flatten(0, 1).T
        signals = projected.reshape(*self.spatial.shape[:3], *movies.shape[:2])
        filtered = self._in_time("temporal", signals, (self.temporal,), lambda: self.temporal @ self.bump_basis, 0)
        return filtered[:, 0], filtered[:, 1]

    def _flat_filters(self) -> Float[Tensor, "filter pixel"]:
        sources = (self.spatial, self.centre_px, self.window_px)
        return self._once("filters", sources, lambda: self.filters().transpose(-1, -2).flatten(0, 2).flatten(1))

    def _in_time(
        self, name: str, signals: Tensor, sources: tuple[Tensor, ...], kernels: Callable[[], Tensor], future: int
    ) -> Tensor:
        """Filter along time, ``kernels`` being ``group output filter neuron lag``."""
        batch, time = signals.shape[-2:]
        if time > SHORT_FRAMES or batch < MANY_SIGNALS or any(source.requires_grad for source in sources):
            return filter_in_time(signals, kernels(), future=future)
        matrices = self._once(f"{name} {time}", sources, lambda: filter_matrices(kernels(), time, future=future))
        return filter_by_matrix(signals, matrices)

    def _once(self, name: str, sources: tuple[Tensor, ...], make: Callable[[], Tensor]) -> Tensor:
        """A frozen encoder is asked hundreds of times in a row: what rests on its weights alone is made once."""
        if any(source.requires_grad for source in sources):
            return make()
        state = tuple((source.data_ptr(), source._version) for source in sources)
        if name not in self._frozen or self._frozen[name][0] != state:
            with torch.autocast(self.device.type, enabled=False):  # what is kept serves full precision as well
                self._frozen[name] = state, make()
        return self._frozen[name][1]

    @staticmethod
    def terms(p: Pairs, q: Pairs) -> tuple[Drive, ...]:
        """What the drive is a mixture of: half-rectified, half-squared, and the root of the energy."""
        on = functional.relu(p[0])
        return on, on * on, torch.sqrt((p * p + q * q).sum(0) + 1e-2)

    def _drive(self, p: Pairs, q: Pairs) -> Drive:
        rectified, squared, energy = functional.softplus(self.mixture)[:, :, None, None]
        on, on_squared, root_energy = self.terms(p, q)
        drive: Tensor = rectified * on + squared * on_squared + energy * root_energy
        return drive

    def _pool(self, drive: Drive) -> Drive:
        """Weighted mean drive of the neurons around each neuron, by way of a coarse grid of places on the screen."""
        weight = functional.softplus(self.pool_weight)
        gather, spread = self._pool_maps()
        gather = gather * weight
        gather = gather / gather.sum(1, keepdim=True).clamp_min(1e-6)
        return (spread @ (gather @ drive.flatten(1))).reshape(drive.shape)

    def _pool_maps(self) -> tuple[Float[Tensor, "place neuron"], Float[Tensor, "neuron place"]]:
        (rows, columns), (height, width) = _POOL_GRID, self.frame_size
        row = (torch.arange(rows, device=self.device) + 0.5) * height / rows
        column = (torch.arange(columns, device=self.device) + 0.5) * width / columns
        places = torch.cartesian_prod(row, column)
        spacing = torch.tensor([height / rows, width / columns], device=self.device)
        distance = (((self.centre_px[:, None] - places[None]) / spacing) ** 2).sum(-1)
        near = torch.exp(-0.5 * distance)
        return near.T, near / near.sum(1, keepdim=True).clamp_min(1e-6)

    def _gain(self, behaviors: Behaviors) -> Drive | float:
        if not self._arousal:
            return 1.0
        # Bounded, so that no excursion of running speed beyond the training data can run away with the rate.
        drive = self.gain @ behaviors[..., self._arousal].flatten(0, 1).T
        return torch.exp(torch.tanh(drive)).reshape(self.neurons, *behaviors.shape[:2])

    def _smooth(self, drive: Drive) -> Drive:
        def kernels() -> Tensor:
            return torch.softmax(self.smoothing, -1)[None, None, None]

        return self._in_time("smoothing", drive[None, None], (self.smoothing,), kernels, self._future)[0, 0]


def raised_cosine_bumps(bumps: int, frames: int) -> Float[Tensor, "bump lag"]:
    """Raised-cosine bumps on a logarithmic lag axis, each of unit norm, peaking from lag 0 to near ``frames``.

    Source: Pillow et al. 2005, J Neurosci 25:11003.
    """
    stretched = torch.log(torch.arange(frames, dtype=torch.float32) + 1.5)
    peaks = torch.linspace(float(stretched[0]), float(stretched[-1]) * 0.93, bumps)
    spacing = peaks[1] - peaks[0]
    phase = ((stretched[None] - peaks[:, None]) * math.pi / (2 * spacing)).clamp(-math.pi, math.pi)
    basis = (1 + torch.cos(phase)) / 2
    unit: Tensor = basis / basis.norm(dim=1, keepdim=True)
    return unit


def blur_matrix(size: int, sigma: float) -> Float[Tensor, "pixel pixel"]:
    """Gaussian blur along one axis as a matrix; rows sum to one, also at the border. Sigma 0 is no blur."""
    if sigma <= 0:
        return torch.eye(size)
    position = torch.arange(size, dtype=torch.float32)
    weight = torch.exp(-0.5 * ((position[:, None] - position[None]) / sigma) ** 2)
    return weight / weight.sum(1, keepdim=True)


def _analysis(size: int, coefficients: int) -> Float[Tensor, "coefficient pixel"]:
    """The coarsest DCT-II coefficients along one axis, scaled for `_synthesis`."""
    phase = torch.outer(torch.arange(coefficients, dtype=torch.float64), torch.arange(size) + 0.5)
    weight = torch.full((coefficients, 1), 2.0, dtype=torch.float64)
    weight[0] = 1.0
    return (weight * torch.cos(math.pi / size * phase) / size).float()


def _synthesis(position_px: Float[Tensor, "*frame place"], size: int, coefficients: int) -> Tensor:
    """Values at any position from the coefficients of `_analysis`; beyond the border the picture is mirrored."""
    order = torch.arange(coefficients, device=position_px.device, dtype=position_px.dtype)
    return torch.cos(math.pi / size * (position_px[..., None] + 0.5) * order)


def _centres(size: int, fewer: int) -> Float[Tensor, "coarse"]:
    return (torch.arange(fewer, dtype=torch.float32) + 0.5) * size / fewer - 0.5
