"""One to seven encoders: what averaging their reconstructions gains, clip by clip.

    python benchmarks/ensembling.py --folder out/methods --out docs/results/ensembling.md

The folder holds a recording `mouse` and an ensemble `encoder` whose members were fitted by different seeds, as
`benchmarks/methods.py` makes them. Each member is inverted by `map` once per clip; the score with k encoders is the
mean over all sets of k of them, so that no order of the members matters. The same encoders asked together, in one
descent, stand beside it. The page is written anew after every clip.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from animals import SEED
from cinecortex import study
from cinecortex.data import load
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.checkpoint import load_model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.inversion.map import MAP, Average
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.movies import movie_correlation
from cinecortex.tensors import Mask, Movie
from cinecortex.validation.stretch import first_frames
from page import command_of, publish, remarks, shown, table

TOGETHER: dict[Average, str] = {
    "rates": "rates, in one descent",
    "likelihoods": "gradients, in one descent",
}
BURN_IN = 30


@dataclass(frozen=True)
class Ensembled:
    """Movie correlations of one clip.

    Attributes:
        trial_id: The trial.
        curve: With 1, 2, ... encoders, mean over all sets of so many.
        spread: Standard deviation over the single encoders.
        together: With all of them in one descent, by what is averaged.
    """

    trial_id: str
    curve: tuple[float, ...]
    spread: float
    together: dict[Average, float] = field(default_factory=dict)


def curve_of(movies: Float[Tensor, "member time height width"], truth: Movie, mask: Mask) -> tuple[list[float], float]:
    """Movie correlation of averages over 1, 2, ... members, mean over all sets; and the spread of single ones."""
    curve = []
    for count in range(1, len(movies) + 1):
        scores = [
            movie_correlation(movies[list(some)].mean(0), truth, mask=mask, burn_in=BURN_IN)
            for some in itertools.combinations(range(len(movies)), count)
        ]
        if count == 1:
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        curve.append(statistics.fmean(scores))
    return curve, spread


def lines_of(found: Sequence[Ensembled], neurons: int, frames: int, clips: int) -> list[str]:
    """The table, and what it says."""
    alone = [clip.curve[0] for clip in found]
    rows = []
    for place in range(len(found[0].curve)):
        scores = [clip.curve[place] for clip in found]
        rows.append(_row(str(place + 1), "reconstructions", scores, alone if place else None))
    for average in found[0].together:
        scores = [clip.together[average] for clip in found]
        rows.append(_row(str(len(found[0].curve)), TOGETHER[average], scores, alone))
    many = len(found[0].curve)
    gains = [clip.curve[-1] - clip.curve[0] for clip in found]
    half = [clip.curve[1] - clip.curve[0] for clip in found]
    facts = [
        f"The second encoder brings {statistics.fmean(half) / statistics.fmean(gains):.0%} of what all {many} bring."
        if many > 2 and statistics.fmean(gains) > 0
        else "More encoders bring nothing on these clips.",
        f"Single encoders of one clip differ by {statistics.fmean(clip.spread for clip in found):.3f} (standard "
        "deviation, mean over clips).",
        f"Simulated mouse of {neurons:,} neurons; {len(found)} of {clips} unseen clips, {frames} frames of each, the "
        "encoders fitted to the same clips by different seeds. Scores count the pixels inside the mean of the "
        "encoders' masks, after the first second.",
        "Every value with k encoders is the mean over all sets of k; gains are paired by clip.",
        "Published, of real mice by another recipe: 0.569 with the reconstructions of 7 encoders averaged, 0.552 with "
        "their gradients averaged.",
    ]
    return [*table(["encoders", "averaged", "movie correlation", "gain over one, paired"], rows), *remarks(facts)]


def _row(count: str, averaged: str, scores: Sequence[float], alone: Sequence[float] | None) -> list[str]:
    gain = shown(paired_difference(scores, alone, seed=SEED / "paired")) if alone is not None else ""
    return [count, averaged, shown(bootstrap_mean(scores, seed=SEED / "bootstrap")), gain]


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/methods"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--together", nargs="*", choices=list(TOGETHER), default=list(TOGETHER))
    parser.add_argument("--out", type=Path, default=Path("docs/results/ensembling.md"))
    options = parser.parse_args()

    recording, model = load(options.folder / "mouse"), load_model(options.folder / "encoder")
    unseen = study.unseen_trials(model, [recording], recording.tier(TEST_TIER))
    ensemble = model.session(recording.session_id)
    if not isinstance(ensemble, Ensemble):
        parser.error(f"{options.folder / 'encoder'} holds a single encoder; fit several with --members.")
    inverters = [MAP(encoder=member) for member in ensemble.members]
    mask = torch.stack([inverter.mask for inverter in inverters]).mean(0)
    whole = {average: MAP(encoder=ensemble, average=average, mask=mask) for average in options.together}
    found: list[Ensembled] = []
    for trial in unseen[: options.clips]:
        stretch = first_frames(trial, options.frames)
        seed = SEED / "ensembling" / trial.trial_id
        observation, truth = stretch.observe(), stretch.movie
        movies = [inverter(observation, seed / number).movie for number, inverter in enumerate(inverters)]
        curve, spread = curve_of(torch.stack(movies), truth, mask)
        print(f"trial {trial.trial_id}: {', '.join(f'{score:.3f}' for score in curve)}", flush=True)
        together = {
            average: movie_correlation(inverter(observation, seed).movie, truth, mask=mask, burn_in=BURN_IN)
            for average, inverter in whole.items()
        }
        found.append(Ensembled(trial.trial_id, tuple(curve), spread, together))
        publish(
            options.out,
            "One to seven encoders",
            lines_of(found, len(recording.neurons), min(options.frames, len(truth)), len(unseen)),
            command=command_of("ensembling.py", parser, options, clips=len(found)),
        )


if __name__ == "__main__":
    main()
