"""Does the reconstruction tell more than the method says without hearing a single neuron?"""

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
class NoNeurons:
    """``controls.no_neurons``: with all neurons unheard, the prior-only movie. Its score is the floor.

    Prediction: a method that listens loses what it gained from the neurons; one that paints from what it has learned
    about movies, or reads behavior only, scores the same.

    Attributes:
        seed: Stream for intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest gain over the floor that is worth claiming.
    """

    id: ClassVar[str] = "controls.no_neurons"
    claim: ClassVar[str] = "The reconstruction tells more about the movie than the method does without any neuron."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return self._comparison.rule

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, and without neurons."""
        return self._comparison.ask(trials, controls.no_neurons)

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Intact against the floor."""
        return self._comparison.judge(trials, answers)

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
