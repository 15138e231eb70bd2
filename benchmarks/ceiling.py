"""How near the default encoder comes to what could be known: against estimated and exact ceilings.

    python benchmarks/ceiling.py --folder out/bench --out docs/results/ceiling.md

The in-silico mouse of the demo and its compact encoder, on clips that it was not fitted to. The simulation keeps the
noiseless rate of every trial, so the ceilings need not be estimated:

- *estimated from repeats*: what `cinecortex evaluate` reports, without looking at the simulation;
- *the movie alone*: correlation of the true rate, averaged over the presentations of a clip, with single trials: what
  somebody would reach who knew everything but the gaze and arousal of the trial;
- *the true rate of each trial*: gaze and arousal included, which the encoder is told of as well.

Only clips that were shown repeatedly have the first two. The average over presentations holds a share of the trial's
own gaze and arousal (one part in eight), which makes the second ceiling a little high; the average over the other
presentations holds only theirs, which makes it a little low. The two stand side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from animals import prepare
from cinecortex import study
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.evaluation import score_encoder, scored_frames
from cinecortex.metrics.responses import fraction_of_ceiling, response_correlation
from cinecortex.recording import Recording, Trial
from cinecortex.tensors import PerNeuron
from page import command_of, publish, remarks, table

REPEATED_TIER = "oracle"
ALONE, WITHOUT = "the movie alone: mean over presentations", "the movie alone: mean over the other presentations"
EACH = "the true rate of each trial"
LEAST = 0.1
"""Neurons with a lower ceiling are left out of the mean of ratios: dividing by noise says nothing."""


def true_rate(recording: Recording, trial: Trial) -> torch.Tensor:
    """The noiseless rate of a trial of a simulated recording, ``time neuron``."""
    stored = np.load(recording.source / "meta/simulation/rates" / f"{trial.trial_id}.npy", allow_pickle=False)
    return torch.from_numpy(stored).T.float()


def exact_ceilings(recording: Recording, encoder: Encoder, trials: Sequence[Trial]) -> dict[str, PerNeuron]:
    """Correlation with single trials of the true rate: averaged over presentations, over the others, and of each."""
    shown: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for trial in trials:
        kept = scored_frames(encoder, len(trial.movie))
        shown.setdefault(trial.clip_id, []).append((true_rate(recording, trial)[kept], trial.response[kept]))
    rates, averages, others, responses = [], [], [], []
    for presented in shown.values():
        total = torch.stack([rate for rate, _ in presented]).sum(0)
        for rate, response in presented:
            rates.append(rate)
            averages.append(total / len(presented))
            others.append((total - rate) / max(1, len(presented) - 1))
            responses.append(response)
    known = {ALONE: averages, WITHOUT: others, EACH: rates}
    return {name: response_correlation(guesses, responses, burn_in=0) for name, guesses in known.items()}


def row(trials: str, name: str, reached: PerNeuron, ceiling: PerNeuron) -> list[str]:
    """One line of the table: the ceiling, and how near the encoder comes to it."""
    ratios = fraction_of_ceiling(reached, ceiling, least_ceiling=LEAST)
    return [
        trials,
        name,
        f"{float(reached.nanmean()):.3f}",
        f"{float(ceiling.nanmean()):.3f}",
        f"{float(reached.nanmean() / ceiling.nanmean()):.2f}",
        f"{float(ratios.nanmean()):.2f}",
        f"{float(ratios.nanmedian()):.2f}",
        str(int((~ratios.isnan()).sum())),
    ]


def rows_of(recording: Recording, encoder: Encoder) -> list[list[str]]:
    """Every ceiling of both tiers."""
    repeated, once = recording.tier(REPEATED_TIER), recording.tier(TEST_TIER)
    scores = score_encoder(encoder, repeated)
    exact = exact_ceilings(recording, encoder, repeated)
    assert scores.ceiling is not None, "the clips of this tier are shown repeatedly"
    clips = len({trial.clip_id for trial in repeated})
    several = f"{REPEATED_TIER}: {clips} clips, {len(repeated)} trials"
    tests = score_encoder(encoder, once).correlation
    return [
        row(several, "estimated from repeats", scores.correlation, scores.ceiling),
        *(row(several, name, scores.correlation, ceiling) for name, ceiling in exact.items()),
        row(f"{TEST_TIER}: {len(once)} clips, once each", EACH, tests, exact_ceilings(recording, encoder, once)[EACH]),
    ]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"), help="holds mouse/ and encoder/")
    parser.add_argument("--out", type=Path, default=Path("docs/results/ceiling.md"))
    options = parser.parse_args()
    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    trials = recording.tier(REPEATED_TIER, TEST_TIER)
    unseen = study.unseen_trials(model, [recording], trials)
    header = ["trials", "ceiling", "encoder", "ceiling, mean", "ratio of means", "mean of ratios", "median", "neurons"]
    facts = [
        f"{len(unseen)} of {len(trials)} trials are of clips that nothing was fitted to or selected on.",
        "Correlations of rate and response over all frames of a tier, frame by frame, after the first 50 frames of a "
        "clip; means over neurons. Ratios of single neurons count those whose ceiling is at least "
        f"{LEAST:g}; the last column says how many.",
        "Ceilings that are estimated from repeats take gaze and arousal, which differ between repeats, for noise; the "
        "encoder is told of both. It can come nearer to such a ceiling than to the true one.",
    ]
    publish(
        options.out,
        "How near the encoder comes to the ceiling",
        [
            f"Simulated: {len(recording.neurons):,} neurons of the in-silico mouse, {model.facts['kind']} encoder.",
            "",
            *table(header, rows_of(recording, encoder)),
            *remarks(facts),
        ],
        command=command_of("ceiling.py", parser, options),
        about="Means over neurons.",
    )


if __name__ == "__main__":
    main()
