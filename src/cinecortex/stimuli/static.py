"""One picture held still: what a reconstruction makes of it is all algorithm wherever it moves."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.tensors import Movie


def held_still(picture: Float[Tensor, "height width"], *, frames: int = 300) -> Movie:
    """A movie of one picture.

    Args:
        picture: Luminance 0..1, ``height width``.
        frames: Number of frames.

    Returns:
        Luminance 0..1, ``time height width``; a copy, not a view of ``picture``.

    Raises:
        WrongUse: no frames, or a picture outside the range 0..1 of the screen.
    """
    if frames < 1:
        raise WrongUse(f"a still movie needs at least one frame, not {frames}.")
    if picture.numel() == 0 or not bool(((picture >= 0) & (picture <= 1)).all()):
        raise WrongUse("a picture to hold still needs luminance within 0 to 1 in every pixel; rescale it first.")
    return picture.repeat(frames, 1, 1)
