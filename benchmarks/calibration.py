"""Whether the error bars of `sample` hold on the demo's recording, raw and recalibrated on select clips.

    python benchmarks/calibration.py --folder out/demo --out docs/results/calibration.md

Answers are kept in --kept, so that it can be stopped and started again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from animals import SEED
from calibration_answers import Asked, ask
from cinecortex.metrics.bootstrap import Interval
from cinecortex.metrics.coverage_curve import CURVE_LEVELS
from cinecortex.metrics.error_bars import Row, error_bars, mean_histogram, side_by_side
from cinecortex.metrics.movies import BURN_IN
from cinecortex.metrics.rank_histogram import rank_histogram
from cinecortex.metrics.recalibration import Recalibration, fit_calibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.validation.check import Question
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames
from cinecortex.validation.uncertainty_calibrated import UncertaintyCalibrated
from page import command_of, publish, remarks, shown, table

SHOWN_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
RAW, RECALIBRATED, PRIOR = "raw", "recalibrated", "prior only"


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--kept", type=Path, default=Path("out/bench/calibration"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/calibration.md"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--draws", type=int, default=31)
    options = parser.parse_args()

    asked = ask(options.folder, options.kept, clips=options.clips, frames=options.frames, draws=options.draws)
    burn_in = min(BURN_IN, options.frames // 2)
    fit = recalibration(asked, burn_in)
    answers: dict[str, Sequence[Reconstruction]] = {
        RAW: asked.drawn,
        RECALIBRATED: [fit.apply(answer) for answer in asked.drawn],
        PRIOR: asked.prior_only,
    }
    rows = side_by_side(
        asked.truths, answers, asked.mask, seed=SEED / "calibration", prior_only=asked.prior_only, burn_in=burn_in
    )
    lines = [*summary(rows), "", *curves(rows), "", *by_clip(asked, answers, burn_in)]
    publish(
        options.out,
        "Calibration",
        [*lines, *remarks(facts(asked, answers, rows, fit, options.frames, burn_in))],
        command=command_of("calibration.py", parser, options),
    )


def recalibration(asked: Asked, burn_in: int) -> Recalibration:
    """Fitted to select clips only."""
    seen = asked.mask >= 0.5
    errors, stds, movies = [], [], []
    for truth, answer in zip(asked.select_truths, asked.select, strict=True):
        assert answer.std is not None
        errors.append((truth - answer.movie)[burn_in:, seen])
        stds.append(answer.std[burn_in:, seen])
        movies.append(answer.movie[burn_in:, seen])
    return fit_calibration(errors, stds, movies=movies)


def summary(rows: dict[str, Row]) -> list[str]:
    """What is said of each way to make error bars."""
    header = ["", *rows]
    return table(
        header,
        [
            ["coverage of the 90 % interval", *(shown(row.coverage) for row in rows.values())],
            ["by clip, least to most", *(f"{row.least:.3f} to {row.most:.3f}" for row in rows.values())],
            ["calibration error of a clip", *(shown(row.calibration_error) for row in rows.values())],
            ["calibration error of the mean curve", *(f"{row.curve_error:.3f}" for row in rows.values())],
            ["CRPS (luminance)", *(shown(row.crps) for row in rows.values())],
            ["CRPS skill against prior only", *(_shown(row.skill) for row in rows.values())],
            ["sharpness: width of the 90 % interval", *(shown(row.sharpness) for row in rows.values())],
            ["interval score", *(shown(row.interval_score) for row in rows.values())],
        ],
    )


def _shown(interval: Interval | None) -> str:
    return "" if interval is None else shown(interval)


def curves(rows: dict[str, Row]) -> list[str]:
    """Coverage at several levels."""
    places = [CURVE_LEVELS.index(level) for level in SHOWN_LEVELS]
    return table(
        ["coverage at level", *(f"{level:g}" for level in SHOWN_LEVELS)],
        [[name, *(f"{row.curve[place]:.3f}" for place in places)] for name, row in rows.items()],
    )


def by_clip(asked: Asked, answers: dict[str, Sequence[Reconstruction]], burn_in: int) -> list[str]:
    """Clip by clip."""
    seen = asked.mask >= 0.5
    lines = []
    for place, truth in enumerate(asked.truths):
        raw, again, prior = (
            error_bars(truth, answers[name][place], asked.mask, burn_in=burn_in) for name in (RAW, RECALIBRATED, PRIOR)
        )
        lines.append(
            [
                asked.names[place],
                f"{float(truth[burn_in:, seen].std()):.3f}",
                f"{raw.coverage:.3f}, {again.coverage:.3f}",
                f"{raw.calibration_error:.3f}, {again.calibration_error:.3f}",
                f"{raw.crps:.3f}, {again.crps:.3f}, {prior.crps:.3f}",
                f"{raw.sharpness:.3f}, {again.sharpness:.3f}",
            ]
        )
    return table(
        [
            "trial",
            "contrast shown",
            "coverage raw, recalibrated",
            "calibration error raw, recalibrated",
            "CRPS raw, recalibrated, prior only",
            "width raw, recalibrated",
        ],
        lines,
    )


def facts(
    asked: Asked,
    answers: dict[str, Sequence[Reconstruction]],
    rows: dict[str, Row],
    fit: Recalibration,
    frames: int,
    burn_in: int,
) -> list[str]:
    """Remarks."""
    ranks = []
    for truth, answer in zip(asked.truths, asked.drawn, strict=True):
        assert answer.samples is not None
        ranks.append(rank_histogram(truth[burn_in:], answer.samples[:, burn_in:], asked.mask).tolist())
    mean = mean_histogram(ranks)
    return [
        f"Simulated: the demo's mouse, {len(asked.truths)} test clips, {len(asked.mask[asked.mask >= 0.5])} pixels "
        f"inside the mask. The first {frames} frames of each clip, {burn_in} of them left out as burn-in.",
        f"Recalibrated on {fit.clips} select clips of the same length: standard deviations times "
        f"{fit.temperature:.2f}, contrast times {fit.gain:.2f}; their coverage was {fit.raw:.3f} before.",
        f"Of the truths {mean[0]:.0%} lie below all draws and {mean[-1]:.0%} above all; {1 / len(mean):.0%} each would "
        "be right.",
        f"Of the transforms {rows[RAW].pit[0]:.0%} raw and {rows[RECALIBRATED].pit[0]:.0%} recalibrated lie below "
        f"0.05, {rows[RAW].pit[-1]:.0%} and {rows[RECALIBRATED].pit[-1]:.0%} above 0.95; 5 % each would be right.",
        *(f"`uncertainty.calibrated`, {name}: {verdict(asked, answers, name, frames)}" for name in (RAW, RECALIBRATED)),
    ]


def verdict(asked: Asked, answers: dict[str, Sequence[Reconstruction]], name: str, frames: int) -> str:
    """What the check says."""
    check = UncertaintyCalibrated(SEED, Scoring(mask=asked.mask), frames=frames)
    given = {}
    for place, trial in enumerate(asked.trials):
        stretch = first_frames(trial, frames)
        given[Question.of(stretch)] = answers[name][place]
        given[Question.of(stretch, "no_neurons")] = answers[PRIOR][place]
    finding = check.judge(asked.trials, given)
    return f"{finding.verdict}. {finding.notes}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
