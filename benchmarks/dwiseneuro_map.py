"""`map` through a full-width DwiseNeuro of 8,000 neurons: time, memory, and the same step with half the batch.

    python benchmarks/dwiseneuro_map.py --out docs/results/dwiseneuro-map.md

Weights and responses are random: neither time nor memory depends on them. On a processor one evaluation of energy and
gradient on a clip of ten seconds is measured, with two windows of the network at a time and with one, and what whole
inversions would take is estimated from it. On an accelerator they are timed in whole.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cinecortex.encoders.base import ObservationModel
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.mixed_precision import MixedPrecision
from cinecortex.inversion.map import MAP
from cinecortex.inversion.memory import free_bytes, kept_bytes
from cinecortex.inversion.paper import STRIDE_FRAMES, WINDOW_FRAMES, Paper
from cinecortex.inversion.plan import Plan, plan_for
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.several import Together
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics
from dwiseneuro import FULL, QUARTER, Case
from page import command_of

EVALUATIONS, PAPER_STEPS = 100, 1000
GIB = 2**30


@dataclass(frozen=True)
class Step:
    """One evaluation of energy and gradient.

    Attributes:
        seconds: Wall-clock time.
        processor_seconds: Time that this process was given, by all its threads together.
        peak: Most bytes held so far: by the process on a processor, in tensors on an accelerator.
        gradient: By the whitened coordinates.
    """

    seconds: float
    processor_seconds: float
    peak: int
    gradient: Tensor


def prepared(case: Case, device: torch.device) -> DwiseNeuroEncoder:
    """The encoder with an observation model and a 1/f prior, as fits leave them behind."""
    encoder = case.encoder().to(device)
    neurons = torch.ones(case.neurons)
    encoder.observation_model = ObservationModel(1.3 * neurons, 6.0 * neurons)
    fall = 1 / (1 + torch.arange(15.0)) ** 2
    encoder.movie_statistics = MovieStatistics(0.5, 4 * torch.outer(fall, fall), 300, 0.0, 0.5, 1)
    return encoder


def observed(case: Case, frames: int) -> Observation:
    """Responses of Poisson scatter around one per frame, and random behavior."""
    random = torch.Generator().manual_seed(1)
    return Observation(
        response=torch.poisson(torch.ones(frames, case.neurons), generator=random),
        behavior=torch.randn(frames, 4, generator=random),
        behavior_channels=("pupil dilation", "running speed", "gaze x", "gaze y"),
        frame_rate_hz=30.0,
        frame_size=(36, 64),
        heard=torch.ones(case.neurons, dtype=torch.bool),
    )


def peak_bytes(device: torch.device) -> int:
    """Most memory held so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def step(encoder: DwiseNeuroEncoder, observation: Observation, windows: int) -> Step:
    """One evaluation at a small random start, with so many windows of the network at a time."""
    encoder.windows_at_once = windows
    problem = MAP(encoder=encoder, prior=prior_of(encoder)).problem(observation)
    together = Together([problem], plan=Plan(1))
    z = 0.3 * torch.randn(1, *problem.shape, generator=torch.Generator().manual_seed(2)).to(encoder.device)
    began, given = time.perf_counter(), time.process_time()
    energies, gradients = together(z, [0])
    energy = float(energies[0])  # waits for the accelerator
    took, given = time.perf_counter() - began, time.process_time() - given
    if together.ended:
        print(together.ended, flush=True)
    peak = peak_bytes(encoder.device)
    print(
        f"{windows} windows at a time: {took:.1f} s ({given:.1f} s of processor), {peak / GIB:.2f} GiB, "
        f"{energy:.1f} nats",
        flush=True,
    )
    return Step(took, given, peak, gradients[0].cpu())


def prior_of(encoder: DwiseNeuroEncoder) -> Spectral:
    """The prior of the statistics above."""
    assert encoder.movie_statistics is not None
    return Spectral.of(encoder.movie_statistics)


def compared(whole: Step, half: Step) -> tuple[float, float]:
    """Relative difference of two gradients, and their cosine."""
    a, b = whole.gradient.double().flatten(), half.gradient.double().flatten()
    return float((a - b).norm() / a.norm()), float(a @ b / (a.norm() * b.norm()))


def estimates(seconds: float, frames: int) -> list[str]:
    """Rows of a table: whole inversions from the time of one step. The preconditioner and the mask are counted in."""
    reach = 31
    starts = range(0, frames - WINDOW_FRAMES + 1, STRIDE_FRAMES)
    windows = len(starts) + (starts[-1] != frames - WINDOW_FRAMES)
    # Both in windows of the network: as many of them as a clip has are one step of `map`.
    of_clip, of_paper = frames - reach + 1, windows * (WINDOW_FRAMES - reach + 1)
    probes = 4 * of_clip + 16 * (2 * reach - reach + 1)
    mapped, paper = EVALUATIONS * of_clip + probes, PAPER_STEPS * of_paper
    return [
        f"| `map`, {EVALUATIONS} evaluations, preconditioner and mask | {frames * EVALUATIONS:,} | "
        f"{seconds * mapped / of_clip:,.0f} (estimate) |",
        f"| `paper`, {PAPER_STEPS} steps | {windows * WINDOW_FRAMES * PAPER_STEPS:,} | "
        f"{seconds * paper / of_clip:,.0f} (estimate) |",
    ]


