"""What validations left becomes a page, from the files alone."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.reporting.conftest import BURN_IN, MASK, findings, leave, trial

from cinecortex.data.shown import order_of_clips
from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.movies import movie_correlation
from cinecortex.report import Card, render_page
from cinecortex.report.finding_figures import finding_figure
from cinecortex.reporting import compose, gather, report
from cinecortex.seeds import Seed

TRIALS = [trial(number) for number in (4, 11, 19, 23, 31)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leave(tmp_path_factory.mktemp("reporting") / "validation", TRIALS)


def test_every_clip_is_there_in_the_order_that_was_drawn(folder):
    page = compose(gather([folder]))
    assert [clip.trial_id for clip in page.clips] == [TRIALS[n].trial_id for n in order_of_clips(5, Seed(3))]
    assert "random (seed 3)" in page.clip_order
    assert [clip.unseen for clip in page.clips].count(False) == 1
    by_trial = {clip.trial_id: clip for clip in page.clips}
    titles = [panel.title for panel in by_trial["4"].panels]
    assert titles == [
        "True movie",
        "Reconstruction (map)",
        "Reconstruction, faded",
        "Posterior standard deviation",
        "Without any neuron",
        "Neurons shuffled",
        "Baseline (ridge)",
    ]
    assert "Reconstruction, faded" not in [panel.title for panel in by_trial["31"].panels], "nobody measured it there"
    assert torch.equal(by_trial["4"].panels[0].movie, TRIALS[0].movie)
    assert [panel.true_movie for panel in by_trial["4"].panels] == [True] + 6 * [False]
    assert by_trial["4"].panels[2].share.max() == 1.0
    (top,) = {panel.top for clip in page.clips for panel in clip.panels if "deviation" in panel.title}
    assert 0.19 <= top <= 0.22, "of the largest, 0.22, a few frames are averaged"
    quantities = [trace.quantity for trace in by_trial["4"].traces]
    assert quantities == [
        *3 * ["frame correlation"],
        *2 * ["motion energy"],
        "pupil dilation",
        "running speed",
        "mean response of the population",
    ]
    assert by_trial["4"].raster.values.shape == (24, 30)


def test_scores_are_those_of_the_movies(folder):
    page = compose(gather([folder]))
    one = next(clip for clip in page.clips if clip.trial_id == "11")
    judged = next(panel for panel in one.panels if panel.title == "Reconstruction (map)")
    expected = movie_correlation(judged.movie, TRIALS[1].movie, mask=MASK, burn_in=BURN_IN)
    assert one.scores["map"] == pytest.approx(expected)
    assert page.headline.interval.value == pytest.approx(sum(clip.scores["map"] for clip in page.clips) / 5)
    assert page.headline.interval.n == 5
    assert "clips, 4 of them unseen" in page.headline.label
    assert [row.method for row in page.scores] == ["map", "ridge", "mean", "neurons shuffled", "no neuron heard"]
    assert page.scores[0].frame_passes == 400
    assert page.clips[0].scores["no neuron heard"] == 0.0


def test_cards_say_what_a_finding_means(folder):
    page = compose(gather([folder]))
    cards = page.findings
    assert all(isinstance(card, Card) and card.figure is not None for card in cards)
    assert cards[0].meaning == "It may be claimed that it shows more than the method paints without any neuron."
    assert cards[1].meaning.startswith("Whether it fades as the activity is drowned in noise stays open; about 12")
    assert cards[2].meaning == "It may not be claimed that black and white are what they were."
    assert cards[3].meaning == "", "nobody knows what somebody else's check means"
    assert "Left:" in cards[0].figure.caption
    assert "Left:" not in cards[2].figure.caption, "its data are not there"
    assert page.verdict_word == "supported"


def test_points_that_are_not_of_the_value_are_not_drawn():
    gain = findings()[0]
    assert "Points" in finding_figure(gain).caption or "points" in finding_figure(gain).caption
    other = dataclasses.replace(gain, value=0.9, interval=(0.85, 0.95))
    assert "points: one for each clip" not in finding_figure(other).caption
    assert "threshold" not in finding_figure(other).caption


def test_numbers_can_be_taken_along(folder):
    downloads = compose(gather([folder])).downloads
    assert json.loads(downloads["findings.json"]) == json.loads((folder / "findings.json").read_text())
    rows = list(csv.DictReader(io.StringIO(downloads["findings.csv"])))
    assert [row["id"] for row in rows][:2] == ["controls.no_neurons", "perturbation.noise"]
    assert float(rows[0]["value"]) == 0.5
    assert rows[3]["value"] == ""


def test_provenance_is_whole(folder):
    page = compose(gather([folder]))
    told = " ".join(f"{key} {value}" for key, value in page.provenance.items())
    for fact in ("recording of mouse", "encoder 7", "map 1", "prior spectral", "seed 3", "cinecortex 0.1.0"):
        assert fact in told
    for fact in (
        "a machine",
        "10.0 min in 40 inversions",
        "cinecortex validate mouse",
        "energy of the last run 2.00 Wh of the processors",
    ):
        assert fact in told
    assert page.recording["species"] == "in-silico mouse"
    assert page.simulated


def test_same_files_make_the_same_bytes_wherever_they_lie(folder, tmp_path):
    first, _ = report([folder], tmp_path / "a.html")
    moved = tmp_path / "elsewhere" / "validation"
    shutil.copytree(folder, moved)
    second, _ = report([moved], tmp_path / "elsewhere" / "a.html")
    assert first.read_bytes() == second.read_bytes()


def test_only_a_report_is_written_over(folder, tmp_path):
    out = tmp_path / "page.html"
    for _ in range(2):
        report([folder], out)
    out.write_text("mine")
    with pytest.raises(WrongUse, match="is no report"):
        report([folder], out)
    assert out.read_text() == "mine"
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(WrongUse, match="is no report"):
        report([folder], tmp_path / "folder.html")


def test_a_baseline_is_chosen_by_name(folder):
    page = compose(gather([folder]), baseline="mean")
    assert "Baseline (mean)" in [panel.title for panel in page.clips[0].panels]
    with pytest.raises(WrongUse, match="gave no answer there; choose one of mean, ridge"):
        compose(gather([folder]), baseline="nearest")


def test_findings_without_movies_are_a_page_too(tmp_path):
    page = compose(gather([leave(tmp_path / "bare", TRIALS, shown=False)]))
    assert page.clips == ()
    assert page.headline is None
    assert len(page.findings) == 4
    render_page(page)


def test_names_and_consent_are_shown_and_inert(tmp_path):
    hostile = "<script>alert(1)</script>"
    changed = {"session_id": hostile, "consent": f"approved {hostile}", "metadata": {"species": hostile}}
    text = render_page(compose(gather([leave(tmp_path / "bad", TRIALS[:2], changed=changed)])))
    assert hostile not in text
    assert "approved &lt;script&gt;" in text


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(BadData, match=r"holds no findings\.json"):
        gather([tmp_path])
    with pytest.raises(WrongUse, match="nothing to report"):
        compose([])


def test_two_methods_are_compared_on_the_same_clips(tmp_path):
    both = [leave(tmp_path / "a", TRIALS), leave(tmp_path / "b", TRIALS[1:], method="paper", noise=0.3)]
    page = compose(gather(both))
    assert page.title == "2 validations: map, paper"
    shared = [clip for clip in page.clips if len(clip.scores) == 2]
    assert {clip.trial_id for clip in shared} == {"11", "19", "23", "31"}
    assert [panel.title for panel in shared[0].panels if "faded" not in panel.title] == ["True movie", "map", "paper"]
    assert shared[0].scores["map"] > shared[0].scores["paper"]
    (alone,) = [clip for clip in page.clips if clip not in shared]
    assert (alone.trial_id, alone.group) == ("4", "map")
    assert [row.scores["movie correlation"].n for row in page.scores] == [4, 4], "on the clips that both have"
    assert page.verdicts.columns == ("map", "paper")
    assert [row.id for row in page.verdicts.rows][-1] == "somebody.elses"
    assert all(len(row.findings) == 2 for row in page.verdicts.rows)
    assert set(page.downloads) == {"map.json", "map.csv", "paper.json", "paper.csv"}
    assert "Verdicts side by side" in render_page(page)


def test_recordings_without_a_common_clip_are_not_held_against_each_other(tmp_path):
    others = [trial(number, session="rat") for number in (51, 52)]
    both = [leave(tmp_path / "a", TRIALS[:2]), leave(tmp_path / "b", others)]
    page = compose(gather(both))
    assert page.title == "2 validations: mouse, rat"
    assert {clip.group for clip in page.clips} == {"mouse", "rat"}
    assert page.notes[0].startswith("No clip was judged in all 2")
    assert page.recording["session"] == "mouse: mouse; rat: rat"
    assert page.figures == ()


def test_the_sessions_of_a_study_are_found(tmp_path):
    for name in ("mouse1", "mouse2"):
        leave(tmp_path / "study" / name, [trial(number, session=name) for number in (4, 11)])
    found = gather([tmp_path / "study"])
    assert [one.label for one in found] == ["mouse1", "mouse2"]
    page = compose(found)
    assert all(len(clip.scores) == 2 for clip in page.clips), "the same clips were shown to both"
    assert all(clip.raster is None for clip in page.clips), "but not the same was recorded"
