"""Does the reconstruction rest on what the neurons did, or on spectra and correlations only?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

from cinecortex.finding import Finding
from cinecortex.recording import Observation, Trial
from cinecortex.tensors import Movie
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.control_check import ControlCheck
from cinecortex.validation.phase_randomised import LEAST_FRAMES, phase_randomised

STILL = 0.8
"""A movie with more of its variance than this in a still picture cannot show whether the course in time was heeded."""


@final
class PhaseRandomised(ControlCheck):
    """``controls.phase_randomised``: surrogate activity with the spectra and cross-correlations of the real one.

    Prediction: a method that follows what the neurons did loses its score, but for the still picture in their means,
    which a surrogate keeps. One that reads rates, spectra or correlations, or knows the trial by them, scores the same.

    Movies that hardly move are left out: a surrogate of such a movie is the movie. Where the still picture makes up
    0.8 of the variance, an answer that correlates at 0.4 with the movie still loses 0.08, which is more than the
    threshold. So are trials with too few frames that were recorded for every neuron.
    """

    id = "controls.phase_randomised"
    claim = "The reconstruction rests on what the neurons did, and not on spectra and correlations only."
    change = staticmethod(phase_randomised)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"{super().rule} Movies with more than {STILL:.0%} of their variance in a still picture are left "
            f"out, and trials of fewer than {LEAST_FRAMES} frames recorded for all neurons."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every trial that has a surrogate, as it is and as surrogate."""
        return super().ask([trial for trial in trials if _has_surrogate(trial.observe())])

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Intact against surrogate."""
        told = [trial for trial in trials if self._moves(trial.movie) and _has_surrogate(trial.observe())]
        left_out = len(trials) - len(told)
        notes = [f"Trials left out: {left_out} (too still, or too few frames recorded)."] if left_out else []
        return replace(self._comparison.judge(told, answers, notes=notes), rule=self.rule)

    def _moves(self, truth: Movie) -> bool:
        # The squared correlation with the mean picture is its share of the variance. A uniform movie gives NaN.
        still = truth[min(self.scoring.burn_in, len(truth) // 2) :].mean(0).expand_as(truth)
        return self.scoring(still, truth) ** 2 <= STILL


def _has_surrogate(observation: Observation) -> bool:
    response = observation.response[:, observation.heard]
    return int((~response.isnan().any(1)).sum()) >= LEAST_FRAMES
