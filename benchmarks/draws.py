"""What posterior draws cost, and what the saving costs: `sample` beside one `map`, on the demo's recording.

    python benchmarks/draws.py --folder out/demo --out docs/results/draws.md

Every variant starts from the same MAP and uses the same random numbers, so that differences are those of the solve.
Processor time is compared, in one process, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.inversion.map import MAP
from cinecortex.inversion.sample import Sample
from cinecortex.metrics.movies import BURN_IN
from cinecortex.reconstruction import Reconstruction
from page import command_of, publish, remarks, table

PRECISE = 60
"""Steps of conjugate gradients that stand for an exact solve."""


def spread_error(found: Reconstruction, reference: Reconstruction, seen: torch.Tensor) -> tuple[float, float]:
    """Ratio of the mean standard deviations inside the mask, and RMS of their relative difference pixel by pixel."""
    assert found.std is not None
    assert reference.std is not None
    own, other = found.std[BURN_IN:, seen], reference.std[BURN_IN:, seen]
    return float(own.mean() / other.mean()), float((own / other - 1).square().mean().sqrt())


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/draws.md"))
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--few", type=int, default=8, help="draws of the variants that are compared")
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    trials = recording.tier(TEST_TIER)[: options.clips]
    mapped = MAP(encoder=encoder)
    seen = mapped.mask >= 0.5
    variants = {
        f"linear, at most {steps} steps": Sample(
            encoder=encoder, draws=options.few, iterations=steps, tolerance=1e-5, mask=mapped.mask
        )
        for steps in (2, 4, 8, 12, 16, PRECISE)
    }
    variants["linear, as by default"] = Sample(encoder=encoder, draws=options.few, mask=mapped.mask)
    variants["each descended to"] = Sample(encoder=encoder, draws=options.few, linear=False, mask=mapped.mask)
    many = Sample(encoder=encoder, draws=options.draws, mask=mapped.mask)
    for inverter in (mapped, many, *variants.values()):  # what is made once for an encoder is not counted
        first = inverter if isinstance(inverter, MAP) else inverter._maps[0]
        first.inverse_hessian(trials[0].observe().frames)

    ratios, passes = [], []
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    costs: dict[str, list[float]] = {name: [] for name in variants}
    for trial in trials:
        observation = trial.observe()
        began = time.process_time()
        best = mapped(observation, SEED)
        middle = time.process_time()
        drawn = many(observation, SEED)
        ratios.append((time.process_time() - middle) / (middle - began))
        passes.append(drawn.frame_passes / best.frame_passes)
        print(f"trial {trial.trial_id}: {options.draws} draws in {ratios[-1]:.1f} times the time of a map", flush=True)
        answers = {}
        for name, sampler in variants.items():
            began = time.process_time()
            answers[name] = sampler(observation, SEED)
            costs[name].append(time.process_time() - began)
        reference = answers[f"linear, at most {PRECISE} steps"]
        for name, answer in answers.items():
            errors[name].append(spread_error(answer, reference, seen))
            print(" ", name, errors[name][-1], answer.ended, flush=True)

    rows = [
        [name, *(f"{value:.3f}" for value in np.mean(errors[name], axis=0)), f"{np.mean(costs[name]):.0f}"]
        for name in variants
    ]
    header = [f"{options.few} draws", "mean std over that of the exact solve", "RMS relative difference", "processor s"]
    facts = [
        f"{options.draws} draws take {np.mean(ratios):.1f} times the processor time of one `map` "
        f"({', '.join(f'{ratio:.1f}' for ratio in ratios)} by clip) and {np.mean(passes):.1f} times its frame-passes; "
        "their MAP is counted with them.",
        "A frame-pass of a draw is a forward-mode or a backward pass, each counted as one.",
        "RMS relative difference of two standard deviations, pixel by pixel inside the mask, same random numbers.",
    ]
    publish(
        options.out,
        "The cost of posterior draws",
        [*table(header, rows), *remarks(facts)],
        command=command_of("draws.py", parser, options),
    )


if __name__ == "__main__":
    main()
