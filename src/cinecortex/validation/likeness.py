"""How alike every movie of some is to every movie of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.metrics.correlation import standardised
from cinecortex.tensors import Movie
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import seen

Table = Float[np.ndarray, "answer other"]


def likeness(rows: Sequence[Movie], columns: Sequence[Movie], scoring: Scoring) -> Table:
    """Movie correlation of each of the one with each of the others; a uniform movie is like nothing.

    Args:
        rows: Movies of one size; of unequal length, what all of them have counts.
        columns: More such movies.
        scoring: Which pixels and frames count.
    """
    frames = min((len(movie) for movie in (*rows, *columns)), default=0)
    if not frames:
        return np.zeros((0, 0))
    sides = []
    for movies in (rows, columns):
        pixels = torch.stack([seen(movie[:frames], scoring).flatten() for movie in movies], 1)
        sides.append(standardised(pixels, torch.ones_like(pixels, dtype=torch.bool))[0])
    return (sides[0].T @ sides[1]).numpy()
