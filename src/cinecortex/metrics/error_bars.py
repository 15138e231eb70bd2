"""Everything that is to be said of the error bars of a clip, and of several ways to make them side by side.

A reconstruction states a distribution for every pixel: a Gaussian around `movie` where it has a standard deviation,
otherwise its draws, otherwise nothing but an interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.coverage_curve import CURVE_LEVELS, CoverageCurve
from cinecortex.metrics.expected_calibration_error import expected_calibration_error
from cinecortex.metrics.intervals import (
    LEVEL,
    coverage,
    gaussian_coverage,
    gaussian_crps,
    half_width,
    interval_score,
    sample_coverage,
    sample_crps,
    sample_interval,
)
from cinecortex.metrics.pit import BINS, gaussian_pit, pit_histogram, sample_pit
from cinecortex.metrics.sharpness import sharpness
from cinecortex.metrics.skill import skill
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie


@dataclass(frozen=True)
class ErrorBars:
    """What the error bars of one clip were worth.

    Attributes:
        coverage: Share of the pixels inside the stated 90 % interval.
        sharpness: Mean width of that interval, in luminance; read `coverage` beside it.
        interval_score: Both in one number; see `intervals.interval_score`.
        crps: Score of the whole distribution, in luminance; NaN where only an interval was stated.
        curve: Coverage at every level of `CURVE_LEVELS`; NaN where only an interval was stated.
        calibration_error: Area between the curve and the diagonal.
        pit: Histogram of the probability integral transform, `BINS` shares; NaN where only an interval was stated.
    """

    coverage: float
    sharpness: float
    interval_score: float
    crps: float
    curve: tuple[float, ...]
    calibration_error: float
    pit: tuple[float, ...]


def error_bars(truth: Movie, answer: Reconstruction, mask: Mask | None = None, *, burn_in: int = 0) -> ErrorBars:
    """Hold what a reconstruction states about a clip against the clip.

    Args:
        truth: The movie that was shown.
        answer: What was made of it, with ``std``, ``samples``, or ``lower`` and ``upper``.
        mask: Pixels at 0.5 or more count; None counts the full field.
        burn_in: Frames left out at the start.

    Raises:
        WrongUse: the answer states no error, its size is not that of the truth, or no pixel of the mask counts.
    """
    if answer.movie.shape != truth.shape:
        raise WrongUse(f"the answer is {tuple(answer.movie.shape)} and the truth {tuple(truth.shape)}; use one size.")
    lower, upper = (bound[burn_in:] for bound in _bounds(answer))
    true, movie = truth[burn_in:], answer.movie[burn_in:]
    if answer.std is not None:
        std = answer.std[burn_in:]
        crps = gaussian_crps(true, movie, std, mask)
        curve = gaussian_coverage(true, movie, std, mask, levels=CURVE_LEVELS)
        pit = pit_histogram(gaussian_pit(true, movie, std, mask))
    elif answer.samples is not None:
        draws = answer.samples[:, burn_in:]
        crps = sample_crps(true, draws, mask)
        curve = sample_coverage(true, draws, mask, levels=CURVE_LEVELS)
        pit = pit_histogram(sample_pit(true, draws, mask))
    else:
        crps, curve = math.nan, (math.nan,) * len(CURVE_LEVELS)
        pit = torch.full((BINS,), torch.nan)
    return ErrorBars(
        coverage=coverage(true, lower, upper, mask),
        sharpness=sharpness(lower, upper, mask),
        interval_score=interval_score(true, lower, upper, mask),
        crps=crps,
        curve=curve,
        calibration_error=expected_calibration_error(CURVE_LEVELS, curve),
        pit=tuple(pit.tolist()),
    )


def _bounds(answer: Reconstruction) -> tuple[Movie, Movie]:
    """The 90 % interval: as stated, or that of the distribution."""
    if answer.lower is not None and answer.upper is not None:
        return answer.lower, answer.upper
    if answer.std is not None:
        half = half_width(LEVEL) * answer.std
        return answer.movie - half, answer.movie + half
    if answer.samples is not None:
        return sample_interval(answer.samples)
    raise WrongUse("the reconstruction states no error: no std, no draws, no interval; ask a method that does.")


@dataclass(frozen=True)
class Row:
    """One way to make error bars, over clips.

    Attributes:
        coverage: Of the 90 % interval.
        calibration_error: Mean over clips of each clip's own; where coverage differs by clip it stays above 0.
        curve_error: Calibration error of the mean curve.
        crps: In luminance.
        skill: Of the CRPS, against the prior-only answers; None where there are none.
        sharpness: Mean width of the 90 % interval, in luminance.
        interval_score: In luminance.
        least, most: Coverage of the clip that is covered least and most.
        curve: The mean curve, at `CURVE_LEVELS`.
        pit: The mean histogram.
    """

    coverage: Interval
    calibration_error: Interval
    curve_error: float
    crps: Interval
    skill: Interval | None
    sharpness: Interval
    interval_score: Interval
    least: float
    most: float
    curve: tuple[float, ...]
    pit: tuple[float, ...]


def side_by_side(
    truths: Sequence[Movie],
    answers: Mapping[str, Sequence[Reconstruction]],
    mask: Mask | None = None,
    *,
    seed: Seed,
    prior_only: Sequence[Reconstruction] | None = None,
    burn_in: int = 0,
) -> dict[str, Row]:
    """Raw and recalibrated error bars, or any others, of the same clips.

    Args:
        truths: What was shown, one movie for each clip.
        answers: By name, such as ``raw`` and ``recalibrated``: one reconstruction for each clip. A recalibration that
            was fitted to these very clips says nothing; fit it to select clips.
        mask: Pixels at 0.5 or more count.
        seed: Stream for the intervals.
        prior_only: What is said of the same clips without any neuron, for the skill.
        burn_in: Frames left out at the start.

    Raises:
        WrongUse: there is not one answer for each clip, and as for `error_bars`.
    """
    given = {**answers, **({"": prior_only} if prior_only is not None else {})}
    for name, made in given.items():
        if len(made) != len(truths):
            raise WrongUse(f"{name or 'prior_only'} has {len(made)} answers to {len(truths)} clips; give one for each.")
    measured = {
        name: [error_bars(truth, answer, mask, burn_in=burn_in) for truth, answer in zip(truths, made, strict=True)]
        for name, made in given.items()
    }
    reference = measured.pop("") if prior_only is not None else None
    return {name: over_clips(bars, seed=seed / name, reference=reference) for name, bars in measured.items()}


def over_clips(bars: Sequence[ErrorBars], *, seed: Seed, reference: Sequence[ErrorBars] | None = None) -> Row:
    """Means over clips with their intervals.

    Args:
        bars: One for each clip.
        seed: Stream for the intervals.
        reference: Of the answers that a skill is relative to.
    """

    def mean(term: str) -> Interval:
        return bootstrap_mean([getattr(one, term) for one in bars], seed=seed / term)

    held = [one.coverage for one in bars if not math.isnan(one.coverage)]
    curve = CoverageCurve(CURVE_LEVELS, tuple(one.curve for one in bars))
    against = None if reference is None else [one.crps for one in reference]
    return Row(
        coverage=mean("coverage"),
        calibration_error=mean("calibration_error"),
        curve_error=curve.error,
        crps=mean("crps"),
        skill=None if against is None else skill([one.crps for one in bars], against, seed=seed / "skill"),
        sharpness=mean("sharpness"),
        interval_score=mean("interval_score"),
        least=min(held, default=math.nan),
        most=max(held, default=math.nan),
        curve=curve.mean,
        pit=mean_histogram([one.pit for one in bars]),
    )


def mean_histogram(histograms: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Mean share of every bin over clips; those of NaN are left out, and of none it is NaN."""
    known = [one for one in histograms if not any(map(math.isnan, one))]
    if not known:
        return (math.nan,) * (len(histograms[0]) if histograms else BINS)
    return tuple(float(share) for share in torch.tensor(known, dtype=torch.float64).mean(0))
