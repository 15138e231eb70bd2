"""What the method ``information`` says of a stretch: asked alike by every check that rests on it, and answered once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cinecortex.errors import WrongUse
from cinecortex.information import Information
from cinecortex.recording import Trial
from cinecortex.tensors import Mask, Movie
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.stretch import first_frames

INFORMATION = "information"
"""Who is asked: the inverter that measures how much of its answer is data."""


@dataclass(frozen=True, eq=False)
class Measured:
    """An answer that says how much of it is data.

    Attributes:
        movie: The reconstruction.
        share: Data share of every pixel and frame; without bias, so that noise may take it below 0 or above 1.
        std: Posterior standard deviation of every pixel.
        mask: Where the population can see, where the method knows.
        information: Bits, dimensions and bands.
    """

    movie: Movie
    share: Movie
    std: Movie
    mask: Mask | None
    information: Information


def ask_measured(trials: Sequence[Trial], frames: int) -> Asked:
    """The first frames of every trial as they are, of the method ``information``."""
    stretches = [first_frames(trial, frames) for trial in trials]
    return {Question.of(stretch, method=INFORMATION): stretch.observe() for stretch in stretches}


def measured(answers: Answers, stretch: Trial) -> Measured:
    """What was measured on a stretch.

    Raises:
        WrongUse: there is no answer, it has another size than the stretch, or nothing was measured.
    """
    movie = answered(answers, stretch, shown=stretch.movie, method=INFORMATION)
    answer = answers[Question.of(stretch, method=INFORMATION)]
    if answer.data_share is None or answer.std is None or answer.information is None:
        raise WrongUse(
            f"the answer to trial {stretch.trial_id} of session {stretch.session_id} ({INFORMATION}) does not say how "
            "much of it is data; let `Identified` answer it."
        )
    return Measured(movie, answer.data_share, answer.std, answer.mask, answer.information)
