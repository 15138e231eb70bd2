"""Every method on the same unseen clips of the default in-silico mouse, with one fitted ensemble.

    python benchmarks/methods.py --folder out/methods --out docs/results/methods.md

Makes the mouse (20 test clips), the ensemble and an encoder of another architecture where they are not there yet, and
keeps every answer and its scores in the folder: a run that was stopped goes on where it was. With `--only-finished` the
page is made of the answers that are in the folder, and none is made. Beside the page lie the scores of every single
clip, as CSV. Scores count the pixels with mask >= 0.5 after the first second. The blur that `paper` is followed by, the
ridge penalty, the settings of the other decoders and the width of the intervals are chosen on select clips.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from animals import SEED
from cinecortex import methods, study
from cinecortex.data import load
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.members import fit_ensemble
from cinecortex.encoders.train import fit_model
from cinecortex.inversion.averaged import Averaged
from cinecortex.inversion.map import MAP
from cinecortex.inversion.sample import Sample
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.intervals import coverage, gaussian_coverage
from cinecortex.metrics.movies import BURN_IN
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Recording, Trial
from cinecortex.simulation.session import write_session
from cinecortex.tensors import Mask
from keeping import kept_answers, kept_mask, kept_scores, slug, written
from page import command_of, publish, remarks, shown, table
from paper_answers import PUBLISHED_BLUR, best_blur, blurred, finished, paper_answers

TEST_CLIPS, MEMBERS = 20, 7
BLUR_CLIPS = 2
"""Select clips that the blur of `paper` is chosen on."""
METRICS = ("movie correlation", "frame correlation", "structural similarity", "motion energy correlation")
COVERAGE = ["90 % intervals", "", "coverage, mean over clips", "clips at 75 % or more", "single clips", "model's share"]


def prepare(folder: Path) -> tuple[Recording, Model, Model]:
    """The mouse, an ensemble of `compact` encoders by seed, and a linear-nonlinear encoder: a wrong architecture."""
    if not (folder / "mouse").exists():
        write_session(folder / "mouse", seed=SEED / "simulate", neurons=1000, clips=120, test_clips=TEST_CLIPS)
    recording = load(folder / "mouse")
    if not (folder / "encoder").exists():
        # By seed: all members then leave the same select clips out, on which intervals and blurs may be chosen.
        state = folder / "fit"
        model = fit_ensemble([recording], members=MEMBERS, by="seed", seed=SEED / "fit", state=state, workers=2)
        save_model(model, folder / "encoder")
    if not (folder / "linear").exists():
        settings = LinearNonlinearSettings()
        save_model(fit_model([recording], settings, seed=SEED / "fit"), folder / "linear")
    return recording, load_model(folder / "encoder"), load_model(folder / "linear")


def score_rows(scores: Sequence[study.MethodScores]) -> list[list[str]]:
    """One row for each method, with the paired difference to the first over the clips that both have."""
    first = dict(zip((c.trial_id for c in scores[0].clips), scores[0].values(METRICS[0]), strict=True))
    rows = []
    for score in scores:
        own = score.values(METRICS[0])
        same = [first[clip.trial_id] for clip in score.clips]
        difference = "" if score is scores[0] else shown(paired_difference(same, own, seed=SEED / "paired"))
        cells = [shown(bootstrap_mean(own, seed=SEED / "bootstrap")), difference]
        cells += [shown(score.interval(metric)) for metric in METRICS[1:]]
        rows.append([score.method, str(len(score.clips)), *cells, f"{score.frame_passes:,.0f}", f"{score.seconds:.1f}"])
    return rows


def write_clips(path: Path, scores: Sequence[study.MethodScores]) -> None:
    """One line for each method and clip, so that another comparison can be made without another day of the recipe."""

    def write(unfinished: Path) -> None:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(["method", "trial", *METRICS])
            for score in scores:
                for clip in score.clips:
                    lines.writerow([score.method, clip.trial_id, *(f"{clip.values[m]:.4f}" for m in METRICS)])

    written(path, write)


def coverage_rows(name: str, results: study.Results, recalibration: Recalibration, mask: Mask) -> list[list[str]]:
    """Coverage of the 90 % intervals, raw and calibrated: mean over clips, and how many single clips reach 75 %."""
    # What the calibration did is undone: the raw answer is the line and the multiplier taken back.
    found: dict[str, list[float]] = {"raw": [], "calibrated": []}
    ratios = []
    for trial, answer in results:
        truth = trial.movie[BURN_IN:]
        assert answer.std is not None
        assert answer.lower is not None
        assert answer.upper is not None
        movie, std = answer.movie[BURN_IN:], answer.std[BURN_IN:]
        found["calibrated"].append(coverage(truth, answer.lower[BURN_IN:], answer.upper[BURN_IN:], mask))
        raw_movie = recalibration.center + (movie - recalibration.target) / recalibration.gain
        raw_std = std / recalibration.temperature
        found["raw"].append(gaussian_coverage(truth, raw_movie, raw_std, mask, levels=(0.9,))[0])
        if answer.model_std is not None and answer.data_std is not None:
            seen = mask >= 0.5
            ratios.append(float(answer.model_std[:, seen].square().mean() / answer.std[:, seen].square().mean()))
    rows = []
    for which, values in found.items():
        reached = sum(value >= 0.75 for value in values)
        spread = f"{min(values):.2f} to {max(values):.2f}"
        part = f"{np.mean(ratios):.2f}" if ratios else ""
        mean = shown(bootstrap_mean(values, seed=SEED / "coverage"))
        rows.append([name, which, mean, f"{reached} of {len(values)}", spread, part])
    return rows


@dataclass
class Found:
    """What the page will say.

    Attributes:
        mask: Where scores are taken.
        folder: Where scores are kept.
        scores: One row for each method.
        covered: Rows of the table of intervals.
        notes: Sentences below the tables.
        fitted: Seconds that a decoder was fitted for, by name.
    """

    mask: Mask
    folder: Path
    scores: list[study.MethodScores] = field(default_factory=list)
    covered: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fitted: dict[str, float] = field(default_factory=dict)

    def score(self, name: str, results: study.Results) -> None:
        """Add a row; movies are not kept, those of all methods together would take gigabytes."""
        self.scores.append(kept_scores(name, results, self.mask, self.folder))
        print(name, self.scores[-1].interval(METRICS[0]), flush=True)

    def answered(self, name: str, results: study.Results, facts: dict[str, Any]) -> None:
        """Add what is to be said of a method that is not `paper`."""
        self.score(name, results)
        if name in methods.DECODERS:
            self.fitted[name] = facts["fitted_seconds"]
        if name.startswith("sample"):
            made = Recalibration.from_json(facts["recalibration"])
            self.covered += coverage_rows(name, results, made, self.mask)
            self.notes.append(f"Calibration of {name} on {made.clips} select clips: {facts['recalibration']}.")


def methods_of(
    recording: Recording,
    model: Model,
    members: Sequence[Encoder],
    linear: Encoder,
    mask: Mask,
    draws: int,
) -> dict[str, Callable[[], Inverter]]:
    """Every method but `paper`, by its name on the page; none is made before it is needed."""
    select = study.trials_of(model, recording, "select")

    def one() -> Inverter:
        return MAP(encoder=members[0], mask=mask)

    def sampler(encoders: Sequence[Encoder]) -> Inverter:
        encoder = Ensemble(encoders) if len(encoders) > 1 else encoders[0]
        few = Sample(encoder=encoder, draws=max(8, 2 * len(encoders)), mask=mask)
        chosen = Sample(encoder=encoder, draws=draws, mask=mask)
        return methods.calibrated(chosen, select, seed=SEED / "calibrate", measured_by=few)

    return {
        f"map, mean of {len(members)} encoders": lambda: Averaged([MAP(encoder=m, mask=mask) for m in members]),
        "map, one encoder": one,
        f"sample, {len(members)} encoders": lambda: sampler(members),
        **{name: lambda name=name: study.make_inverter(name, model, recording, seed=SEED) for name in methods.DECODERS},
        "map, no neurons": lambda: study.Controlled(one(), study.no_neurons),
        "map, shuffled neurons": lambda: study.Controlled(one(), study.shuffled_neurons),
        "map, linear-nonlinear encoder": lambda: MAP(encoder=linear, mask=mask),
        "sample, linear-nonlinear encoder": lambda: sampler([linear]),
    }


def judge_paper(
    encoders: Sequence[Encoder],
    test: Sequence[Trial],
    select: Sequence[Trial],
    found: Found,
    folder: Path,
    *,
    only_finished: bool,
) -> None:
    """`paper` with these encoders: with its own blur, and with the one that is best on select clips.

    Args:
        encoders: Whose answers are averaged.
        test: Clips to score.
        select: Clips that the blur is chosen on.
        found: Is told of the scores.
        folder: Where the answers are kept.
        only_finished: Whether to take only the clips whose answers are there.
    """
    name = "paper, one encoder" if len(encoders) == 1 else f"paper, mean of {len(encoders)}"
    if only_finished:
        done = finished(len(encoders), test, folder)
        found.notes.append(
            f"{name}: on {len(done)} of {len(test)} clips, those that were finished when the page was made."
        )
        test, select = done, finished(len(encoders), select, folder)
    if not test:
        return
    raw = paper_answers(encoders, test, found.mask, folder)
    found.score(f"{name}, as published", blurred(raw, PUBLISHED_BLUR))
    if not select:
        found.notes.append(f"No select clip of {name} was finished that a blur could be chosen on.")
        return
    blur = best_blur(paper_answers(encoders, select, found.mask, folder), found.mask)
    found.score(f"{name}, best blur of select clips", blurred(raw, blur))
    found.notes.append(f"Best blur of {name} on {len(select)} select clips: sigma {blur[0]:g} frames, {blur[1]:g} px.")


def asked() -> tuple[argparse.Namespace, str]:
    """The options, and the command that makes the page again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/methods"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/methods.md"))
    parser.add_argument("--members", type=int, default=MEMBERS, help="encoders of the ensemble that are used")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--paper-clips", type=int, default=TEST_CLIPS, help="test clips of paper, one encoder")
    parser.add_argument("--paper-mean-clips", type=int, default=TEST_CLIPS, help="test clips of paper, mean of several")
    parser.add_argument("--paper-members", type=int, default=MEMBERS, help="encoders that paper averages")
    parser.add_argument("--only-finished", action="store_true", help="invert nothing: what is in the folder is judged")
    options = parser.parse_args()
    return options, command_of("methods.py", parser, options)


