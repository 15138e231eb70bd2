"""Which way the data came: what neurons say of a part of the screen, and what the prior carries there from elsewhere.

    python benchmarks/carried.py --folder out/bench

Makes the demo's recording and encoder where they are not there yet. The data share of the pixels that the population
sees and of those that it hardly sees is told three times: as it is defined, ``1 - posterior variance / prior
variance``; given the pixels of all the rest (`share_beyond`); and under priors whose movies are correlated over a few
pixels and frames only, so that little can be carried far.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.identifiability.beyond import TOLD_TO, share_beyond
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.share import Part, data_share
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Spectral
from cinecortex.recording import Observation
from cinecortex.stimuli.probes import Noise
from cinecortex.stimuli.spectrum import measure_movies
from cinecortex.tensors import Mask, PerNeuron
from cinecortex.validation.stretch import STRETCH, first_frames
from page import command_of, publish, remarks, table

SEEN, UNSEEN = "seen", "unseen"
NOISES = (2.0, 4.0), (4.0, 8.0)
"""Lengths in pixels and frames over which movies of a prior are correlated."""
PRECISE = {"iterations": 30, "tolerance": 1e-3}


@dataclass(frozen=True)
class Population:
    """Some of the neurons, and where they look.

    Attributes:
        name: Which.
        heard: Of all neurons, these.
        seen: Pixels that they see.
        unseen: Pixels that they hardly see, or not at all.
    """

    name: str
    heard: PerNeuron
    seen: Mask
    unseen: Mask

    @property
    def parts(self) -> dict[str, Mask]:
        """Of the screen."""
        return {SEEN: self.seen, UNSEEN: self.unseen}


def populations(encoder: CompactEncoder, mask: Mask) -> tuple[Population, Population]:
    """All neurons, with what their mask says; and those that look at the left third, with the thirds of the screen."""
    width = mask.shape[1]
    column = torch.arange(width).expand_as(mask)
    left, right = (column < width / 3).to(mask), (column >= 2 * width / 3).to(mask)
    everyone = torch.ones(encoder.neurons, dtype=torch.bool)
    return (
        Population("all neurons", everyone, (mask >= 0.5).to(mask), (mask < 0.1).to(mask)),
        Population("those that look at the left third", encoder.centre_px[:, 1] < width / 3, left, right),
    )


def by_definition(around: Linearised, parts: Mapping[str, Mask], inverter: MAP, draws: int) -> dict[str, Part]:
    """Data share of each part."""
    scale = inverter.inverse_hessian(len(around.position))
    share = data_share(around, draws=draws, preconditioner=scale, seed=SEED / "share", **PRECISE)
    return {name: share.within(part) for name, part in parts.items()}


def correlated_over(length_px: float, length_frames: float, encoder: Encoder) -> Spectral:
    """The spectral prior of Gaussian noise of these lengths."""
    movies = [
        Noise(length_px, length_frames).movie(SEED / "noise" / number, frames=300, frame_size=encoder.frame_size)
        for number in range(6)
    ]
    return Spectral.of(measure_movies(movies))


def under(prior: Spectral, encoder: Encoder, observation: Observation, parts: Mapping[str, Mask]) -> dict[str, Part]:
    """Data share of each part under another prior, around a draw from it."""
    inverter = MAP(encoder=encoder, prior=prior, mask=torch.ones(encoder.frame_size))
    shape = (observation.frames, *encoder.frame_size)
    z = torch.randn(shape, generator=(SEED / "draw").torch()).to(encoder.dtype)
    around = Linearised(encoder, inverter.likelihood, prior, observation, z)
    return by_definition(around, parts, inverter, 16)


def over_clips(of: Sequence[Part]) -> str:
    """Mean over clips, with the Monte-Carlo error of that mean; a dash for what was not measured."""
    if not of:
        return "-"
    error = math.sqrt(sum(part.error**2 for part in of)) / len(of)
    return f"{statistics.fmean(part.value for part in of):.4f} ± {error:.4f}"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/carried.md"))
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--frames", type=int, default=STRETCH)
    parser.add_argument("--draws", type=int, default=4, help="made-up inferences with the rest given")
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    trials = [first_frames(trial, options.frames) for trial in recording.tier(TEST_TIER)[: options.clips]]
    assert isinstance(encoder, CompactEncoder)
    identified, inverter = Identified(encoder=encoder), MAP(encoder=encoder)
    judged = populations(encoder, inverter.mask)
    noises = {lengths: correlated_over(*lengths, encoder) for lengths in NOISES}
    found: dict[tuple[str, str], dict[str, list[Part]]] = {}

    def keep(row: tuple[str, str], shares: Mapping[str, Part]) -> None:
        for name, share in shares.items():
            found.setdefault(row, {}).setdefault(name, []).append(share)
            print(f"{', '.join(row)}, {name}: {share.value:.4f} ± {share.error:.4f}", flush=True)

    seconds = 0.0
    for trial in trials:
        for population in judged:
            observation = trial.observe().hearing(population.heard)
            around = identified.around_a_draw(observation, SEED)
            keep((population.name, "as defined"), by_definition(around, population.parts, inverter, 16))
            began = time.process_time()
            beyond = share_beyond(around, population.unseen, draws=options.draws, seed=SEED / "beyond")
            seconds += time.process_time() - began
            keep((population.name, "given the pixels of all the rest"), {UNSEEN: beyond})
            for (px, frames), prior in noises.items():
                row = population.name, f"as defined, prior of noise of {px:g} px and {frames:g} frames"
                keep(row, under(prior, encoder, observation, population.parts))
    everyone, left = judged
    rows = sorted(found.items(), key=lambda each: each[0][0])  # else as they came
    publish(
        options.out,
        "Which way the data came",
        [
            *table(
                ["neurons", "data share", SEEN, UNSEEN],
                [[*row, *(over_clips(of.get(name, [])) for name in (SEEN, UNSEEN))] for row, of in rows],
            ),
            *remarks(
                [
                    f"All neurons: seen are the {int(everyone.seen.sum())} px with a mask of 0.5 and more, unseen the "
                    f"{int(everyone.unseen.sum())} px with one below 0.1. The mask is the encoder's sensitivity, 1 at "
                    f"its 95th percentile; the least of any pixel is {float(inverter.mask.min()):.2f}, so that none is "
                    "wholly unseen.",
                    f"The left third: {int(left.heard.sum())} neurons; seen is the left third of the screen, unseen "
                    "the right one. Filters on coarse frames ring faintly over all of the screen, and so it is not "
                    "wholly unseen either.",
                    f"Means over {len(trials)} clips. Errors are those of Monte Carlo alone, of these means.",
                    f"The rest is told to {TOLD_TO:g} of the luminance range, pixel by pixel; {options.draws} made-up "
                    f"truths; {seconds / len(trials) / len(judged):.0f} s of one core for each.",
                ]
            ),
        ],
        command=command_of("carried.py", parser, options),
        about=f"The first {options.frames} frames of clips of the demo's mouse, {encoder.neurons} neurons.",
    )


if __name__ == "__main__":
    main()
