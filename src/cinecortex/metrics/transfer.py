"""How much of what was shown comes back in the reconstruction: the modulation transfer, and what is painted instead.

Every function takes movies, ``time height width``; pixels outside the mask and frames of the burn-in do not count.
"""

from __future__ import annotations

import math

import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import BURN_IN, AnyMask, AnyMovie, counted

LEAST_CONTRAST = 1e-6
"""In luminance: a wave of less is not in a movie."""


def grating_gain(
    answer: AnyMovie,
    shown: AnyMovie,
    phase: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> complex:
    """Complex amplitude of a grating in the answer over that in the movie shown.

    By least squares on its sine, its cosine and a uniform level, where mask and frames need not hold whole cycles. The
    modulus is the modulation transfer, the real part what comes back in place, and the angle how much the answer lags:
    a delay of ``d`` frames gives a grating of ``f`` cycles per frame the angle ``2 pi f d``. Noise adds to the modulus
    and not, on average, to the real part.

    Args:
        answer: What is judged.
        shown: The movie that was shown, as it was on the screen.
        phase: Phase of the grating at every pixel and frame, in radians.
        mask: Weight per pixel; None counts all.
        threshold: Least weight of a pixel that counts.
        burn_in: Frames left out at the start.

    Raises:
        WrongUse: sizes differ, nothing counts, or the grating is not in the movie shown.
    """
    guess, true = counted(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
    angle, _ = counted(phase, shown, mask=mask, threshold=threshold, burn_in=burn_in)
    waves = torch.polar(torch.ones_like(angle, dtype=torch.float64), angle.double()).flatten()
    design = torch.stack([torch.ones_like(waves.real), waves.real, waves.imag], 1)
    sides = torch.stack([guess.double().flatten(), true.double().flatten()], 1)
    # By singular values: at the limit of the pixels sine and cosine of a wave may be one and the same.
    _, cosine, sine = torch.linalg.lstsq(design, sides, driver="gelsd").solution
    answered, told = torch.complex(cosine, -sine).tolist()
    if abs(told) < LEAST_CONTRAST:
        raise WrongUse("the grating is not in the movie that was shown; hand over the phase it was made with.")
    return complex(answered / told)


def regression_gain(
    answer: AnyMovie,
    shown: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """Slope of the regression of the answer on the movie shown: 1 where its contrast comes back, 0 where nothing does.

    Of an answer that is the movie after a linear filter it is the filter's transfer, in place, averaged over
    frequencies with the power of the movie as weight.

    Args and errors are those of `movie_correlation`.

    Returns:
        The slope; NaN for a uniform movie.
    """
    guess, true = counted(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
    apart = true.double() - true.double().mean()
    power = float(apart.square().sum())
    return float((guess.double() * apart).sum()) / power if power > LEAST_CONTRAST**2 * apart.numel() else math.nan


def painted(
    answer: AnyMovie,
    other: AnyMovie,
    shown: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """What an answer shares with another answer that cannot know of this movie, as a share of its variance.

    That is their covariance over the variance of the answer, or over that of the movie shown where this is larger: an
    answer that is all but uniform, as it should be where nothing can be told, is not charged with the little that is
    left.

    Args:
        answer: What is judged.
        other: The same method's answer without the neurons, or to a movie that has nothing to do with this one.
        shown: The movie that was shown.
        mask: As in `movie_correlation`.
        threshold: As there.
        burn_in: As there.

    Returns:
        About 0 where nothing is painted, 1 where the answer is all painted; below 0 by chance only.
    """
    guess, true = counted(answer, shown, mask=mask, threshold=threshold, burn_in=burn_in)
    unknowing, _ = counted(other, shown, mask=mask, threshold=threshold, burn_in=burn_in)
    one, two, three = (movie.double() - movie.double().mean() for movie in (guess, unknowing, true))
    most = max(float(one.square().mean()), float(three.square().mean()))
    return float((one * two).mean()) / most if most > LEAST_CONTRAST**2 else 0.0
