"""Every method on the same unseen clips of the default in-silico mouse, with one fitted ensemble.

    python benchmarks/methods.py --folder out/methods --out docs/results/methods.md

Makes the mouse (20 test clips), the ensemble and an encoder of another architecture where they are not there yet, and
keeps every answer in the folder: a run that was stopped goes on where it was. Scores count the pixels with mask >= 0.5
after the first second. The blur that `paper` is followed by, the ridge penalty, the settings of the other decoders and
the width of the intervals are chosen on select clips.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from cinecortex import methods, study
from cinecortex.data import load, read_result, reconstructions, write_result
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.members import fit_ensemble
from cinecortex.encoders.train import fit_model
from cinecortex.inversion.averaged import Averaged
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.sample import Sample
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.intervals import coverage, gaussian_coverage
from cinecortex.metrics.movies import BURN_IN, movie_correlation
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session
from cinecortex.tensors import Mask
from page import publish, remarks, shown, table

SEED = Seed(0)
TEST_CLIPS, MEMBERS = 20, 7
BLURS = [(t, s) for t in (0.0, 1.0, 2.0, 3.0, 4.5) for s in (0.5, 1.0, 1.5, 2.0, 3.0)]
METRICS = ("movie correlation", "frame correlation", "structural similarity", "motion energy correlation")


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


def kept(
    name: str, make: Callable[[], Inverter], trials: Sequence[Trial], folder: Path
) -> tuple[study.Results, dict[str, object]]:
    """The answers of a method, from the folder where they are there; and what the method says of its calibration."""
    path = folder / f"{name.replace(', ', '_').replace(' ', '_')}.zarr"
    if not path.exists():
        began = time.perf_counter()
        inverter = make()
        fitted = time.perf_counter() - began
        results = study.invert_trials(inverter, trials, seed=SEED / "invert")
        found = inverter.recalibration.to_json() if isinstance(inverter, methods.Calibrated) else {}
        write_result(path, results, attrs={"fitted_seconds": fitted, "recalibration": found})
        print(name, np.mean([a.seconds for _, a in results]).round(1), "s per clip", flush=True)
    dataset = read_result(path)
    answers = reconstructions(dataset)
    return list(zip(trials, answers, strict=True)), dict(dataset.attrs)


def paper_answers(
    encoders: Sequence[Encoder], trials: Sequence[Trial], mask: Mask, folder: Path, *, steps: int = 1000
) -> study.Results:
    """`paper` in full, the mean over the encoders, without its closing blur. Every encoder's answer is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for trial in trials:
        movies, passes, seconds = [], 0, 0.0
        for number, encoder in enumerate(encoders):
            path = folder / f"{number}-{trial.trial_id}.npz"
            if not path.exists():
                answer = Paper(encoders=(encoder,), mask=mask, steps=steps, sigma=0.0)(trial.observe(), SEED)
                unfinished = path.with_suffix(f".{os.getpid()}.npz")
                arrays = {"movie": answer.movie.numpy(), "frame_passes": answer.frame_passes, "seconds": answer.seconds}
                np.savez(unfinished, **arrays)
                unfinished.replace(path)
                print(f"paper, encoder {number}, trial {trial.trial_id}: {answer.seconds:.0f} s", flush=True)
            stored = np.load(path, allow_pickle=False)
            movies.append(torch.from_numpy(stored["movie"]))
            passes, seconds = passes + int(stored["frame_passes"]), seconds + float(stored["seconds"])
        mean = torch.stack(movies).mean(0)
        results.append((trial, Reconstruction(mean, f"all {steps} steps", frame_passes=passes, seconds=seconds)))
    return results


def blurred(results: study.Results, blur: tuple[float, float]) -> study.Results:
    """The same after a Gaussian blur of these standard deviations in frames and pixels."""
    sigma = (blur[0], blur[1], blur[1])
    return [(t, replace(a, movie=torch.from_numpy(gaussian_filter(a.movie.numpy(), sigma)))) for t, a in results]


def best_blur(results: study.Results, mask: Mask) -> tuple[float, float]:
    """The blur with the highest mean movie correlation."""

    def score(blur: tuple[float, float]) -> float:
        return float(np.mean([movie_correlation(a.movie, t.movie, mask=mask) for t, a in blurred(results, blur)]))

    return max(BLURS, key=score)


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


