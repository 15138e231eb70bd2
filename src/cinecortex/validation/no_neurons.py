"""Does the reconstruction tell more than the method says without hearing a single neuron?"""

from __future__ import annotations

from typing import final

from cinecortex.validation import controls
from cinecortex.validation.control_check import ControlCheck


@final
class NoNeurons(ControlCheck):
    """``controls.no_neurons``: with all neurons unheard, the prior-only movie. Its score is the floor.

    Prediction: a method that listens loses what it gained from the neurons; one that paints from what it has learned
    about movies, or reads behavior only, scores the same.
    """

    id = "controls.no_neurons"
    claim = "The reconstruction tells more about the movie than the method does without any neuron."
    change = staticmethod(controls.no_neurons)
