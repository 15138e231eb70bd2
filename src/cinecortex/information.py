"""How much a population says about a movie: the noun that a measurement of it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cinecortex.errors import BadData


@dataclass(frozen=True)
class Band:
    """The part of a movie's changes that lies between two spatial and two temporal frequencies.

    Attributes:
        spatial: Lower and upper spatial frequency, cycles per pixel.
        temporal: Lower and upper temporal frequency, cycles per frame.
        share: 1 - posterior variance / prior variance of what lies in it.
        share_error: Its Monte-Carlo standard error.
        prior_variance: The prior's variance in it, summed over its coefficients, per pixel and frame.
    """

    spatial: tuple[float, float]
    temporal: tuple[float, float]
    share: float
    share_error: float
    prior_variance: float


@dataclass(frozen=True)
class Information:
    """What one population says about one movie, rates taken as linear around it.

    With ``F`` the Fisher information in coordinates in which the prior is standard normal (`design.md`: the whitened
    Fisher information), of which there are as many as pixels times frames.

    Attributes:
        bits: ``log2 det(I + F) / 2``, the mutual information of responses and movie.
        bits_error: Its Monte-Carlo standard error.
        dimensions: ``trace(F (I + F)^-1)``, how many directions the data determine.
        dimensions_error: Its Monte-Carlo standard error.
        eigenvalues: Estimated spectrum of ``F``: values in falling order ...
        counts: ... and how many eigenvalues each of them stands for; they add up to the number of coordinates.
        coordinates: Number of coordinates.
        neurons: Neurons that were heard.
        frames: Frames of the movie.
        frame_rate_hz: Their rate.
        share: Data share of the whole movie: 1 - posterior variance / prior variance, both summed over all pixels.
        share_error: Its Monte-Carlo standard error.
        bands: Data share by spatial and temporal frequency.
        probes: Random vectors behind every Monte-Carlo error.
    """

    bits: float
    bits_error: float
    dimensions: float
    dimensions_error: float
    eigenvalues: tuple[float, ...]
    counts: tuple[float, ...]
    coordinates: int
    neurons: int
    frames: int
    frame_rate_hz: float
    share: float
    share_error: float
    bands: tuple[Band, ...]
    probes: int

    @property
    def bits_per_second(self) -> float:
        """Bits per second of movie."""
        return self.bits * self.frame_rate_hz / self.frames

    @property
    def bits_per_neuron(self) -> float:
        """Bits per neuron heard; none where no neuron was heard."""
        return self.bits / self.neurons if self.neurons else 0.0

    @property
    def picture_share(self) -> float:
        """Data share of everything but the mean luminance of the clip.

        That one number holds most of the prior's variance (clips are bright or dark) and a few neurons tell it; what a
        movie correlation comes from is the rest. 0 where there is nothing else.
        """
        rest = [band for band in self.bands if band.spatial[1] > 0 or band.temporal[1] > 0]
        variance = sum(band.prior_variance for band in rest)
        return sum(band.share * band.prior_variance for band in rest) / variance if variance else 0.0

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Information:
        """What `to_json` gave.

        Raises:
            BadData: a value is missing or unknown.
        """
        try:
            bands = tuple(
                Band(**{**band, "spatial": tuple(band["spatial"]), "temporal": tuple(band["temporal"])})
                for band in content["bands"]
            )
            lists = {name: tuple(content[name]) for name in ("eigenvalues", "counts")}
            return Information(**{**content, **lists, "bands": bands})
        except (KeyError, TypeError, ValueError) as error:
            raise BadData(
                f"what was measured of the information cannot be read ({error}); measure it again."
            ) from error
