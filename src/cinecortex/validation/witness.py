"""Can the animal in silico bear witness against a method?

An encoder that is a poor model of the recorded neurons answers a movie with activity that another encoder takes for
another movie. What is reconstructed badly from that says nothing against the method. So the same stretches of the same
clips are asked as recorded and as shown to the animal: where a method reads the recording and not the animal, the
animal cannot refute it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from cinecortex.finding import Finding, Verdict
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames, shown_as_it_was

ENOUGH = 0.75
"""An animal must be read three quarters as well as the recording before it can refute anything."""

RULE = f"Not refuted where clips shown to the animal as they were score below {ENOUGH:g} of what they do as recorded."


def recorded_and_shown(animal: Animal | None, trials: Sequence[Trial], *, frames: int, seed: Seed) -> Asked:
    """The stretch of every trial as recorded, and as shown to the animal; nothing without an animal."""
    if animal is None:
        return {}
    asked: dict[Question, Observation] = {}
    for trial in trials:
        shown = shown_as_it_was(animal, trial, frames=frames, seed=seed)
        asked |= {Question.of(one): one.observe() for one in (first_frames(trial, frames), shown)}
    return asked


def unless_unlike(
    finding: Finding,
    animal: Animal | None,
    trials: Sequence[Trial],
    answers: Answers,
    *,
    scoring: Scoring,
    frames: int,
    seed: Seed,
) -> Finding:
    """The finding; undecided instead of refuted where the animal is too unlike the recorded one to refute anything.

    Args:
        finding: What was found in silico.
        animal: Who was shown movies; without one the finding is as it is.
        trials: The trials that were asked.
        answers: With those to `recorded_and_shown` among them.
        scoring: How an answer is held against a movie.
        frames: Length of the stretches.
        seed: The seed that the checks share.
    """
    if animal is None:
        return finding
    recorded, shown = [], []
    for trial in trials:
        stretch = first_frames(trial, frames)
        movie = stretch.movie
        again = shown_as_it_was(animal, trial, frames=frames, seed=seed)
        score = scoring(answered(answers, stretch, shown=movie), movie)
        if not math.isnan(score):
            recorded.append(score)
            shown.append(scoring(answered(answers, again, shown=movie), movie))
    data = {**finding.data, "as recorded": recorded, "shown to the animal": shown}
    if not recorded:
        return replace(finding, data=data)
    read, shown_read = statistics.fmean(recorded), statistics.fmean(shown)
    # A method that reads neither has nothing to lose by the animal.
    if read - shown_read < max(LEAST_GAIN, (1 - ENOUGH) * read):
        return replace(finding, data=data)
    note = (
        f"The animal is not much like the recorded one: clips score {shown_read:.2f} as shown to it and "
        f"{read:.2f} as recorded."
    )
    verdict: Verdict = "undecided" if finding.verdict == "refuted" else finding.verdict
    return replace(finding, verdict=verdict, notes=f"{finding.notes} {note}".strip(), data=data)
