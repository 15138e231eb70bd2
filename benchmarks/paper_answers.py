"""Answers of the published recipe before its closing blur, one file for each encoder and clip; and blurs to follow it.

A clip of the recipe takes minutes, so no answer is made twice, and every one can be made by a process of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from animals import SEED
from cinecortex import study
from cinecortex.encoders.base import Encoder
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.tensors import Mask

PUBLISHED_BLUR = (0.5, 0.5)
"""Standard deviations in frames and pixels."""
BLURS = [(t, s) for t in (0.0, 1.0, 2.0, 3.0, 4.5) for s in (0.5, 1.0, 1.5, 2.0, 3.0)]


def file_of(folder: Path, encoder: int, trial: Trial) -> Path:
    """Where the answer of one encoder to one trial is kept."""
    return folder / f"{encoder}-{trial.trial_id}.npz"


def finished(encoders: int, trials: Sequence[Trial], folder: Path) -> list[Trial]:
    """The trials for which the answers of the first so many encoders are all in the folder."""
    return [trial for trial in trials if all(file_of(folder, n, trial).exists() for n in range(encoders))]


def paper_answers(
    encoders: Sequence[Encoder], trials: Sequence[Trial], mask: Mask, folder: Path, *, steps: int = 1000
) -> study.Results:
    """`paper` in full, the mean over the encoders, without its closing blur. Every encoder's answer is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for trial in trials:
        movies, passes, seconds = [], 0, 0.0
        for number, encoder in enumerate(encoders):
            path = file_of(folder, number, trial)
            if not path.exists():
                answer = Paper(encoders=(encoder,), mask=mask, steps=steps, sigma=0.0)(trial.observe(), SEED)
                unfinished = path.with_suffix(f".{os.getpid()}.npz")
                arrays = {"movie": answer.movie.numpy(), "frame_passes": answer.frame_passes, "seconds": answer.seconds}
                np.savez(unfinished, **arrays)
                unfinished.replace(path)
                print(f"paper, encoder {number}, trial {trial.trial_id}: {answer.seconds:.0f} s", flush=True)
            stored = np.load(path, allow_pickle=False)
            movies.append(torch.from_numpy(stored["movie"]))
            passes, seconds = passes + int(stored["frame_passes"]), seconds + float(stored["seconds"])
        mean = torch.stack(movies).mean(0)
        results.append((trial, Reconstruction(mean, f"all {steps} steps", frame_passes=passes, seconds=seconds)))
    return results


def blurred(results: study.Results, blur: tuple[float, float]) -> study.Results:
    """The same results after a Gaussian blur of these standard deviations in frames and pixels."""
    sigma = (blur[0], blur[1], blur[1])
    return [(t, replace(a, movie=torch.from_numpy(gaussian_filter(a.movie.numpy(), sigma)))) for t, a in results]


def correlations(results: study.Results, mask: Mask) -> list[float]:
    """Movie correlation of every clip."""
    return [movie_correlation(answer.movie, trial.movie, mask=mask) for trial, answer in results]


def best_blur(results: study.Results, mask: Mask) -> tuple[float, float]:
    """The blur with the highest mean movie correlation."""
    return max(BLURS, key=lambda blur: float(np.mean(correlations(blurred(results, blur), mask))))
