"""Pixels made large enough to be seen, each a square of equal ones: nothing is smoothed, nothing is added."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from cinecortex.errors import WrongUse

WATCHABLE_PX = 512
"""The longer side of a movie of small frames is made about this long."""
MOST_PX = 4096


def times(asked: int | None, frame_size: tuple[int, ...], *, longest_px: int = WATCHABLE_PX) -> int:
    """How many pixels wide and high a pixel becomes: as asked for, or an even number that makes frames watchable.

    Args:
        asked: What was asked for, or None.
        frame_size: Height and width.
        longest_px: How long the longer side may then become.

    Raises:
        WrongUse: frames would be larger than players take.
    """
    longest = max(frame_size)
    if asked is None:
        return max(1, longest_px // longest // 2 * 2)
    if asked * longest > MOST_PX:
        raise WrongUse(f"--scale {asked} makes frames {asked * longest} px long; at most {MOST_PX} can be played.")
    return asked


def enlarged(values: Shaped[np.ndarray, "time height width"], by: int) -> Shaped[np.ndarray, "time tall wide"]:
    """Every pixel ``by`` times as wide and high."""
    return values.repeat(by, axis=1).repeat(by, axis=2)
