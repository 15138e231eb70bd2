"""Was it worth the trouble?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import METRIC, AgainstControl
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.verdicts import rule

BASELINES = ("mean", "nearest", "ridge", "convolutional")

WORTH_THE_TROUBLE = 0.02
"""The smallest gain over a simple decoder that is worth inverting an encoder for."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """``baselines``: the same trials answered by simple decoders that were fitted to the same training trials.

    Prediction: a method that gets more out of the responses than a decoder is better than the best of them. A copier of
    training clips is no better than ``nearest``, and one that paints the mean no better than ``mean``. The threshold is
    not 0, or a method that gives a decoder's very answers could never be refuted. That a decoder is better does not
    make a reconstruction wrong: it says that the decoder should be used.

    Every difference is paired by trial. The verdict is that against the strongest baseline.

    Attributes:
        seed: Stream for intervals.
        scoring: How an answer is held against a movie.
        names: The methods to be held against.
        threshold: The smallest gain that is worth claiming.
    """

    id: ClassVar[str] = "baselines"
    claim: ClassVar[str] = "The reconstruction is better than what a simple decoder trained on the same trials gives."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    names: tuple[str, ...] = BASELINES
    threshold: float = WORTH_THE_TROUBLE

    def __post_init__(self) -> None:
        if not self.names:
            raise WrongUse("a comparison with baselines needs the name of one; leave the check out instead.")

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Movie correlation minus that of the strongest of {', '.join(self.names)}: {rule(self.threshold)}. With "
            "refuted before undecided before supported, the weakest comparison decides."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial as it is, of the method that is judged and of every baseline."""
        asked = {}
        for trial in trials:
            intact = trial.observe()
            asked[Question.of(trial)] = intact
            asked |= {Question.of(trial, method=name): intact for name in self.names}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The comparison with the baseline that comes nearest, or is ahead."""
        scores: dict[str, list[float]] = {"": [], **{name: [] for name in self.names}}
        for trial in trials:
            truth = trial.movie
            for name, values in scores.items():
                values.append(self.scoring(answered(answers, trial, shown=truth, method=name), truth))
        judged = scores.pop("")
        findings = {name: self._against(trials, judged, values, name) for name, values in scores.items()}
        return replace(weakest(findings), rule=self.rule)

    def _against(
        self, trials: Sequence[Trial], judged: Sequence[float], baseline: Sequence[float], name: str
    ) -> Finding:
        comparison = AgainstControl(self.id, self.claim, self.scoring, self.threshold, self.seed / self.id)
        gains = [a - b for a, b in zip(judged, baseline, strict=True)]
        data = {"judged": list(judged), "baseline": list(baseline)}
        return comparison.conclude(trials, gains, data, metric=f"{METRIC}, judged minus {name}", notes=())
