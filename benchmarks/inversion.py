"""Quality against cost: `map`, the published recipe, a ridge decoder and two controls on the demo's recording.

    python benchmarks/inversion.py --folder out/demo --out docs/results/inversion.md

Makes the demo's recording and encoder where they are not there yet. Every method sees the same observations and (where
it has one) the same encoder; scores count the pixels with mask >= 0.5 after the first second, over all unseen clips.
The blur that `paper` is followed by is chosen on select clips, the ridge penalty too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from animals import SEED, prepare
from cinecortex import study
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.bootstrap import bootstrap_mean, paired_difference
from cinecortex.metrics.movies import movie_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from page import command_of, publish, remarks, shown
from paper_answers import PUBLISHED_BLUR, best_blur, blurred, correlations

SHUFFLES = 3
"""A single shuffle of ten clips scatters too much for a margin of 0.05."""
METRICS = ("frame correlation", "structural similarity", "motion energy correlation")


class Watch:
    """Scores the published recipe on the way, after the blur that ends it; flattering, as it looks at the truth."""

    def __init__(self, truth: torch.Tensor, mask: torch.Tensor) -> None:
        self.truth, self.mask = truth, mask
        self.trace: list[tuple[int, float]] = []

    def __call__(self, step: int, movie: torch.Tensor) -> None:
        """Keep the score at some of the steps."""
        if step in (10, 20, 50) or step % 100 == 0:
            blurred = torch.from_numpy(gaussian_filter(movie.numpy(), 0.5))
            self.trace.append((step, movie_correlation(blurred, self.truth, mask=self.mask)))


def run_paper(
    encoder: Encoder, trials: Sequence[Trial], mask: torch.Tensor, steps: int, cache: Path
) -> tuple[study.Results, list[list[tuple[int, float]]]]:
    """`paper` in full on every trial, one thread each, without its closing blur (that is applied by the caller).

    Each answer is kept in ``cache``, so that a benchmark that was stopped goes on where it was.
    """

    def one(trial: Trial) -> tuple[Trial, Reconstruction, list[tuple[int, float]]]:
        kept = cache / f"{trial.trial_id}.npz"
        if kept.exists():
            stored = np.load(kept, allow_pickle=False)
            answer = Reconstruction(
                movie=torch.from_numpy(stored["movie"]),
                ended=f"all {steps} steps were made",
                frame_passes=int(stored["frame_passes"]),
                seconds=float(stored["seconds"]),
            )
            return trial, answer, [(int(step), float(value)) for step, value in stored["trace"]]
        watch = Watch(trial.movie, mask)
        answer = Paper(encoders=(encoder,), steps=steps, sigma=0.0, watch=watch)(trial.observe(), SEED)
        arrays = {"movie": answer.movie.numpy(), "trace": np.array(watch.trace)}
        np.savez(kept, **arrays, frame_passes=answer.frame_passes, seconds=answer.seconds)
        best = max(watch.trace, key=lambda point: point[1])
        print(f"  paper, trial {trial.trial_id}: {answer.seconds:.0f} s, best on its way {best}", flush=True)
        return trial, answer, watch.trace

    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, trials))
    return [(trial, answer) for trial, answer, _ in done], [trace for _, _, trace in done]


def fingerprint(encoder: Encoder) -> str:
    """Of the weights alone: `paper` rests on nothing else that an encoder folder holds."""
    weights = hashlib.blake2b(digest_size=8)
    for name, value in sorted(encoder.state_dict().items()):
        weights.update(name.encode() + value.numpy().tobytes())
    return weights.hexdigest()


def average(shuffles: Sequence[study.MethodScores]) -> study.MethodScores:
    """The mean of several runs, clip by clip, so that an interval over clips does not take runs for clips."""
    clips = []
    for runs in zip(*(scores.clips for scores in shuffles), strict=True):
        values = {name: float(np.mean([run.values[name] for run in runs])) for name in runs[0].values}
        over = tuple(np.mean([run.over_masks for run in runs], axis=0).tolist())
        clips.append(study.ClipScores(runs[0].trial_id, values, over))
    passes, seconds = (float(np.mean([getattr(s, name) for s in shuffles])) for name in ("frame_passes", "seconds"))
    return study.MethodScores(f"{shuffles[0].method} (mean of {len(shuffles)})", tuple(clips), passes, seconds)


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/inversion.md"))
    parser.add_argument("--paper-steps", type=int, default=1000)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--select-clips", type=int, default=2)
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    test = recording.tier(TEST_TIER)[: options.clips]
    select = study.trials_of(model, recording, "select")[: options.select_clips]
    unseen = study.unseen_trials(model, [recording], test)
    mapped = MAP(encoder=encoder)
    mask = mapped.mask
    invert = SEED / "invert"
    results = {"map": study.invert_trials(mapped, test, seed=invert)}
    print("map", np.mean(correlations(results["map"], mask)), flush=True)
    results["map, no neurons"] = study.invert_trials(study.Controlled(mapped, study.no_neurons), test, seed=invert)
    shuffled = study.Controlled(mapped, study.shuffled_neurons)
    shuffles = [study.invert_trials(shuffled, test, seed=SEED / "shuffle" / n) for n in range(SHUFFLES)]
    began = time.perf_counter()
    ridge = study.make_inverter("ridge", model, recording)
    ridge_seconds = time.perf_counter() - began
    results["ridge"] = study.invert_trials(ridge, test, seed=invert)
    results["training mean"] = study.invert_trials(study.make_inverter("mean", model, recording), test, seed=invert)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two clips at a time, a thread each
    cache = options.folder / f"paper-{fingerprint(encoder)}-{options.paper_steps}"
    chosen, _ = run_paper(encoder, select, mask, options.paper_steps, cache)
    raw, traces = run_paper(encoder, test, mask, options.paper_steps, cache)
    torch.set_num_threads(threads)
    blur = best_blur(chosen, mask)
    results["paper, as published"] = blurred(raw, PUBLISHED_BLUR)
    results["paper, best blur of select clips"] = blurred(raw, blur)

    scores = {name: study.score_results(name, found, mask=mask, encoder=encoder) for name, found in results.items()}
    scores[shuffled.name] = average(
        [study.score_results(shuffled.name, s, mask=mask, encoder=encoder) for s in shuffles]
    )
    values = {name: score.values("movie correlation") for name, score in scores.items()}
    lines = table(scores, values)
    steps = [step for step, _ in traces[0]]
    path = np.mean([[value for _, value in trace] for trace in traces], axis=0)
    facts = [
        f"Best blur of `paper` on {len(select)} select clips: sigma {blur[0]:g} frames, {blur[1]:g} px.",
        "`paper` on its way (mean over clips): "
        + ", ".join(f"{value:.3f} at step {step}" for step, value in zip(steps, path, strict=True))
        + ".",
        f"Ridge: penalty {ridge.penalty:g} of {ridge.penalties} chosen on select clips; {ridge_seconds:.0f} s to fit.",
        f"{len(unseen)} of {len(test)} clips unseen. Mask: {int((mask >= 0.5).sum())} of {mask.numel()} pixels.",
        f"`paper` makes {scores['paper, as published'].frame_passes / scores['map'].frame_passes:.0f} times as many "
        "frame-passes as `map`. Its seconds are with one thread, two clips at a time; those of `map` with "
        f"{threads} threads.",
    ]
    publish(
        options.out,
        "Inversion on the demo's recording",
        [*lines, *remarks(facts)],
        command=command_of("inversion.py", parser, options),
    )
    (options.folder / "inversion.json").write_text(json.dumps(values, indent=1))


def table(scores: dict[str, study.MethodScores], values: dict[str, list[float]]) -> list[str]:
    """One row per method, with the paired difference to `map`."""
    lines = [
        "| method | movie correlation | `map` minus it, paired | frame correlation | SSIM | motion energy "
        "| frame-passes | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, score in scores.items():
        difference = paired_difference(values["map"], values[name], seed=SEED / "paired")
        cells = [
            shown(bootstrap_mean(values[name], seed=SEED / "bootstrap")),
            "" if name == "map" else shown(difference),
            *(
                shown(score.interval(m))
                for m in ("frame correlation", "structural similarity", "motion energy correlation")
            ),
            f"{score.frame_passes:,.0f}",
            f"{score.seconds:.1f}",
        ]
        lines.append(f"| {score.method} | " + " | ".join(cells) + " |")
    shuffled, silent = values["map, shuffled neurons"], values["map, no neurons"]
    control = paired_difference(shuffled, silent, seed=SEED / "controls")
    return [*lines, "", f"Shuffled neurons minus no neurons: {shown(control)}."]


if __name__ == "__main__":
    main()
