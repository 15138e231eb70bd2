"""Dropping neurons: `map` with fewer and fewer of them, the others unheard or fitted as if they had been silent.

    python benchmarks/population.py --folder out/bench --out docs/results/population.md

Makes the demo's recording and encoder where they are not there yet. One encoder, fitted to the whole population,
serves every point. Which neurons stay is drawn anew for every clip, nested (the 25 % are among the 50 %), and the same
for both curves. The page is written anew after every clip, so that a run that was stopped leaves what it knows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from animals import SEED, prepare
from cinecortex import study
from cinecortex.demo import TEST_TIER
from cinecortex.inversion.map import MAP
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Heard, Mask
from page import command_of, publish, remarks, shown, table

PUBLISHED = {1.0: 0.569, 0.5: 0.512, 0.25: 0.427, 0.125: 0.344}
"""Bauer, Margrie & Clopath, eLife 2026, RP105081: real mice, other clips, an ensemble of 7, a mask of its own."""
FRACTIONS = tuple(PUBLISHED)


@dataclass(frozen=True)
class Curves:
    """Movie correlation of one clip at every fraction of the neurons.

    Attributes:
        trial_id: The trial.
        unheard: With left-out neurons not heard.
        silent: With left-out neurons heard, and their responses 0.
    """

    trial_id: str
    unheard: dict[float, float]
    silent: dict[float, float]


def kept(neurons: int, fraction: float, seed: Seed) -> Heard:
    """A random share of the neurons; of one seed, the smaller share lies within the larger."""
    order = torch.randperm(neurons, generator=seed.torch())
    heard = torch.zeros(neurons, dtype=torch.bool)
    heard[order[: max(1, round(fraction * neurons))]] = True
    return heard


def silenced(observation: Observation, stay: Heard) -> Observation:
    """Every other neuron is still heard, and did not respond; frames without a measurement stay without one."""
    return replace(observation, response=observation.response * stay)


def curves(inverter: Inverter, trial: Trial, mask: Mask, *, seed: Seed) -> Curves:
    """Both curves of one clip. Where nobody is left out they are one inversion."""
    observation, truth = trial.observe(), trial.movie
    neurons = len(observation.heard)

    def score(name: str, fraction: float, changed: Observation) -> float:
        answer = inverter(changed, seed / "invert" / trial.trial_id)
        value = movie_correlation(answer.movie, truth, mask=mask)
        print(f"trial {trial.trial_id}, {fraction:.1%} {name}: {value:.3f}, {answer.ended}", flush=True)
        return value

    unheard, silent = {}, {}
    for fraction in FRACTIONS:
        stay = kept(neurons, fraction, seed / "neurons" / trial.trial_id)
        unheard[fraction] = score("unheard", fraction, observation.hearing(stay))
        whole = bool(stay.all())
        silent[fraction] = unheard[fraction] if whole else score("silent", fraction, silenced(observation, stay))
    return Curves(trial.trial_id, unheard, silent)


def lines_of(found: Sequence[Curves], neurons: int, pixels: int, clips: int) -> list[str]:
    """The table, and what it says."""
    rows = []
    for fraction, published in PUBLISHED.items():
        unheard, silent = ([getattr(clip, name)[fraction] for clip in found] for name in ("unheard", "silent"))
        difference = paired_difference(unheard, silent, seed=SEED / "paired")
        means = (bootstrap_mean(values, seed=SEED / "bootstrap") for values in (unheard, silent))
        compared = shown(difference) if fraction < 1 else ""
        rows.append([f"{100 * fraction:g} %", *(shown(mean) for mean in means), compared, f"{published:.3f}"])
    header = [
        "neurons",
        "left-out neurons unheard",
        "left-out neurons silent",
        "difference, paired",
        "published, silent",
    ]
    facts = [
        stated(found, min(FRACTIONS)),
        "Of the correlation with all neurons, "
        + "; ".join(f"{100 * f:g} % of them keep {_shares(found, f)}" for f in FRACTIONS[1:])
        + ".",
        f"Simulated mouse of {neurons:,} neurons; {len(found)} of {clips} unseen clips, one encoder. Every score "
        f"counts the {pixels} pixels inside the mask of the whole population, after the first second.",
        "Unheard neurons are left out of the likelihood. Silent ones stay in it with responses of 0: the movie must "
        "explain why they did not respond.",
        "The published figures are of real mice and other clips, by the published recipe with 7 models: only the shape "
        "of the curve can be compared.",
    ]
    return [*table(header, rows), *remarks(facts)]


def stated(found: Sequence[Curves], fraction: float) -> str:
    """The difference between the two curves in a sentence."""
    unheard, silent = ([getattr(clip, name)[fraction] for clip in found] for name in ("unheard", "silent"))
    difference = paired_difference(unheard, silent, seed=SEED / "paired")
    left_out = f"Fitting the {100 * (1 - fraction):g} % of neurons that are left out as if they had been silent"
    if difference.low <= 0 <= difference.high:
        return f"{left_out} makes no difference that {len(found)} clips show: {shown(difference)}."
    if difference.value < 0:
        return f"{left_out} gains {-difference.value:.3f} of movie correlation."
    return f"{left_out} costs {shown(difference)} of movie correlation: so much of the fall is not lost neurons."


def _shares(found: Sequence[Curves], fraction: float) -> str:
    def share(name: str) -> float:
        return sum(getattr(clip, name)[fraction] for clip in found) / sum(getattr(clip, name)[1.0] for clip in found)

    return (
        f"{share('unheard'):.0%} unheard, {share('silent'):.0%} silent, {PUBLISHED[fraction] / PUBLISHED[1.0]:.0%} "
        "as published"
    )


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("docs/results/population.md"))
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    unseen = study.unseen_trials(model, [recording], recording.tier(TEST_TIER))
    mapped = MAP(encoder=model.session(recording.session_id))
    mask = mapped.mask
    pixels = int((mask >= study.MASK_THRESHOLD).sum())
    found: list[Curves] = []
    for trial in unseen[: options.clips]:
        found.append(curves(mapped, trial, mask, seed=SEED / "population"))
        publish(
            options.out,
            "Dropping neurons",
            lines_of(found, len(recording.neurons), pixels, len(unseen)),
            command=command_of("population.py", parser, options, clips=len(found)),
        )


if __name__ == "__main__":
    main()
