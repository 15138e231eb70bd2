"""Is what is coarse shown as it was, and what is too fine to be told left out rather than painted?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from cinecortex.finding import Finding
from cinecortex.metrics.cutoff import Axis, cutoff, share_over_frequency
from cinecortex.metrics.transfer import painted
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.probes import Grating, Noise, Probe, Score
from cinecortex.stimuli.screen import ScreenGeometry
from cinecortex.tensors import Movie
from cinecortex.validation.against_control import LEAST_GAIN
from cinecortex.validation.animal import Animal, shown_to
from cinecortex.validation.arms import weakest
from cinecortex.validation.check import Answers, Asked, Question, answered
from cinecortex.validation.concluded import concluded
from cinecortex.validation.controls import no_neurons
from cinecortex.validation.likeness import likeness
from cinecortex.validation.measured import ask_measured, measured
from cinecortex.validation.scoring import MASK_THRESHOLD, Scoring
from cinecortex.validation.stretch import NO_ANIMAL, STRETCH, first_frames
from cinecortex.validation.verdicts import rule
from cinecortex.validation.witness import RULE, recorded_and_shown, unless_unlike

COARSE, BETWEEN, FINE = "coarse", "coarse in space or time only", "fine"
NOISY, NOISELESS, UNHEARD = "noisy", "noiseless", "no_neurons"
EACH = 3
"""Gratings, and movies of noise, of the coarsest and of the finest scale: six of each scale, which can decide."""
MEASURED = 5
"""Clips whose data share is asked for; it tells of the population, and decides nothing here."""

CYCLES, SLOW, SHARP = 3, 1 / 30, 0.4
"""Of coarse gratings along the frame and per frame; of fine ones per pixel and per frame, where 0.5 is the limit."""
PARTS, LASTING = 8, 8.0
"""Coarse noise is smooth over an eighth of the frame and over eight frames; fine noise is white."""
MOST_PAINTED = 0.5
"""Of the contrast of an answer no more than half may be there whatever is shown, or without any neuron."""


@dataclass(frozen=True, eq=False)
class _Shown:
    """A probe, shown to an animal."""

    scale: str
    animal: str
    probe: Probe
    seed: Seed
    trial: Trial


@dataclass(frozen=True, eq=False)
class ResolutionLimits:
    """``resolution.limits``: gratings and noise, the coarsest and the finest, are shown to an animal in silico.

    Two things must hold, and the weaker one is told.

    *What is coarse comes back.* For gratings of three cycles along the frame and noise smooth over an eighth of it,
    both slow: movie correlation of the answer with its own movie, minus its mean correlation with the other coarse
    movies, or with the answers to these if that is larger. A method that does not follow the neurons has 0 here.

    *What is fine is not painted.* For gratings of four fifths of what pixels and frames can carry and for white noise:
    how much of the answer is also in the answer to the same trial without any neuron, or in the answers to the other
    fine movies, whichever is more, as a share of the answer's variance (or of that shown, where this is larger; see
    `painted`). What cannot be told is to be left out, so that an honest answer fades to a uniform screen, or it is
    noise, another one for every response; both have about 0. One that fills in texture, its own or of its training's,
    has a share near 1. That fine movies come back is not asked for: hardly any population tells them. That they do not
    is not asked for either: some might. One half stands where the picture is as much the method's as anybody's.

    How far transfer and correlation fall from coarse to fine, with the animal's noise and without, is among the data;
    so is where the data share of the recorded clips falls below one half. That is of the whole screen, also where no
    neuron sees it. A whole grid takes longer: see `measure_resolution`.

    Attributes:
        animal: Who is shown the movies; without one nothing is asked.
        seed: Stream for the movies, the animal's noise and the interval; hand all checks the same.
        scoring: Which pixels and frames count.
        noiseless: The same animal without noise; None where there is none, and its part is left out.
        screen: What a pixel is in degrees, where that is known.
        frames: Length of a movie.
        threshold: The smallest gain worth claiming.
        most_painted: The largest share that may be painted.
    """

    id: ClassVar[str] = "resolution.limits"
    claim: ClassVar[str] = "What is coarse comes back as it was shown, and what is too fine to be told is not painted."

    animal: Animal | None
    seed: Seed
    scoring: Scoring = field(default_factory=Scoring)
    noiseless: Animal | None = None
    screen: ScreenGeometry | None = None
    frames: int = STRETCH
    threshold: float = LEAST_GAIN
    most_painted: float = MOST_PAINTED

    @property
    def rule(self) -> str:
        """The rule in words."""
        return (
            "Coarse gratings and noise: movie correlation of an answer with its own movie, minus its mean correlation "
            f"with other coarse movies or with the answers to these: {rule(self.threshold)}. The finest: part of the "
            "answer that is not found without any neuron or in the answers to other fine movies: "
            f"{rule(1 - self.most_painted)}. The weaker of the two. {RULE}"
        )

    def ask(self, trials: Sequence[Trial]) -> Asked:
        """The probes, the fine ones also with no neuron heard; the recorded clips, and how much of them is data."""
        if self.animal is None or not trials:
            return {}
        asked = {
            **recorded_and_shown(self.animal, trials, frames=self.frames, seed=self.seed),
            **ask_measured(trials[:MEASURED], self.frames),
        }
        for one in self._shown(trials):
            asked[Question.of(one.trial)] = seen = one.trial.observe()
            if (one.scale, one.animal) == (FINE, NOISY):
                asked[Question.of(one.trial, UNHEARD)] = no_neurons(seen, one.seed)
        return asked

    def judge(self, trials: Sequence[Trial], answers: Answers) -> Finding:
        """What comes back of the coarse movies, and what is painted on the fine ones."""
        shown = list(self._shown(trials))
        movies = [one.trial.movie for one in shown]
        made = [answered(answers, one.trial, shown=movie) for one, movie in zip(shown, movies, strict=True)]
        coarse, fine = (
            [place for place, one in enumerate(shown) if (one.scale, one.animal) == (scale, NOISY)]
            for scale in (COARSE, FINE)
        )
        values = {
            "what is coarse": (coarse, self._gains([made[i] for i in coarse], [movies[i] for i in coarse])),
            "what is fine": (fine, [1 - part for part in self._painted([shown[i] for i in fine], answers)]),
        }
        metrics = (
            ("movie correlation of coarse movies, own minus others", self.threshold),
            ("part of the answers to fine movies that is not painted", 1 - self.most_painted),
        )
        found = {
            name: concluded(
                self,
                [shown[place].trial for place in places],
                numbers,
                threshold=threshold,
                seed=self.seed / self.id / name,
                metric=metric,
                data={},
            )
            for (name, (places, numbers)), (metric, threshold) in zip(values.items(), metrics, strict=True)
        }
        scores = [self._score(*each) for each in zip(shown, made, movies, strict=True)]
        data = {"cells": _cells(shown, scores), "data share": self._data_share(trials, answers)}
        finding = weakest(found)
        notes = [finding.notes, *(_came_back(shown, scores) if shown else [NO_ANIMAL]), *self._limits(data)]
        finding = replace(finding, notes=" ".join(notes), data={**finding.data, **data, "units": self._units})
        return unless_unlike(
            finding, self.animal, trials, answers, scoring=self.scoring, frames=self.frames, seed=self.seed
        )

    def _gains(self, made: Sequence[Movie], movies: Sequence[Movie]) -> list[float]:
        if not made:
            return []
        to_movies, to_answers = likeness(made, movies, self.scoring), likeness(made, made, self.scoring)
        others = ~np.eye(len(made), dtype=bool)
        return [
            float(to_movies[row, row] - max(to_movies[row][others[row]].mean(), to_answers[row][others[row]].mean()))
            for row in range(len(made))
        ]

    def _painted(self, fine: Sequence[_Shown], answers: Answers) -> list[float]:
        movies = [one.trial.movie for one in fine]
        made = [answered(answers, one.trial, shown=movie) for one, movie in zip(fine, movies, strict=True)]
        found = []
        for place, (one, movie) in enumerate(zip(fine, movies, strict=True)):
            unheard = answered(answers, one.trial, UNHEARD, shown=movie)
            others = [*made[:place], *made[place + 1 :]]
            shares = [painted(made[place], other, movie, **self._counts(movie)) for other in (unheard, *others)]
            found.append(max(shares[0], statistics.fmean(shares[1:])))
        return found

    def _score(self, one: _Shown, answer: Movie, movie: Movie) -> Score:
        return one.probe.score(answer, movie, one.seed / "movie", **self._counts(movie))

    def _counts(self, movie: Movie) -> dict[str, Any]:
        burn_in = min(self.scoring.burn_in, len(movie) // 2)
        return {"mask": self.scoring.mask, "threshold": MASK_THRESHOLD, "burn_in": burn_in}

    def _shown(self, trials: Sequence[Trial]) -> Iterator[_Shown]:
        """The probes, shown during the trials in turn; the first of every cell to the noiseless animal too."""
        if self.animal is None or not trials:
            return
        cells = set[tuple[str, tuple[float, float]]]()
        for number, (scale, probe) in enumerate(self._probes(trials[0].frame_size)):
            trial = first_frames(trials[number % len(trials)], self.frames)
            seed = self.seed / self.id / scale / number
            movie = probe.movie(seed / "movie", frames=len(trial.behavior), frame_size=trial.frame_size)
            watching = {NOISY: self.animal}
            if self.noiseless is not None and (probe.kind, probe.axes) not in cells:
                watching[NOISELESS] = self.noiseless
            cells.add((probe.kind, probe.axes))
            for name, animal in watching.items():
                called = f"{scale} {number + 1}, {probe.name}, {name}"
                yield _Shown(scale, name, probe, seed, shown_to(animal, trial, movie, name=called, seed=seed / "noise"))

    def _probes(self, frame_size: tuple[int, int]) -> Iterator[tuple[str, Probe]]:
        longer = max(frame_size)
        low, length = min(CYCLES / longer, 0.25), min(longer / PARTS, 32.0)
        first = float((self.seed / self.id / "directions").numpy().uniform(0, 360))
        for number in range(EACH):
            # A third of a turn apart, so that no two stand alike.
            direction = (first + 360 / EACH * number) % 360
            yield COARSE, Grating(low, SLOW, direction)
            yield COARSE, Noise(length, LASTING)
            yield FINE, Grating(SHARP, SHARP, direction)
            yield FINE, Noise(0.0, 0.0)
        for probe in (Grating(low, SHARP, first), Grating(SHARP, SLOW, first), Noise(length, 0.0), Noise(0.0, LASTING)):
            yield BETWEEN, probe

    def _data_share(self, trials: Sequence[Trial], answers: Answers) -> dict[str, Any]:
        """Over each frequency, of the clips that were measured, and where it falls below one half."""
        if self.animal is None or not trials:
            return {}
        told = [measured(answers, first_frames(trial, self.frames)).information for trial in trials[:MEASURED]]
        rate = trials[0].frame_rate_hz
        per_px = 1.0 if self.screen is None else self.screen.cycles_per_degree(1.0)
        curves: dict[str, Any] = {}
        axes: Mapping[Axis, float] = {"spatial": per_px, "temporal": rate}
        for axis, per in axes.items():
            frequencies, shares = share_over_frequency(told, axis)
            limit = cutoff(frequencies, shares)
            curves[axis] = {
                "unit": self._units[axis],
                "frequency": [per * frequency for frequency in frequencies],
                "share": shares,
                "below one half": {"frequency": per * limit.frequency, "where": limit.where},
                "in words": limit.words(self._units[axis], per),
            }
        return curves

    @property
    def _units(self) -> dict[str, str]:
        return {"spatial": "cycles per px" if self.screen is None else "cycles per degree", "temporal": "Hz"}

    def _limits(self, data: Mapping[str, Any]) -> list[str]:
        told = [f"over {axis} frequency it {curve['in words']}" for axis, curve in data["data share"].items()]
        return [f"Data share of the clips on the whole screen: {'; '.join(told)}."] if told else []


def _cells(shown: Sequence[_Shown], scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The numbers behind the figure: frequencies in cycles per pixel and per frame, lengths in pixels and frames."""
    return [
        {
            "scale": one.scale,
            "animal": one.animal,
            "kind": one.probe.kind,
            **vars(one.probe),
            "correlation": None if math.isnan(score.correlation) else score.correlation,
            "transfer": None if math.isnan(score.transfer) else score.transfer,
            "modulation": None if math.isnan(abs(score.gain)) else abs(score.gain),
        }
        for one, score in zip(shown, scores, strict=True)
    ]


def _came_back(shown: Sequence[_Shown], scores: Sequence[Score]) -> Iterator[str]:
    for scale in (COARSE, FINE):
        parts = []
        for animal in (NOISY, NOISELESS):
            of = [s for o, s in zip(shown, scores, strict=True) if (o.scale, o.animal) == (scale, animal)]
            known = [score for score in of if not math.isnan(score.correlation)]
            if known:
                transfer, correlation = (
                    statistics.fmean(getattr(score, name) for score in known) for name in ("transfer", "correlation")
                )
                parts.append(f"{animal} {transfer:.2f} of the contrast, correlation {correlation:.2f}")
        if parts:
            yield f"Of {scale} movies comes back: {'; '.join(parts)}."
