"""Was a clip that is tested, or a copy of one, in training?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import scipy.stats
import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.data.copies import NearCopy, compare, sketch
from cinecortex.errors import BadData
from cinecortex.finding import Finding, Verdict
from cinecortex.recording import Trial
from cinecortex.tensors import Movie
from cinecortex.validation.check import Answers, Asked
from cinecortex.validation.verdicts import LEVEL

LOOKED_AT = 0.95
"""Of the clips that the encoder saw, so large a share must be at hand before it is said that no near-copy is there."""

FEWEST_FRAMES, MOST_FRAMES = 6, 16
"""Bounds of the shortest stretch that counts as copied: `near_copies` takes 16, and nothing below 6."""

TOGETHER = 32
"""Training clips that are compared with the test clips at once; none of these is compared with another of them."""

EXACT = "the same movie, frame for frame"


@dataclass(frozen=True, eq=False)
class LeakageClips:
    """``leakage.clips``: neither a test clip nor a near-copy of one was fitted to or selected on.

    Exact copies are known by the identity of all their frames, in whichever session they were shown. Near-copies share
    a stretch of frames that is mirrored, brighter, of another contrast, noisy, cropped or shifted by a few pixels, or
    comes at another time (see `cinecortex.data.near_copies`, which looks at every frame). Movies that were cropped by
    more than a tenth, turned, inverted, played backwards or at another speed are not looked for.

    What counts as trained on is what the encoder says it saw, together with the trials given, so that forgetting a
    session hides nothing: exact copies of its clips are still found, and the check says what it could not look at.

    One copied clip is enough to refute, however many there are. A copy in the training tier that the fit left out did
    not leak, by the encoder's own word; but what is called test was then shown as training, and whatever else used that
    tier has seen it: the question stays open for as long as such a clip is judged. There is no p: nothing here is drawn
    by chance.

    Attributes:
        training: Trials that the encoder was fitted to or selected on, of all sessions that it was fitted to.
        seen: Identity of every clip that the encoder itself says it was fitted to or selected on.
        left_out: Training trials that its fit left out because their clip is tested, by its own word.
    """

    id: ClassVar[str] = "leakage.clips"
    claim: ClassVar[str] = "No clip that is tested, nor a copy or near-copy of one, was in training."

    training: Sequence[Trial]
    seen: frozenset[str]
    left_out: Sequence[Trial] = ()

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Clips tested of which a copy or near-copy was in training: refuted where there is one, supported where "
            f"there is none among at least {LOOKED_AT:.0%} of the clips that the encoder saw, and none that its fit "
            "had to leave out, undecided otherwise and with nothing to compare."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """Nothing: no reconstruction is needed."""
        return {}

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """Compare every frame of the test clips with every frame of the training clips."""
        tested = _by_clip(trials)
        given, unreadable = _readable(self.training)
        training, left_out = _by_clip(given), _by_clip(_readable(self.left_out)[0])
        movies = {clip: shown[0].movie for clip, shown in tested.items()}
        pairs = list(_pairs(tested, training, movies, seen=self.seen))
        spared = list(_pairs(tested, left_out, movies, fitted=False))
        leaked = {pair["clip"] for pair in pairs}
        known = self.seen | training.keys()
        # Without a single test or training movie the share looked at would be 0 of 0.
        looked_at = bool(tested) and bool(training) and len(training) >= LOOKED_AT * len(known)
        verdict: Verdict = "refuted" if pairs else "supported" if looked_at and not spared else "undecided"
        share = len(leaked) / len(tested) if tested else math.nan
        return Finding(
            id=self.id,
            claim=self.claim,
            verdict=verdict,
            metric="share of test clips of which a copy was in training",
            value=share,
            interval=_exact_interval(len(leaked), len(tested)),
            level=LEVEL,
            n=len(tested),
            unit="clip",
            rule=self.rule,
            notes=" ".join((*self._notes(tested, training, unreadable), *_left_out_notes(tested, spared))),
            data={
                "test_trials": [trial.trial_id for trial in trials],
                "test_sessions": [trial.session_id for trial in trials],
                "pairs": [*pairs, *spared],
                "clips seen by the encoder": len(self.seen),
                "clips looked at for near-copies": len(training),
                "clips known by identity only": sorted(self.seen - training.keys()),
                "left out of the fit": [trial.trial_id for trial in self.left_out],
            },
        )

    def _notes(
        self, tested: dict[str, list[Trial]], training: dict[str, list[Trial]], unreadable: Sequence[str]
    ) -> Iterator[str]:
        missing, unknown = len(self.seen - training.keys()), len(training.keys() - self.seen)
        if not tested:
            yield "There is no test clip."
        if not self.seen and not training:
            yield "Nothing is known of what the encoder was trained on."
        if missing:
            yield (
                f"Of {len(self.seen)} clips that the encoder says it saw, {missing} are in none of the training trials "
                "at hand: exact copies of these are known by their identity, near-copies could not be looked for; "
                "give every session that it was fitted to."
            )
        if unreadable:
            yield f"Training trials that could not be read: {', '.join(unreadable)}."
        if unknown:
            yield (
                f"Training trials show {unknown} clips that the encoder does not say it saw; copies of these count "
                "all the same."
            )


def _left_out_notes(tested: dict[str, list[Trial]], spared: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not spared:
        return
    copied = {pair["clip"] for pair in spared}
    clean = [trial.trial_id for clip, shown in tested.items() if clip not in copied for trial in shown]
    yield (
        "Clips tested that the recording shows in its training tier, too, as they are or as near-copies: "
        f"{len(copied)} of {len(tested)}. The encoder says that its fit left those training trials out, but a "
        "test is one of clips that no training tier holds; "
        + (f"judge the others (--trials {','.join(clean)})." if clean else "none of these is left.")
    )


def _by_clip(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    clips: dict[str, list[Trial]] = {}
    for trial in trials:
        clips.setdefault(trial.clip_id, []).append(trial)
    return clips


def _readable(trials: Sequence[Trial]) -> tuple[list[Trial], list[str]]:
    """The trials whose movie can be read, and the names of the others."""
    good, bad = [], []
    for trial in trials:
        try:
            trial.clip_id  # noqa: B018 - the identity is that of the content: asking for it reads the movie
        except BadData:
            bad.append(f"{trial.trial_id} of session {trial.session_id}")
        else:
            good.append(trial)
    return good, bad


def _pairs(
    tested: dict[str, list[Trial]],
    training: dict[str, list[Trial]],
    movies: dict[str, Movie],
    *,
    seen: frozenset[str] = frozenset(),
    fitted: bool = True,
) -> Iterator[dict[str, Any]]:
    """Every line of evidence, for trials that were fitted to or for such as were left out."""
    for pair in _exact(tested, training, seen, movies):
        yield pair | {"fitted": fitted}
    for copy in _near(movies, training):
        for pair in _described(copy, tested[copy.first], training[copy.second]):
            yield pair | {"fitted": fitted}


def _exact(
    tested: dict[str, list[Trial]], training: dict[str, list[Trial]], seen: frozenset[str], movies: dict[str, Movie]
) -> Iterator[dict[str, Any]]:
    for clip, shown in tested.items():
        whole = (0, len(movies[clip]))
        for test in shown if clip in seen | training.keys() else ():
            # A clip that only the encoder's own list holds was shown in a trial that nobody gave.
            for train in training.get(clip, [None]):
                yield _pair(test, train, EXACT, whole, whole)


def _near(movies: dict[str, Movie], training: dict[str, list[Trial]]) -> Iterator[NearCopy]:
    """Test clips (first) that share frames with training clips (second) without being the same movie."""
    tests = {f"test {clip}": sketch(_held(movie)) for clip, movie in movies.items()}
    lengths = {f"test {clip}": len(movie) for clip, movie in movies.items()}
    names = list(training)
    for begin in range(0, len(names), TOGETHER):
        shown = {clip: training[clip][0].movie for clip in names[begin : begin + TOGETHER]}
        frames = lengths | {clip: len(movie) for clip, movie in shown.items()}
        shortest = max(FEWEST_FRAMES, min(MOST_FRAMES, *frames.values()))
        sketches = tests | {clip: sketch(_held(movie)) for clip, movie in shown.items()}
        for copy in compare(sketches, min_frames=shortest):
            test = copy.first.removeprefix("test ")
            if copy.first in tests and copy.second in shown and test != copy.second:
                yield replace(
                    copy,
                    first=test,
                    first_frames=_within(copy.first_frames, frames[copy.first]),
                    second_frames=_within(copy.second_frames, frames[copy.second]),
                )


def _held(movie: Movie) -> Float[Tensor, "frame height width"]:
    """A movie too short to be compared with its last frame held, any other as it is."""
    last = movie[-1:].expand(max(0, FEWEST_FRAMES - len(movie)), -1, -1)
    return torch.cat([movie, last])


def _within(frames: tuple[int, int], length: int) -> tuple[int, int]:
    """A stretch of a movie whose last frame was held, as one of the movie itself."""
    first, end = frames
    return min(first, length - 1), min(end, length)


def _described(copy: NearCopy, tested: Sequence[Trial], training: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    lag = copy.second_frames[0] - copy.first_frames[0]
    when = f"{abs(lag)} frames {'later' if lag > 0 else 'earlier'}" if lag else "at the same time"
    relation = (
        f"near-copy: in training {when}, {copy.mirrored}, contrast x{copy.contrast:.2f}, brightness "
        f"{copy.brighter:+.2f}, similarity {copy.similarity:.2f}"
    )
    for test in tested:
        for train in training:
            yield _pair(test, train, relation, copy.first_frames, copy.second_frames)


def _pair(
    test: Trial, train: Trial | None, relation: str, test_frames: tuple[int, int], training_frames: tuple[int, int]
) -> dict[str, Any]:
    """One line of the evidence; a stretch of frames is its first and the one after its last."""
    return {
        "test_trial": test.trial_id,
        "test_session": test.session_id,
        "clip": test.clip_id,
        "training_trial": None if train is None else train.trial_id,
        "training_session": None if train is None else train.session_id,
        "relation": relation,
        "test_frames": list(test_frames),
        "training_frames": list(training_frames),
    }


def _exact_interval(leaked: int, clips: int) -> tuple[float, float]:
    """Of a share, by Clopper & Pearson 1934, Biometrika 26:404."""
    if not clips:
        return math.nan, math.nan
    interval = scipy.stats.binomtest(leaked, clips).proportion_ci(LEVEL, method="exact")
    return float(interval.low), float(interval.high)
