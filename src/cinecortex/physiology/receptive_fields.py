"""Receptive fields of all neurons at once: a spot flickers on moving noise, place by place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.errors import WrongUse
from cinecortex.physiology.rest import lead_frames, rates_at_rest, tail_frames
from cinecortex.seeds import Seed
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.tensors import Movie, PerNeuron

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)``."""

FLICKER_HZ = 2.5
"""In the range that most cells of mouse V1 respond to (Niell & Stryker 2008, J Neurosci 28:7520)."""

_PLACES = 600
_COUNTED_SECONDS = 1.6
_STEP = 0.05
_THRESHOLD = 0.15


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """Where every neuron looks.

    Attributes:
        row_px, column_px: Where the rows and columns of the maps lie in the frame; pixel centres are whole numbers.
        energy: Mean squared derivative of the rate by the luminance of a flickering spot, over noise movies, ``neuron
            row column``. It sees linear and contrast-energy cells alike.
        linear: The part of that derivative that keeps its sign over movies, at the phase that holds most of it. It
            vanishes for a cell that responds alike to a movie and to its negative. Its overall sign is that of the
            response between 50 ms before and 150 ms after the light.
        linear_share: Share of the energy that the linear part explains, 0 (energy cell) to 1 (linear cell), ``neuron``.
    """

    row_px: Float[Tensor, " row"]
    column_px: Float[Tensor, " column"]
    energy: Float[Tensor, "neuron row column"]
    linear: Float[Tensor, "neuron row column"]
    linear_share: PerNeuron


