"""The page of all methods is made of what is in the folder, and names the command that makes it again."""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory

from cinecortex import study
from cinecortex.data import write_result
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.movies import movie_correlation
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Neurons, Recording, Trial
from cinecortex.seeds import Seed

FRAMES, SIZE, NEURONS = 40, (9, 12), 3
MASK = torch.ones(SIZE).index_fill(1, torch.tensor([0]), 0.0)


def trial(name: str, tier: str) -> Trial:
    movie = torch.rand(FRAMES, *SIZE, generator=(Seed(1) / name).torch())
    return Trial(name, "s", tier, 30.0, SIZE, (), InMemory(movie, torch.ones(FRAMES, NEURONS)))


@pytest.fixture(scope="module")
def recording():
    trials = (*(trial(str(n), TEST_TIER) for n in range(4)), *(trial(str(n), "train") for n in range(10, 13)))
    return Recording("s", trials, Neurons(np.arange(NEURONS)), 30.0, SIZE, "spikes", (), {}, Path("s"), "f")


@pytest.fixture(scope="module")
def results(recording):
    """A method's answers: the truth and noise."""
    return [
        (t, Reconstruction(t.movie + 0.5 * torch.rand(t.movie.shape, generator=Seed(2).torch()), "done", seconds=2.0))
        for t in recording.tier(TEST_TIER)
    ]


@pytest.fixture
def papers(benchmark_module):
    return benchmark_module("paper_answers")


@pytest.fixture
def keeping(benchmark_module):
    return benchmark_module("keeping")


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch):
    def started(*_args, **_options):
        raise AssertionError("an inversion was started")

    monkeypatch.setattr(Paper, "__call__", started)
    monkeypatch.setattr(study, "invert_trials", started)


def keep_paper(folder: Path, encoder: int, trial: Trial, noise: float) -> torch.Tensor:
    folder.mkdir(exist_ok=True)
    random = (Seed(3) / encoder / trial.trial_id).torch()
    movie = trial.movie + noise * torch.randn(trial.movie.shape, generator=random)
    np.savez(folder / f"{encoder}-{trial.trial_id}.npz", movie=movie.numpy(), frame_passes=100, seconds=10.0 + encoder)
    return movie


def test_only_clips_that_every_encoder_answered_are_finished(papers, recording, tmp_path):
    trials = recording.tier(TEST_TIER)
    for encoder, number in [(0, 0), (0, 2), (0, 3), (1, 3), (1, 0), (1, 1), (2, 0)]:
        keep_paper(tmp_path, encoder, trials[number], 0.1)
    found = [[t.trial_id for t in papers.finished(count, trials, tmp_path)] for count in (1, 2, 3)]
    assert found == [["0", "2", "3"], ["0", "3"], ["0"]]


def test_answers_of_the_encoders_are_averaged_and_their_costs_added(papers, recording, tmp_path):
    trials = recording.tier(TEST_TIER)[:1]
    movies = [keep_paper(tmp_path, encoder, trials[0], 0.1) for encoder in range(2)]
    ((found, answer),) = papers.paper_answers([None, None], trials, MASK, tmp_path)
    assert found is trials[0]
    torch.testing.assert_close(answer.movie, (movies[0] + movies[1]) / 2)
    assert (answer.frame_passes, answer.seconds) == (200, 21.0)
    with pytest.raises(AssertionError, match="started"):
        papers.paper_answers([LinearNonlinear(torch.zeros(1, 1, *SIZE), torch.zeros(1))] * 3, trials, MASK, tmp_path)


def test_the_blur_is_the_best_one(papers, recording):
    # White noise of three times the movie's spread: every pixel alone is worth less than its neighbourhood.
    smooth = [
        Trial(t.trial_id, "s", "t", 30.0, SIZE, (), InMemory(t.movie.mean((1, 2), keepdim=True).expand_as(t.movie)))
        for t in recording.tier(TEST_TIER)[:2]
    ]
    noisy = [
        (t, Reconstruction(t.movie + torch.randn(t.movie.shape, generator=Seed(4).torch()), "done")) for t in smooth
    ]
    best = papers.best_blur(noisy, MASK)
    assert best[1] == 3.0
    scores = {blur: np.mean(papers.correlations(papers.blurred(noisy, blur), MASK)) for blur in papers.BLURS}
    assert scores[best] == max(scores.values())


