"""Does it matter which neuron said what?"""

from __future__ import annotations

from typing import final

from cinecortex.validation import controls
from cinecortex.validation.control_check import ControlCheck


@final
class NeuronsShuffled(ControlCheck):
    """``controls.neurons_shuffled``: every response is handed to another neuron, another one for each trial.

    Prediction: a method that reads a picture from who was active loses it. One that follows only what all neurons
    share, such as their sum, scores the same.
    """

    id = "controls.neurons_shuffled"
    claim = "The reconstruction rests on which neuron said what."
    change = staticmethod(controls.neurons_shuffled)
