"""Whole-clip prediction by DwiseNeuro and its gradient, beside a plain loop over windows one by one.

    python benchmarks/dwiseneuro.py --whole --out docs/results/dwiseneuro.md

Both are timed in turns in one run, on random weights. Times are medians over the rounds, ratios medians of the ratios
within a round with their range, since other work on the machine may come and go. The loop is the network itself, its
weights frozen, window after window, and it blends the rates as the encoder does. A gradient needs the blended rates
first, and no memory holds the loop's graph of 270 windows; therefore the loop predicts the clip and then goes through
the windows once more with the gradient of the rates. A second ratio leaves that first pass out, which is right only
where the gradient of the rates is known beforehand.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from page import command_of, publish, remarks, table

REACH = 31


@dataclass(frozen=True)
class Case:
    """A network to time: its name, its settings, and the number of neurons of one animal."""

    name: str
    settings: dict[str, object]
    neurons: int

    def encoder(self) -> DwiseNeuroEncoder:
        """An encoder with random weights and running statistics, its weights frozen."""
        torch.manual_seed(0)
        network = DwiseNeuroNetwork((self.neurons,), **self.settings)  # type: ignore[arg-type]
        for name, values in network.state_dict().items():
            if name.endswith("running_mean"):
                values.normal_(0, 0.3)
            elif name.endswith("running_var"):
                values.uniform_(0.5, 1.5)
        return DwiseNeuroEncoder(network.requires_grad_(False), 0).eval()


FULL = Case("full width, expansion 6", {}, 8000)
FIRST_STAGE = Case("full width, expansion 7", {"expansion_ratio": 7}, 8000)
QUARTER = Case(
    "a quarter of the width",
    {"core_features": (16, 16, 16, 16, 32, 32, 32, 64, 64), "cortex_features": (256, 512, 1024)},
    1000,
)


def windows(frames: int) -> Iterator[list[int]]:
    """The frames of every window."""
    for start in range(frames - REACH + 1):
        yield list(range(start, start + REACH, 2))


def loop_forward(encoder: DwiseNeuroEncoder, movie: Tensor, behavior: Tensor) -> Tensor:
    """Rates of one clip, window by window."""
    total, held = torch.zeros(len(movie), encoder.neurons), torch.zeros(len(movie), 1)
    with torch.no_grad():
        for places in windows(len(movie)):
            inputs = encoder.network_inputs(255 * movie[None, places], behavior[None, places])
            total[places] += encoder.network(inputs, 0)[0].T
            held[places] += 1
    return total / held


def loop_gradient(encoder: DwiseNeuroEncoder, movie: Tensor, behavior: Tensor, weight: Tensor) -> Tensor:
    """Gradient of the weighted sum of the rates, window by window; the rates themselves are not made."""
    held = torch.zeros(len(movie), 1)
    for places in windows(len(movie)):
        held[places] += 1
    movie = movie.clone().requires_grad_(True)
    for places in windows(len(movie)):
        inputs = encoder.network_inputs(255 * movie[None, places], behavior[None, places])
        (encoder.network(inputs, 0)[0].T * (weight / held)[places]).sum().backward()
    assert movie.grad is not None
    return movie.grad


def encoder_forward(encoder: DwiseNeuroEncoder, movie: Tensor, behavior: Tensor) -> Tensor:
    """Rates of one clip, by the encoder."""
    with torch.no_grad():
        rates: Tensor = encoder(movie[None], behavior[None])[0]
    return rates


def encoder_gradient(encoder: DwiseNeuroEncoder, movie: Tensor, behavior: Tensor, weight: Tensor) -> Tensor:
    """Rates of one clip and the gradient of their weighted sum, by the encoder."""
    movie = movie.clone().requires_grad_(True)
    return torch.autograd.grad((encoder(movie[None], behavior[None])[0] * weight).sum(), movie)[0]


def seconds(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """How long it took, and its answer."""
    began = time.perf_counter()
    answer = run()
    return time.perf_counter() - began, answer


def peak_gb() -> float:
    """Most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def difference(answer: Tensor, reference: Tensor) -> float:
    """Largest difference over largest value."""
    return float((answer - reference).abs().max() / reference.abs().max())


