"""Half the digits where they are not missed: matrix products and convolutions in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor

from cinecortex.encoders.altered import Altered
from cinecortex.encoders.base import Encoder
from cinecortex.tensors import Behaviors, Movies, Rates


class MixedPrecision(Altered):
    """The same encoder under torch's autocast to bfloat16: rates come back in the format of the movies.

    Made for accelerators. Rates are rounded to eight bits on their way and gradients turn a little, so nothing uses it
    unless asked to. Energies and descents stay in full precision. The observation model is taken over, measured as it
    was in full precision.

    Args:
        encoder: Any encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses on every frame, in the unit of the recording."""
        with torch.autocast(movies.device.type, torch.bfloat16):
            rates: Tensor = self.encoder(movies, behaviors)
        return rates.to(movies.dtype)
