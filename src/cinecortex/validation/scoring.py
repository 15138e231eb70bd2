"""The scores that checks compare, inside the mask and after the burn-in: movie correlation, and squared error."""

from __future__ import annotations

from dataclasses import dataclass

from cinecortex.metrics.movies import BURN_IN, AnyMovie, mean_squared_error, movie_correlation
from cinecortex.tensors import Mask

MASK_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Scoring:
    """How an answer is held against a movie.

    Attributes:
        mask: Weight per pixel, ``height width``; pixels at 0.5 or more count. None counts all.
        burn_in: Frames left out at the start; of clips shorter than twice that, half.
    """

    mask: Mask | None = None
    burn_in: int = BURN_IN

    def __call__(self, answer: AnyMovie, truth: AnyMovie) -> float:
        """Movie correlation; 0 for a uniform answer, NaN for a uniform truth.

        Raises:
            WrongUse: the answer has not the size of the movie.
        """
        return movie_correlation(answer, truth, mask=self.mask, threshold=MASK_THRESHOLD, burn_in=self._left_out(truth))

    def squared_error(self, answer: AnyMovie, truth: AnyMovie) -> float:
        """Mean squared error of luminance.

        Raises:
            WrongUse: the answer has not the size of the movie.
        """
        return mean_squared_error(
            answer, truth, mask=self.mask, threshold=MASK_THRESHOLD, burn_in=self._left_out(truth)
        )

    def _left_out(self, truth: AnyMovie) -> int:
        return min(self.burn_in, len(truth) // 2)