def ratio(slow: list[float], fast: list[float]) -> str:
    """Median over the rounds, and the range."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return f"**{median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})"


def compare(case: Case, frames: int, rounds: int) -> list[str]:
    """One row of the table: times per window, ratios, differences, memory."""
    encoder = case.encoder()
    movie, behavior, weight = torch.rand(frames, 36, 64), torch.randn(frames, 4), torch.randn(frames, case.neurons)
    count = frames - REACH + 1
    slope = encoder_gradient(encoder, movie, behavior, weight)
    memory = peak_gb()
    times: dict[str, list[float]] = {name: [] for name in ("forward", "loop", "gradient", "loop gradient")}
    for _ in range(rounds):
        for name, run in (
            ("forward", lambda: encoder_forward(encoder, movie, behavior)),
            ("loop", lambda: loop_forward(encoder, movie, behavior)),
            ("gradient", lambda: encoder_gradient(encoder, movie, behavior, weight)),
            ("loop gradient", lambda: loop_gradient(encoder, movie, behavior, weight)),
        ):
            took, answer = seconds(run)
            times[name].append(took / count)
            if name == "forward":
                rates = answer
            elif name == "loop":
                wrong = difference(rates, answer)
            elif name == "loop gradient":
                wrong_slope = difference(slope, answer)
        print(case.name, {name: f"{values[-1]:.3f} s" for name, values in times.items()}, flush=True)
    times["both"] = [sum(pair) for pair in zip(times["loop"], times["loop gradient"], strict=True)]
    middle = {name: median(values) for name, values in times.items()}
    return [
        case.name,
        f"{middle['loop']:.3f}",
        f"{middle['forward']:.3f}",
        ratio(times["loop"], times["forward"]),
        f"{middle['both']:.3f}",
        f"{middle['gradient']:.3f}",
        ratio(times["both"], times["gradient"]),
        ratio(times["loop gradient"], times["gradient"]),
        f"{wrong:.0e}, {wrong_slope:.0e}",
        f"{memory:.1f}, {peak_gb():.1f}",
    ]


HEADER = [
    "network",
    "loop: forward",
    "encoder: forward",
    "ratio",
    "loop: forward and gradient",
    "encoder: forward and gradient",
    "ratio",
    "ratio to the loop's gradient alone",
    "difference of rates, of gradient",
    "peak memory GB: encoder, with the loop",
]


def where_time_goes(case: Case, frames: int = 33) -> list[str]:
    """The operations that take most of a forward pass and gradient."""
    encoder = case.encoder()
    movie, behavior, weight = torch.rand(frames, 36, 64), torch.randn(frames, 4), torch.randn(frames, case.neurons)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        encoder_gradient(encoder, movie, behavior, weight)
    events = sorted(recorded.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [f"{event.key.removeprefix('aten::')} {event.self_cpu_time_total / total:.0%}" for event in events[:8]]


def whole_clip(case: Case, frames: int = 300) -> str:
    """Time and memory of one clip of ten seconds, rates and gradient."""
    encoder = case.encoder()
    movie, behavior, weight = torch.rand(frames, 36, 64), torch.randn(frames, 4), torch.randn(frames, case.neurons)
    forward, _ = seconds(lambda: encoder_forward(encoder, movie, behavior))
    both, _ = seconds(lambda: encoder_gradient(encoder, movie, behavior, weight))
    return (
        f"A clip of {frames} frames, {case.name}, {case.neurons} neurons, measured once: forward {forward:.0f} s, "
        f"forward and gradient {both:.0f} s, peak memory {peak_gb():.1f} GB."
    )


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/dwiseneuro.md"))
    parser.add_argument("--frames", type=int, default=34, help="length of the clip that is timed, at least 32")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--reduced", action="store_true", help="only the network of a quarter of the width")
    parser.add_argument("--whole", action="store_true", help="also ten seconds of movie at full width; takes minutes")
    options = parser.parse_args()

    measured = [whole_clip(FULL)] if options.whole else []  # first: the peak of memory is that of the process
    cases = [QUARTER] if options.reduced else [QUARTER, FULL, FIRST_STAGE]
    rows = [compare(case, options.frames, options.rounds) for case in cases]
    largest = cases[min(1, len(cases) - 1)]
    per_window = float(rows[min(1, len(rows) - 1)][5])
    facts = [
        f"Estimate for ten seconds of movie (270 windows), {largest.name}, {largest.neurons} neurons: "
        f"{270 * per_window:.0f} s for rates and gradient.",
        *measured,
        f"Where the time of rates and gradient goes ({largest.name}): {', '.join(where_time_goes(largest))}.",
    ]
    publish(
        options.out,
        "DwiseNeuro on whole clips",
        [*table(HEADER, rows), *remarks(facts)],
        command=command_of("dwiseneuro.py", parser, options),
        about=f"{os.cpu_count()} cores. Seconds per window of 16 frames, medians of {options.rounds} rounds in turns, "
        f"on clips of {options.frames} frames.",
    )


if __name__ == "__main__":
    main()