def main() -> None:
    """Run everything that is missing and write the page."""
    options, command = asked()
    recording, model, linear_model = prepare(options.folder)
    whole, linear = model.session(recording.session_id), linear_model.session(recording.session_id)
    assert isinstance(whole, Ensemble)
    members = whole.members[: options.members]
    test = recording.tier(TEST_TIER)
    select = study.trials_of(model, recording, "select")
    unseen = study.unseen_trials(model, [recording], test)
    answers, papers = options.folder / f"answers{len(members)}", options.folder / "paper"
    mask = kept_mask(answers / "mask.npy", lambda: MAP(encoder=members[0]).mask)

    found = Found(mask, answers / "scores")
    for name, make in methods_of(recording, model, members, linear, mask, options.draws).items():
        if options.only_finished and not (answers / f"{slug(name)}.zarr").exists():
            found.notes.append(f"{name} was not finished.")
            continue
        found.answered(name, *kept_answers(name, make, test, answers))
    for encoders, clips in {1: options.paper_clips, options.paper_members: options.paper_mean_clips}.items():
        judge_paper(
            whole.members[:encoders],
            test[:clips],
            select[:BLUR_CLIPS],
            found,
            papers,
            only_finished=options.only_finished,
        )

    single = options.out.with_suffix(".csv")
    write_clips(single, found.scores)
    first = f"`{found.scores[0].method}` minus it, paired"
    header = ["method", "clips", "movie correlation", first, "frame correlation", "SSIM", "motion energy"]
    lines = table([*header, "frame-passes", "seconds"], score_rows(found.scores))
    notes = [
        f"{len(unseen)} of {len(test)} clips unseen. Mask: {int((mask >= 0.5).sum())} of {mask.numel()} pixels.",
        f"The ensemble's first {len(members)} encoders; `sample` makes {options.draws} draws in all.",
        *found.notes,
        "Decoders, seconds to fit: " + ", ".join(f"{name} {took:.0f}" for name, took in found.fitted.items()) + ".",
        "Model's share: variance between encoders over the whole variance, inside the mask.",
        "Shuffled neurons are one shuffle for each clip.",
        f"The scores of every single clip are in [{single.name}]({single.name}).",
    ]
    body = [*lines, "", *table(COVERAGE, found.covered), *remarks(notes)]
    publish(options.out, "All methods on the default mouse", body, command=command)


if __name__ == "__main__":
    main()
