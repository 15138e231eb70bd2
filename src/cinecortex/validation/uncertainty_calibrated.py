"""Do the error bars hold as often as they say?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.metrics.bootstrap import Interval
from cinecortex.metrics.coverage_curve import CURVE_LEVELS, CoverageCurve
from cinecortex.metrics.error_bars import ErrorBars, error_bars, mean_histogram
from cinecortex.metrics.intervals import LEVEL as STATED
from cinecortex.metrics.skill import skill
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import INTACT, JUDGED, Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from cinecortex.validation.verdicts import LEAST, LEVEL

FACTOR = 2.0
"""Error bars mislead where the truth lies outside of them more than twice, or less than half, as often as stated."""
AIM = (0.87, 0.93)
"""What a well calibrated method is expected to reach; reported, and not what the verdict rests on."""
PRIOR = "no_neurons"
OVER, UNDER = "over-confidence", "under-confidence"
NOT_STATED = "The answers state no error: neither std, nor draws, nor an interval."


@dataclass(frozen=True, eq=False)
class UncertaintyCalibrated:
    """``uncertainty.calibrated``: how much of the truth lies inside the stated 90 % intervals.

    The share of the pixels inside the mask whose true luminance lies in their interval is taken for each clip. Pixels
    and frames of a clip err together, so a clip is one value, and its mean over clips has the interval that is judged.

    An interval that says 90 % says that one pixel in ten lies outside. It misleads where that is wrong by a factor of
    two: where more than one in five lies outside, or fewer than one in twenty. The claim is therefore that coverage
    lies between 80 and 95 %, an equivalence: "no difference from 90 % was found" is what too few clips say of any
    method. It holds where the whole interval lies within, and it is false where the whole interval lies on one side.

    How many clips that takes: after recalibration the coverage of single clips of the demo's mouse scatters by 0.07,
    which makes the interval of ten clips 0.10 wide, and 0.15 is allowed. Whether coverage lies in the 87 to 93 % that
    are aimed at would take about 50 clips of that kind; the notes say whether the interval lies there.

    Prediction: error bars from a posterior that counts the same evidence several times over, or that knows nothing of
    the encoder's own errors, are too narrow; those of a method that has never looked at what it leaves open are wide.

    A method without error bars of its own is judged by those of another, whose name is given. Draws cost several times
    an inversion, so only the start of each clip is asked. Sharpness and the score of the whole distribution stand
    beside: the prior alone, stated honestly, covers 90 % too, and tells nothing.

    Attributes:
        seed: Stream for intervals.
        scoring: Which pixels and frames count.
        method: Who is asked; empty for the method that is judged.
        frames: How much of each clip is asked, from its start.
        factor: How many times more or less often than stated the truth may lie outside.
    """

    id: ClassVar[str] = "uncertainty.calibrated"
    claim: ClassVar[str] = "The stated error bars hold: the truth lies within them as often as they say."

    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    method: str = JUDGED
    frames: int = STRETCH
    factor: float = FACTOR

    def __post_init__(self) -> None:
        if not self.factor > 1:
            raise WrongUse(f"factor is {self.factor:g}; the truth may lie outside more than 1 time as often as stated.")

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest coverage that does not mislead."""
        return 1 - self.factor * (1 - STATED), 1 - (1 - STATED) / self.factor

    @property
    def rule(self) -> str:
        """The rule in words."""
        low, high = self.bounds
        return (
            f"Share of the pixels inside their {STATED:.0%} interval, mean over clips: supported where the {LEVEL:.0%} "
            f"interval lies between {low:g} and {high:g} (the truth outside no more than {self.factor:g} times, and no "
            f"less than 1/{self.factor:g} as often as stated), refuted where it lies outside, undecided otherwise and "
            f"with fewer than {LEAST} clips."
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The start of every trial, as it is and without neurons."""
        asked: dict[Question, Any] = {}
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            intact = stretch.observe()
            asked[Question.of(stretch, method=self.method)] = intact
            silent = Question.of(stretch, PRIOR, method=self.method)
            asked[silent] = controls.no_neurons(intact, self.seed / PRIOR)
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """The mean coverage against the band, with all that stands beside it."""
        told, bars, alone = [], [], []
        for trial in trials:
            stretch = first_frames(trial, self.frames)
            intact, prior = (self._answer(answers, stretch, control) for control in (INTACT, PRIOR))
            own = self._bars(stretch, intact) if _stated(intact) else None
            if own is not None and not math.isnan(own.coverage):
                told.append(trial)
                bars.append(own)
                alone.append(self._bars(stretch, prior) if _stated(prior) else None)
        return self._conclude(told, bars, alone, silent=len(trials) - len(told))

    def _answer(self, answers: Answers, stretch: Trial, control: str) -> Reconstruction:
        answered(answers, stretch, control, shown=stretch.movie, method=self.method)
        return answers[Question.of(stretch, control, method=self.method)]

    def _bars(self, stretch: Trial, answer: Reconstruction) -> ErrorBars:
        truth = stretch.movie
        burn_in = min(self.scoring.burn_in, len(truth) // 2)
        return error_bars(truth, answer, self.scoring.mask, burn_in=burn_in)

    def _conclude(
        self, trials: Sequence[Trial], bars: Sequence[ErrorBars], alone: Sequence[ErrorBars | None], *, silent: int
    ) -> Finding:
        held = [one.coverage for one in bars]
        low, high = self.bounds
        sides = {OVER: [value - low for value in held], UNDER: [high - value for value in held]}
        # One stream for both: the interval of the one side is then that of the other, mirrored.
        arms = {
            name: concluded(
                self,
                trials,
                room,
                threshold=0.0,
                seed=self.seed / self.id,
                metric=f"coverage, room for {name}",
                data={},
            )
            for name, room in sides.items()
        }
        finding = weakest(arms)
        over = arms[OVER]
        notes = [_direction(arms), finding.notes, *self._notes(over, bars, silent)]
        return replace(
            finding,
            metric=f"coverage of the stated {STATED:.0%} interval",
            value=over.value + low,
            interval=(over.interval[0] + low, over.interval[1] + low),
            null=None,
            notes=" ".join(filter(None, notes)),
            data={**finding.data, **self._data(bars, alone)},
        )

    def _notes(self, over: Finding, bars: Sequence[ErrorBars], silent: int) -> list[str]:
        notes = [NOT_STATED if not bars else f"Clips whose answer states no error: {silent}."] if silent else []
        if bars:
            held = [one.coverage for one in bars]
            low, high = (end + self.bounds[0] for end in over.interval)
            within = "lies" if AIM[0] <= low and high <= AIM[1] else "does not lie"
            width = statistics.fmean(one.sharpness for one in bars)
            notes.append(
                f"By clip {min(held):.0%} to {max(held):.0%} are covered; the interval {within} within the "
                f"{AIM[0]:.0%} to {AIM[1]:.0%} aimed at. Intervals are {width:.2f} of the luminance range wide."
            )
        asked = f" of {self.method}" if self.method else ""
        return [*notes, f"The answers{asked} to the first {self.frames} frames of each clip are judged."]

    def _data(self, bars: Sequence[ErrorBars], alone: Sequence[ErrorBars | None]) -> dict[str, Any]:
        curve = CoverageCurve(CURVE_LEVELS, tuple(one.curve for one in bars))
        scores = [one.crps for one in bars]
        reference = [math.nan if one is None else one.crps for one in alone]
        return {
            "coverage": [one.coverage for one in bars],
            "band": list(self.bounds),
            "aim": list(AIM),
            "stated": STATED,
            "nominal": list(CURVE_LEVELS),
            "coverage curve": _plain(curve.mean),
            "coverage curve by clip": [_plain(one.curve) for one in bars],
            "calibration error": _number(curve.error),
            "calibration error by clip": _plain(curve.errors),
            "pit": _plain(mean_histogram([one.pit for one in bars])),
            "crps": _plain(scores),
            "crps without neurons": _plain(reference),
            "crps skill": self._skill(scores, reference),
            "sharpness": [one.sharpness for one in bars],
            "sharpness without neurons": _plain([math.nan if one is None else one.sharpness for one in alone]),
            "coverage without neurons": _plain([math.nan if one is None else one.coverage for one in alone]),
            "interval score": [one.interval_score for one in bars],
            "method": self.method,
            "frames": self.frames,
        }

    def _skill(self, scores: Sequence[float], reference: Sequence[float]) -> dict[str, Any] | None:
        """Of the CRPS against that of the answers without neurons; None where that is perfect or not stated."""
        known = [value for value in reference if not math.isnan(value)]
        if not known or not statistics.fmean(known) > 0:
            return None
        found: Interval = skill(scores, reference, seed=self.seed / self.id / "skill")
        return {"value": _number(found.value), "interval": _plain((found.low, found.high)), "n": found.n}


def _stated(answer: Reconstruction) -> bool:
    bounds = answer.lower is not None and answer.upper is not None
    return bounds or answer.std is not None or answer.samples is not None


def _direction(arms: Mapping[str, Finding]) -> str:
    """Which way the error bars are wrong, where they are."""
    if arms[OVER].verdict == "refuted":
        return "The error bars are over-confident: too narrow, or around the wrong movie."
    if arms[UNDER].verdict == "refuted":
        return "The error bars are under-confident: wider than the errors call for."
    return ""


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _plain(values: Sequence[float]) -> list[float | None]:
    return [_number(value) for value in values]
