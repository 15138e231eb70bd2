"""Benchmarks compute what their pages say: who is first as good, the exact ceilings, and the page itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cinecortex.data import load
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.train import fit_model
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.sample import Sample
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session


@pytest.fixture
def traced(benchmark_module):
    cost = benchmark_module("cost")

    def curve(*points: tuple[float, float]) -> list:
        return [cost.Point(number + 1, passes, passes / 100, score) for number, (passes, score) in enumerate(points)]

    paper = cost.Traced(
        "paper", [curve((100, 0.2), (200, 0.4), (1000, 0.1)), curve((100, 0.5), (200, 0.3), (1000, 0.3))]
    )
    mapped = cost.Traced("map", [curve((10, 0.3), (20, 0.4), (40, 0.6)), curve((10, 0.1), (20, 0.4), (40, 0.45))], 3.0)
    return cost, paper, mapped


def test_the_race_is_run_clip_by_clip(traced):
    cost, paper, mapped = traced
    found = cost.race(paper, mapped)
    # First clip: 200 and 1000 passes against 20; on the second `map` never reaches 0.5.
    assert found.never == 1
    assert found.to_best.value == pytest.approx((200 / 20 + 0) / 2)
    assert found.to_end.value == pytest.approx((1000 / 20 + 0) / 2)
    assert found.seconds.value == pytest.approx((1000 / 20 + 0) / 2)
    assert (found.to_end.low, found.to_end.high) == (0.0, 50.0)


def test_means_are_over_clips(traced):
    _, paper, _ = traced
    assert [(p.label, p.passes) for p in paper.means()] == [(1, 100), (2, 200), (3, 1000)]
    assert [p.score for p in paper.means()] == pytest.approx([0.35, 0.35, 0.2])


def test_table_and_remarks(traced):
    cost, paper, mapped = traced
    lines = cost.lines_of(1000, [paper, cost.Traced("paper, blurred more", paper.curves), mapped])
    row = next(line for line in lines if line.startswith("| map | 3 |"))
    assert [cell.strip() for cell in row.strip("|").split("|")][2:5] == ["40", "0.40", "1.90"]
    assert sum("on 1 of 2 clips it never is" in line for line in lines) == 2


def test_the_figure_is_the_same_to_the_byte_and_shows_every_method(traced, benchmark_module, tmp_path):
    cost, paper, mapped = traced
    ridge = cost.Traced("ridge", [[cost.Point(0, 0.0, 0.1, 0.3)], [cost.Point(0, 0.0, 0.1, 0.2)]], 30.0)
    draw = benchmark_module("cost_figure").draw
    figure = draw(tmp_path / "a.svg", {"1,000 neurons": [paper, mapped, ridge]})
    draw(tmp_path / "b.svg", {"1,000 neurons": [paper, mapped, ridge]})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    for word in ("paper", "map", "ridge", "movie correlation", "1,000 neurons"):
        assert f">{word}" in text
    passes, seconds = figure.axes
    assert [list(line.get_xdata()) for line in passes.get_lines()][1] == [10, 20, 40]
    assert [list(line.get_xdata()) for line in seconds.get_lines()][-1] == [pytest.approx(15.1)]


def test_exact_ceilings_are_correlations_with_the_stored_rates(benchmark_module, tmp_path):
    ceiling = benchmark_module("ceiling")
    small = {"neurons": 3, "clips": 1, "oracle_clips": 2, "oracle_repeats": 2, "test_clips": 1, "seconds": 4.0}
    write_session(tmp_path / "m", seed=Seed(0), **small)
    recording = load(tmp_path / "m")
    encoder = LinearNonlinear(torch.zeros(3, 2, 36, 64), torch.zeros(3))
    trials = recording.tier("oracle")
    exact = ceiling.exact_ceilings(recording, encoder, trials)
    rates = {t.trial_id: np.load(tmp_path / "m/meta/simulation/rates" / f"{t.trial_id}.npy")[:, 50:].T for t in trials}
    clips = {t.clip_id: np.mean([rates[u.trial_id] for u in trials if u.clip_id == t.clip_id], 0) for t in trials}
    responses = np.concatenate([t.response.numpy()[50:] for t in trials])
    other = {t.trial_id: 2 * clips[t.clip_id] - rates[t.trial_id] for t in trials}  # of two presentations
    known = [
        [clips[t.clip_id] for t in trials],
        [other[t.trial_id] for t in trials],
        [rates[t.trial_id] for t in trials],
    ]
    for found, rate in zip(exact.values(), map(np.concatenate, known), strict=True):
        expected = [np.corrcoef(rate[:, n], responses[:, n])[0, 1] for n in range(3)]
        assert found.numpy() == pytest.approx(expected, abs=1e-5)


def test_a_row_says_ratio_of_means_and_mean_of_ratios(benchmark_module):
    row = benchmark_module("ceiling").row("t", "c", torch.tensor([0.1, 0.6, 0.9]), torch.tensor([0.4, 0.8, 0.05]))
    # The third neuron's ceiling is too low to divide by, but it counts in the means.
    assert row == ["t", "c", "0.533", "0.417", "1.28", "0.50", "0.25", "2"]


def test_a_page_is_whole_and_says_how_it_was_made(benchmark_module, tmp_path, capsys):
    page = benchmark_module("page")
    lines = [*page.table(["a", "b"], [["1", "2"]]), *page.remarks(["so."])]
    page.publish(tmp_path / "new" / "x.md", "Title", lines, command="python x.py", about="Sums.")
    text = (tmp_path / "new" / "x.md").read_text()
    assert text.startswith("# Title\n\nMachine: ")
    assert "Sums.\n\nCommand: `python x.py`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- so.\n" in text
    assert capsys.readouterr().out == text + "\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.md"]


def test_what_is_traced_is_kept_and_only_the_rest_is_traced(benchmark_module, tmp_path):
    curves = benchmark_module("curves")
    asked = []

    def trace(trials):
        asked.append([trial.trial_id for trial in trials])
        return curves.Traced("map", [[curves.Point(2, 10.0, 0.5, float(t.trial_id))] for t in trials], 3.0)

    trials = [SimpleNamespace(trial_id=str(number)) for number in range(3)]
    for count in (2, 2, 3):
        found = curves.kept_trace("map", trials[:count], tmp_path, trace)
        assert [curve[0].score for curve in found.curves] == [0.0, 1.0, 2.0][:count]
        assert (found.method, found.fitting_seconds) == ("map", 3.0)
    assert asked == [["0", "1"], ["2"]]
    assert found.curves[2] == [curves.Point(2, 10.0, 0.5, 2.0)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A recording and an encoder on which every method is a matter of seconds."""
    folder = tmp_path_factory.mktemp("tiny") / "mouse"
    small = {"neurons": 6, "clips": 6, "oracle_clips": 1, "oracle_repeats": 1, "test_clips": 2, "seconds": 2.5}
    write_session(folder, seed=Seed(0), **small)
    recording = load(folder)
    settings = FitSettings(epochs=1)
    return recording, fit_model([recording], LinearNonlinearSettings(), settings=settings, seed=Seed(0), folds=3)


