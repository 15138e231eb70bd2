"""Is what is seen in the reconstruction true of every movie that the neurons could not tell from it?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.expected import response_score
from cinecortex.validation.scoring import MASK_THRESHOLD, Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from cinecortex.validation.verdicts import rule

METAMER = "metamer"
ENOUGH = 0.9
"""A metamer must predict the responses nine tenths as well as the true movie does."""
ARMS = ("the movie shown", "the reconstruction")


@dataclass(frozen=True, eq=False)
class Metamers:
    """``identifiability.metamers``: another movie that the neurons cannot tell from the reconstruction, and the truth.

    The method named ``metamer`` answers with a movie that was made as different from the most probable one as it can be
    while it stays typical of movies and evokes, by the encoder, responses that the best observer could not tell from
    those to the most probable one. Whatever is concluded from a reconstruction must hold for it too.

    It is held against the movie that was shown and against the judged reconstruction, and from each correlation is
    taken its mean with those of the other clips, which is what movies have in common by chance. Prediction: where the
    neurons say much, a metamer has the visible part of both and gains on either; where they say next to nothing, as 25
    neurons do about a whole screen, it is any movie. Where a method shows what the neurons did not say, its
    reconstruction has nothing to do with the metamer. The verdict is that of the weaker comparison.

    A metamer holds as much of what nobody saw as movies do, so that it correlates with what was shown by about the
    square of what a most probable movie does: 0.16 for one of 0.4, well above the least gain worth claiming.

    A metamer is not taken on trust. The encoder is shown it: where it predicts the recorded responses less than nine
    tenths as well as it does from the movie that evoked them, neurons could tell, and the clip does not count.

    Attributes:
        encoder: The encoder that is inverted.
        seed: Stream for intervals.
        scoring: How an answer is held against a movie.
        clips: How many clips are asked; the first, one trial of each.
        frames: How much of each, from its start.
        threshold: The smallest gain worth claiming.
    """

    id: ClassVar[str] = "identifiability.metamers"
    claim: ClassVar[str] = (
        "Movies that these neurons cannot tell from the reconstruction still look like what was shown."
    )

    encoder: Encoder
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    clips: int = 8
    frames: int = STRETCH
    threshold: float = LEAST_GAIN

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Movie correlation of a metamer with the movie shown, and with the reconstruction, each minus its mean "
            f"with those of the other clips, the weaker of the two, on {self.clips} clips: {rule(self.threshold)}. "
            f"A metamer counts where it predicts the responses at least {ENOUGH:g} times as well as the movie shown."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """A stretch of every clip as it is, of the judged method and of the one that looks for metamers."""
        asked: dict[Question, Observation] = {}
        for trial in self._handful(trials):
            intact = trial.observe()
            asked |= {Question.of(trial): intact, Question.of(trial, method=METAMER): intact}
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """How much metamers have in common with what was shown, and with the reconstruction."""
        told = self._handful(trials)
        truths = [trial.movie for trial in told]
        pairs = list(zip(told, truths, strict=True))
        judged = [answered(answers, trial, shown=truth) for trial, truth in pairs]
        metamers = [answered(answers, trial, shown=truth, method=METAMER) for trial, truth in pairs]
        scores = [
            {
                name: response_score(self.encoder, trial, movie)
                for name, movie in (("metamer", metamer), ("reconstruction", one), ("true movie", truth))
            }
            for trial, metamer, one, truth in zip(told, metamers, judged, truths, strict=True)
        ]
        believed = [score["metamer"] >= ENOUGH * score["true movie"] for score in scores]
        given = [answers[Question.of(trial, method=METAMER)] for trial in told]
        ambiguity = self._ambiguity(given)
        data = {
            "response correlation": [{k: v if v == v else None for k, v in score.items()} for score in scores],
            "counts": believed,
            "largest admissible difference (gray levels)": ambiguity,
        }
        notes = list(self._notes(believed, ambiguity, judged, metamers))
        kept = [place for place, yes in enumerate(believed) if yes]
        arms = {}
        for name, others in zip(ARMS, (truths, judged), strict=True):
            own = [self._alike(metamers[place], others[place]) for place in kept]
            chance = [self._by_chance(metamers[place], others, place) for place in kept]
            arms[name] = concluded(
                self,
                [told[place] for place in kept],
                [a - b for a, b in zip(own, chance, strict=True)],
                threshold=self.threshold,
                seed=self.seed / self.id / name,
                metric=f"movie correlation of the metamer with {name}, minus that with other clips",
                data={"metamer": own, "other clips": chance, **data},
                notes=notes,
            )
        return weakest(arms)

    def _handful(self, trials: Sequence[Trial]) -> list[Trial]:
        first: dict[str, Trial] = {}
        for trial in trials:
            first.setdefault(trial.clip_id, trial)
        return [first_frames(trial, self.frames) for trial in list(first.values())[: self.clips]]

    def _alike(self, metamer: Movie, other: Movie) -> float:
        """Their correlation; 0 where the other shows nothing that could be alike."""
        common = min(len(metamer), len(other))
        found = self.scoring(metamer[:common], other[:common])
        return 0.0 if math.isnan(found) else found

    def _by_chance(self, metamer: Movie, others: Sequence[Movie], own: int) -> float:
        found = [self._alike(metamer, other) for place, other in enumerate(others) if place != own]
        return statistics.fmean(found) if found else 0.0

    def _ambiguity(self, given: Sequence[Reconstruction]) -> Mapping[str, float | None]:
        """Median over pixels, frames and clips of the bound, inside the mask and outside."""
        ranges = [(one.upper - one.lower) / 2 for one in given if one.upper is not None and one.lower is not None]
        found: dict[str, float | None] = {"inside": None, "outside": None}
        if not ranges:
            return found
        mask = self.scoring.mask
        inside = torch.ones(ranges[0].shape[1:], dtype=torch.bool) if mask is None else mask >= MASK_THRESHOLD
        for name, part in (("inside", inside), ("outside", ~inside)):
            if bool(part.any()):
                pixels: Tensor = torch.cat([each[:, part].flatten() for each in ranges])
                found[name] = 255 * float(pixels.median())
        return found

    def _notes(
        self,
        believed: Sequence[bool],
        ambiguity: Mapping[str, float | None],
        judged: Sequence[Movie],
        metamers: Sequence[Movie],
    ) -> Iterator[str]:
        inside, outside = ambiguity["inside"], ambiguity["outside"]
        if inside is not None:
            beyond = "" if outside is None else f" (outside the mask {outside:.0f})"
            yield (
                f"Half of the pixels inside the mask could have been {inside:.0f} gray levels or more brighter or "
                f"darker{beyond}, and the neurons would have said the same."
            )
        alike = [self._alike(a, b) for a, b in zip(metamers, judged, strict=True)]
        if alike:
            yield f"Metamer and reconstruction correlate at {statistics.fmean(alike):.2f}."
        doubted = len(believed) - sum(believed)
        if doubted:
            yield f"Metamers that do not count, as they do not predict the responses: {doubted} of {len(believed)}."
