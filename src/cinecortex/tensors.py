"""The shape vocabulary: every array in cinecortex has one of these shapes.

Axes are always in the order ``sample, batch, time, height, width`` (movies) or ``sample, batch, time, neuron``
(responses and rates). Files that store other orders are turned once, in their loader.
"""

from jaxtyping import Bool, Float
from torch import Tensor

Movie = Float[Tensor, "time height width"]
"""Luminance, 0 black to 1 white."""

Movies = Float[Tensor, "batch time height width"]
"""Movies of equal length, stacked."""

Response = Float[Tensor, "time neuron"]
"""What was recorded; the unit is named in the recording. A frame that was not recorded is NaN."""

Rates = Float[Tensor, "batch time neuron"]
"""What an encoder expects the responses to be, in the unit of the response."""

Behavior = Float[Tensor, "time channel"]
"""Pupil dilation, running speed, gaze; the channels are named beside it."""

Behaviors = Float[Tensor, "batch time channel"]
"""Behavior of several trials of equal length, stacked."""

Mask = Float[Tensor, "height width"]
"""Weight per pixel, 0 to 1: where this population can see."""

Heard = Bool[Tensor, "neuron"]
"""Which neurons an observation speaks for. The others are left out of every sum, never treated as silent."""

PerNeuron = Float[Tensor, "neuron"]
"""One number for each neuron."""

Scalar = Float[Tensor, ""]
"""A single number."""
