"""Training: the compact encoder beside a textbook convolutional core, on the same clips, in one run.

    python benchmarks/encoder.py --out docs/results/encoder.md

Two simulated animals (the in-silico mouse and one made by other rules) and, where it is given, the real retina. Both
encoders are scored on clips that neither was fitted to nor selected on. For the simulated animals the noise ceiling is
exact: the correlation of the noiseless rate with a single trial. Seconds leave out the scoring.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cinecortex.data import load, split
from cinecortex.encoders.fit import FitSettings, TrialClips, correlations, fit_population
from cinecortex.encoders.train import Compact
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.simulation.mouse import Mouse
from cinecortex.simulation.other_mouse import OtherMouse
from cinecortex.simulation.session import write_session
from convolutional_core import benchmark_core
from page import RETINA, command_of, publish

SEED = Seed(0)
BURN_IN = 50


@dataclass(frozen=True)
class Point:
    """Where training stood."""

    seconds: float
    frames: int
    fraction: float


def ceiling(recording: Recording, trials: list[Trial]) -> torch.Tensor:
    """Correlation of the noiseless rate with single trials, per neuron; both are in the simulated folder."""
    rates, responses = [], []
    for trial in trials:
        stored = np.load(recording.source / "meta/simulation/rates" / f"{trial.trial_id}.npy", allow_pickle=False)
        rates.append(torch.from_numpy(stored).T[BURN_IN:].double())
        responses.append(trial.response[BURN_IN:].double())
    rate, response = torch.cat(rates), torch.cat(responses)
    rate, response = rate - rate.mean(0), response - response.mean(0)
    return (rate * response).sum(0) / (rate.norm(dim=0) * response.norm(dim=0)).clamp_min(1e-12)


def run_compact(recording: Recording, test: list[Trial], best: torch.Tensor) -> tuple[list[Point], float]:
    """The learning curve of the default compact encoder, as a fraction of the ceiling, and its frames/s in descent."""
    roles = split([recording], seed=SEED / "split")
    frames = sum(len(movie) for movie, _, _ in TrialClips(roles.train))
    began = time.perf_counter()
    encoder = Compact().build(recording, roles.train)
    points, away = [], 0.0
    started = time.perf_counter() - began

    def score(done: int) -> None:
        nonlocal away
        now = time.perf_counter()
        fraction = float(correlations(encoder, test).nanmean() / best.nanmean())
        points.append(Point(now - began - away, done * frames, fraction))
        away += time.perf_counter() - now

    score(0)
    fit_population(
        encoder, roles.train, roles.select[:1], settings=FitSettings(), seed=SEED,
        progress=lambda done, total, message: score(done),
    )  # fmt: skip
    return points, points[-1].frames / (points[-1].seconds - started)


def run_core(recording: Recording, test: list[Trial], best: torch.Tensor, seconds: float) -> tuple[list[Point], float]:
    """The learning curve of the convolutional core and its frames/s."""
    roles = split([recording], seed=SEED / "split")
    rows = benchmark_core(
        list(TrialClips(roles.train)), list(TrialClips(test)), best.float(), seconds,
        frame_rate_hz=recording.frame_rate_hz, seed=SEED / "core",
    )  # fmt: skip
    points = [Point(*row) for row in rows]
    return points, points[-1].frames / max(points[-1].seconds, 1e-9)


def seconds_to(points: list[Point], fraction: float) -> float:
    """When the curve first reached a fraction, linear between points; infinite if never."""
    for before, after in zip([Point(0.0, 0, 0.0), *points], points, strict=False):
        if after.fraction >= fraction:
            share = (fraction - before.fraction) / max(after.fraction - before.fraction, 1e-9)
            return before.seconds + share * (after.seconds - before.seconds)
    return float("inf")


def main() -> None:
    """Run everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/encoder.md"))
    parser.add_argument("--core-seconds", type=float, default=240.0)
    parser.add_argument("--retina", type=Path, default=None)
    options = parser.parse_args()
    animals = {
        "in-silico mouse, 500 neurons": ("mouse500", lambda: Mouse.draw(neurons=500, seed=SEED / "mouse500")),
        "mouse by other rules, 300 neurons": ("other300", lambda: OtherMouse.draw(neurons=300, seed=SEED / "other300")),
    }
    lines = []
    for title, (name, draw) in animals.items():
        folder = options.folder / name
        if not folder.exists():
            write_session(folder, seed=SEED / name, mouse=draw())
        recording = load(folder)
        test = [trial for trial in recording.trials if trial.tier != "train"]
        best = ceiling(recording, test)
        print(title, "ceiling", float(best.nanmean()), flush=True)
        compact, speed = run_compact(recording, test, best)
        print("compact", speed, compact, flush=True)
        core, core_speed = run_core(recording, test, best, options.core_seconds)
        print("core", core_speed, core, flush=True)
        reached = max(point.fraction for point in core)
        equal = seconds_to(compact, reached)
        lines += [
            f"## {title}",
            "",
            f"Mean single-trial ceiling {float(best.nanmean()):.3f} (exact).",
            "",
            "| | `compact` | convolutional core | ratio |",
            "|---|---|---|---|",
            f"| frames/s in training | {speed:,.0f} | {core_speed:,.0f} | {speed / core_speed:.1f} |",
            f"| fraction of the ceiling | {compact[-1].fraction:.3f} (after {compact[-1].seconds:.0f} s) | "
            f"{reached:.3f} (best of {core[-1].seconds:.0f} s) | |",
            f"| seconds to the core's best ({reached:.2f}) | {equal:.1f} | {seconds_to(core, reached):.1f} | "
            f"{seconds_to(core, reached) / equal:.1f} |",
            f"| seconds to 0.80 of the ceiling | {seconds_to(compact, 0.8):.1f} | {seconds_to(core, 0.8):.1f} | |",
            "",
            "Curve of `compact` (seconds: fraction): "
            + ", ".join(f"{p.seconds:.0f}: {p.fraction:.3f}" for p in compact)
            + ". Curve of the core: "
            + ", ".join(f"{p.seconds:.0f}: {p.fraction:.3f}" for p in core)
            + ".",
            "",
        ]
    if options.retina is not None:
        recording = load(options.retina)
        roles = split([recording], seed=SEED / "split")
        began = time.perf_counter()
        encoder = Compact().build(recording, roles.train)
        fit_population(encoder, roles.train, roles.select, settings=FitSettings(), seed=SEED)
        seconds = time.perf_counter() - began
        score = float(correlations(encoder, roles.test).nanmean())
        lines += [
            "## Retina, 163 real neurons",
            "",
            f"`compact`: mean single-trial correlation {score:.3f} on frames 30,000-35,999 after {seconds:.0f} s. There"
            " are no repeats, hence no ceiling.",
            "",
        ]
    real = f" --retina {RETINA}" if options.retina is not None else ""
    publish(options.out, "Training the encoder", lines[:-1], command=command_of(f"encoder.py{real}", parser, options))


if __name__ == "__main__":
    main()
