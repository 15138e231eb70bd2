"""Does it matter which neuron said what?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.against_control import LEAST_GAIN, AgainstControl
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.scoring import Scoring


@dataclass(frozen=True, eq=False)
class NeuronsShuffled:
    """``controls.neurons_shuffled``: every response is handed to another neuron, another one for each trial.

    Prediction: a method that reads a picture from who was active loses it. One that follows only what all neurons
    share, such as their sum, scores the same.

    Attributes:
        seed: Stream for the shuffles and intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest loss by shuffling that is worth claiming.
    """

    id: ClassVar[str] = "controls.neurons_shuffled"
    claim: ClassVar[str] = "The reconstruction rests on which neuron said what."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return self._comparison.rule

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, and with its neurons shuffled."""
        return self._comparison.ask(trials, controls.neurons_shuffled)

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Intact against shuffled."""
        return self._comparison.judge(trials, answers)

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
