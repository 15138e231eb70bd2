"""Training throughput of compact and dwiseneuro, and how long data loading alone takes, on a Sensorium-sized folder.

    python benchmarks/loading.py --out docs/results/loading.md

The folder is made of random numbers in the layout of the 2023 release: 8,000 neurons, 36x64 px, 300 frames; only its
size matters here. Loading is timed without any training and without reading ahead, so that its share of the step is
what it would cost if nothing were overlapped. Files are in the page cache after the first epoch, as they are in a
training that fits the machine. On an accelerator the step is timed there.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cinecortex.data import Split, load
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.fit import TrialClips, poisson_loss
from cinecortex.encoders.recipe import DwiseNeuro, Recipe
from cinecortex.encoders.together import Training
from cinecortex.recording import Recording
from cinecortex.seeds import Seed
from page import command_of, publish

FRAMES, SIZE = 300, (36, 64)


def write_folder(folder: Path, *, neurons: int, trials: int) -> None:
    """A session of random numbers."""
    random = np.random.default_rng(0)
    for name in ("data/videos", "data/responses", "data/behavior", "data/pupil_center", "meta/trials", "meta/neurons"):
        (folder / name).mkdir(parents=True)
    for number in range(trials):
        video = random.integers(0, 256, (*SIZE, FRAMES), dtype=np.uint8)
        np.save(folder / "data/videos" / f"{number}.npy", video)
        np.save(
            folder / "data/responses" / f"{number}.npy", random.exponential(5, (neurons, FRAMES)).astype(np.float32)
        )
        for name in ("behavior", "pupil_center"):
            np.save(folder / "data" / name / f"{number}.npy", random.standard_normal((2, FRAMES)).astype(np.float32))
    np.save(folder / "meta/trials/tiers.npy", np.array(["train"] * trials))
    np.save(folder / "meta/neurons/unit_ids.npy", np.arange(neurons))


def waited(device: torch.device) -> float:
    """The time, once the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def time_compact(recording: Recording, steps: int) -> dict[str, float]:
    """Seconds of a step of two clips, and of reading them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = CompactEncoder(
        neurons=len(recording.neurons), frame_size=SIZE, behavior_channels=recording.behavior_channels, coarse=2
    ).to(device)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    clips, reading, training = TrialClips(recording.trials), list[float](), list[float]()
    for step in range(steps + 1):
        began = time.perf_counter()
        pairs = [clips[(2 * step + i) % len(clips)] for i in range(2)]
        movies, behaviors, responses = (torch.stack(side) for side in zip(*pairs, strict=True))
        read = time.perf_counter()
        optimizer.zero_grad()
        rates = encoder(movies.to(device), behaviors.to(device))
        poisson_loss(rates, responses.to(device)).backward()
        optimizer.step()
        reading.append(read - began)
        training.append(waited(device) - read)
    return summary(reading[1:], training[1:], frames=2 * FRAMES)


def time_dwiseneuro(recording: Recording, steps: int, *, width: float, batch: int) -> dict[str, float]:
    """Seconds of a step of a batch of windows, and of reading and mixing them."""
    parts = {recording.session_id: Split(recording.trials, recording.trials[:1], ())}
    recipe = Recipe(batch_size=batch, samples_per_epoch=batch * (steps + 1))
    run = Training([recording], parts, DwiseNeuro(width=width), recipe, Seed(0))
    run.trained.train()
    reading, training = list[float](), list[float]()
    for step in range(steps + 1):
        began = time.perf_counter()
        part = run.windows.read(run.windows.plan(step))
        read = time.perf_counter()
        run.descend(step, [part])
        reading.append(read - began)
        training.append(waited(run.accelerator.device) - read)
    return summary(reading[1:], training[1:], frames=batch * recipe.window_frames)


def summary(reading: Sequence[float], training: Sequence[float], *, frames: int) -> dict[str, float]:
    """Medians over the steps."""
    read, step = float(np.median(reading)), float(np.median(training))
    return {"read_s": read, "step_s": step, "read_frames_per_s": frames / read, "step_frames_per_s": frames / step}


def resident_memory_mb(folder: Path, windows: int) -> float:
    """Most resident memory while a process reads many windows, over what it had after the first few (Linux)."""
    recording = load(folder)
    parts = {recording.session_id: Split(recording.trials, recording.trials[:1], ())}
    architecture, recipe = DwiseNeuro(width=0.01, padded_size=(64, 64)), Recipe(batch_size=4)
    run = Training([recording], parts, architecture, recipe, Seed(0))

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    seen = []
    for _, parts_read in run.windows.ahead(range(windows // 4)):
        del parts_read
        seen.append(resident())
    return max(seen[8:]) - max(seen[:8])


def memory_of(folder: Path, windows: int) -> float:
    """`resident_memory_mb` in a process of its own, where nothing else has raised the peak."""
    command = [sys.executable, __file__, "--memory", str(folder), str(windows)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/loading.md"))
    parser.add_argument("--neurons", type=int, default=8000)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--memory", nargs=2, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        print(json.dumps(resident_memory_mb(Path(options.memory[0]), int(options.memory[1]))))
        return
    lines = ["| | frames/s in training | step, s | loading alone, frames/s | loading, s | loading, % of the step |"]
    lines += ["|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as made:
        for name, trials in (("whole", options.trials), ("quarter", options.trials // 4)):
            write_folder(Path(made) / name, neurons=options.neurons, trials=trials)
        recording = load(Path(made) / "whole")
        results = {
            "`compact`, 2 clips a step": time_compact(recording, options.steps),
            f"`dwiseneuro` at width {options.width:g}, {options.batch} windows a step": time_dwiseneuro(
                recording, options.steps, width=options.width, batch=options.batch
            ),
        }
        grown = {name: memory_of(Path(made) / name, 8 * options.trials) for name in ("quarter", "whole")}
    for name, found in results.items():
        lines.append(
            f"| {name} | {found['step_frames_per_s']:,.0f} | {found['step_s']:.3f} | {found['read_frames_per_s']:,.0f} "
            f"| {found['read_s']:.3f} | {100 * found['read_s'] / found['step_s']:.1f} |"
        )
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator"
    command = command_of("loading.py", parser, options)
    about = (
        f"On {where}. A folder of random numbers, {options.trials} trials of {FRAMES} frames, {options.neurons:,} "
        f"neurons, {SIZE[0]}x{SIZE[1]} px. Loading is one thread, not overlapped; in a training it is."
    )
    memory = (
        f"Most resident memory while {8 * options.trials} windows are read, over that during the first 32: "
        f"{grown['quarter']:.1f} MB on {options.trials // 4} trials, {grown['whole']:.1f} MB on {options.trials} "
        f"trials, whose files hold {options.trials * options.neurons * FRAMES * 4 / 1e6:,.0f} MB of responses."
    )
    publish(options.out, "Loading and training throughput", [about, "", *lines, "", memory], command=command)


if __name__ == "__main__":
    main()
