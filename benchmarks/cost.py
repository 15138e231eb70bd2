"""Quality against cost: movie correlation against encoder frame-passes and against seconds, in one figure.

    python benchmarks/cost.py --folder out/bench --out docs/results/cost.md

Two in-silico mice, the demo's of 1,000 neurons and one of 2,000, each with its compact encoder. On every clip `paper`
is scored on its way, after the blur that ends it and after a stronger one; `map` is run anew for every number of
evaluations, so that each point is an answer that it would have given; decoders need no pass at all. Scores look at the
movie that was shown, so the best step of `paper` is one that nobody could have chosen: it is the hardest yardstick.

Frame-passes are frames that go through the encoder forward and backward. What is done is kept in the folder, every
clip of `paper` and every other method, so a benchmark that was stopped goes on where it was; the page is written anew
after each mouse.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
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
from cinecortex.metrics.bootstrap import bootstrap_mean
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Recording, Trial
from cinecortex.tensors import Mask, Movie
from cost_figure import draw
from curves import Curve, Point, Traced, kept_trace, race
from inversion import fingerprint
from keeping import kept_mask, written
from page import command_of, publish, remarks, shown, table

EVALUATIONS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160)
DECODERS: tuple[study.Method, ...] = tuple(
    name for name in study.METHODS if name in ("ridge", "bayesian", "convolutional")
)
DRAWS = (8, 32)
"""Of `sample`: its movie is that of `map`, and what it costs besides is the price of the error bars."""

PUBLISHED_BLUR = (0.5, 0.5, 0.5)
STRONG_BLUR = (3.0, 2.0, 2.0)
"""In frames and pixels; the best of select clips in benchmarks/inversion.py, on the demo's recording."""


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
            content = json.dumps({"passes": answer.frame_passes / steps, "rows": watch.rows})
            written(file, lambda unfinished, content=content: unfinished.write_text(content))
            print(f"  paper, trial {trial.trial_id}: {answer.seconds:.0f} s", flush=True)
        found = json.loads(file.read_text())
        rows = [(step, step * found["passes"], *rest) for step, *rest in found["rows"]]
        own.append([Point(step, passes, seconds, score) for step, passes, seconds, score, _ in rows])
        strong.append([Point(step, passes, seconds, score) for step, passes, seconds, _, score in rows])
    return [Traced("paper", own), Traced("paper, blurred more", strong)]


def trace_map(encoder: Encoder, trials: Sequence[Trial]) -> Traced:
    """`map` anew for every number of evaluations; what it computes once for an encoder is made beforehand."""
    short = MAP(encoder=encoder)
    began = time.perf_counter()
    mask = short.mask
    for frames in {len(trial.movie) for trial in trials}:
        short.inverse_hessian(frames)
    once = time.perf_counter() - began
    # A copy shares the mask and the preconditioner that are kept by now.
    curves = []
    for trial in trials:
        curve: Curve = []
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
    curves = [[point(inverter, trial, mask)] for trial in trials]
    print(f"  {name}: {np.mean([curve[0].score for curve in curves]):.3f}, made in {fitting:.0f} s", flush=True)
    return Traced(name, curves, fitting)


def sampler(encoder: Encoder, draws: int, trials: Sequence[Trial], mask: Mask) -> Inverter:
    """`sample`, with what it computes once for an encoder already made: no clip is charged for it."""
    made = Sample(encoder=encoder, draws=draws, mask=mask)
    for frames in {len(trial.movie) for trial in trials}:
        made._maps[0].inverse_hessian(frames)
    return made


def trace_all(recording: Recording, model: Model, options: argparse.Namespace) -> list[Traced]:
    """Every method on the test clips of one mouse, the quickest first."""
    encoder = model.session(recording.session_id)
    trials = recording.tier(TEST_TIER)[: options.clips]
    kept = options.folder / f"cost-{fingerprint(encoder)}-{options.paper_steps}"
    mask = kept_mask(kept / "mask.npy", lambda: MAP(encoder=encoder).mask)
    makers: dict[str, Callable[[list[Trial]], Inverter]] = {
        **{
            f"sample, {draws} draws": lambda missing, draws=draws: sampler(encoder, draws, missing, mask)
            for draws in DRAWS
        },
        **{name: lambda missing, name=name: study.make_inverter(name, model, recording) for name in options.decoders},
    }
    mapped = kept_trace("map", trials, kept, lambda missing: trace_map(encoder, missing))
    others = [
        kept_trace(
            name,
            trials,
            kept,
            lambda missing, name=name, make=make: trace_once(name, lambda: make(missing), missing, mask),
        )
        for name, make in makers.items()
    ]
    return [*trace_paper(encoder, trials, mask, options.paper_steps, kept), mapped, *others]


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
    parser.add_argument("--decoders", choices=DECODERS, nargs="+", default=list(DECODERS))
    options = parser.parse_args()
    traced: dict[int, list[Traced]] = {}
    for neurons in options.neurons:
        recording, model = prepare(options.folder, neurons)
        print(f"{neurons} neurons", flush=True)
        traced[neurons] = trace_all(recording, model, options)
        command = command_of("cost.py", parser, options, neurons=list(traced))
        write(traced, options, command)


def write(traced: Mapping[int, list[Traced]], options: argparse.Namespace, command: str) -> None:
    """The page and the figure, of the mice that are done."""
    draw(options.figure, {f"{n:,} neurons": found for n, found in traced.items()})
    clips = len(next(iter(traced.values()))[0].curves)
    picture = f"![Movie correlation against frame-passes and seconds](../images/{options.figure.name})"
    about = (
        f"Simulated. {clips} clips of the tier {TEST_TIER}; {options.paper_steps} steps of `paper`. Beforehand, once "
        "for an encoder, `map` makes its mask and preconditioner, by 16 probes of 60 frames and 4 of a whole clip; "
        "their seconds are in the column of what is made once, as are those of fitting a decoder; their frame-passes "
        "are in no column."
    )
    lines = [line for n, found in traced.items() for line in lines_of(n, found)]
    publish(options.out, "Quality against cost", [about, "", picture, "", *lines[:-1]], command=command)


if __name__ == "__main__":
    main()
