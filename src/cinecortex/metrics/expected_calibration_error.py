"""One number for a coverage curve: how far it is from the diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cinecortex.errors import WrongUse


def expected_calibration_error(levels: Sequence[float], coverage: Sequence[float]) -> float:
    """Area between a coverage curve and the diagonal, ``integral over p of |coverage(p) - p|``.

    0 where every interval holds as often as it promises, 1/2 at worst (all intervals empty, or all endless). A Gaussian
    whose standard deviation is k times the right one has ``|2 atan(k) / pi - 1/2|``: 0.148 for half and for twice the
    right one. The curve is taken as straight between the levels, and as 0 at level 0 and 1 at level 1, whatever was
    measured.

    Args:
        levels: What intervals promise, rising, between 0 and 1.
        coverage: What they hold.

    Returns:
        0 to 1/2; NaN where a coverage is NaN.

    Raises:
        WrongUse: lengths differ, or levels do not rise from above 0 to below 1.

    Source: the regression form of the calibration error of Kuleshov, Fenner & Ermon 2018, ICML, equation 9, with
    absolute differences and levels weighed evenly.
    """
    if len(levels) != len(coverage):
        raise WrongUse(f"there are {len(levels)} levels and {len(coverage)} coverages; hand in one for each.")
    nominal = np.array([0.0, *levels, 1.0])
    if (np.diff(nominal) <= 0).any():
        raise WrongUse("levels must rise from above 0 to below 1; sort them.")
    off = np.array([0.0, *coverage, 1.0]) - nominal
    # Where the difference changes its sign between two levels, the two triangles are counted and not their difference.
    left, right = off[:-1], off[1:]
    crossed = left * right < 0
    apart = np.where(np.abs(left) + np.abs(right) > 0, np.abs(left) + np.abs(right), 1.0)
    height = np.where(crossed, (left**2 + right**2) / apart, np.abs(left) + np.abs(right))
    return float((0.5 * height * np.diff(nominal)).sum())
