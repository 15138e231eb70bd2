"""Movie against movie: how much of what was shown a reconstruction tells.

Two choices hold everywhere. Frames before ``burn_in`` are left out (an encoder's rate there rests on frames before the
clip; 30 frames are the first second at 30 Hz). And a guess that does not vary scores 0, while a truth that does not
vary gives NaN, because there was nothing to tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import skimage.metrics
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.correlation import correlate
from cinecortex.tensors import Movie

# Sizes are compared in `_compared`, with a sentence, because movies of two sizes are a user's mistake.
AnyMovie = Float[Tensor, "_ _ _"]
AnyMask = Bool[Tensor, "_ _"] | Float[Tensor, "_ _"]
Pixels = Bool[Tensor, "height width"]

THRESHOLDS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
BURN_IN = 30


@dataclass(frozen=True, eq=False)
class FrameCorrelation:
    """Correlation of every frame with the true frame.

    Attributes:
        frames: One correlation per frame after the burn-in, NaN where the true frame is uniform, ``time``.
        mean: Their mean over the frames that could be scored; NaN when there is none.
    """

    frames: Float[Tensor, "time"]
    mean: float


@dataclass(frozen=True)
class MaskScore:
    """Scores inside one mask.

    Attributes:
        threshold: Pixels with at least this mask weight count; 0 is the full field.
        pixels: How many pixels that is. With none, every score is NaN.
        movie_correlation: See the function of that name.
        frame_correlation: Mean over frames.
        structural_similarity: Mean over frames and pixels.
    """

    threshold: float
    pixels: int
    movie_correlation: float
    frame_correlation: float
    structural_similarity: float


def movie_correlation(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """Pearson correlation over all pixels and frames at once, inside the mask and after the burn-in.

    This is the headline score of Bauer, Margrie & Clopath (eLife 2026, RP105081), who count pixels with ``mask >= 1``.

    Args:
        reconstruction: The movie judged, ``time height width``.
        truth: The movie that was shown, ``time height width``.
        mask: Pixels that count: boolean, or weights 0..1 of which those at or above ``threshold`` count. None counts
            the full field.
        threshold: Least weight of a pixel that counts.
        burn_in: Frames left out at the start.

    Returns:
        A number in [-1, 1]; 0 when the reconstruction does not vary, NaN when the truth does not.

    Raises:
        WrongUse: sizes disagree, no pixel counts, or no frame is left after the burn-in.
    """
    guess, true = counted(reconstruction, truth, mask=mask, threshold=threshold, burn_in=burn_in)
    return float(correlate(guess.flatten(), true.flatten()))


def counted(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> tuple[Float[Tensor, "frame pixel"], Float[Tensor, "frame pixel"]]:
    """What counts of both movies: the pixels inside the mask, after the burn-in.

    Args and errors are those of `movie_correlation`.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    pixels = _pixels(mask, threshold, true)
    return guess[:, pixels], true[:, pixels]


