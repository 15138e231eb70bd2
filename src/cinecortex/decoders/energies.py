"""Local contrast energies beside the pixels: what complex cells tell of a movie, which no linear decoder can say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cinecortex.recording import Trial, TrialReader
from cinecortex.tensors import Behavior, Movie, Response

Described = Float[Tensor, "time line width"]
"""A movie with its energies in further rows below the picture."""

DescribedMask = Float[Tensor, "line width"]
"""One number for each pixel and energy."""

ORIENTATIONS = 4
_PERIOD_PX, _SIGMA_PX, _REACH_PX = 4.5, 1.6, 3


@dataclass(frozen=True)
class Layout:
    """Where things lie in a movie that carries its energies in further rows below the picture.

    Attributes:
        frame_size: Height and width of the picture, in pixels.
    """

    frame_size: tuple[int, int]

    @property
    def coarse(self) -> int:
        """How many times coarser than the movie the grid is: 2 where a frame has more than 24 rows and columns."""
        return 2 if min(self.frame_size) > 24 else 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return _fewer(self.frame_size, self.coarse)

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of the places at which energies are known: every other one of the grid."""
        return _fewer(self.grid, 2)

    @property
    def maps(self) -> int:
        """How many energies there are at each place: four orientations, and of larger frames at two scales."""
        return ORIENTATIONS * (2 if min(self.grid) >= 8 else 1)

    @property
    def described_size(self) -> tuple[int, int]:
        """Height and width of a movie with its energies."""
        height, width = self.frame_size
        return height + math.ceil(self.maps * math.prod(self.places) / width), width

    def describe(self, movie: Movie) -> Described:
        """The movie with its energies in further rows."""
        on_grid = _pool(movie[:, None] - 0.5, self.coarse)
        found = _pool(_amplitude(on_grid), 2)
        if self.maps > ORIENTATIONS:
            found = torch.cat([found, _amplitude(_pool(on_grid, 2))], dim=1)
        (height, width), (full, _) = self.frame_size, self.described_size
        spare = (full - height) * width - self.maps * math.prod(self.places)
        rows = functional.pad(found.flatten(1), (0, spare)).reshape(len(movie), full - height, width)
        return torch.cat([movie, rows], dim=1)

    def picture(self, described: Described) -> Movie:
        """The movie without its energies."""
        return described[:, : self.frame_size[0]]

    def energies(self, described: Described) -> Float[Tensor, "time map row column"]:
        """The energies at their places."""
        rows = described[:, self.frame_size[0] :].flatten(1)[:, : self.maps * math.prod(self.places)]
        return rows.reshape(len(described), self.maps, *self.places)


@dataclass(frozen=True)
class DescribedTrial:
    """Reads a trial whose movie carries its energies."""

    inner: TrialReader
    layout: Layout

    def movie(self) -> Movie:
        """Luminance 0..1, and the energies below."""
        return self.layout.describe(self.inner.movie())

    def response(self) -> Response | None:
        """As recorded."""
        return self.inner.response()

    def behavior(self) -> Behavior:
        """As recorded."""
        return self.inner.behavior()

    def clip_id(self) -> str:
        """That of the movie itself."""
        return self.inner.clip_id()


def described(trial: Trial) -> Trial:
    """The trial with a movie that carries its energies."""
    layout = Layout(trial.frame_size)
    return replace(trial, frame_size=layout.described_size, reader=DescribedTrial(trial.reader, layout))


def _fewer(size: tuple[int, int], times: int) -> tuple[int, int]:
    return math.ceil(size[0] / times), math.ceil(size[1] / times)


def _pool(pictures: Float[Tensor, "time map row column"], times: int) -> Tensor:
    return functional.avg_pool2d(pictures, times, ceil_mode=True)


def _amplitude(pictures: Float[Tensor, "time 1 row column"]) -> Float[Tensor, "time orientation row column"]:
    """Root of the energy of a quadrature pair of Gabor filters, for each orientation (Adelson & Bergen 1985)."""
    padded = functional.pad(pictures, (_REACH_PX,) * 4, mode="replicate")
    even, odd = functional.conv2d(padded, _gabors().to(pictures)).chunk(2, dim=1)
    return (even.square() + odd.square() + 1e-4).sqrt()


@lru_cache(maxsize=1)
def _gabors() -> Float[Tensor, "filter 1 row column"]:
    """Gabor filters of unit norm and no mean: all even ones, then all odd ones."""
    axis = torch.arange(-_REACH_PX, _REACH_PX + 1, dtype=torch.float32)
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    window = torch.exp(-(row**2 + column**2) / (2 * _SIGMA_PX**2))
    filters = []
    for phase in (0.0, math.pi / 2):
        for number in range(ORIENTATIONS):
            angle = math.pi * number / ORIENTATIONS
            along = column * math.cos(angle) + row * math.sin(angle)
            wave = window * torch.cos(2 * math.pi * along / _PERIOD_PX + phase)
            wave = wave - window * wave.sum() / window.sum()
            filters.append(wave / wave.norm())
    return torch.stack(filters)[:, None]
