"""The screen of an experiment: what a cycle per pixel is in degrees of visual angle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cinecortex.errors import BadData, WrongUse

WIDTH_DEG, WIDTH_CM, DISTANCE_CM = "screen_width_deg", "screen_width_cm", "screen_distance_cm"
"""What metadata call it."""


@dataclass(frozen=True)
class ScreenGeometry:
    """How large the screen looked to the animal.

    Degrees per pixel are means over the width. On a flat screen pixels straight ahead look larger than that and those
    at the side smaller.

    Attributes:
        width_px: Pixels of a movie along the screen's width.
        width_deg: Degrees of visual angle that the width subtends, above 0 and at most 360.
    """

    width_px: int
    width_deg: float

    def __post_init__(self) -> None:
        if self.width_px < 1 or not 0 < self.width_deg <= 360:
            raise WrongUse(
                f"a screen of {self.width_px} pixels over {self.width_deg:g} degrees cannot be; give at least one "
                "pixel and a width above 0 and of at most 360 degrees."
            )

    @staticmethod
    def flat(width_px: int, *, width_cm: float, distance_cm: float) -> ScreenGeometry:
        """A flat screen straight ahead: its width subtends ``2 atan(width / (2 distance))``.

        Args:
            width_px: Pixels of a movie along the screen's width.
            width_cm: Width of what the movie fills.
            distance_cm: From the eye to the middle of the screen.

        Raises:
            WrongUse: a length is not above 0.
        """
        if not (width_cm > 0 and distance_cm > 0):
            raise WrongUse(
                f"a screen {width_cm:g} cm wide at {distance_cm:g} cm cannot be; give lengths above 0, in cm."
            )
        return ScreenGeometry(width_px, math.degrees(2 * math.atan(width_cm / (2 * distance_cm))))

    @property
    def degrees_per_px(self) -> float:
        """Mean size of a pixel in degrees of visual angle."""
        return self.width_deg / self.width_px

    def cycles_per_degree(self, cycles_per_px: float) -> float:
        """A spatial frequency on the screen, as the animal sees it."""
        return cycles_per_px / self.degrees_per_px

    def cycles_per_px(self, cycles_per_degree: float) -> float:
        """A spatial frequency as the animal sees it, on the screen."""
        return cycles_per_degree * self.degrees_per_px


def screen_of(metadata: Mapping[str, str], width_px: int) -> ScreenGeometry | None:
    """The screen that a recording's metadata tell of; None where they tell of none. Nothing is guessed.

    They tell of it by ``screen_width_deg``, or by ``screen_width_cm`` and ``screen_distance_cm``: of what the movie
    fills.

    Args:
        metadata: Of the recording.
        width_px: Width of its frames.

    Raises:
        BadData: a value is no number above 0, or one of two lengths is missing.
    """
    told = {name: metadata[name] for name in (WIDTH_DEG, WIDTH_CM, DISTANCE_CM) if name in metadata}
    if not told:
        return None
    try:
        numbers = {name: float(value) for name, value in told.items()}
        if WIDTH_DEG in numbers:
            return ScreenGeometry(width_px, numbers[WIDTH_DEG])
        return ScreenGeometry.flat(width_px, width_cm=numbers[WIDTH_CM], distance_cm=numbers[DISTANCE_CM])
    except (ValueError, KeyError, WrongUse) as error:
        given = ", ".join(f"{name} {value!r}" for name, value in told.items())
        raise BadData(
            f"the recording's metadata say {given}; give {WIDTH_DEG}, or {WIDTH_CM} and {DISTANCE_CM}, as numbers "
            "above 0."
        ) from error
