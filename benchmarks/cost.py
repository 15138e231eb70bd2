"""Quality against cost: movie correlation against encoder frame-passes and against seconds, in one figure.

    python benchmarks/cost.py --folder out/bench --out docs/results/cost.md

Two in-silico mice, the demo's of 1,000 neurons and one of 2,000, each with its compact encoder. On every clip `paper`
is scored on its way, after the blur that ends it and after a stronger one; `map` is run anew for every number of
evaluations, so that each point is an answer that it would have given; decoders need no pass at all. Scores look at the
movie that was shown, so the best step of `paper` is one that nobody could have chosen: it is the hardest yardstick.

Frame-passes are frames that go through the encoder forward and backward. Every clip of `paper` that is done is kept in
the folder, so a benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from animals import NEURONS, SEED, prepare
from cinecortex import study
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.sample import Sample
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Recording, Trial
from cinecortex.tensors import Mask, Movie
from cost_figure import draw
from inversion import fingerprint
from page import command_of, publish, remarks, shown, table

EVALUATIONS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160)
DECODERS: tuple[study.Method, ...] = tuple(
    name for name in study.METHODS if name in ("ridge", "bayesian", "convolutional")
)
SAMPLERS: dict[str, Callable[[Encoder], Inverter]] = {
    "sample, 8 draws": lambda encoder: Sample(encoder=encoder, draws=8),
    "sample, 32 draws": lambda encoder: Sample(encoder=encoder, draws=32),
}
"""By title; their movie is that of `map`, and what they cost besides is the price of the error bars."""

PUBLISHED_BLUR = (0.5, 0.5, 0.5)
STRONG_BLUR = (3.0, 2.0, 2.0)
"""In frames and pixels; the best of select clips in benchmarks/inversion.py, on the demo's recording."""


@dataclass(frozen=True)
class Point:
    """What one clip had cost and scored somewhere on the way of a method."""

    label: int
    passes: float
    seconds: float
    score: float


Curve = list[Point]
"""Of one clip, in the order of cost."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A method on every clip of one mouse.

    Attributes:
        method: Its name.
        curves: One for each clip, all of the same labels.
        fitting_seconds: What it took once, before the first clip.
    """

    method: str
    curves: list[Curve]
    fitting_seconds: float = 0.0

    def means(self) -> Curve:
        """Mean over clips."""
        steps = list(zip(*self.curves, strict=True))
        return [
            Point(
                step[0].label, *(float(np.mean([getattr(p, n) for p in step])) for n in ("passes", "seconds", "score"))
            )
            for step in steps
        ]


class Watch:
    """Keeps the score of `paper` at some steps; the time that this takes is not counted."""

    def __init__(self, truth: Movie, mask: Mask, steps: int) -> None:
        self.truth, self.mask, self.steps = truth, mask, steps
        self.rows: list[tuple[int, float, float, float]] = []
        self._began, self._away = time.perf_counter(), 0.0

    def __call__(self, step: int, movie: Movie) -> None:
        """Score the movie so far after either blur."""
        if step not in (1, 2, 5, 10, 15, 20, 30, 50, 70, self.steps) and step % 100:
            return
        now = time.perf_counter()
        blurs = (torch.from_numpy(gaussian_filter(movie.numpy(), blur)) for blur in (PUBLISHED_BLUR, STRONG_BLUR))
        scores = [movie_correlation(blurred, self.truth, mask=self.mask) for blurred in blurs]
        self.rows.append((step, now - self._began - self._away, scores[0], scores[1]))
        self._away += time.perf_counter() - now


def trace_paper(encoder: Encoder, trials: Sequence[Trial], mask: Mask, steps: int, kept: Path) -> list[Traced]:
    """The published recipe on every clip, after its own blur and after the stronger one."""
    kept.mkdir(parents=True, exist_ok=True)
    own, strong = list[Curve](), list[Curve]()
    for trial in trials:
        file = kept / f"{trial.trial_id}.json"
        if not file.exists():
            recipe = Paper(encoders=(encoder,), mask=mask, steps=steps, sigma=0.0)
            recipe.watch = watch = Watch(trial.movie, mask, steps)
            answer = recipe(trial.observe(), SEED)
            file.write_text(json.dumps({"passes": answer.frame_passes / steps, "rows": watch.rows}))
            print(f"  paper, trial {trial.trial_id}: {answer.seconds:.0f} s", flush=True)
        found = json.loads(file.read_text())
        rows = [(step, step * found["passes"], *rest) for step, *rest in found["rows"]]
        own.append([Point(step, passes, seconds, score) for step, passes, seconds, score, _ in rows])
        strong.append([Point(step, passes, seconds, score) for step, passes, seconds, _, score in rows])
    return [Traced("paper", own), Traced("paper, blurred more", strong)]


def trace_map(encoder: Encoder, trials: Sequence[Trial], mask: Mask) -> Traced:
    """`map` anew for every number of evaluations; what it computes once for an encoder is made beforehand."""
    mapped = MAP(encoder=encoder)
    began = time.perf_counter()
    short = copy(mapped)
    short.evaluations = 1
    for frames in {len(trial.movie) for trial in trials}:
        short(next(trial for trial in trials if len(trial.movie) == frames).observe(), SEED)
    once = time.perf_counter() - began
    # A copy shares the mask and the preconditioner that are kept by now.
    curves = []
    for trial in trials:
        curve = []
        for evaluations in EVALUATIONS:
            if len(curve) > 1 and curve[-1].passes == curve[-2].passes:
                curve.append(replace(curve[-1], label=evaluations))  # it has converged, and would again
                continue
            part = copy(short)
            part.evaluations = evaluations
            curve.append(point(part, trial, mask, evaluations))
        curves.append(curve)
        print(f"  map, trial {trial.trial_id}: {curve[-1].score:.3f} at last", flush=True)
    return Traced("map", curves, once)


