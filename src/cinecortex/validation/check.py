"""What a check is: it asks, and it judges. Who answers, how, and where is none of its business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.tensors import Movie

INTACT, JUDGED = "intact", ""


@dataclass(frozen=True)
class Question:
    """The name of an observation that a check asks to have inverted.

    Attributes:
        session_id, trial_id: The trial it was made from.
        control: What was done to it; ``intact`` when nothing was. Stored movies answer the intact ones.
        method: Who is asked: empty for the method that is judged, otherwise the name of one that it is held against,
            such as ``ridge``.
    """

    session_id: str
    trial_id: str
    control: str = INTACT
    method: str = JUDGED

    @staticmethod
    def of(trial: Trial, control: str = INTACT, *, method: str = JUDGED) -> Question:
        """The question about this trial under this control."""
        return Question(trial.session_id, trial.trial_id, control, method)


Asked = Mapping[Question, Observation]
"""Observations to invert. Two checks that ask the same question name it alike, and it is inverted once."""

Answers = Mapping[Question, Reconstruction]
"""What a method made of them; it may hold the answers to other checks' questions too."""


@runtime_checkable
class Check(Protocol):
    """One question about a method, with the rule it is judged by.

    A check never sees the method. Between `ask` and `judge` a study inverts every distinct observation once. Both are
    given the same trials, and a check with the same seed asks the same each time.
    """

    @property
    def id(self) -> str:
        """Its name, such as ``controls.no_neurons``."""
        ...

    @property
    def claim(self) -> str:
        """What ``supported`` would mean, in one sentence."""
        ...

    @property
    def rule(self) -> str:
        """The threshold, in words, fixed before the run."""
        ...

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The observations whose reconstructions the check needs."""
        ...

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """What the reconstructions say, held against the movies that were shown.

        Raises:
            WrongUse: an answer is missing.
        """
        ...


def answered(answers: Answers, trial: Trial, control: str = INTACT, *, shown: Movie, method: str = JUDGED) -> Movie:
    """The movie that answers the question about a trial under a control.

    Args:
        answers: All answers.
        trial: The trial.
        control: What was done to it.
        shown: The movie of the trial, whose size the answer must have.
        method: Who was asked.

    Raises:
        WrongUse: there is no answer, or it has another size than what was shown.
    """
    question = Question.of(trial, control, method=method)
    where = f"trial {trial.trial_id} of session {trial.session_id} ({control}{f', {method}' if method else ''})"
    if question not in answers:
        raise WrongUse(f"{where} has no reconstruction; invert everything the check asks for, or leave the check out.")
    movie = answers[question].movie
    if movie.shape != shown.shape:
        sizes = ["x".join(map(str, size)) for size in (movie.shape, shown.shape)]
        raise WrongUse(
            f"the reconstruction of {where} is {sizes[0]} and what was shown {sizes[1]}; it must be all of it."
        )
    return movie