def map_receptive_fields(
    encoder: Encoder,
    *,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    movies: int = 1,
    spacing_px: int | None = None,
    noise_std: float = 0.15,
    batch_frames: int = 2048,
    progress: Progress | None = None,
) -> ReceptiveFields:
    """Map every neuron by the derivative of its rate along a spot that flickers at 2.5 Hz; behavior stays at rest.

    The derivative is taken by central differences on movies of Gaussian noise, which is exact for linear and quadratic
    cells and asks the encoder for nothing but rates: the cost does not depend on the number of neurons. At uniform gray
    the derivative of an energy cell is zero; on noise its mean square is the sum of its squared filters, the local form
    of the spike-triggered covariance (Rust et al. 2005, Neuron 46:945). Its mean is what a spike-triggered average
    would show (Bussgang's theorem). Every noise movie is followed by its negative, so that the linear map of an energy
    cell is zero and not only small.

    Args:
        encoder: Any encoder.
        seed: Where the noise comes from.
        movies: How many noise movies, each with its negative.
        spacing_px: Distance between neighbouring spots, whose light falls off linearly over as many pixels; by default
            the least that makes do with about 600 spots.
        noise_std: Standard deviation of the noise; it is 2 pixels and 0.1 s long.
        batch_frames: About how many frames are shown in one call of the encoder; it bounds the memory needed.
        progress: Told after every batch.

    Raises:
        WrongUse: no movies, or no distance between spots.
    """
    height, width = encoder.frame_size
    spacing = spacing_px if spacing_px is not None else max(1, math.ceil(math.sqrt(height * width / _PLACES)))
    if movies < 1 or spacing < 1:
        raise WrongUse(f"mapping needs a movie and a spacing of 1 px or more, not movies={movies}, spacing={spacing}.")
    (row_px, down), (column_px, across) = _spots(height, spacing), _spots(width, spacing)
    spots = (down[:, None, :, None] * across[None, :, None, :]).flatten(0, 1)
    flicker = _Flicker.of(encoder)
    square = torch.zeros(len(spots), encoder.neurons)
    locked = torch.zeros(len(spots), encoder.neurons, dtype=torch.complex64)
    size = max(1, batch_frames // (2 * flicker.frames))
    batches = range(0, len(spots), size)
    with evaluating(encoder):
        for number in range(movies):
            noise = gaussian_noise(
                seed / "receptive fields" / number,
                std=noise_std,
                frames=flicker.frames,
                frame_size=encoder.frame_size,
                frame_rate_hz=encoder.frame_rate_hz,
            ).clamp(_STEP, 1 - _STEP)
            for negative, ground in enumerate((noise, 1 - noise)):
                for at, first in enumerate(batches):
                    part = slice(first, first + size)
                    derivative = _derivative(encoder, ground, spots[part], flicker)
                    square[part] += derivative.square().mean(1) / (2 * movies)
                    locked[part] += flicker.locked(derivative) / (2 * movies)
                    if progress is not None:
                        done = (2 * number + negative) * len(batches) + at + 1
                        progress(done, 2 * movies * len(batches), "receptive fields")
    linear = _at_main_phase(locked)
    share = 0.5 * locked.abs().square().sum(0) / square.sum(0).clamp_min(1e-30)
    shape = (encoder.neurons, len(row_px), len(column_px))
    return ReceptiveFields(row_px, column_px, square.T.reshape(shape), linear.T.reshape(shape), share.clamp(0, 1))


def _spots(size: int, spacing: int) -> tuple[Float[Tensor, " spot"], Float[Tensor, "spot pixel"]]:
    """Centres of the spots along one axis, and their profiles, which add up to uniform light away from the border."""
    centre = (torch.arange(math.ceil(size / spacing)) + 0.5) * spacing - 0.5
    return centre, (1 - (torch.arange(size) - centre[:, None]).abs() / spacing).clamp_min(0)


@dataclass(frozen=True, eq=False)
class _Flicker:
    """A cosine over time, and the frames of it that count."""

    wave: Float[Tensor, " time"]
    counted: slice
    reference: Tensor

    @staticmethod
    def of(encoder: Encoder) -> _Flicker:
        period = max(4, round(encoder.frame_rate_hz / FLICKER_HZ))
        cycles = max(1, round(_COUNTED_SECONDS * encoder.frame_rate_hz / period))
        lead, counted = lead_frames(encoder), cycles * period
        angle = 2 * math.pi / period * torch.arange(lead + counted + tail_frames(encoder))
        inside = slice(lead, lead + counted)
        return _Flicker(angle.cos(), inside, torch.exp(-1j * angle[inside]) * (2 / counted))

    @property
    def frames(self) -> int:
        return len(self.wave)

    def locked(self, derivative: Float[Tensor, "spot counted neuron"]) -> Tensor:
        """Complex amplitude at the frequency of the flicker, ``spot neuron``."""
        return torch.einsum("stn,t->sn", derivative.to(torch.complex64), self.reference)


def _derivative(
    encoder: Encoder, ground: Movie, spots: Float[Tensor, "spot height width"], flicker: _Flicker
) -> Float[Tensor, "spot counted neuron"]:
    change = _STEP * flicker.wave[:, None, None] * spots[:, None]
    more, less = rates_at_rest(encoder, torch.cat([ground + change, ground - change])).float().chunk(2)
    return (more - less)[:, flicker.counted] / (2 * _STEP)


def _at_main_phase(locked: Tensor) -> Float[Tensor, "spot neuron"]:
    """The complex map turned to the phase that leaves most of it real, a lead of an eighth to a delay of 3/8 period."""
    phase = 0.5 * (locked**2).sum(0).angle()
    phase = torch.where(phase > math.pi / 4, phase - math.pi, phase)
    return (locked * torch.exp(-1j * phase)).real


@dataclass(frozen=True, eq=False)
class Extent:
    """Centre and size of every receptive field; NaN for a neuron that nothing moves.

    Attributes:
        centre_px: Row and column in the frame, ``neuron 2``.
        radius_px: Standard deviation of a round Gaussian envelope of the same spread, ``neuron``.
    """

    centre_px: Float[Tensor, "neuron 2"]
    radius_px: PerNeuron


def extent(fields: ReceptiveFields) -> Extent:
    """Centroid and spread of the amplitude (root energy) above 15 % of its peak.

    The threshold leaves out what normalisation spreads over the screen. What it takes from the spread of a Gaussian is
    known and given back.
    """
    amplitude = fields.energy.double().sqrt()
    above = (amplitude - _THRESHOLD * amplitude.amax((1, 2), keepdim=True)).clamp_min(0)
    share = above / above.sum((1, 2), keepdim=True)
    down, across = share.sum(2), share.sum(1)
    row_px, column_px = fields.row_px.double(), fields.column_px.double()
    row, column = down @ row_px, across @ column_px
    spread = (down * (row_px - row[:, None]) ** 2).sum(1) + (across * (column_px - column[:, None]) ** 2).sum(1)
    # exp(-u) above a threshold t, u = (r / sigma)^2 / 2: its mean u, which would be 1 without the threshold.
    reach = -math.log(_THRESHOLD)
    kept = (1 - _THRESHOLD * (1 + reach + reach**2 / 2)) / (1 - _THRESHOLD * (1 + reach))
    return Extent(torch.stack([row, column], 1).float(), (spread / 2 / kept).sqrt().float())
