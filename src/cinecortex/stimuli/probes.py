"""Movies that probe what can be resolved: gratings of one frequency, noise of one length; and how they are scored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import BURN_IN, AnyMask, movie_correlation
from cinecortex.metrics.transfer import grating_gain, regression_gain
from cinecortex.seeds import Seed
from cinecortex.stimuli.gratings import drifting_grating, grating_phase
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.tensors import Movie

NYQUIST = 0.5
"""Cycles per pixel and cycles per frame that pixels and frames can carry at most."""
SPREAD = 0.15
"""Standard deviation of every probe in luminance, about that of natural clips."""
CONTRAST = 2 * math.sqrt(2) * SPREAD
"""Michelson contrast of gratings about mid-gray that have this standard deviation."""
FREQUENCIES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 2 / 5)
"""Cycles per pixel, up to four fifths of what pixels can carry."""
RATES = (0.0, 1 / 60, 1 / 30, 1 / 15, 2 / 15, 4 / 15, 2 / 5)
"""Cycles per frame; at 30 frames per second 0, 0.5, 1, 2, 4, 8 and 12 Hz."""
LENGTHS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Length constants of noise, in pixels and in frames."""


@dataclass(frozen=True)
class Score:
    """What came back of one probe.

    Attributes:
        correlation: Movie correlation of the answer with what was shown; NaN for a movie that does not vary.
        gain: Amplitude in the answer over that shown: complex for a grating, a real slope of regression for noise.
    """

    correlation: float
    gain: complex

    @property
    def transfer(self) -> float:
        """How much of the contrast comes back where it was; 0 on average where nothing does."""
        return self.gain.real


@dataclass(frozen=True)
class Grating:
    """A drifting grating of one frequency in space and time.

    Attributes:
        cycles_per_px: Above 0 and at most 0.5.
        cycles_per_frame: 0, standing still, to 0.5.
        direction_deg: Direction of drift: 0 rightwards, 90 upwards.

    Raises:
        WrongUse: pixels or frames cannot carry the frequency: it would be shown, and scored, as a coarser one.
    """

    kind: ClassVar[str] = "drifting grating"

    cycles_per_px: float
    cycles_per_frame: float
    direction_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.cycles_per_px <= NYQUIST:
            raise WrongUse(
                f"a grating of {self.cycles_per_px:g} cycles per pixel would be shown as another one; choose one above "
                f"0 and at most {NYQUIST:g}, the limit of the pixels."
            )
        if not 0 <= self.cycles_per_frame <= NYQUIST:
            raise WrongUse(
                f"a grating of {self.cycles_per_frame:g} cycles per frame would be shown as another one; choose one "
                f"from 0 to {NYQUIST:g}, half the frame rate, and turn direction_deg to drift backwards."
            )

    @property
    def name(self) -> str:
        """In words."""
        return (
            f"grating, {self.cycles_per_px:.3g} cycles per px, {self.cycles_per_frame:.3g} cycles per frame, "
            f"{self.direction_deg:.3g} degrees"
        )

    @property
    def axes(self) -> tuple[float, float]:
        """Cycles per pixel and per frame."""
        return self.cycles_per_px, self.cycles_per_frame

    def movie(self, seed: Seed, *, frames: int, frame_size: tuple[int, int]) -> Movie:
        """The grating, at a phase of the seed's."""
        return drifting_grating(
            direction_deg=self.direction_deg,
            spatial_frequency_cycles_per_px=self.cycles_per_px,
            temporal_frequency_hz=self.cycles_per_frame,
            frame_rate_hz=1.0,
            contrast=CONTRAST,
            phase_deg=_phase_deg(seed),
            frames=frames,
            frame_size=frame_size,
        )

    def score(
        self,
        answer: Movie,
        shown: Movie,
        seed: Seed,
        *,
        mask: AnyMask | None = None,
        threshold: float = 0.5,
        burn_in: int = BURN_IN,
    ) -> Score:
        """The answer against what `movie` gave for the same seed; the rest as in `movie_correlation`."""
        frames, height, width = shown.shape
        phase = grating_phase(
            direction_deg=self.direction_deg,
            cycles_per_px=self.cycles_per_px,
            cycles_per_frame=self.cycles_per_frame,
            phase_deg=_phase_deg(seed),
            frames=frames,
            frame_size=(height, width),
        )
        correlation = movie_correlation(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
        gain = grating_gain(answer, shown, phase, mask=mask, threshold=threshold, burn_in=burn_in)
        return Score(correlation, gain)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of one length constant in space and one in time, see `gaussian_noise`.

    Attributes:
        length_px: Length constant in pixels, 0 to 32; 0 is white.
        length_frames: The same in frames.

    Raises:
        WrongUse: a length is out of this range.
    """

    kind: ClassVar[str] = "Gaussian noise"

    length_px: float
    length_frames: float

    def __post_init__(self) -> None:
        if not (0 <= self.length_px <= LENGTHS[-1] and 0 <= self.length_frames <= LENGTHS[-1]):
            raise WrongUse(
                f"noise of length {self.length_px:g} px and {self.length_frames:g} frames is not made; give lengths "
                f"from 0 to {LENGTHS[-1]:g}."
            )

    @property
    def name(self) -> str:
        """In words."""
        return f"noise, {self.length_px:.3g} px, {self.length_frames:.3g} frames"

    @property
    def axes(self) -> tuple[float, float]:
        """Length in pixels and in frames."""
        return self.length_px, self.length_frames

    def movie(self, seed: Seed, *, frames: int, frame_size: tuple[int, int]) -> Movie:
        """Such noise, drawn from the seed."""
        return gaussian_noise(
            seed,
            length_px=self.length_px,
            length_s=self.length_frames,
            frame_rate_hz=1.0,
            std=SPREAD,
            frames=frames,
            frame_size=frame_size,
        )

    def score(
        self,
        answer: Movie,
        shown: Movie,
        seed: Seed,
        *,
        mask: AnyMask | None = None,
        threshold: float = 0.5,
        burn_in: int = BURN_IN,
    ) -> Score:
        """The answer against what `movie` gave; the rest as in `movie_correlation`."""
        correlation = movie_correlation(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
        slope = regression_gain(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
        return Score(correlation, complex(slope, 0.0))


Probe = Grating | Noise


def gratings(
    frequencies: Sequence[float] = FREQUENCIES,
    rates: Sequence[float] = RATES,
    directions_deg: Sequence[float] = (0.0, 90.0, 180.0, 270.0),
) -> tuple[Grating, ...]:
    """A grid of gratings: every frequency in space with every one in time and every direction.

    Of what stands still, directions that differ by 180 degrees are one, and shown once.
    """
    grid = itertools.product(frequencies, rates, directions_deg)
    folded = (Grating(space, time, direction if time else direction % 180) for space, time, direction in grid)
    return tuple(dict.fromkeys(folded))


def noises(lengths_px: Sequence[float] = LENGTHS, lengths_frames: Sequence[float] = LENGTHS) -> tuple[Noise, ...]:
    """A grid of noise: every length in space with every one in time."""
    return tuple(Noise(space, time) for space, time in itertools.product(lengths_px, lengths_frames))


def _phase_deg(seed: Seed) -> float:
    return math.degrees(float((seed / "phase").numpy().uniform(0, 2 * math.pi)))
