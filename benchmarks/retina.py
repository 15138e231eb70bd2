"""The real retina recording end to end: fit on frames 0-29,999, reconstruct frames 30,000-35,999, score.

    python benchmarks/retina.py ../shared/data/retina_white_noise.npz --out docs/results/retina.md

The stimulus is white noise: nothing can be guessed from what movies look like, so every correlation comes from the
neurons. Controls: the same observations with the identities of the neurons shuffled, and none heard. The published
recipe comes last, clip by clip, and the page is written anew after each, so that a run that was stopped leaves what it
knows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cinecortex import study
from cinecortex.data import load
from cinecortex.decoders import fit_bayesian, fit_nearest, fit_ridge
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.evaluation import score_encoder
from cinecortex.encoders.train import fit_model
from cinecortex.inversion.map import MAP
from cinecortex.methods import Calibrated, Choices
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.intervals import coverage
from cinecortex.metrics.movies import BURN_IN, frame_correlation, movie_correlation
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask
from page import RETINA, command_of, publish, remarks, shown, table

SEED = Seed(0)
COVERED = 0.7
"""Pixels whose mask weight is above this quantile are the best-covered 30 %."""
LAGS = ((-1, 14), (0, 9), (1, 7))
"""Reaches of the ridge decoder in frames, of which the one with the best select score is taken."""
DRAWS = 16
HEADER = (
    "method",
    "in the mask",
    "best-covered 30 % of pixels",
    "full field",
    "`map` minus it, best-covered, paired",
    "frame correlation, in the mask",
    "frame-passes",
    "seconds",
)


@dataclass(frozen=True)
class Covered:
    """How often the 90 % intervals of `sample` hold the truth inside the mask, one share for each clip.

    Attributes:
        raw: As drawn.
        calibrated: After what was fitted to select clips.
    """

    raw: list[float]
    calibrated: list[float]


def places_of(mask: Mask) -> dict[str, Mask]:
    """Where scores are taken, in the order of the table."""
    best = (mask > mask.flatten().quantile(COVERED)).float()
    return {"mask": mask, "best": best, "full": torch.ones_like(mask)}


def rows_of(results: dict[str, study.Results], places: dict[str, Mask]) -> list[list[str]]:
    """One row per method; a method that was run on the first clips only is compared with `map` on those."""

    def correlations(found: study.Results, where: Mask) -> list[float]:
        return [movie_correlation(answer.movie, trial.movie, mask=where) for trial, answer in found]

    values = {name: {at: correlations(found, place) for at, place in places.items()} for name, found in results.items()}
    rows = []
    for name, found in results.items():
        clips, value = len(found), values[name]
        intervals = [shown(bootstrap_mean(value[at], seed=SEED / "bootstrap")) for at in places]
        difference = paired_difference(values["map"]["best"][:clips], value["best"], seed=SEED / "paired")
        frames = [frame_correlation(answer.movie, trial.movie, mask=places["mask"]).mean for trial, answer in found]
        passes = sum(answer.frame_passes for _, answer in found) / clips
        seconds = sum(answer.seconds for _, answer in found) / clips
        label = name if clips == len(results["map"]) else f"{name} (first {clips} clips)"
        compared = "" if name == "map" else shown(difference)
        per_frame = shown(bootstrap_mean(frames, seed=SEED / "bootstrap"))
        rows.append([label, *intervals, compared, per_frame, f"{passes:,.0f}", f"{seconds:.2f}"])
    return rows


def covered(raw: study.Results, recalibration: Recalibration, mask: Mask) -> Covered:
    """Coverage of the same answers before and after calibration, after the first second."""

    def shares(found: study.Results) -> list[float]:
        return [
            coverage(trial.movie[BURN_IN:], answer.lower[BURN_IN:], answer.upper[BURN_IN:], mask)
            for trial, answer in found
            if answer.lower is not None and answer.upper is not None
        ]

    return Covered(shares(raw), shares(recalibrated(raw, recalibration)))


def recalibrated(raw: study.Results, recalibration: Recalibration) -> study.Results:
    """The same answers, calibrated."""
    return [(trial, recalibration.apply(answer)) for trial, answer in raw]


def coverage_fact(found: Covered, recalibration: Recalibration) -> str:
    """The sentence that states both coverages."""
    raw, after = (bootstrap_mean(shares, seed=SEED / "coverage") for shares in (found.raw, found.calibrated))
    return (
        f"90 % intervals of `sample` ({DRAWS} draws) inside the mask: raw they cover {shown(raw)} (lowest clip "
        f"{min(found.raw):.3f}), calibrated on {recalibration.clips} select clips {shown(after)} (lowest clip "
        f"{min(found.calibrated):.3f}). Calibration multiplies the standard deviation by "
        f"{recalibration.temperature:.3f} and the contrast by {recalibration.gain:.3f}."
    )


def decoders(train: Sequence[Trial], select: Sequence[Trial]) -> tuple[dict[str, Inverter], str]:
    """The decoders, and what was chosen for the ridge."""
    ridges = {lags: fit_ridge(train, select, lags=lags) for lags in LAGS}
    lags, fine = max(ridges.items(), key=lambda item: max(item[1].scores))
    chosen = (
        f"Ridge: lags {lags[0]} to {lags[1]} frames and penalty {fine.penalty:g}, both chosen on select clips; "
        f"{len(fine.lagging.edges) - 1} bins per neuron."
    )
    return {"ridge": fine, "bayesian": fit_bayesian(train, select), "nearest": fit_nearest(train)}, chosen


def sampled(model: Model, recording: Recording, mask: Mask) -> Calibrated:
    """`sample`, calibrated on select clips."""
    choices = Choices(mask=mask, draws=DRAWS)
    sampler = study.make_inverter("sample", model, recording, seed=SEED / "sample", choices=choices)
    if not isinstance(sampler, Calibrated):
        raise RuntimeError("there was no select clip to calibrate `sample` on.")
    return sampler


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/retina.md"))
    parser.add_argument("--paper-clips", type=int, default=20, help="test clips that the published recipe is run on")
    options = parser.parse_args()

    recording = load(options.recording)
    began = time.perf_counter()
    model = fit_model([recording], seed=SEED)
    fit_seconds = time.perf_counter() - began
    encoder = model.session(recording.session_id)
    test = recording.tier("test")
    train, select = (study.trials_of(model, recording, role) for role in ("train", "select"))
    encoded = score_encoder(encoder, test).summary()
    mapped = MAP(encoder=encoder)
    mask = mapped.mask
    places = places_of(mask)
    fitted, chosen = decoders(train, select)
    inverters: dict[str, Inverter] = {
        "map": mapped,
        "map, shuffled neurons": study.Controlled(mapped, study.shuffled_neurons),
        "map, no neurons": study.Controlled(mapped, study.no_neurons),
        **fitted,
        "training mean": study.make_inverter("mean", model, recording),
    }
    results = {name: study.invert_trials(inverter, test, seed=SEED / "invert") for name, inverter in inverters.items()}
    print("all but sample and paper", flush=True)
    sampler = sampled(model, recording, mask)
    raw = study.invert_trials(sampler.inverter, test, seed=SEED / "invert")
    results["sample"] = recalibrated(raw, sampler.recalibration)
    facts = [
        f"{len(recording.neurons)} real neurons; {len(train)} training clips of 10 s, {len(select)} to select on, "
        f"{len(test)} test clips (frames 30,000-35,999). 64 frames are left out between training clips and before the "
        "test region.",
        f"Encoder: single-trial correlation {encoded['mean_correlation']:.3f} on the test clips (mean over neurons), "
        f"fitted in {fit_seconds:.0f} s. There are no repeats, hence no noise ceiling.",
        f"Mask: {int((mask >= 0.5).sum())} of {mask.numel()} pixels at 0.5 or more; scores leave out the first second.",
        chosen,
        coverage_fact(covered(raw, sampler.recalibration, mask), sampler.recalibration),
        "`paper` as published with one encoder: 1,000 steps, blur of half a frame and half a pixel, no prior. Its "
        "pixels may change where they are scored, inside the mask of `map`.",
    ]

    def write() -> None:
        lines = [*table(HEADER, rows_of(results, places)), *remarks(facts)]
        command = command_of(f"retina.py {RETINA}", parser, options, paper_clips=len(results.get("paper", [])))
        publish(options.out, "The real retina recording", lines, command=command)

    write()
    paper = study.make_inverter("paper", model, recording, choices=Choices(mask=mask))
    for number, trial in enumerate(test[: options.paper_clips], 1):
        results["paper"] = [
            *results.get("paper", []),
            *study.invert_trials(paper, [trial], seed=SEED / "invert"),
        ]
        print(f"paper: {number} clips", flush=True)
        write()


if __name__ == "__main__":
    main()
