"""Is the reconstruction brighter where what is shown is?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import luminance_shifted
from cinecortex.tensors import Movie, PerNeuron
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, seen, shown_altered, shown_as_it_was
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

SHIFTS = (-0.15, 0.0, 0.15)

LEAST_SLOPE = 0.1
"""A tenth of a change in luminance must come through."""

TOLD = 0.25
"""The share of the variance that the best estimate explains is also its slope. Where a linear reading reaches this much
on clips that it was not made of, an honest method is asked for less than half of it."""


@dataclass(frozen=True, eq=False)
class Luminance:
    """``perturbation.luminance``: every clip darker and brighter by 0.15, shown to an animal in silico.

    Luminance is the mean over the pixels and frames that are scored, of the movie shown after clipping and of the
    answer. The verdict is on the slope of the one on the other.

    Prediction: a method that reads pixels follows, though less than one to one, for a prior draws it to the mean.
    One that paints or recognises does not.

    Cortical neurons may tell hardly anything of how bright it is, and then an honest method does not either. Therefore
    nobody is refuted unless the neurons tell: a linear reading of the animal's mean responses must explain at least a
    quarter of the variance of the luminance of clips left out of it, see `luminance_told`.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the animal's noise and the interval; hand all checks the same.
        scoring: Which pixels and frames count.
        frames: How much of each clip is shown.
        threshold: The smallest slope that is worth claiming.
    """

    id: ClassVar[str] = "perturbation.luminance"
    claim: ClassVar[str] = "The brighter the movie that is shown, the brighter the reconstruction."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    frames: int = STRETCH
    threshold: float = LEAST_SLOPE

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Slope of the mean luminance reconstructed on the one shown: {rule(self.threshold)}. Not refuted where a "
            f"linear reading of the neurons explains less than {TOLD:.0%} of the variance of luminance. {RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Every clip darker, as it was, and brighter."""
        asked = recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed)
        return {**asked, **{Question.of(shown): shown.observe() for trial in trials for shown in self._shown(trial)}}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The slope for every clip; and whether the neurons tell."""
        told, doses, given, responses = [], [], [], []
        for trial in trials:
            shown = list(self._shown(trial))
            luminances = [self._luminance(one.movie) for one in shown]
            # A movie so dark or bright that shifting it is all clipped away is no dose.
            if len(set(luminances)) > 1:
                told.append(trial)
                doses.append(luminances)
                given.append([self._luminance(answered(answers, one, shown=one.movie)) for one in shown])
                responses.append(torch.stack([self._mean_response(one) for one in shown]))
        slopes = [statistics.linear_regression(x, y).slope for x, y in zip(doses, given, strict=True)]
        readable = luminance_told(responses, doses)
        data = {
            "luminance shown": doses,
            "luminance reconstructed": given,
            "variance that the neurons explain": readable,
        }
        metric = "slope of the mean luminance reconstructed on the one shown"
        notes = self._notes(len(trials) - len(told), readable)
        seed = self.seed / self.id
        finding = concluded(
            self, told, slopes, threshold=self.threshold, seed=seed, metric=metric, data=data, notes=notes
        )
        if finding.verdict == "refuted" and (readable is None or readable < TOLD):
            note = "The neurons hardly tell how bright it is, so that no method can be held to it."
            finding = replace(finding, verdict="undecided", notes=f"{finding.notes} {note}")
        return self._held_fairly(finding, trials, answers)

    def _held_fairly(self, finding: Finding, trials: Sequence[Trial], answers: Answers) -> Finding:
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _luminance(self, movie: Movie) -> float:
        return float(seen(movie, self.scoring).double().mean())

    def _mean_response(self, shown: Trial) -> PerNeuron:
        response = shown.observe().response
        return response[min(self.scoring.burn_in, len(response) // 2) :].mean(0)

    def _shown(self, trial: Trial) -> Iterator[Trial]:
        if self.animal is None:
            return
        for shift in SHIFTS:
            if not shift:
                yield shown_as_it_was(self.animal, trial, frames=self.frames, seed=self.seed)
                continue
            alter = partial(luminance_shifted, by=shift)
            name = f"luminance {shift:+g}"
            yield shown_altered(self.animal, trial, alter, name=name, frames=self.frames, seed=self.seed)

    def _notes(self, left_out: int, readable: float | None) -> list[str]:
        if self.animal is None:
            return [NO_ANIMAL]
        notes = [f"Trials left out because all of the change was clipped: {left_out}."] if left_out else []
        if readable is not None:
            notes.append(
                f"A linear reading of the neurons explains {max(readable, 0.0):.0%} of the variance of luminance."
            )
        return notes


def luminance_told(
    responses: Sequence[Float[Tensor, "dose neuron"]], luminances: Sequence[Sequence[float]]
) -> float | None:
    """How much of the variance of luminance a linear reading explains, for each clip from all others.

    The weight of a neuron is its slope on luminance within clips over its variance between clips, whose content it
    tells too; the scale of the reading is set by the slopes.

    Args:
        responses: Mean responses for each clip.
        luminances: The luminance at each dose of each clip.

    Returns:
        1 for a perfect reading, 0 or less for none; None with fewer than three clips.
    """
    if len(responses) < 3:
        return None
    x = torch.stack(list(responses)).double()
    y = torch.tensor(luminances, dtype=torch.float64)
    slope = ((y - y.mean(1, keepdim=True))[..., None] * (x - x.mean(1, keepdim=True))).sum(1)
    slope = slope / (y - y.mean(1, keepdim=True)).square().sum(1, keepdim=True)
    missed = torch.zeros_like(y)
    for clip in range(len(x)):
        others = torch.arange(len(x)) != clip
        towards = slope[others].mean(0)
        weight = towards / x[others].mean(1).var(0).clamp_min(1e-12)
        reading = (x[clip] - x[others].mean((0, 1))) @ weight / (towards @ weight).clamp_min(1e-12)
        missed[clip] = y[others].mean() + reading - y[clip]
    return float(1 - missed.square().sum() / (y - y.mean()).square().sum())
