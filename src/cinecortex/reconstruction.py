"""The answer of an inversion, and what it takes to be an inverter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from cinecortex.information import Information
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The movie that a method says was shown.

    Attributes:
        movie: Luminance 0..1, ``time height width``.
        ended: How the computation ended, in words; part of the answer.
        mask: Where the population can see, 0..1, or None when the method does not know.
        energy: Minus log posterior at the answer in nats (up to a constant), or None when the method has none.
        frame_passes: Movie frames that went through the encoder forward and backward to get here.
        seconds: Wall-clock time taken.
        std: Posterior standard deviation per pixel, where drawn.
        data_std: The part of ``std`` that is in the draws of each encoder: what the responses leave open.
        model_std: The part that is between encoders: what the fit leaves open. Squares of the two add up to that of
            ``std``. None where only one encoder was asked.
        lower, upper: Bounds of the 90 % interval per pixel, where drawn.
        samples: Posterior draws, ``sample time height width``, where asked for.
        data_share: How much of each pixel is data, ``1 - posterior variance / prior variance``, where measured: 0 is
            the algorithm speaking, 1 the neurons.
        information: How much the neurons say about the movie, where measured.
    """

    movie: Movie
    ended: str
    mask: Mask | None = None
    energy: float | None = None
    frame_passes: int = 0
    seconds: float = 0.0
    std: Movie | None = None
    lower: Movie | None = None
    upper: Movie | None = None
    data_std: Movie | None = None
    model_std: Movie | None = None
    samples: Float[Tensor, "sample time height width"] | None = None
    data_share: Movie | None = None
    information: Information | None = None

    def __repr__(self) -> str:
        frames, height, width = self.movie.shape
        drawn = f", {self.samples.shape[0]} samples" if self.samples is not None else ""
        return (
            f"Reconstruction({frames} frames of {height}x{width} px{drawn}, {self.frame_passes} frame-passes, "
            f"ended: {self.ended})"
        )


@runtime_checkable
class Inverter(Protocol):
    """Anything that turns an observation into a movie: an inversion, a decoder, or somebody else's method."""

    @property
    def name(self) -> str:
        """Short name for tables, such as ``map`` or ``ridge``."""
        ...

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial. Same observation and same seed give the same bits on the same machine."""
        ...