def point(inverter: Inverter, trial: Trial, mask: Mask, label: int = 0) -> Point:
    """One whole answer: what it cost and what it scored."""
    ((_, answer),) = study.invert_trials(inverter, [trial], seed=SEED / "invert")
    score = movie_correlation(answer.movie, trial.movie, mask=mask)
    return Point(label, answer.frame_passes, answer.seconds, score)


def trace_once(name: str, make: Callable[[], Inverter], trials: Sequence[Trial], mask: Mask) -> Traced:
    """A method with one answer: a decoder, or draws."""
    began = time.perf_counter()
    inverter = make()
    fitting = time.perf_counter() - began
    return Traced(name, [[point(inverter, trial, mask)] for trial in trials], fitting)


@dataclass(frozen=True, eq=False)
class Race:
    """How many times fewer frame-passes `map` makes until it is as good as `paper` ever gets, clip by clip.

    Attributes:
        never: Clips on which `map` does not get there; they count as 0 times fewer.
        to_best: Passes of `paper` at its best step over those of `map`.
        to_end: Passes of `paper` at full length over those of `map`.
        seconds: Seconds of `paper` at full length over those of `map`.
    """

    never: int
    to_best: Interval
    to_end: Interval
    seconds: Interval


def race(paper: Traced, mapped: Traced) -> Race:
    """Compare clip by clip; between its points `map` is taken to be as bad as before."""
    rows = []
    for slow, fast in zip(paper.curves, mapped.curves, strict=True):
        best = max(slow, key=lambda p: p.score)
        reached = next((p for p in fast if p.score >= best.score), Point(0, math.inf, math.inf, math.nan))
        rows.append(
            (best.passes / reached.passes, slow[-1].passes / reached.passes, slow[-1].seconds / reached.seconds)
        )
    never = sum(row[0] == 0 for row in rows)
    return Race(never, *(bootstrap_mean(column, seed=SEED / "race") for column in zip(*rows, strict=True)))


def trace_all(recording: Recording, model: Model, options: argparse.Namespace) -> list[Traced]:
    """Every method on the test clips of one mouse."""
    encoder = model.session(recording.session_id)
    trials = recording.tier(TEST_TIER)[: options.clips]
    mask = MAP(encoder=encoder).mask
    kept = options.folder / f"cost-{fingerprint(encoder)}-{options.paper_steps}"
    return [
        *trace_paper(encoder, trials, mask, options.paper_steps, kept),
        trace_map(encoder, trials, mask),
        *(trace_once(name, lambda make=make: make(encoder), trials, mask) for name, make in SAMPLERS.items()),
        *(
            trace_once(name, lambda name=name: study.make_inverter(name, model, recording), trials, mask)
            for name in DECODERS
        ),
    ]


def lines_of(neurons: int, traced: Sequence[Traced]) -> list[str]:
    """Table and findings of one mouse."""
    rows = []
    for one in traced:
        for step, mean in enumerate(one.means()):
            scores = bootstrap_mean([curve[step].score for curve in one.curves], seed=SEED / "bootstrap")
            label = str(mean.label) if mean.label else ""
            whole = f"{mean.seconds + one.fitting_seconds / len(one.curves):.2f}"
            rows.append([one.method, label, f"{mean.passes:,.0f}", f"{mean.seconds:.2f}", whole, shown(scores)])
    header = ["method", "steps", "frame-passes", "seconds", "with its share of what is made once", "movie correlation"]
    by_name = {one.method: one for one in traced}
    facts = []
    for name in ("paper", "paper, blurred more"):
        found, best = race(by_name[name], by_name["map"]), max(by_name[name].means(), key=lambda p: p.score)
        facts.append(
            f"`{name}` is best at step {best.label} (mean {best.score:.3f}). `map` is first as good as `{name}` at the "
            f"best step of each clip with {found.to_best} times fewer frame-passes than were made by then, and with "
            f"{found.to_end} times fewer ({found.seconds} times fewer seconds) than are made at full length; on "
            f"{found.never} of {len(by_name[name].curves)} clips it never is (counted as 0 times)."
        )
    return [f"## {neurons:,} neurons", "", *table(header, rows), *remarks(facts), ""]


def main() -> None:
    """Run everything, write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/cost.md"))
    parser.add_argument("--figure", type=Path, default=Path("docs/images/cost.svg"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--paper-steps", type=int, default=1000)
    parser.add_argument("--neurons", type=int, nargs="+", default=[NEURONS, 2000])
    options = parser.parse_args()
    traced = {}
    for neurons in options.neurons:
        recording, model = prepare(options.folder, neurons)
        print(f"{neurons} neurons", flush=True)
        traced[neurons] = trace_all(recording, model, options)
    draw(options.figure, {f"{n:,} neurons": found for n, found in traced.items()})
    clips = len(next(iter(traced.values()))[0].curves)
    picture = f"![Movie correlation against frame-passes and seconds](../images/{options.figure.name})"
    about = (
        f"Simulated. {clips} clips of the tier {TEST_TIER}; {options.paper_steps} steps of `paper`. Beforehand, once "
        "for an encoder, `map` makes its mask and preconditioner (16 and 4 probes); their seconds are in the column of "
        "what is made once, as are those of fitting a decoder; their frame-passes (about 2,200) are in no column."
    )
    lines = [line for n, found in traced.items() for line in lines_of(n, found)]
    publish(
        options.out,
        "Quality against cost",
        [about, "", picture, "", *lines[:-1]],
        command=command_of("cost.py", parser, options),
    )


if __name__ == "__main__":
    main()