def timed(name: str, run: Callable[[], Reconstruction]) -> str:
    """One row of the table, measured."""
    began = time.perf_counter()
    answer = run()
    took = time.perf_counter() - began
    print(f"{name}: {took:.1f} s, {answer.ended}", flush=True)
    return f"| {name} ({answer.ended}) | {answer.frame_passes:,} | {took:,.1f} |"


def in_whole(encoder: DwiseNeuroEncoder, observation: Observation, paper_steps: int) -> list[str]:
    """Rows of the table on an accelerator: `map` anew and once more, in half precision, and `paper`."""
    encoder.windows_at_once = None
    prior = prior_of(encoder)
    mapped, mixed = MAP(encoder=encoder, prior=prior), MAP(encoder=MixedPrecision(encoder), prior=prior)
    paper = Paper(encoders=(encoder,), mask=mapped.mask.cpu(), steps=paper_steps)
    return [
        timed("`map`, preconditioner included", lambda: mapped(observation, Seed(0))),
        timed("`map`, a further clip", lambda: mapped(observation, Seed(1))),
        timed("`map` in mixed precision, preconditioner and mask included", lambda: mixed(observation, Seed(0))),
        timed("`paper`", lambda: paper(observation, Seed(0))),
    ]


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/dwiseneuro-map.md"))
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--reduced", action="store_true", help="a quarter of the width and 1,000 neurons")
    parser.add_argument("--paper-steps", type=int, default=PAPER_STEPS, help="steps of `paper` on an accelerator")
    options = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    case = QUARTER if options.reduced else FULL
    encoder, observation = prepared(case, device), observed(case, options.frames)
    free = free_bytes(device)
    kept, per_frame = kept_bytes(encoder)
    plan = plan_for(encoder, clips=1, frames=options.frames, kept=(kept, per_frame))
    print(f"free {free / GIB:.1f} GiB; kept {(kept + per_frame * options.frames) / GIB:.3f} GiB; {plan}", flush=True)
    whole = 16 if device.type == "cuda" else 2
    # The smaller batch first: the peak of a process never falls.
    steps = {whole // 2: step(encoder, observation, whole // 2)}
    setting = [
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {named(device)}; "
        f"Python {platform.python_version()}, torch {torch.__version__}. DwiseNeuro, {case.name}, {case.neurons:,} "
        f"neurons, random weights; one clip of {options.frames} frames of 36x64 px. {free / GIB:.1f} GiB were free; "
        f"for the gradient one clip keeps {(kept + per_frame * options.frames) / GIB:.2f} GiB.",
        "",
        f"Command: `{command_of('dwiseneuro_map.py', parser, options)}`",
    ]
    rows = estimates(steps[whole // 2].processor_seconds, options.frames)
    write(options.out, [*setting, *page(steps, rows)])  # the other step takes minutes as well
    steps[whole] = step(encoder, observation, whole)
    if device.type == "cuda":
        rows = in_whole(encoder, observation, options.paper_steps)
    write(options.out, [*setting, *page(steps, rows)])
    print(options.out.read_text())


def named(device: torch.device) -> str:
    """The accelerator, or that there is none."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "no accelerator"


def page(steps: dict[int, Step], rows: list[str]) -> list[str]:
    """Both tables."""
    lines = [
        "",
        "One evaluation of energy and gradient, each measured once:",
        "",
        "| windows of the network at a time | seconds | of processor time | peak memory, GiB |",
        "|---|---|---|---|",
        *(
            f"| {windows} | {one.seconds:.1f} | {one.processor_seconds:.1f} | {one.peak / GIB:.2f} |"
            for windows, one in steps.items()
        ),
        "",
    ]
    if len(steps) == 2:
        difference, cosine = compared(*steps.values())
        lines += [f"The two gradients differ by {difference:.1e} of their norm (cosine {cosine:.9f}).", ""]
    lines += ["| whole inversion of the clip, one encoder | frame-passes | seconds |", "|---|---|---|", *rows]
    if any("estimate" in row for row in rows):
        lines += [
            "",
            "Estimates are the processor time of the first step above times the windows of the network that the "
            "inversion would evaluate, with one thread.",
        ]
    return lines


def write(out: Path, lines: list[str]) -> None:
    """The page, as far as it is known."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(["# `map` through DwiseNeuro", "", *lines, ""]))


if __name__ == "__main__":
    main()
