"""The whole story on the in-silico mouse: simulate, fit, invert unseen clips, score, and lay it out on one page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from cinecortex import study
from cinecortex.data import load, write_result
from cinecortex.encoders.checkpoint import Model, save_model
from cinecortex.encoders.train import fit_model, session_facts
from cinecortex.errors import WrongUse
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.movies import BURN_IN, THRESHOLDS, frame_correlation
from cinecortex.recording import Recording, Trial
from cinecortex.report import ClipView, Figure, Headline, Page, Panel, ScoreRow, Trace, figures, write_page
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session
from cinecortex.study import MASK_THRESHOLD, MethodScores, Progress, Results
from cinecortex.tensors import Mask

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens a stage by its title and gives what reports its progress."""

TEST_TIER = "final_test_main"
CONTROL_CLIPS = 4
TITLES = {
    "map": ("Reconstruction (map)", "from the responses, with gaze and arousal known"),
    "mean": ("Training mean", "the same for every clip"),
    "paper": ("Published recipe (paper)", "as published, one encoder"),
}
NOTES = {
    "map": "most probable movie under the spectral prior",
    "mean": "no neuron asked",
    "paper": "published recipe, in full, on one clip only",
    "map, shuffled neurons": "control: every response handed to another neuron",
}


def run_demo(
    out: Path, *, neurons: int, clips: int, seconds: float = 10.0, paper_steps: int, seed: int, stage: Stage
) -> tuple[Path, list[MethodScores]]:
    """Run every stage and write everything to ``out``.

    Args:
        out: A new or empty folder, or that of an earlier demo, which is then replaced.
        neurons: Neurons of the in-silico mouse.
        clips: Training clips.
        seconds: Duration of a clip.
        paper_steps: Steps of the published recipe, which is run on the first test clip; 0 leaves it out.
        seed: Root of every random stream.
        stage: Opens a stage.

    Returns:
        The page and the scores behind it.

    Raises:
        WrongUse: ``out`` holds something else.
    """
    root = Seed(seed)
    recording = load(_simulate(out, root, neurons, clips, seconds, stage))
    with stage("fitting the encoder") as progress:
        model = fit_model([recording], seed=root / "fit", progress=progress)
    save_model(model, out / "encoder")
    test = recording.tier(TEST_TIER)
    answers = _invert(out, model, recording, test, paper_steps, root / "invert", stage)
    mask = MAP(encoder=model.session(recording.session_id)).mask.cpu()
    encoder = model.session(recording.session_id)
    with stage("scoring") as progress:
        scores = []
        for number, (name, results) in enumerate(answers.items(), 1):
            scores.append(study.score_results(name, results, mask=mask, encoder=encoder))
            progress(number, len(answers), name)
    _write_json(out / "scores.json", [score.to_json() for score in scores])
    story = _Story(model, recording, test, answers, scores, mask, root)
    command = (
        f"cinecortex demo --neurons {neurons} --clips {clips} --seconds {seconds:g} --paper-steps {paper_steps} "
        f"--seed {seed}"
    )
    return write_page(out / "report.html", _page(story, command)), scores


