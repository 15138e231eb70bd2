"""From the screen to the thalamus: the eye moves, ON and OFF cells with surrounds answer, promptly and with a lag."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.tensors import Movie

GRAY = 0.45
"""Luminance around the screen, to which the eye is adapted."""

SPACING_PX = 2.0
CENTRE_PX = 1.0
SURROUND_PX = 3.5
SURROUND_WEIGHT = 0.75
SPONTANEOUS = 0.02


@dataclass(frozen=True, eq=False)
class Thalamus:
    """A sheet of relay cells, one of each kind every other pixel (after Rodieck 1965; lagged cells: Mastronarde 1987).

    Attributes:
        rows_px, columns_px: Where the receptive fields lie.
        centre_rows, surround_rows, centre_columns, surround_columns: Separable Gaussian profiles.
        kernels: Impulse responses of the prompt and of the lagged cells, ``kind tap``, first tap now.
    """

    rows_px: Float[Tensor, " rows"]
    columns_px: Float[Tensor, " columns"]
    centre_rows: Float[Tensor, "rows height"]
    surround_rows: Float[Tensor, "rows height"]
    centre_columns: Float[Tensor, "columns width"]
    surround_columns: Float[Tensor, "columns width"]
    kernels: Float[Tensor, "2 tap"]

    @classmethod
    def build(cls, frame_size: tuple[int, int], frame_rate_hz: float) -> Thalamus:
        """The sheet that looks at a screen of ``frame_size``."""
        rows, columns = (torch.arange(0.5, length, SPACING_PX) for length in frame_size)
        return cls(
            rows_px=rows,
            columns_px=columns,
            centre_rows=_gaussian(rows, frame_size[0], CENTRE_PX),
            surround_rows=_gaussian(rows, frame_size[0], SURROUND_PX),
            centre_columns=_gaussian(columns, frame_size[1], CENTRE_PX),
            surround_columns=_gaussian(columns, frame_size[1], SURROUND_PX),
            kernels=torch.stack([_impulse(0.018, 0.036, frame_rate_hz), _impulse(0.040, 0.070, frame_rate_hz)]),
        )

    @property
    def cells(self) -> int:
        """Places on the sheet; at each there are four relay cells."""
        return len(self.rows_px) * len(self.columns_px)

    def __call__(self, movie: Movie, gaze: Float[Tensor, "time 2"]) -> Float[Tensor, "time afferent"]:
        """Activity of the relay cells: ON prompt, OFF prompt, ON lagged, OFF lagged, each over the whole sheet."""
        image = look(movie - GRAY, gaze)
        centre = self.centre_rows @ image @ self.centre_columns.T
        surround = self.surround_rows @ image @ self.surround_columns.T
        contrast = (centre - SURROUND_WEIGHT * surround).flatten(1)
        prompt, lagged = (convolve(contrast, kernel) for kernel in self.kernels)
        signed = torch.cat([prompt, -prompt, lagged, -lagged], dim=1)
        return (signed + SPONTANEOUS).relu()


def look(image: Movie, gaze: Float[Tensor, "time 2"]) -> Movie:
    """The image on the retina of an eye that looks ``gaze`` (x right, y down, in pixels) away from the centre.

    Zero is taken as the luminance around the screen.
    """
    frames, height, width = image.shape
    if not bool(gaze.any()):
        return image
    size = torch.tensor([width, height], dtype=image.dtype)
    x = (torch.arange(width, dtype=image.dtype) + 0.5) * (2 / width) - 1
    y = (torch.arange(height, dtype=image.dtype) + 0.5) * (2 / height) - 1
    straight = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    grid = straight + (gaze * (2 / size))[:, None, None, :]
    return torch.nn.functional.grid_sample(
        image[:, None], grid.expand(frames, height, width, 2), padding_mode="zeros", align_corners=False
    )[:, 0]


def convolve(signal: Float[Tensor, "time cell"], kernel: Float[Tensor, " tap"]) -> Float[Tensor, "time cell"]:
    """Causal convolution in time, by FFT; the screen was gray before the movie began."""
    frames = len(signal)
    length = frames + len(kernel) - 1
    spectrum = torch.fft.rfft(signal, n=length, dim=0) * torch.fft.rfft(kernel, n=length)[:, None]
    passed: Tensor = torch.fft.irfft(spectrum, n=length, dim=0)
    return passed[:frames]


def _gaussian(centres: Float[Tensor, " cells"], pixels: int, sigma_px: float) -> Float[Tensor, "cells pixels"]:
    """Profiles that sum to one on an endless screen: cells at the border see less of it."""
    distance = torch.arange(float(pixels)) - centres[:, None]
    return torch.exp(-0.5 * (distance / sigma_px) ** 2) / (math.sqrt(2 * math.pi) * sigma_px)


def _impulse(rise_s: float, rebound_s: float, frame_rate_hz: float) -> Float[Tensor, " tap"]:
    """A biphasic impulse response: one gamma density less 0.6 of a slower one (mild, so that the cell is sustained)."""
    time_s = (torch.arange(max(2, round(0.8 * frame_rate_hz))) + 0.5) / frame_rate_hz

    def gamma(tau: float) -> Tensor:
        density = time_s**2 * torch.exp(-time_s / tau)
        return density / density.sum()

    return gamma(rise_s) - 0.6 * gamma(rebound_s)
