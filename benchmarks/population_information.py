"""Information over the number of neurons, foretold from a few for many, and measured on many.

    python benchmarks/population_information.py --folder out/bench --out docs/results/population-information.md

A mouse of 2,000 neurons is simulated and an encoder fitted to it where they are not there yet. Of these neurons 500
are taken as recorded: the curve is measured on nested random subsets of them and extrapolated. Then all are measured.
What was measured of a clip is kept in the folder, and the page is written anew after each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from animals import SEED, prepare
from cinecortex import study
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.identifiability.curves import Clip, Curve, Population, over_neurons, over_noise
from cinecortex.identifiability.extrapolation import Extrapolation, Quantity
from cinecortex.identifiability.identified import Identified
from cinecortex.information import Information
from cinecortex.inversion.map import default_likelihood, default_prior
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Heard
from cinecortex.validation.stretch import first_frames
from keeping import written
from page import command_of, publish, remarks, table

FEWEST = 25
RECORDED = (62, 125, 250, 500)
NOISE = (0.25, 1.0, 4.0)
FINE = 0.09
"""Spatial frequency in cycles per pixel above which a band of frequencies is detail."""
QUANTITIES: tuple[Quantity, ...] = ("bits", "dimensions", "share")


def joined(parts: Sequence[Curve]) -> Curve:
    """Curves over the same points, of a clip each, as one."""
    return replace(
        parts[0],
        clips=tuple(clip for part in parts for clip in part.clips),
        measured=tuple(clip for part in parts for clip in part.measured),
    )


def detail_share(information: Information) -> float:
    """Data share of what is finer than `FINE`: bands, weighted by the prior's variance in them."""
    bands = [band for band in information.bands if band.spatial[0] >= FINE]
    whole = sum(band.prior_variance for band in bands)
    return sum(band.share * band.prior_variance for band in bands) / whole if whole else 0.0


def detail_shares(curve: Curve) -> list[float]:
    """The same at every point, mean over clips and orders."""
    shares = [[[detail_share(one) for one in order] for order in clip] for clip in curve.measured]
    means: list[float] = np.mean(shares, axis=(0, 1)).tolist()
    return means


def recorded(neurons: int, count: int, seed: Seed) -> Heard:
    """The neurons that are taken as recorded."""
    some = torch.zeros(neurons, dtype=torch.bool)
    some[torch.randperm(neurons, generator=seed.torch())[:count]] = True
    return some


def clip_of(encoder: Encoder, trial: Trial, frames: int, seed: Seed) -> Clip:
    """The trial's first frames, around a draw from the posterior of all neurons."""
    observation = first_frames(trial, frames).observe()
    around = Identified(encoder=encoder).around_a_draw(observation, seed / trial.trial_id)
    return Clip(trial.trial_id, observation, around.position)


def lines_of(few: Curve, curve: Curve, whole: Curve, noise: Curve, frames: int, *, training: int) -> list[str]:
    """The tables, and what they say."""
    rows = []
    for one in (few, curve, whole):
        for place, neurons in enumerate(one.points):
            bits, errors = one.means("bits")[place], one.mean_errors("bits")[place]
            rows.append(
                [
                    f"{neurons:,.0f}",
                    f"{bits:,.0f} ± {errors:,.0f}",
                    f"{bits / neurons:.2f}",
                    f"{one.means('dimensions')[place]:,.0f} ± {one.mean_errors('dimensions')[place]:,.0f}",
                    f"{one.means('share')[place]:.3f} ± {one.mean_errors('share')[place]:.3f}",
                    f"{detail_shares(one)[place]:.3f}",
                ]
            )
    header = ["neurons heard", "bits per clip", "bits per neuron", "data-determined dimensions", "data share"]
    header.append(f"data share of detail (above {FINE:g} cycles/px)")
    many = round(whole.points[-1])
    foretold = {quantity: curve.extrapolated(quantity, seed=SEED / "extrapolated") for quantity in QUANTITIES}
    second = [_compared(foretold[quantity], whole, quantity, many) for quantity in QUANTITIES]
    noisy = [
        [f"{factor:g}", f"{bits:,.0f} ± {error:,.0f}"]
        for factor, bits, error in zip(noise.points, noise.means(), noise.mean_errors(), strict=True)
    ]
    share, detail = float(few.means("share")[0]), detail_shares(few)[0]
    coordinates = few.measured[0][0][0].coordinates
    last = round(curve.points[-1])
    twice = round(2 * float(curve.means("bits")[-1]))
    facts = [
        f"{FEWEST} neurons determine {few.means('dimensions')[0]:.0f} of {coordinates:,} dimensions. In {share:.0%} of "
        "the variance, slow and broad changes of luminance above all, the neurons speak; of what is finer than "
        f"{FINE:g} cycles/px {1 - detail:.1%} is the algorithm's.",
        f"Twice the bits of {last}: {foretold['bits'].needed(float(twice)).sentence}",
        f"A data share of one half: {foretold['share'].needed(0.5).sentence}",
        f"Simulated mouse of {many:,} neurons, its encoder fitted to {training} clips; the first {frames} frames of "
        f"{len(curve.clips)} unseen clips, each around one draw from its posterior under all neurons. Subsets are "
        f"nested, {curve.values().shape[1]} random orders of the {last} neurons taken as recorded.",
        "Errors are Monte-Carlo standard errors of each value. All points of a clip have the same probes, so that "
        "ratios within the table are known better than that.",
        "Predicted intervals hold 90 % and speak for these clips. They hold what cannot be known of the curve, "
        "Monte-Carlo error, and which neurons happen to be recorded.",
    ]
    return [
        *table(header, rows),
        "",
        *table(["", f"predicted from up to {last} neurons, at {many:,}", f"measured at {many:,}", "inside"], second),
        "",
        *table([f"noise variance, times ({many:,} neurons)", "bits per clip"], noisy),
        *remarks(facts),
    ]


