"""Which way the data came: what neurons say of a part of the screen, and what the prior carries there from elsewhere.

    python benchmarks/carried.py --folder out/bench

Makes the demo's recording and encoder where they are not there yet. The data share of the pixels that the population
sees and of those that it hardly sees is told three times: as it is defined, ``1 - posterior variance / prior
variance``; given the pixels of all the rest (`share_beyond`); and under priors whose movies are correlated over a few
pixels and frames only, so that nothing can be carried far.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.identifiability.beyond import TOLD_TO, share_beyond
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.share import Part, data_share
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Spectral
from cinecortex.recording import Trial
from cinecortex.stimuli.probes import Noise
from cinecortex.stimuli.spectrum import measure_movies
from cinecortex.tensors import Mask
from cinecortex.validation.stretch import STRETCH, first_frames
from page import command_of, publish, remarks, table

SEEN, HARDLY = "mask of 0.5 and more", "mask below 0.1"
PRECISE = {"iterations": 30, "tolerance": 1e-3}


def parts_of(mask: Mask) -> dict[str, Mask]:
    """What the population sees and what it hardly sees."""
    return {SEEN: (mask >= 0.5).to(mask), HARDLY: (mask < 0.1).to(mask)}


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


def under(prior: Spectral, encoder: Encoder, trial: Trial, parts: Mapping[str, Mask], mask: Mask) -> dict[str, Part]:
    """Data share of each part under another prior, around a draw from it."""
    inverter = MAP(encoder=encoder, prior=prior, mask=mask)
    shape = (trial.frames, *encoder.frame_size)
    z = torch.randn(shape, generator=(SEED / "draw").torch()).to(encoder.dtype)
    around = Linearised(encoder, inverter.likelihood, prior, trial.observe(), z)
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
    identified, inverter = Identified(encoder=encoder), MAP(encoder=encoder)
    mask = inverter.mask
    parts = parts_of(mask)
    found: dict[str, dict[str, list[Part]]] = {}

    def keep(row: str, shares: Mapping[str, Part]) -> None:
        for name, share in shares.items():
            found.setdefault(row, {}).setdefault(name, []).append(share)
            print(f"{row}: {name}: {share.value:.4f} ± {share.error:.4f}", flush=True)

    seconds = 0.0
    for trial in trials:
        around = identified.around_a_draw(trial.observe(), SEED)
        keep("as defined", by_definition(around, parts, inverter, 16))
        began = time.process_time()
        beyond = share_beyond(around, parts[HARDLY], draws=options.draws, seed=SEED / "beyond")
        seconds += time.process_time() - began
        keep("given the pixels of all the rest", {HARDLY: beyond})
    for px, frames in ((2.0, 4.0), (4.0, 8.0), (8.0, 8.0)):
        prior = correlated_over(px, frames, encoder)
        keep(f"prior of noise, {px:g} px and {frames:g} frames", under(prior, encoder, trials[0], parts, mask))
    names = list(parts)
    publish(
        options.out,
        "Which way the data came",
        [
            *table(
                ["data share", *names, "clips"],
                [
                    [row, *(over_clips(of.get(name, [])) for name in names), str(len(of[HARDLY]))]
                    for row, of in found.items()
                ],
            ),
            "",
            *remarks(
                [
                    f"Of {mask.numel()} px, {int(parts[SEEN].sum())} have a {SEEN} and {int(parts[HARDLY].sum())} a "
                    f"{HARDLY}. The mask is the encoder's sensitivity, 1 at its 95th percentile; the least of "
                    f"any pixel is {float(mask.min()):.2f}, so that no pixel is wholly unseen.",
                    "Errors are those of Monte Carlo alone, of the mean over these clips.",
                    f"The rest is told to {TOLD_TO:g} of the luminance range, pixel by pixel; {options.draws} made-up "
                    f"truths; {seconds / len(trials):.0f} s of one core for each clip.",
                ]
            ),
        ],
        command=command_of("carried.py", parser, options),
        about=f"The first {options.frames} frames of clips of the demo's mouse, {encoder.neurons} neurons.",
    )


if __name__ == "__main__":
    main()