def mean_squared_error(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """Mean squared difference of luminance over all pixels and frames inside the mask and after the burn-in.

    Unlike a correlation it counts wrong brightness and contrast, and errors that have nothing to do with each other
    add up in it.

    Args and errors are those of `movie_correlation`.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    pixels = _pixels(mask, threshold, true)
    return float((guess[:, pixels] - true[:, pixels]).double().square().mean())


def frame_correlation(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> FrameCorrelation:
    """Pearson correlation over the pixels of each frame: blind to brightness and contrast that change over time.

    Args, range and errors are those of `movie_correlation`.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    pixels = _pixels(mask, threshold, true)
    frames = correlate(guess[:, pixels].T, true[:, pixels].T)
    return FrameCorrelation(frames=frames.to(truth.dtype), mean=float(frames.nanmean()))


def motion_energy(
    movie: Movie, *, mask: AnyMask | None = None, threshold: float = 0.5
) -> Float[Tensor, "time_less_one"]:
    """Mean squared change of luminance from each frame to the next, inside the mask; one number per step."""
    pixels = _pixels(mask, threshold, movie)
    return movie[:, pixels].diff(dim=0).square().mean(1)


def motion_energy_correlation(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """Pearson correlation over time of the two movies' `motion_energy`: does it move when the truth moves?

    Args, range and errors are those of `movie_correlation`; 0 for a static reconstruction, NaN for a static truth.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    if len(true) < 2:
        raise WrongUse("motion energy needs at least two frames after the burn-in; shorten the burn-in.")
    moved = [motion_energy(m, mask=mask, threshold=threshold) for m in (guess, true)]
    return float(correlate(*moved))


def structural_similarity(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    *,
    mask: AnyMask | None = None,
    threshold: float = 0.5,
    burn_in: int = BURN_IN,
) -> float:
    """Structural similarity (Wang et al. 2004, scikit-image), averaged over frames and over the pixels of the mask.

    Luminance range 1.0, a uniform window of 7x7 pixels or, on smaller frames, of the largest odd side that fits; the
    frame is mirrored at its border so that every pixel has a value. Constant frames need no special answer here.

    Args and errors are those of `movie_correlation`.

    Returns:
        A number in [-1, 1]; 1 for equal movies.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    return float(_similarity_map(guess, true)[:, _pixels(mask, threshold, true)].mean())


def scores_over_masks(
    reconstruction: AnyMovie,
    truth: AnyMovie,
    mask: AnyMask,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    burn_in: int = BURN_IN,
) -> tuple[MaskScore, ...]:
    """The scores at every mask threshold, so that none can be chosen afterwards; 0 is the full field.

    Args:
        reconstruction: The movie judged, ``time height width``.
        truth: The movie that was shown, ``time height width``.
        mask: Weight per pixel 0..1 (or boolean), ``height width``.
        thresholds: Least weights of the pixels that count.
        burn_in: Frames left out at the start.

    Returns:
        One row per threshold; a threshold that no pixel reaches has ``pixels=0`` and NaN scores.

    Raises:
        WrongUse: sizes disagree, or no frame is left after the burn-in.
    """
    guess, true = _compared(reconstruction, truth, burn_in)
    weights = _weights(mask, true)
    similarity = _similarity_map(guess, true)
    rows = []
    for threshold in thresholds:
        pixels = weights >= threshold
        if not pixels.any():
            rows.append(MaskScore(threshold, 0, *(float("nan"),) * 3))
            continue
        row = MaskScore(
            threshold=threshold,
            pixels=int(pixels.sum()),
            movie_correlation=movie_correlation(guess, true, mask=pixels, burn_in=0),
            frame_correlation=frame_correlation(guess, true, mask=pixels, burn_in=0).mean,
            structural_similarity=float(similarity[:, pixels].mean()),
        )
        rows.append(row)
    return tuple(rows)


def _similarity_map(guess: Movie, truth: Movie) -> Movie:
    """Structural similarity of every pixel of every frame."""
    shortest = min(truth.shape[1:])
    window = min(7, shortest - (shortest + 1) % 2)
    pairs = zip(guess.double().cpu().numpy(), truth.double().cpu().numpy(), strict=True)
    frames = [
        # In a window of one pixel nothing varies, and the unbiased variance would divide by zero.
        skimage.metrics.structural_similarity(  # type: ignore[no-untyped-call]
            g, t, data_range=1.0, win_size=window, full=True, use_sample_covariance=window > 1
        )[1]
        for g, t in pairs
    ]
    return torch.from_numpy(np.stack(frames)).to(truth.device)


def _compared(reconstruction: AnyMovie, truth: AnyMovie, burn_in: int) -> tuple[AnyMovie, AnyMovie]:
    """Both movies after the burn-in, on one device."""
    if reconstruction.shape != truth.shape:
        raise WrongUse(
            f"reconstruction is {_size(reconstruction)} and truth is {_size(truth)} (time x height x width); "
            "compare movies of the same trial."
        )
    if not 0 <= burn_in < len(truth):
        raise WrongUse(f"burn_in is {burn_in} frames but the movies have {len(truth)}; nothing would be left to score.")
    return reconstruction[burn_in:].to(truth.device), truth[burn_in:]


def _weights(mask: AnyMask, movie: AnyMovie) -> Float[Tensor, "height width"]:
    if mask.shape != movie.shape[1:]:
        raise WrongUse(f"mask is {_size(mask)} but a frame is {_size(movie[0])} pixels; use the mask of this encoder.")
    return mask.to(movie.device, torch.float64)


def _pixels(mask: AnyMask | None, threshold: float, movie: AnyMovie) -> Pixels:
    """Which pixels count."""
    if mask is None:
        return torch.ones(movie.shape[1:], dtype=torch.bool, device=movie.device)
    pixels = _weights(mask, movie) >= (0.5 if mask.dtype == torch.bool else threshold)
    if not pixels.any():
        raise WrongUse(f"no pixel of the mask reaches {threshold:g} (its largest weight is {float(mask.max()):g}).")
    return pixels


def _size(array: Tensor) -> str:
    return "x".join(map(str, array.shape))
