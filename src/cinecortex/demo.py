"""The whole story on the in-silico mouse: simulate, fit, invert unseen clips, ask what may be claimed, lay it out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch

from cinecortex import study
from cinecortex.data import load, write_result
from cinecortex.data.shown import SHOWN
from cinecortex.encoders.checkpoint import Model, save_model
from cinecortex.encoders.train import fit_model, session_facts
from cinecortex.errors import WrongUse
from cinecortex.inversion.paper import Paper
from cinecortex.recording import Recording, Trial
from cinecortex.report import Figure, figures, write_page
from cinecortex.reporting import compose, gather
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session
from cinecortex.study import MethodScores, Progress
from cinecortex.validating import Options, validate

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens a stage by its title and gives what reports its progress."""

TEST_TIER = "final_test_main"
VALIDATION = "validation"
MEASURED = 2
"""Clips of which it is measured how much is data."""


def run_demo(
    out: Path, *, neurons: int, clips: int, seconds: float = 10.0, paper_steps: int, seed: int, stage: Stage
) -> tuple[Path, list[MethodScores], str]:
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
        The page, the scores behind it, and what may be claimed.

    Raises:
        WrongUse: ``out`` holds something else.
    """
    root = Seed(seed)
    recording = load(_simulate(out, root, neurons, clips, seconds, stage))
    with stage("fitting the encoder") as progress:
        model = fit_model([recording], seed=root / "fit", progress=progress)
    save_model(model, out / "encoder")
    test = recording.tier(TEST_TIER)
    command = (
        f"cinecortex demo --neurons {neurons} --clips {clips} --seconds {seconds:g} --paper-steps {paper_steps} "
        f"--seed {seed}"
    )
    with stage("inverting unseen clips, and asking what they show") as progress:
        options = Options(quick=True, clips=len(test), measured=MEASURED, command=command, progress=progress)
        found = validate(recording, model, "map", out=out / VALIDATION, trials=test, options=options, seed=root)
    if paper_steps:
        _ask_paper(out, model, recording, test[0], paper_steps, root / "invert", command, stage)
    (gathered,) = gather([out / VALIDATION])
    scores = list(gathered.scores.values())
    _write_json(out / "scores.json", [score.to_json() for score in scores])
    with stage("laying out the report"):
        page = compose([gathered])
        page = replace(
            page,
            title=f"In-silico mouse: {len(test)} clips it was not trained on",
            encoder=_encoder_facts(model, recording),
            figures=(*page.figures, *_encoder_figures(model, recording)),
            provenance=dict(page.provenance) | {"report by": command},
            notes=(*page.notes, CEILING_NOTE),
        )
        return write_page(out / "report.html", page), scores, found.summary.sentence


CEILING_NOTE = (
    "The noise ceiling is estimated from repeated clips. What gaze and running change between repeats counts as noise "
    "there, but an encoder that is told both can explain it: the fraction of the ceiling is an upper bound."
)


def _ask_paper(
    out: Path, model: Model, recording: Recording, trial: Trial, steps: int, seed: Seed, command: str, stage: Stage
) -> None:
    """The published recipe on one clip, kept beside the other answers to it."""
    inverter = Paper(encoders=(model.session(recording.session_id),), steps=steps)
    with stage("inverting one clip by the published recipe") as progress:
        results = study.invert_trials(inverter, [trial], seed=seed, progress=progress)
    facts = study.provenance(model, recording, seed=seed.root, command=command)
    write_result(out / VALIDATION / SHOWN / "paper.zarr", results, attrs={"method": inverter.name, **facts})


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


def _encoder_figures(model: Model, recording: Recording) -> tuple[Figure, ...]:
    facts, drawn = session_facts(model, recording.session_id), []
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


def _write_json(path: Path, content: object) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False))
    temporary.replace(path)