def test_the_page_of_costs_goes_on_where_it_was(benchmark_module, tiny, tmp_path, monkeypatch):
    cost = benchmark_module("cost")
    monkeypatch.setattr(cost, "prepare", lambda folder, neurons: tiny)
    monkeypatch.setattr(cost, "DECODERS", ("mean",))
    monkeypatch.setattr(cost, "EVALUATIONS", (2, 4))
    told = "--clips 1 --paper-steps 2 --neurons 6"
    places = ["--folder", tmp_path / "kept", "--out", tmp_path / "cost.md", "--figure", tmp_path / "cost.svg"]
    monkeypatch.setattr("sys.argv", ["cost.py", *map(str, places), *told.split()])
    cost.main()
    text = (tmp_path / "cost.md").read_text()
    assert f"Command: `python benchmarks/cost.py {told}`" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    assert [row[:2] for row in rows[1:]] == [
        *(["paper", "1"], ["paper", "2"], ["paper, blurred more", "1"], ["paper, blurred more", "2"]),
        *(["map", "2"], ["map", "4"], ["sample, 8 draws", ""], ["sample, 32 draws", ""], ["mean", ""]),
    ]
    passes = {(row[0], row[1]): row[2] for row in rows}
    # 75 frames: six windows of 32 at stride 8, and one that ends with the clip.
    assert passes["paper", "2"] == str(2 * 7 * 32)
    assert passes["map", "4"] == str(4 * 75)
    assert passes["mean", ""] == "0"

    def started(*_args, **_options):
        raise AssertionError("an inversion was started again")

    for method in (Paper, Sample, MAP):
        monkeypatch.setattr(method, "__call__", started)
    cost.main()
    assert (tmp_path / "cost.md").read_text() == text