def main() -> None:
    """Run everything that is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/methods"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/methods.md"))
    parser.add_argument("--members", type=int, default=MEMBERS, help="encoders of the ensemble that are used")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--paper-clips", type=int, default=TEST_CLIPS, help="test clips of paper, one encoder")
    parser.add_argument("--paper-mean-clips", type=int, default=TEST_CLIPS, help="test clips of paper, mean of several")
    parser.add_argument("--paper-members", type=int, default=MEMBERS, help="encoders that paper averages")
    options = parser.parse_args()

    recording, model, linear_model = prepare(options.folder)
    whole = model.session(recording.session_id)
    assert isinstance(whole, Ensemble)
    members = whole.members[: options.members]
    linear = linear_model.session(recording.session_id)
    test = recording.tier(TEST_TIER)
    select = study.trials_of(model, recording, "select")
    unseen = study.unseen_trials(model, [recording], test)
    mask = MAP(encoder=members[0]).mask
    answers = options.folder / f"answers{len(members)}"
    answers.mkdir(parents=True, exist_ok=True)

    def sampler(encoders: Sequence[Encoder]) -> Inverter:
        encoder = Ensemble(encoders) if len(encoders) > 1 else encoders[0]
        few = Sample(encoder=encoder, draws=max(8, 2 * len(encoders)), mask=mask)
        chosen = Sample(encoder=encoder, draws=options.draws, mask=mask)
        return methods.calibrated(chosen, select, seed=SEED / "calibrate", measured_by=few)

    one = MAP(encoder=members[0], mask=mask)
    made: dict[str, Callable[[], Inverter]] = {
        f"map, mean of {len(members)} encoders": lambda: Averaged([MAP(encoder=m, mask=mask) for m in members]),
        "map, one encoder": lambda: one,
        f"sample, {len(members)} encoders": lambda: sampler(members),
        **{name: lambda name=name: study.make_inverter(name, model, recording, seed=SEED) for name in methods.DECODERS},
        "map, no neurons": lambda: study.Controlled(one, study.no_neurons),
        "map, shuffled neurons": lambda: study.Controlled(one, study.shuffled_neurons),
        "map, linear-nonlinear encoder": lambda: MAP(encoder=linear, mask=mask),
        "sample, linear-nonlinear encoder": lambda: sampler([linear]),
    }
    results, facts = {}, {}
    for name, make in made.items():
        results[name], facts[name] = kept(name, make, test, answers)
        print(name, study.score_results(name, results[name], mask=mask).interval(METRICS[0]), flush=True)

    papers = options.folder / "paper"
    blurs = []
    for encoders, clips in (
        (members[:1], options.paper_clips),
        (whole.members[: options.paper_members], options.paper_mean_clips),
    ):
        if not clips or (len(encoders) == 1 and "paper, one encoder" in results):
            continue
        name = "paper, one encoder" if len(encoders) == 1 else f"paper, mean of {len(encoders)}"
        raw = paper_answers(encoders, test[:clips], mask, papers)
        blur = best_blur(paper_answers(encoders, select[:2], mask, papers), mask)
        results[f"{name}, as published"] = blurred(raw, (0.5, 0.5))
        results[f"{name}, best blur of select clips"] = blurred(raw, blur)
        blurs.append(f"Best blur of {name} on 2 select clips: sigma {blur[0]:g} frames, {blur[1]:g} px.")

    scores = [study.score_results(name, found, mask=mask) for name, found in results.items()]
    first = f"`{scores[0].method}` minus it, paired"
    header = ["method", "clips", "movie correlation", first, "frame correlation", "SSIM", "motion energy"]
    lines = table([*header, "frame-passes", "seconds"], score_rows(scores))
    drawn = [name for name in results if name.startswith("sample")]
    covered = [
        row
        for name in drawn
        for row in coverage_rows(name, results[name], Recalibration.from_json(facts[name]["recalibration"]), mask)  # type: ignore[arg-type]
    ]
    titles = [
        "90 % intervals",
        "",
        "coverage, mean over clips",
        "clips at 75 % or more",
        "single clips",
        "model's share",
    ]
    notes = [
        f"{len(unseen)} of {len(test)} clips unseen. Mask: {int((mask >= 0.5).sum())} of {mask.numel()} pixels.",
        f"The ensemble's first {len(members)} encoders; `sample` makes {options.draws} draws in all.",
        *(f"Calibration of {name} on {len(select)} select clips: {facts[name]['recalibration']}." for name in drawn),
        *blurs,
        "Decoders, seconds to fit: "
        + ", ".join(f"{name} {facts[name]['fitted_seconds']:.0f}" for name in methods.DECODERS)
        + ".",
        "Model's share: variance between encoders over the whole variance, inside the mask.",
    ]
    publish(
        options.out,
        "All methods on the default mouse",
        [*lines, "", *table(titles, covered), *remarks(notes)],
        command=f"python benchmarks/methods.py --members {len(members)} --draws {options.draws}",
    )


if __name__ == "__main__":
    main()
