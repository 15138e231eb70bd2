"""What can be resolved: gratings and noise of every scale shown in silico, and how much of each comes back.

The movies of a grid are shown to animals that the inverter has nothing to do with (a held-out encoder with response
noise, and the same without), and inverted. For one clip it is the study of Bauer, Margrie & Clopath, eLife 2026
(RP105081), that shows noise of many length constants; gratings add the transfer at single frequencies and directions.
"""

from __future__ import annotations

import cmath
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cinecortex.errors import WrongUse
from cinecortex.metrics.movies import BURN_IN, movie_correlation
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.probes import Grating, Probe, Score
from cinecortex.stimuli.screen import ScreenGeometry
from cinecortex.tensors import Behavior, Mask, Movie, Response

FRAMES = 100
"""Of a movie; more than twice the memory of the encoders that ship."""

Watch = Callable[[Movie, Behavior, Seed], Response]
"""An animal: what its neurons do when it is shown a movie; the seed is for their noise."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Cell:
    """One probe, shown to one animal.

    Attributes:
        probe: What was shown.
        animal: To whom.
        scores: Of each repeat: another phase or another draw of noise.
        unshown: Movie correlation of the answers with the movies of other repeats, which they are not answers to: what
            a correlation is worth where there is little to correlate. None of a single repeat.
    """

    probe: Probe
    animal: str
    scores: tuple[Score, ...]
    unshown: float | None

    @property
    def correlation(self) -> float:
        """Mean movie correlation over the repeats whose movie varies; NaN of none."""
        return _mean([score.correlation for score in self.scores])

    @property
    def transfer(self) -> float:
        """Mean part of the contrast that comes back in place."""
        return _mean([score.transfer for score in self.scores])

    @property
    def gain(self) -> complex:
        """Mean complex gain: noise, whose angle is another one each time, is averaged out of it."""
        return complex(self.transfer, _mean([score.gain.imag for score in self.scores]))


@dataclass(frozen=True)
class Point:
    """What is known of one place of the grid, all directions taken together.

    Attributes:
        spatial, temporal: Cycles per pixel and per frame of gratings; lengths in pixels and frames of noise.
        correlation: Mean movie correlation.
        error: Standard error of that over directions and repeats; None of a single one.
        transfer: Mean part of the contrast that comes back in place.
        modulation: Modulus of the mean complex gain: what comes back in place or late.
        lag_frames: How much the answer lags by the angle of that; None of noise and of what stands still.
        unshown: Mean movie correlation with movies of the same kind that were not shown.
        movies: How many movies that rests on.
    """

    spatial: float
    temporal: float
    correlation: float
    error: float | None
    transfer: float
    modulation: float
    lag_frames: float | None
    unshown: float | None
    movies: int


@dataclass(frozen=True)
class Resolution:
    """A grid, and what came back in every cell of it.

    Attributes:
        cells: One for every probe and animal.
        frames: Of each movie.
        frame_rate_hz: Their rate.
        screen: What a pixel is in degrees of visual angle; None where nobody knows, and nothing is guessed.
    """

    cells: tuple[Cell, ...]
    frames: int
    frame_rate_hz: float
    screen: ScreenGeometry | None = None

    def points(self, kind: str, animal: str) -> tuple[Point, ...]:
        """The grid of one kind of probe for one animal, directions taken together, in order of the axes."""
        grid: dict[tuple[float, float], list[Cell]] = {}
        for cell in self.cells:
            if cell.probe.kind == kind and cell.animal == animal:
                grid.setdefault(cell.probe.axes, []).append(cell)
        return tuple(_point(axes, grid[axes]) for axes in sorted(grid))

    @property
    def units(self) -> tuple[tuple[str, float], tuple[str, float]]:
        """Unit of spatial frequency, and by what cycles per pixel are multiplied to get it; the same of time, in Hz."""
        space = ("cycles per px", 1.0)
        if self.screen is not None:
            space = ("cycles per degree", self.screen.cycles_per_degree(1.0))
        return space, ("Hz", self.frame_rate_hz)

    def to_json(self) -> list[dict[str, Any]]:
        """Every cell in values that JSON can hold."""
        return [
            {
                "kind": cell.probe.kind,
                **vars(cell.probe),
                "animal": cell.animal,
                "correlation": [_number(score.correlation) for score in cell.scores],
                "gain": [[_number(score.gain.real), _number(score.gain.imag)] for score in cell.scores],
                "unshown": None if cell.unshown is None else _number(cell.unshown),
            }
            for cell in self.cells
        ]


def measure_resolution(
    invert: Inverter,
    animals: Mapping[str, Watch],
    probes: Sequence[Probe],
    *,
    like: Sequence[Observation],
    frames: int = FRAMES,
    repeats: int = 1,
    mask: Mask | None = None,
    burn_in: int = BURN_IN,
    screen: ScreenGeometry | None = None,
    progress: Progress | None = None,
    seed: Seed,
) -> Resolution:
    """Show every probe to every animal, invert what its neurons did, and score the answers.

    All animals are shown the same movies and behave the same, and the inverter has the same seed for the same movie.
    Nothing is kept here: what is interrupted is done again.

    Args:
        invert: The method whose resolution is measured.
        animals: Who watches, by name; never the encoder that is inverted, whose mistakes it would share.
        probes: See `gratings` and `noises`.
        like: Observations of which behavior, frame rate and neurons are taken, in turn from movie to movie.
        frames: Length of every movie.
        repeats: Movies of each probe, of other phases or other draws.
        mask: Pixels at 0.5 or more count; None for all.
        burn_in: Frames that do not count; of movies shorter than twice that, half.
        screen: What a pixel is in degrees, where that is known.
        progress: Told of every movie.
        seed: For the movies, the noise and the inverter.

    Raises:
        WrongUse: there is nothing to show or nobody to show it to, or an observation is shorter than the movies.
    """
    if not (animals and probes and like and repeats > 0):
        raise WrongUse("a grid needs at least one animal, one probe, one repeat and one observation to be like.")
    if min(one.frames for one in like) < frames:
        raise WrongUse(f"some observations have fewer than the {frames} frames of a movie; take longer ones.")
    burn_in = min(burn_in, frames // 2)
    done, total = 0, len(probes) * len(animals) * repeats
    cells: list[Cell] = []
    for place, probe in enumerate(probes):
        streams = [seed / probe.name / number for number in range(repeats)]
        movies = [probe.movie(stream / "movie", frames=frames, frame_size=like[0].frame_size) for stream in streams]
        for name, watch in animals.items():
            answers = []
            for number, (stream, movie) in enumerate(zip(streams, movies, strict=True)):
                seen = _watching(like[(place * repeats + number) % len(like)], watch, movie, stream / "noise")
                answers.append(invert(seen, stream / "invert").movie)
                done += 1
                if progress is not None:
                    progress(done, total, f"{probe.name}, {name}")
            scores = tuple(
                probe.score(answer, movie, stream / "movie", mask=mask, burn_in=burn_in)
                for answer, movie, stream in zip(answers, movies, streams, strict=True)
            )
            others = [
                movie_correlation(answer, movie, mask=mask, burn_in=burn_in)
                for one, answer in enumerate(answers)
                for other, movie in enumerate(movies)
                if one != other
            ]
            cells.append(Cell(probe, name, scores, _mean(others) if others else None))
    return Resolution(tuple(cells), frames, like[0].frame_rate_hz, screen)


def _watching(like: Observation, watch: Watch, movie: Movie, seed: Seed) -> Observation:
    behavior = like.behavior[: len(movie)]
    return replace(like, response=watch(movie, behavior, seed), behavior=behavior)


def _point(axes: tuple[float, float], cells: Sequence[Cell]) -> Point:
    correlations = [score.correlation for cell in cells for score in cell.scores if not math.isnan(score.correlation)]
    gain = sum((cell.gain for cell in cells), 0j) / len(cells)
    lags = isinstance(cells[0].probe, Grating) and axes[1] > 0
    unshown = list(_known(cell.unshown for cell in cells))
    several = len(correlations) > 1
    return Point(
        spatial=axes[0],
        temporal=axes[1],
        correlation=_mean(correlations),
        error=statistics.stdev(correlations) / math.sqrt(len(correlations)) if several else None,
        transfer=gain.real,
        modulation=abs(gain),
        lag_frames=cmath.phase(gain) / (2 * math.pi * axes[1]) if lags else None,
        unshown=_mean(unshown) if unshown else None,
        movies=sum(len(cell.scores) for cell in cells),
    )


def _known(values: Iterator[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
