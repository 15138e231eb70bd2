"""Does the reconstruction follow the activity, or the trial?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.against_control import LEAST_GAIN, METRIC, AgainstControl
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.pairs import with_another_clip
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule


@dataclass(frozen=True, eq=False)
class TrialsSwapped:
    """``controls.trials_swapped``: the responses of another clip's trial, and everything else of this one.

    Prediction: the answer shows the clip that the responses came from. A method that knows the trial by anything else
    (its behavior, its place in a file) shows the clip of the trial; one that paints the same for all shows neither.

    One trial per clip and session takes part, each in the place of one other.

    Attributes:
        seed: Stream for the pairs and intervals.
        scoring: How an answer is held against a movie.
        threshold: How much nearer to the activity's clip than to the trial's is worth claiming.
    """

    id: ClassVar[str] = "controls.trials_swapped"
    claim: ClassVar[str] = "With another trial's responses the reconstruction shows that trial's clip."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"Movie correlation with the clip of the responses minus that with the trial's: {rule(self.threshold)}."

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """One trial per clip, with the responses of another."""
        return {
            Question.of(trial, self._comparison.control): controls.trials_swapped(
                trial.observe(), self.seed, other=other.observe()
            )
            for trial, other in self._pairs(trials)
        }

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The clip of the responses against the clip of the trial."""
        pairs = self._pairs(trials)
        activity, own = [], []
        for trial, other in pairs:
            shown, heard = trial.movie, other.movie
            answer = answered(answers, trial, self._comparison.control, shown=shown)
            common = min(len(shown), len(heard))
            activity.append(self.scoring(answer[:common], heard[:common]))
            own.append(self.scoring(answer[:common], shown[:common]))
        values = [a - b for a, b in zip(activity, own, strict=True)]
        data = {
            "responses of": [other.trial_id for _, other in pairs],
            "against the clip of the responses": activity,
            "against the clip of the trial": own,
        }
        metric = f"{METRIC}, clip of the responses minus clip of the trial"
        finding = self._comparison.conclude([trial for trial, _ in pairs], values, data, metric=metric, notes=())
        return replace(finding, rule=self.rule)

    def _pairs(self, trials: Sequence[Trial]) -> list[tuple[Trial, Trial]]:
        """Every clip of a session with another; none where there is only one clip."""
        return with_another_clip(trials, self.seed / self.id)

    @property
    def _comparison(self) -> AgainstControl:
        return AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
