"""The real retina recording end to end: fit on frames 0-29,999, reconstruct frames 30,000-35,999, score.

    python benchmarks/retina.py ../shared/data/retina_white_noise.npz --out docs/results/retina.md

The stimulus is white noise: nothing can be guessed from what movies look like, so every correlation comes from the
neurons. Control: the same observations with the identities of the neurons shuffled.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from cinecortex import study
from cinecortex.data import load
from cinecortex.decoders import fit_ridge
from cinecortex.encoders.evaluation import score_encoder
from cinecortex.encoders.train import fit_model
from cinecortex.inversion.map import MAP
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.movies import movie_correlation
from cinecortex.seeds import Seed
from page import publish, remarks, shown

SEED = Seed(0)
COVERED = 0.7
"""Pixels whose mask weight is above this quantile are the best-covered 30 %."""


LAGS = ((-1, 14), (0, 9), (1, 7))
"""Reaches of the ridge decoder in frames, of which the one with the best select score is taken."""


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/retina.md"))
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
    best = (mask > mask.flatten().quantile(COVERED)).float()
    ridges = {lags: fit_ridge(train, select, lags=lags) for lags in LAGS}
    lags, fine = max(ridges.items(), key=lambda item: max(item[1].scores))
    inverters = {
        "map": mapped,
        "map, shuffled neurons": study.Controlled(mapped, study.shuffled_neurons),
        "map, no neurons": study.Controlled(mapped, study.no_neurons),
        "ridge": fine,
        "training mean": study.make_inverter("mean", model, recording),
    }
    results = {name: study.invert_trials(inverter, test, seed=SEED / "invert") for name, inverter in inverters.items()}

    def correlations(name: str, where: torch.Tensor) -> list[float]:
        return [movie_correlation(answer.movie, trial.movie, mask=where) for trial, answer in results[name]]

    full = torch.ones_like(mask)
    places = {"mask": mask, "best": best, "full": full}
    values = {name: {at: correlations(name, place) for at, place in places.items()} for name in results}
    lines = [
        "| method | in the mask | best-covered 30 % of pixels | full field | `map` minus it, best-covered, paired "
        "| frame-passes | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, value in values.items():
        intervals = [shown(bootstrap_mean(value[where], seed=SEED / "bootstrap")) for where in ("mask", "best", "full")]
        difference = paired_difference(values["map"]["best"], value["best"], seed=SEED / "paired")
        passes = sum(answer.frame_passes for _, answer in results[name]) / len(test)
        seconds = sum(answer.seconds for _, answer in results[name]) / len(test)
        cells = [name, *intervals, "" if name == "map" else shown(difference), f"{passes:,.0f}", f"{seconds:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    facts = [
        f"{len(recording.neurons)} real neurons; {len(train)} training clips of 10 s, {len(select)} to select on, "
        f"{len(test)} test clips (frames 30,000-35,999). 64 frames are left out between training clips and before the "
        "test region.",
        f"Encoder: single-trial correlation {encoded['mean_correlation']:.3f} on the test clips (mean over neurons), "
        f"fitted in {fit_seconds:.0f} s. There are no repeats, hence no noise ceiling.",
        f"Mask: {int((mask >= 0.5).sum())} of {mask.numel()} pixels at 0.5 or more; scores leave out the first second.",
        f"Ridge: lags {lags[0]} to {lags[1]} frames and penalty {fine.penalty:g}, both chosen on select clips; "
        f"{len(fine.lagging.edges) - 1} bins per neuron.",
    ]
    command = "python benchmarks/retina.py ../shared/data/retina_white_noise.npz"
    publish(options.out, "The real retina recording", [*lines, *remarks(facts)], command=command)


if __name__ == "__main__":
    main()
