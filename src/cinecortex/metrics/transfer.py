"""How much of what was shown comes back in the reconstruction, frequency by frequency: the modulation transfer.

Every function takes movies, ``time height width``; pixels outside the mask and frames of the burn-in do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import AnyMask, AnyMovie

Counted = Float[Tensor, " counted"]
"""The pixels that count of all frames that count, one after another, in double precision."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """What an answer makes of the waves that were shown.

    Attributes:
        gain: Complex amplitude of each wave in the answer over that in the movie shown, ``wave``: its modulus is the
            modulation transfer, its angle by how much the answer lags (radians).
        rest: What of the answer is no shown wave, nor uniform.
        shown: Variance of what was shown.
    """

    gain: Complex[Tensor, " wave"]
    rest: Counted
    shown: float

    @property
    def in_place(self) -> Float[Tensor, " wave"]:
        """How much of each wave's contrast comes back where it was: the real part of the gain.

        Unlike the modulus it is 0 on average where nothing is transferred, whatever the noise.
        """
        return self.gain.real.clone()


def wave_transfer(
    answer: AnyMovie,
    shown: AnyMovie,
    waves: Complex[Tensor, "wave time height width"],
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = 0,
) -> Transfer:
    """The complex gain of every shown wave, by least squares on all of them and a uniform level.

    Fitted together, waves do not leak into each other where mask and frames do not hold whole cycles of them. A
    delay of ``d`` frames gives a wave of ``f`` cycles per frame a gain of angle ``2 pi f d``.

    Args:
        answer: What is judged.
        shown: The movie that was shown, as it was on the screen; it holds all the waves.
        waves: ``exp(i phase)`` of each of them.
        mask: Weight per pixel; None counts all.
        threshold: Least weight of a pixel that counts.
        burn_in: Frames left out at the start.

    Raises:
        WrongUse: sizes differ, nothing counts, or a wave is not in the movie shown.
    """
    guess, true = (_counted(movie, mask, threshold, burn_in) for movie in (answer, shown))
    if answer.shape != shown.shape or waves.shape[1:] != shown.shape:
        sizes = ["x".join(map(str, one.shape)) for one in (answer, shown, waves[0])]
        raise WrongUse(f"answer, movie and waves are of {', '.join(sizes)}; a transfer needs one size of all.")
    parts = [_counted(part, mask, threshold, burn_in) for wave in waves for part in (wave.real, wave.imag)]
    design = torch.stack([torch.ones_like(true), *parts], 1)
    sides = torch.stack([guess, true], 1)
    # By singular values: at the limit of the pixels sine and cosine of a wave may be one and the same.
    fitted = torch.linalg.lstsq(design, sides, driver="gelsd").solution
    cosine, sine = fitted[1::2], fitted[2::2]
    answered, told = torch.complex(cosine, -sine).unbind(1)
    if float(told.abs().min()) < 1e-6:
        raise WrongUse("a wave is not in the movie that was shown; hand over the waves it was made of.")
    return Transfer(answered / told, guess - design @ fitted[:, 0], float(true.var(correction=0)))


def regression_transfer(
    answer: AnyMovie,
    shown: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = 0,
) -> float:
    """Slope of the regression of the answer on the movie shown: 1 where its contrast comes back, 0 where nothing does.

    Returns:
        The slope; NaN for a uniform movie.

    Raises:
        WrongUse: sizes differ, or nothing counts.
    """
    if answer.shape != shown.shape:
        sizes = ["x".join(map(str, one.shape)) for one in (answer, shown)]
        raise WrongUse(f"answer and movie are of {' and '.join(sizes)}; a transfer needs one size of both.")
    guess, true = (_counted(movie, mask, threshold, burn_in) for movie in (answer, shown))
    apart = true - true.mean()
    if not bool((true > true.min()).any()):
        return math.nan
    return float((guess * apart).sum() / (true * apart).sum())


def painted(first: Transfer, second: Transfer) -> float:
    """What two answers to one movie share that was not in it, as a share of the variance shown.

    Noise of its own in each of the two takes no part, so that an answer is not charged with the noise of the responses:
    only with what it shows again and again where something else was shown.

    Returns:
        About 0 where nothing is added; below 0 by chance only. NaN for a uniform movie.
    """
    if not first.shown > 0:
        return math.nan
    return float((first.rest * second.rest).mean()) / first.shown


def _counted(movie: AnyMovie, mask: AnyMask | None, threshold: float, burn_in: int) -> Counted:
    pixels = torch.ones(movie.shape[1:], dtype=torch.bool) if mask is None else mask >= threshold
    counted = movie[burn_in:, pixels.to(movie.device)]
    if not counted.numel():
        raise WrongUse("no pixel of the mask or no frame after the burn-in is left to count.")
    return counted.double().flatten()
