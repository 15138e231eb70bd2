"""The picture of the README: what was shown above, what came back below, for the test clip of median score.

The clip is chosen by its rank, not by its looks, and both rows share one gray scale: nothing is matched in contrast.

    python benchmarks/picture.py --demo out/demo --out docs/images/reconstruction.png
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cinecortex.data import load, read_result, words
from cinecortex.metrics import movie_correlation
from cinecortex.metrics.movies import BURN_IN
from cinecortex.recording import Recording
from cinecortex.study import MASK_THRESHOLD
from cinecortex.tensors import Mask, Movie

FRAMES = 5
SCALE = 4  # screen pixels for each pixel of the movie
GAP, LEFT, TOP, BOTTOM = 6, 36, 76, 104
DPI = 100
BLUE = "#0072b2"


@dataclass(frozen=True, eq=False)
class Clip:
    """One test clip with its answers.

    Attributes:
        trial_id: The trial.
        truth: The movie that was shown.
        answer: The reconstruction by ``map``.
        mask: Where the population sees, 0..1.
        score, baseline: Movie correlation of ``map`` and of the training mean.
    """

    trial_id: str
    truth: Movie
    answer: Movie
    mask: Mask
    score: float
    baseline: float


def clips_of(recording: Recording, mapped: xr.Dataset, mean: xr.Dataset) -> list[Clip]:
    """Every clip of the result, scored inside the mask after the burn-in, lowest score first."""
    baselines = {name: movie for name, movie, _ in _answers(mean)}
    clips = []
    for name, answer, mask in _answers(mapped):
        truth = recording.trial(name).movie

        def score(guess: Movie, truth: Movie = truth, mask: Mask = mask) -> float:
            return movie_correlation(guess, truth, mask=mask, threshold=MASK_THRESHOLD, burn_in=BURN_IN)

        clips.append(Clip(name, truth, answer, mask, score(answer), score(baselines[name])))
    return sorted(clips, key=lambda clip: clip.score)


def _answers(result: xr.Dataset) -> list[tuple[str, Movie, Mask]]:
    found = []
    for index, (name, frames) in enumerate(zip(words(result, "trial_id"), result.frames.values, strict=True)):
        movie = torch.from_numpy(result.movie[index, : int(frames)].values)
        # A decoder knows no mask.
        mask = result.mask[index].values if "mask" in result else np.ones(movie.shape[1:], np.float32)
        found.append((name, movie, torch.from_numpy(mask)))
    return found


def draw(clip: Clip, *, rank: int, count: int, neurons: int, frame_rate_hz: float, simulated: bool) -> Figure:
    """A strip of frames, evenly spaced from the end of the burn-in to the end of the clip."""
    frames, height, width = clip.truth.shape
    chosen = np.linspace(BURN_IN, frames - 1, FRAMES).round().astype(int)
    tall, wide = height * SCALE, width * SCALE
    size = LEFT + FRAMES * (wide + GAP), TOP + 2 * tall + GAP + BOTTOM
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white")
    border = _border(clip.mask >= MASK_THRESHOLD)
    for row, movie in enumerate((clip.truth, clip.answer)):
        for column, frame in enumerate(chosen):
            left, bottom = LEFT + column * (wide + GAP), size[1] - TOP - (row + 1) * tall - row * GAP
            axes = figure.add_axes((left / size[0], bottom / size[1], wide / size[0], tall / size[1]))
            axes.imshow(movie[frame].numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            axes.add_collection(LineCollection(border, colors=BLUE, linewidths=1.6))
            axes.set_axis_off()
            if row == 0:
                axes.set_title(f"{frame / frame_rate_hz:.2f} s", fontsize=14, pad=5)
        middle = 1 - (TOP + (row + 0.5) * tall + row * GAP) / size[1]
        name = ("shown", "reconstructed")[row]
        figure.text(LEFT / 2 / size[0], middle, name, rotation=90, ha="center", va="center", fontsize=14)
    animal = "SIMULATED mouse" if simulated else "recorded animal"
    place = LEFT / size[0], 1 - 20 / size[1]
    figure.text(*place, f"{animal}, {neurons} neurons", fontsize=16, weight="bold", va="center")
    caption = (
        f"Trial {clip.trial_id}, the median of {count} test clips by movie correlation (rank {rank} from the top): it "
        f"scores {clip.score:.2f},\nthe training mean {clip.baseline:.2f}. Scores count the pixels inside the blue "
        f"line, where this population sees, after\nthe first {BURN_IN / frame_rate_hz:g} s. One gray scale for both "
        "rows; contrast as it came out."
    )
    figure.text(LEFT / size[0], (BOTTOM - 6) / 2 / size[1], caption, fontsize=14, va="center", linespacing=1.4)
    return figure


def _border(inside: torch.Tensor) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The edges between pixels inside and outside, in the coordinates of ``imshow``."""
    padded = np.pad(inside.numpy().astype(np.int8), 1)
    across = np.argwhere(np.diff(padded, axis=0)[:, 1:-1]) - 0.5
    down = np.argwhere(np.diff(padded, axis=1)[1:-1]) - 0.5
    return [((x, y), (x + 1, y)) for y, x in across] + [((x, y), (x, y + 1)) for y, x in down]


def main() -> None:
    """Draw the picture of a demo that was run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("out/demo"), help="folder written by `cinecortex demo`")
    parser.add_argument("--out", type=Path, default=Path("docs/images/reconstruction.png"), help="picture to write")
    options = parser.parse_args()
    recording = load(options.demo / "mouse")
    shown = options.demo / "validation" / "shown"
    clips = clips_of(recording, read_result(shown / "judged.zarr"), read_result(shown / "mean.zarr"))
    # Of an even number the lower of the two in the middle: the choice that flatters less.
    index = (len(clips) - 1) // 2
    figure = draw(
        clips[index],
        rank=len(clips) - index,
        count=len(clips),
        neurons=len(recording.neurons),
        frame_rate_hz=recording.frame_rate_hz,
        simulated=recording.simulated,
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.out.with_name(f".{options.out.name}.{os.getpid()}.unfinished")
    try:
        FigureCanvasAgg(figure).print_png(temporary)
        temporary.replace(options.out)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"wrote {options.out}: trial {clips[index].trial_id}, score {clips[index].score:.3f}")


if __name__ == "__main__":
    main()