def _compared(foretold: Extrapolation, whole: Curve, quantity: Quantity, many: int) -> list[str]:
    prediction = foretold.at(many)
    value, error = float(whole.means(quantity)[-1]), float(whole.mean_errors(quantity)[-1])
    shown = "{:.3f}" if quantity == "share" else "{:,.0f}"
    low, middle, high = (shown.format(one) for one in (prediction.low, prediction.value, prediction.high))
    inside = "yes" if prediction.low <= value <= prediction.high else "no"
    name = {"bits": "bits per clip", "dimensions": "data-determined dimensions", "share": "data share"}[quantity]
    return [name, f"{middle} [{low}, {high}]", f"{shown.format(value)} ± {shown.format(error)}", inside]


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--neurons", type=int, default=2000)
    parser.add_argument("--training", type=int, default=60)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--orders", type=int, default=3)
    parser.add_argument("--probes", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("docs/results/population-information.md"))
    options = parser.parse_args()

    recording, model = prepare(options.folder, options.neurons, clips=options.training)
    unseen = study.unseen_trials(model, [recording], recording.tier(TEST_TIER))
    encoder = model.session(recording.session_id)
    population = Population(encoder, default_likelihood(encoder), default_prior(encoder), probes=options.probes)
    heard = recorded(options.neurons, RECORDED[-1], SEED / "recorded")
    seed = SEED / "information"
    parts: list[tuple[Curve, ...]] = []
    for trial in unseen[: options.clips]:
        kept = f"curves-{trial.trial_id}-{options.frames}-{options.orders}-{options.probes}.json"

        def measure(trial: Trial = trial) -> tuple[Curve, ...]:
            clip = clip_of(encoder, trial, options.frames, seed)
            part = replace(clip, observation=clip.observation.hearing(heard))
            return (
                over_neurons(population, [part], [FEWEST], orders=1, seed=seed),
                over_neurons(population, [part], RECORDED, orders=options.orders, seed=seed, progress=_told),
                over_neurons(population, [clip], [options.neurons], orders=1, seed=seed),
                over_noise(population, [clip], NOISE, seed=seed),
            )

        parts.append(kept_curves(options.folder / kept, measure))
        few, curve, whole, noise = (joined(one) for one in zip(*parts, strict=True))
        publish(
            options.out,
            "How much more neurons would say",
            lines_of(few, curve, whole, noise, options.frames, training=options.training),
            command=command_of("population_information.py", parser, options, clips=len(parts)),
            about="Means over clips.",
        )


def kept_curves(path: Path, measure: Callable[[], tuple[Curve, ...]]) -> tuple[Curve, ...]:
    """The curves in this file, measured where it is not there."""
    if not path.exists():
        content = json.dumps([curve.to_json() for curve in measure()])
        written(path, lambda unfinished: unfinished.write_text(content))
    return tuple(map(Curve.from_json, json.loads(path.read_text())))


def _told(done: int, total: int) -> None:
    print(f"measured {done} of {total}", flush=True)


if __name__ == "__main__":
    main()
