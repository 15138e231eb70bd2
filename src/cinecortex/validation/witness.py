"""Can the animal in silico bear witness, for a method or against it?

An encoder that is a poor model of the recorded neurons answers a movie with activity that another encoder takes for
another movie. What is reconstructed badly from that says nothing against the method. And two encoders that were fitted
to the same noise understand each other where neither understands the animal: what is reconstructed well from that says
nothing for it. So the same stretches of the same clips are asked as recorded and as shown to the animal. Where a method
reads the recording and not the animal, the animal cannot refute it; where it does not read the recording, the animal
cannot support it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from cinecortex.finding import Finding
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames, shown_as_it_was
from cinecortex.validation.verdicts import decide, independent_units

ENOUGH = 0.75
"""An animal must be read three quarters as well as the recording before it can refute anything."""

RULE = (
    f"Not refuted where clips shown to the animal as they were score below {ENOUGH:g} of what they do as recorded, and "
    f"not supported where the interval of what they do as recorded does not lie above {LEAST_GAIN:g}."
)


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
    """The finding; undecided where it rests on an animal that cannot bear witness to it.

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
        again = shown_as_it_was(animal, trial, frames=frames, seed=seed)
        movie = stretch.movie
        recorded.append(scoring(answered(answers, stretch, shown=movie), movie))
        shown.append(scoring(answered(answers, again, shown=movie), movie))
    units = independent_units(trials, recorded)
    data = {"as recorded": _without_nan(recorded), "shown to the animal": _without_nan(shown)}
    finding = replace(finding, data={**finding.data, **data})
    if not units.values:
        return finding
    read, shown_read = (statistics.fmean(independent_units(trials, scores).values) for scores in (recorded, shown))
    told = f"clips score {shown_read:.2f} as shown to it and {read:.2f} as recorded"
    # A method that reads neither has nothing to lose by the animal.
    if finding.verdict == "refuted" and read - shown_read > max(LEAST_GAIN, (1 - ENOUGH) * read):
        return _undecided(finding, f"The animal in silico is not like the recorded one, and refutes nothing: {told}.")
    decision = decide(units, threshold=LEAST_GAIN, seed=seed / "witness")
    if finding.verdict == "supported" and decision.verdict != "supported":
        return _undecided(finding, f"The recording itself is not read, so that the animal supports nothing: {told}.")
    return finding


def _undecided(finding: Finding, note: str) -> Finding:
    return replace(finding, verdict="undecided", notes=f"{finding.notes} {note}".strip())


def _without_nan(scores: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(score) else score for score in scores]