def test_scores_are_made_once_for_the_same_answers_and_mask(keeping, results, tmp_path, monkeypatch):
    first = keeping.kept_scores("map, one encoder", results, MASK, tmp_path)
    expected = [movie_correlation(a.movie, t.movie, mask=MASK, burn_in=FRAMES // 2) for t, a in results]
    assert first.values("movie correlation") == pytest.approx(expected)
    calls = []
    score = study.score_results
    monkeypatch.setattr(study, "score_results", lambda *args, **options: calls.append(1) or score(*args, **options))
    again = keeping.kept_scores("map, one encoder", results, MASK, tmp_path)
    assert (calls, again.to_json()) == ([], first.to_json())
    assert [clip.over_masks for clip in again.clips] == [clip.over_masks for clip in first.clips]
    assert len(keeping.kept_scores("map, one encoder", results[:2], MASK, tmp_path).clips) == 2
    keeping.kept_scores("map, one encoder", results[:2], torch.ones(SIZE), tmp_path)
    assert len(calls) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["map_one_encoder.json"]


def test_a_mask_is_made_once(keeping, tmp_path):
    made = []
    for _ in range(2):
        assert torch.equal(keeping.kept_mask(tmp_path / "a" / "mask.npy", lambda: made.append(1) or MASK), MASK)
    assert made == [1]


def test_a_command_has_every_option_that_matters(benchmark_module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("a"))
    parser.add_argument("--paper-clips", type=int, default=20)
    parser.add_argument("--neurons", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only-finished", action="store_true")
    command_of = benchmark_module("page").command_of
    assert command_of("x.py", parser, parser.parse_args(["--out", "b"])) == "python benchmarks/x.py"
    told = ["--paper-clips", "3", "--neurons", "5", "6", "--only-finished"]
    assert command_of("x.py y", parser, parser.parse_args(told)) == f"python benchmarks/x.py y {' '.join(told)}"
    assert command_of("x.py", parser, parser.parse_args([]), paper_clips=0).endswith("x.py --paper-clips 0")


@pytest.fixture
def folder(recording, results, tmp_path):
    """Two methods, `paper` with one encoder on two clips and with two encoders on one, and a select clip of one."""
    answers, test = tmp_path / "answers2", recording.tier(TEST_TIER)
    spread = {"std": torch.full((FRAMES, *SIZE), 0.3)}
    bounds = [
        (t, Reconstruction(a.movie, "done", mask=MASK, lower=a.movie - 0.6, upper=a.movie + 0.1, **spread))
        for t, a in results
    ]
    answers.mkdir()
    np.save(answers / "mask.npy", MASK.numpy())
    calibration = Recalibration(temperature=1.0, gain=1.0, level=0.9, raw=0.5, clips=3).to_json()
    for name, found in {"map_mean_of_2_encoders": results, "ridge": results, "sample_2_encoders": bounds}.items():
        write_result(answers / f"{name}.zarr", found, attrs={"fitted_seconds": 7.0, "recalibration": calibration})
    for encoder, shown in [(0, test[1]), (0, test[3]), (1, test[3]), (0, recording.trials[4])]:
        keep_paper(tmp_path / "paper", encoder, shown, 1.0)
    return tmp_path


def test_the_page_of_what_is_finished(benchmark_module, recording, folder, monkeypatch):
    benchmark = benchmark_module("methods")
    encoder = LinearNonlinear(torch.zeros(NEURONS, 2, *SIZE), torch.zeros(NEURONS))
    facts = [{"session_id": "s", "clips": {}, "trials": {"train": ["12"], "select": ["10", "11"]}}]
    models = [Model({"s": made}, {"fitted": facts}) for made in (Ensemble([encoder] * 3), encoder)]
    monkeypatch.setattr(benchmark, "prepare", lambda folder: (recording, *models))
    told = "--members 2 --draws 12 --paper-members 2 --only-finished"
    out = folder / "page.md"
    monkeypatch.setattr("sys.argv", ["methods.py", "--folder", str(folder), "--out", str(out), *told.split()])
    benchmark.main()
    text = out.read_text()
    assert f"Command: `python benchmarks/methods.py {told}`" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    counted = {row[0]: row[1] for row in rows}
    assert counted == {
        "method": "clips",
        "map, mean of 2 encoders": "4",
        "ridge": "4",
        "sample, 2 encoders": "calibrated",  # the last row of its name, in the table of intervals
        "paper, one encoder, as published": "2",
        "paper, one encoder, best blur of select clips": "2",
        "paper, mean of 2, as published": "1",
        "90 % intervals": "",
    }
    for sentence in (
        "4 of 4 clips unseen. Mask: 99 of 108 pixels.",
        "map, one encoder was not finished.",
        "paper, one encoder: on 2 of 4 clips",
        "Best blur of paper, one encoder on 1 select clips",
        "paper, mean of 2: on 1 of 4 clips",
        "No select clip of paper, mean of 2 was finished",
        "Decoders, seconds to fit: ridge 7.",
    ):
        assert f"- {sentence}" in text
    with out.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    by_method = Counter(line["method"] for line in lines)
    del counted["method"], counted["sample, 2 encoders"], counted["90 % intervals"]
    assert by_method == {"sample, 2 encoders": 4, **{name: int(count) for name, count in counted.items()}}
    for row in rows[1:]:
        scores = [float(line["movie correlation"]) for line in lines if line["method"] == row[0]]
        if row[1].isdigit():
            assert float(row[2].split()[0]) == pytest.approx(np.mean(scores), abs=1e-3)
