"""How much better a score is than that of a reference which has not heard a neuron."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Interval, Values, bootstrap_mean
from cinecortex.seeds import Seed


def skill(scores: Values, reference: Values, *, seed: Seed, level: float = 0.95) -> Interval:
    """``1 - mean score / mean reference`` over clips, for scores of which smaller is better and 0 is best.

    1 is perfect, 0 no better than the reference, below 0 worse. Means are divided, not averaged ratios: a clip that
    every method gets right would otherwise outweigh all others. The interval is that of the mean of
    ``skill + (reference_i - score_i - skill * reference_i) / mean reference``, which is the skill to first order in
    what clips differ by. Of a dozen clips it covers 92 % rather than 95 (3,000 simulated sets with skewed scores).

    Args:
        scores: One for each clip, such as `intervals.gaussian_crps`; NaN is left out.
        reference: Those of the reference on the same clips.
        seed: Stream for the interval.
        level: Its coverage.

    Returns:
        NaN without a clip.

    Raises:
        WrongUse: lengths differ, a value is infinite, or the reference is perfect, so that nothing can be better.

    Source: Gneiting & Raftery 2007, JASA 102:359, equation 8 with a best score of 0.
    """
    score, against = (np.array([float(value) for value in values]) for values in (scores, reference))
    if score.shape != against.shape:
        raise WrongUse(f"there are {score.size} scores and {against.size} of the reference; score the same clips.")
    known = ~np.isnan(score) & ~np.isnan(against)
    score, against = score[known], against[known]
    if not score.size:
        return bootstrap_mean([], seed=seed, level=level)
    whole = float(against.mean())
    if not whole > 0:
        raise WrongUse(f"the reference scores {whole:g} on average; a skill needs one that is not perfect.")
    interval = bootstrap_mean(ratios((against - score).tolist(), against.tolist()), seed=seed, level=level)
    return replace(interval, value=1 - float(score.mean()) / whole)


def ratios(parts: Values, wholes: Values) -> tuple[float, ...]:
    """One number for each clip, whose mean is the ratio of two means and whose spread is that of this ratio.

    ``ratio + (part_i - ratio * whole_i) / mean whole``: the ratio to first order in what clips differ by. A mean of the
    clips' own ratios would be ruled by the clip whose whole is smallest.

    Args:
        parts: One for each clip; NaN is left out of both means.
        wholes: What each is a part of.

    Returns:
        NaN for a clip that is left out, and for all where the mean of the wholes is not above 0.

    Raises:
        WrongUse: lengths differ.
    """
    part, whole = (np.array([float(value) for value in values]) for values in (parts, wholes))
    if part.shape != whole.shape:
        raise WrongUse(f"there are {part.size} parts and {whole.size} wholes; measure both on the same clips.")
    part, whole = (np.where(np.isnan(part + whole), np.nan, values) for values in (part, whole))
    known = ~np.isnan(whole)
    mean = float(whole[known].mean()) if known.any() else 0.0
    if not mean > 0:
        return (float("nan"),) * part.size
    ratio = float(part[known].mean()) / mean
    return tuple((ratio + (part - ratio * whole) / mean).tolist())
