"""Where the errors of `map` on the demo's recording come from: noise, encoder, inverter, prior.

    python benchmarks/error_budget.py --folder out/demo --out docs/results/error-budget.md

Held-out encoders are fitted as `validate` fits them, unless they lie in --held-out already.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.identifiability.budget import Watching, measure_error_budget
from cinecortex.inversion.map import MAP
from cinecortex.metrics.error_budget import ErrorBudget, Term
from cinecortex.recording import Trial
from cinecortex.validating.subject import held_out_encoders
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder
from cinecortex.validation.stretch import first_frames
from page import command_of, publish, remarks, shown, table

ROWS: Mapping[Term, str] = {
    "prior": "prior",
    "inverter": "inverter",
    "noise": "noise",
    "encoder": "encoder",
    "sum": "sum of the four",
    "total": "error on recorded responses",
    "remainder": "not accounted for",
    "interaction": "of which noise and encoder together",
    "unlike": "of which recorded otherwise than simulated",
    "avoidable": "spared by a descent to the end",
}
TO_THE_END = {"evaluations": 400, "tolerance_nats": 0.05}


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--held-out", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("docs/results/error-budget.md"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--starts", type=int, default=4)
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    held_out = held_out_encoders(
        recording,
        options.folder / "held-out",
        options.held_out,
        seed=SEED / "held out",
        tell=print,
        progress=lambda *told: print(*told, flush=True),
    )
    trials = [first_frames(trial, options.frames) for trial in recording.tier(TEST_TIER)[: options.clips]]
    solver = MAP(encoder=encoder, starts=options.starts, **TO_THE_END)
    budgets = {other.kind: budget(trials, encoder, other, solver, draws=options.draws) for other in held_out.values()}
    publish(
        options.out,
        "Error budget",
        [*lines_of(budgets), *remarks(facts(budgets, options))],
        # Whose files the held-out encoders are changes no number where they were fitted as is done here.
        command=command_of("error_budget.py", parser, options, held_out=[]),
    )


def budget(trials: Sequence[Trial], encoder: Encoder, other: Encoder, solver: MAP, *, draws: int) -> ErrorBudget:
    """Of `map` as by default, with one held-out encoder."""
    watching = Watching(
        NoiselessEncoder(encoder).watch,
        NoisyEncoder(encoder).watch,
        NoiselessEncoder(other).watch,
        NoisyEncoder(other).watch,
    )
    return measure_error_budget(
        trials,
        MAP(encoder=encoder, mask=solver.mask),
        watching,
        solver=solver,
        seed=SEED / "error budget",
        mask=solver.mask,
        draws=draws,
        progress=lambda *told: print(other.kind, *told, flush=True),
    )


def lines_of(budgets: Mapping[str, ErrorBudget]) -> list[str]:
    """Parts with each held-out encoder, and clip by clip with the first."""
    seed = SEED / "intervals"
    header = [""]
    for kind in budgets:
        header += [f"{kind} held out", "share of the error"]
    rows = []
    for term, name in ROWS.items():
        row = [name]
        for one in budgets.values():
            share = one.share(term, seed=seed)
            row += [
                shown(one.interval(term, seed=seed)),
                f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]",
            ]
        rows.append(row)
    first = next(iter(budgets.values()))
    clips = [
        [str(place + 1), *(f"{first.values(term)[place]:.3f}" for term in ROWS)] for place in range(len(first.clips))
    ]
    return [*table(header, rows), "", *table(["clip", *ROWS.values()], clips)]


def facts(budgets: Mapping[str, ErrorBudget], options: argparse.Namespace) -> list[str]:
    """Remarks."""
    first = next(iter(budgets.values()))
    return [
        f"Simulated: the demo's mouse, `map`, the first {options.frames} frames of {len(first.clips)} test clips. "
        "Squared errors inside the mask after the burn-in, relative to that of the prior alone. Clip by clip with the "
        f"{next(iter(budgets))} encoder.",
        f"Noise is the mean of {options.draws} draws. The descent to the end takes the lowest of {options.starts} "
        f"starts, of up to {TO_THE_END['evaluations']} evaluations each, and stops where five steps gain less than "
        f"{TO_THE_END['tolerance_nats']:g} nats.",
        *(
            f"With the {kind} encoder held out: {one.sentence(seed=SEED / 'intervals')}"
            for kind, one in budgets.items()
        ),
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
