"""Does the reconstruction follow the order in which things were said?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from cinecortex.finding import Finding
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import block_order, blocks_scrambled
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames, shown_altered
from cinecortex.validation.time_shifted import ALIKE
from cinecortex.validation.verdicts import rule

FIRST, STEP = 1, 4
"""Blocks of 1, 4, 16, ... frames below the memory."""
ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Scramble:
    """``perturbation.scramble``: the trial in blocks of 1, 4, 16, ... frames, in another order.

    The responses are cut and put in another order, and the answer is held against the movie cut and ordered alike. The
    verdict is on the longest blocks, which are at least as long as the encoder's memory: how much nearer the answer is
    to the movie in the new order than to the movie as it was, ``(new - old) / (1 - alike)`` with the correlation of
    the two movies below. That is 1 for a perfect answer and 0 for one that does not heed the order.

    Prediction: for blocks longer than the memory the answer follows the new order. Shorter blocks are activity that no
    movie gives, so that the answer falls off to what is common to all frames; a method that looks at one frame at a
    time keeps on following, which is no fault. One that ignores time follows neither, and one that recognises the
    clip, from activity or from behavior, shows it as it was.

    With an animal in silico the movie itself is put in the new order and shown. That activity some movie does give, so
    that here short blocks should fall off less; it is reported beside the rest.

    Attributes:
        memory: Frames of the past that a rate of the encoder rests on.
        seed: Stream for orders, the animal's noise and the interval; hand all checks the same.
        scoring: How an answer is held against a movie.
        animal: Who is shown scrambled movies; without one only the activity is scrambled.
        frames: How much of each trial is asked for; more than twice the memory.
        threshold: The smallest share of the difference that is worth claiming.
    """

    id: ClassVar[str] = "perturbation.scramble"
    claim: ClassVar[str] = "The reconstruction follows the order in which the neurons said it."

    memory: int
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    animal: Animal | None = None
    frames: int = STRETCH
    threshold: float = LEAST_GAIN

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of the blocks in frames; the last is the first power of two that holds the memory."""
        longest = 1 << max(self.memory - 1, 0).bit_length()
        short = [length for length in (FIRST * STEP**k for k in range(longest)) if length < longest]
        return (*short, longest)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            f"Blocks of {self.blocks[-1]} frames, movie correlation in the new order minus in the old, of what a "
            f"perfect answer would have: {rule(self.threshold)}. Trials of fewer than two such blocks are left out, "
            f"and movies that correlate at {ALIKE:g} or more with themselves in the new order."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The stretch as it is and in blocks of every length; and scrambled movies shown to the animal."""
        asked = {}
        for stretch in map(self._stretch, trials):
            if not self._holds_two(stretch):
                continue
            intact = stretch.observe()
            asked[Question.of(stretch)] = intact
            for block in self.blocks:
                seed = self._order_seed(stretch, block)
                asked[Question.of(stretch, _name(block))] = blocks_scrambled(intact, seed, block=block)
            asked |= {Question.of(shown): shown.observe() for shown in self._shown(stretch)}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The new order against the old, on the longest blocks; and the curve over all."""
        told, rows = [], []
        for trial in trials:
            stretch = self._stretch(trial)
            if self._holds_two(stretch) and self._alike(stretch) < ALIKE:
                told.append(trial)
                rows.append(self._row(stretch, answers))
        values = [_followed(row["activity, new order"], row["activity, old order"], row["alike"]) for row in rows]
        data = {"blocks": list(self.blocks), "blocks shown": list(self._blocks_shown), "memory": self.memory}
        data |= {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        metric = "movie correlation, new order minus old, of what a perfect answer would have"
        notes = self._notes(len(trials) - len(told), rows)
        seed = self.seed / self.id
        return concluded(self, told, values, threshold=self.threshold, seed=seed, metric=metric, data=data, notes=notes)

    def _row(self, stretch: Trial, answers: Answers) -> dict[str, Any]:
        """Scores of every answer to one stretch: against the movie in the new order, and in the old."""
        movie = stretch.movie
        scrambled = [movie[self._order(stretch, block)] for block in self.blocks]
        given = [answered(answers, stretch, _name(block), shown=movie) for block in self.blocks]
        row: dict[str, Any] = {
            "intact": self.scoring(answered(answers, stretch, shown=movie), movie),
            "alike": [self.scoring(new, movie) for new in scrambled],
            "activity, new order": [self.scoring(one, new) for one, new in zip(given, scrambled, strict=True)],
            "activity, old order": [self.scoring(one, movie) for one in given],
        }
        if self.animal is not None:
            pairs = [(answered(answers, one, shown=one.movie), one.movie) for one in self._shown(stretch)]
            row["shown, new order"] = [self.scoring(one, new) for one, new in pairs]
            row["shown, old order"] = [self.scoring(one, movie) for one, _ in pairs]
        return row

    def _stretch(self, trial: Trial) -> Trial:
        return first_frames(trial, self.frames)

    def _holds_two(self, stretch: Trial) -> bool:
        return len(stretch.behavior) >= 2 * self.blocks[-1]

    def _alike(self, stretch: Trial) -> float:
        """How like the movie is to itself in the order of the longest blocks; NaN, below nothing, if it is uniform."""
        movie = stretch.movie
        return self.scoring(movie[self._order(stretch, self.blocks[-1])], movie)

    def _order_seed(self, stretch: Trial, block: int) -> Seed:
        place = self.seed / _name(block) / stretch.session_id / stretch.trial_id
        return _moving_most(len(stretch.behavior), block, place)

    def _order(self, stretch: Trial, block: int) -> Int[Tensor, "frame"]:
        return block_order(len(stretch.behavior), block=block, seed=self._order_seed(stretch, block))

    @property
    def _blocks_shown(self) -> tuple[int, ...]:
        """Every other length, the longest among them: a curve at half the price."""
        return tuple(reversed(self.blocks[::-2])) if self.animal is not None else ()

    def _shown(self, stretch: Trial) -> Iterator[Trial]:
        """The movie in new orders, shown to the animal."""
        if self.animal is None:
            return
        for block in self._blocks_shown:
            alter = partial(_in_order, order=self._order(stretch, block))
            yield shown_altered(self.animal, stretch, alter, name=_name(block), frames=self.frames, seed=self.seed)

    def _notes(self, left_out: int, rows: Sequence[dict[str, Any]]) -> list[str]:
        notes = []
        if left_out:
            notes.append(f"Trials left out: {left_out} (too short, uniform, or too like themselves in the new order).")
        if rows:
            curve = [
                statistics.fmean(row["activity, new order"][place] for row in rows) for place in range(len(self.blocks))
            ]
            told = ", ".join(f"{score:.2f} for {block}" for block, score in zip(self.blocks, curve, strict=True))
            intact = statistics.fmean(row["intact"] for row in rows)
            notes.append(
                f"Correlation with the movie in the new order, by frames in a block: {told}; intact {intact:.2f}."
            )
        if self.animal is None:
            notes.append("Scrambled movies were not shown: there is no animal in silico.")
        return notes


def _name(block: int) -> str:
    return f"blocks of {block}"


@cache
def _moving_most(frames: int, block: int, place: Seed) -> Seed:
    """Of a few streams the one whose order leaves the fewest frames in place: few blocks hardly move by chance."""
    if frames > ATTEMPTS * block:
        return place / 0

    def left(attempt: int) -> int:
        return int((block_order(frames, block=block, seed=place / attempt) == torch.arange(frames)).sum())

    return place / min(range(ATTEMPTS), key=left)


def _in_order(movie: Movie, order: Int[Tensor, "frame"]) -> Movie:
    return movie[order]


def _followed(new: Sequence[float], old: Sequence[float], alike: Sequence[float]) -> float:
    """Of the longest blocks, what was gained over the old order, of what there was to gain."""
    return (new[-1] - old[-1]) / (1 - alike[-1])