def _simulate(out: Path, root: Seed, neurons: int, clips: int, seconds: float, stage: Stage) -> Path:
    mark = out / "demo.json"
    if out.exists() and not mark.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise WrongUse(f"{out} holds something that no demo wrote; choose another folder with --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    _write_json(mark, {"neurons": neurons, "clips": clips, "seconds": seconds, "seed": root.root})
    with stage("simulating a mouse") as progress:
        write_session(
            out / "mouse",
            seed=root / "simulate",
            neurons=neurons,
            clips=clips,
            seconds=seconds,
            progress=lambda done, total: progress(done, total, ""),
        )
    return out / "mouse"


def _invert(
    out: Path, model: Model, recording: Recording, test: Sequence[Trial], paper_steps: int, seed: Seed, stage: Stage
) -> dict[str, Results]:
    encoder = model.session(recording.session_id)
    mapped = MAP(encoder=encoder)
    jobs = [
        (mapped, test),
        (study.make_inverter("mean", model, recording), test),
        (study.Controlled(mapped, study.shuffled_neurons), test[:CONTROL_CLIPS]),
    ]
    if paper_steps:
        jobs.append((Paper(encoders=(encoder,), steps=paper_steps), test[:1]))
    answers = {}
    for inverter, trials in jobs:
        with stage(f"inverting by {inverter.name}") as progress:
            results = study.invert_trials(inverter, trials, seed=seed, progress=progress)
        facts = study.provenance(model, recording, seed=seed.root, command="cinecortex demo")
        name = inverter.name.replace(", ", "_").replace(" ", "_")
        write_result(out / f"{name}.zarr", results, attrs={"method": inverter.name, **facts})
        answers[inverter.name] = results
    return answers


@dataclass(frozen=True, eq=False)
class _Story:
    """What the page is made of."""

    model: Model
    recording: Recording
    test: Sequence[Trial]
    answers: dict[str, Results]
    scores: list[MethodScores]
    mask: Mask
    root: Seed


def _page(story: _Story, command: str) -> Page:
    recording, mask = story.recording, story.mask
    best = story.scores[0].interval("movie correlation")
    shuffled = next(s for s in story.scores if "shuffled" in s.method).interval("movie correlation")
    unseen = study.unseen_trials(story.model, [recording], story.test)
    order = torch.randperm(len(story.test), generator=(story.root / "clip order").torch()).tolist()
    views = tuple(_view(story, n, index, story.test[index] in unseen) for n, index in enumerate(order, 1))
    metrics = ("movie correlation", "frame correlation", "structural similarity", "full-field movie correlation")
    rows = tuple(
        ScoreRow(
            score.method,
            {metric: score.interval(metric) for metric in (*metrics, "response correlation")},
            score.frame_passes,
            score.seconds,
            NOTES.get(score.method, ""),
        )
        for score in story.scores
    )
    return Page(
        title=f"In-silico mouse: {len(story.test)} clips it was not trained on",
        verdict=(
            f"From {len(recording.neurons)} simulated neurons, map reaches a movie correlation of {best.value:.2f} "
            f"[{best.low:.2f}, {best.high:.2f}] on {len(unseen)} unseen clips, inside the part of the screen that the "
            f"population sees; with the neurons shuffled it reaches {shuffled.value:.2f} "
            f"[{shuffled.low:.2f}, {shuffled.high:.2f}] on {shuffled.n} of them. The animal is a simulation."
        ),
        simulated=recording.simulated,
        clips=views,
        clip_order=f"random (seed {story.root.root}), drawn without regard to the scores",
        headline=Headline("mean movie correlation of map, unseen clips, inside the mask", best),
        recording=_recording_facts(recording),
        encoder=_encoder_facts(story.model, recording),
        scores=rows,
        figures=_figures(story),
        provenance=study.provenance(story.model, recording, seed=story.root.root, command=command),
        notes=(
            "Scores count pixels with mask weight 0.5 or more, after the first second. The mask comes from the "
            "encoder's sensitivity, before any test clip was inverted.",
            "Response correlation compares the recording with the responses that the encoder expects of the "
            "reconstruction. An inversion that fits noise scores high there: it is no sign of a good movie.",
            "The noise ceiling is estimated from repeated clips. What gaze and running change between repeats counts "
            "as noise there, but an encoder that is told both can explain it: the fraction of the ceiling is an upper "
            "bound.",
            "The contrast of the reconstructions is as it came out; nothing was matched to the true movie.",
        ),
        scored_pixels=mask >= MASK_THRESHOLD,
    )


def _view(story: _Story, number: int, index: int, unseen: bool) -> ClipView:
    trial = story.test[index]
    truth = trial.movie
    panels = [Panel("True movie", truth, "what was on the screen")]
    scores, traces = {}, []
    for score in story.scores:
        answer = next((a for t, a in story.answers[score.method] if t is trial), None)
        if answer is None:
            continue
        scores[score.method] = next(c for c in score.clips if c.trial_id == trial.trial_id).values["movie correlation"]
        if score.method in TITLES:
            title, note = TITLES[score.method]
            panels.append(Panel(title, answer.movie, note))
            values = frame_correlation(answer.movie, truth, mask=story.mask, burn_in=0).frames
            values[:BURN_IN] = float("nan")
            traces.append(Trace(score.method, "frame correlation", values))
    return ClipView(
        clip_label=f"Clip {number}",
        trial_id=trial.trial_id,
        unseen=unseen,
        panels=tuple(panels),
        burn_in_frames=BURN_IN,
        frame_rate_hz=trial.frame_rate_hz,
        scores=scores,
        traces=tuple(traces),
    )


def _recording_facts(recording: Recording) -> dict[str, str]:
    height, width = recording.frame_size
    return {
        "session": recording.session_id,
        "species": recording.metadata.get("species", "unknown"),
        "subject": recording.metadata.get("subject", "unknown"),
        "neurons": str(len(recording.neurons)),
        "trials": ", ".join(f"{len(recording.tier(tier))} {tier}" for tier in recording.tiers),
        "movies": f"{height}x{width} px at {recording.frame_rate_hz:g} Hz",
        "response": recording.response_unit,
    }


def _encoder_facts(model: Model, recording: Recording) -> dict[str, str]:
    facts = session_facts(model, recording.session_id)
    repeats = facts["scores"].get("repeats", {})
    found = {
        "kind": str(model.facts["kind"]),
        "fitted to": f"{len(facts['trials']['train'])} trials; {len(facts['trials']['select'])} set aside to select on",
        "ended": facts["ended"],
        "correlation with single trials (select clips)": f"{facts['scores']['select']['mean_correlation']:.3f}",
    }
    if repeats:
        found["fraction of the noise ceiling estimated from repeats (flattering, see notes)"] = (
            f"{repeats['mean_fraction_of_ceiling']:.2f}"
        )
    return found


def _figures(story: _Story) -> tuple[Figure, ...]:
    facts = session_facts(story.model, story.recording.session_id)
    by_clip = {score.method: _by_trial(score, story.test) for score in story.scores if len(score.clips) > 1}
    means = {score.method: score.interval("movie correlation") for score in story.scores if len(score.clips) > 1}
    over = {
        score.method: torch.tensor([clip.over_masks for clip in score.clips]).nanmean(0).tolist()
        for score in story.scores
        if len(score.clips) > 1
    }
    drawn = [
        Figure(
            "Every clip, every method",
            "Each point is one clip; a thin line follows it from method to method. Diamonds: mean with 95 % interval.",
            figures.scores_by_clip(by_clip, metric="movie correlation", means=means),
        ),
        Figure(
            "No threshold was picked",
            "Mean movie correlation over the least mask weight of the pixels counted; the full field is at the left.",
            figures.scores_by_mask(THRESHOLDS, over, metric="movie correlation"),
        ),
        Figure(
            "Where the population can see",
            "Mask weight per pixel, from the encoder's sensitivity; scores count the pixels inside the line.",
            figures.mask_picture(story.mask, story.mask >= MASK_THRESHOLD),
        ),
    ]
    if facts["history"]:
        drawn.append(
            Figure(
                "How the fit went",
                "Single-trial correlation on clips set aside for it, after each epoch; the ringed epoch was kept.",
                figures.learning_curves({"compact": [row["select"] for row in facts["history"]]}),
            )
        )
    if facts.get("repeats_ceiling"):
        correlation, ceiling = (
            torch.tensor([float("nan") if v is None else v for v in facts[name]])
            for name in ("repeats_correlation", "repeats_ceiling")
        )
        drawn.append(
            Figure(
                "The encoder against its ceiling",
                "Each point is a neuron, on repeated clips that were not fitted to. On the dashed line the encoder "
                "predicts a single trial as well as the true rate would.",
                figures.encoder_against_ceiling(correlation, ceiling),
            )
        )
    return tuple(drawn)


def _by_trial(score: MethodScores, trials: Sequence[Trial]) -> list[float]:
    """Movie correlation on each trial; NaN where the method was not run on it."""
    found = {clip.trial_id: clip.values["movie correlation"] for clip in score.clips}
    return [found.get(trial.trial_id, float("nan")) for trial in trials]


def _write_json(path: Path, content: object) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False))
    temporary.replace(path)
