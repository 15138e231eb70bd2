"""Does what the reconstruction shows come from the neurons, or from how the animal behaved?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.against_control import LEAST_GAIN, METRIC, AgainstControl
from cinecortex.validation.arms import weakest
from cinecortex.validation.behavior_predicted import BehaviorModel, behavior_predicted, fit_behavior_model
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.pairs import with_another_clip
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule

NO_NEURONS, SWAPPED, PREDICTED = "no_neurons", "behavior_swapped", "behavior_predicted"


@dataclass(frozen=True, eq=False)
class BehaviorOnly:
    """``controls.behavior_only``: what behavior and gaze tell, in three comparisons that must all hold.

    1. Neurons unheard, behavior kept: the intact answer must be better. A method that reads behavior, whatever the
       neurons say, is not.
    2. Neurons kept, behavior of another clip's trial: the answer must still be better than the one without neurons. A
       method that knows the clip by the behavior shows the other one, or loses what it knew. One that makes honest use
       of gaze or running may lose a little.
    3. Responses replaced by what behavior alone predicts of them: the intact answer must be better. Where the neurons
       follow running and pupil only, and the movie happens to go with these, an honest method finds the movie in the
       responses, and finds it as well in what behavior predicts of them. Then it was not seen by the neurons.

    The regression of the third is fitted to the training trials. Without behavior channels only the first can be
    asked; without training trials of the session, or with behavior the third, the others remain, and the notes say so.

    Attributes:
        train: Trials that behavior's regression is fitted to, of all sessions judged; never those that are judged.
        seed: Stream for the pairs and intervals.
        scoring: How an answer is held against a movie.
        threshold: The smallest difference that is worth claiming, in each comparison.
    """

    id: ClassVar[str] = "controls.behavior_only"
    claim: ClassVar[str] = "What the reconstruction shows comes from the neurons and not from the behavior."

    train: Sequence[Trial]
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Movie correlation, the weakest of: intact minus neurons unheard; another trial's behavior minus neurons "
            f"unheard; intact minus responses as behavior predicts them: {rule(self.threshold)}. With refuted before "
            "undecided before supported, the weakest decides."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, without neurons, with what behavior predicts, and one for each clip with another's."""
        asked = {}
        for trial in trials:
            intact = trial.observe()
            asked[Question.of(trial)] = intact
            asked[Question.of(trial, NO_NEURONS)] = controls.no_neurons(intact, self.seed)
            model = self._models.get(trial.session_id)
            if model is not None and trial.behavior_channels:
                asked[Question.of(trial, PREDICTED)] = behavior_predicted(intact, self.seed, model=model)
        for trial, other in self._pairs(trials):
            swapped = controls.behavior_swapped(trial.observe(), self.seed, other=other.observe())
            asked[Question.of(trial, SWAPPED)] = swapped
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The weakest of the comparisons that could be asked."""
        modelled = [trial for trial in trials if trial.session_id in self._models and trial.behavior_channels]
        findings = {"no neurons": self._minus(trials, answers, NO_NEURONS)}
        notes = []
        if pairs := self._pairs(trials):
            findings["another trial's behavior"] = self._swapped(pairs, answers)
        elif trials:
            notes.append("No other clip's behavior could be put in.")
        if modelled:
            findings["responses as behavior predicts them"] = self._minus(modelled, answers, PREDICTED)
        elif trials:
            notes.append("What behavior predicts of the responses could not be learnt: there are no training trials.")
        if trials and not any(trial.behavior_channels for trial in trials):
            notes = ["The recording has no behavior: only the answer without neurons was compared."]
        finding = weakest(findings)
        return replace(finding, rule=self.rule, notes=" ".join(filter(None, (finding.notes, *notes))))

    def _minus(self, trials: Sequence[Trial], answers: Answers, control: str) -> Finding:
        intact, changed = [], []
        for trial in trials:
            truth = trial.movie
            intact.append(self.scoring(answered(answers, trial, shown=truth), truth))
            changed.append(self.scoring(answered(answers, trial, control, shown=truth), truth))
        values = [a - b for a, b in zip(intact, changed, strict=True)]
        return self._conclude(trials, values, {"intact": intact, "control": changed}, f"intact minus {control}")

    def _swapped(self, pairs: Sequence[tuple[Trial, Trial]], answers: Answers) -> Finding:
        swapped, floor, others = [], [], []
        for trial, other in pairs:
            seen, elsewhere = trial.movie, other.movie
            answer = answered(answers, trial, SWAPPED, shown=seen)
            common = min(len(seen), len(elsewhere))
            swapped.append(self.scoring(answer, seen))
            floor.append(self.scoring(answered(answers, trial, NO_NEURONS, shown=seen), seen))
            others.append(self.scoring(answer[:common], elsewhere[:common]))
        values = [a - b for a, b in zip(swapped, floor, strict=True)]
        data = {
            "behavior of": [other.trial_id for _, other in pairs],
            "control": swapped,
            "no neurons": floor,
            "against the clip of the behavior": others,
        }
        return self._conclude([trial for trial, _ in pairs], values, data, f"{SWAPPED} minus {NO_NEURONS}")

    def _conclude(self, trials: Sequence[Trial], values: Sequence[float], data: dict[str, Any], what: str) -> Finding:
        comparison = AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
        return comparison.conclude(trials, values, data, metric=f"{METRIC}, {what.replace('_', ' ')}", notes=())

    def _pairs(self, trials: Sequence[Trial]) -> list[tuple[Trial, Trial]]:
        return with_another_clip([trial for trial in trials if trial.behavior_channels], self.seed / self.id)

    @cached_property
    def _models(self) -> dict[str, BehaviorModel]:
        """What behavior predicts in each session that has training trials with behavior."""
        usable = [trial for trial in self.train if trial.behavior_channels and trial.response is not None]
        sessions = dict.fromkeys(trial.session_id for trial in usable)
        return {
            session: fit_behavior_model([trial for trial in usable if trial.session_id == session])
            for session in sessions
        }
