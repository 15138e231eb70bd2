"""A validation as a study runs it: one plan, findings on disk, and nothing done twice."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from tests.validating.conftest import Painter

from cinecortex import validating
from cinecortex.data.shown import read_exhibit
from cinecortex.encoders.checkpoint import save_model
from cinecortex.errors import CinecortexError, WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.screen import ScreenGeometry
from cinecortex.validating.subject import choose_clips
from cinecortex.validation.check import JUDGED, Question
from cinecortex.validation.suite import SUITE, entries

TEST = "final_test_main"
GROUPS = ["controls.no_neurons", "controls.trials_swapped", "identification"]


def options(**changed):
    return validating.Options(checks=GROUPS, **changed)


def test_a_painter_is_refuted_and_the_findings_are_on_disk(recording, model, tmp_path):
    said = []
    painter = Painter()
    found = validating.validate(
        recording, model, painter, out=tmp_path, trials=recording.tier(TEST), options=options(tell=said.append)
    )
    content = json.loads((tmp_path / "findings.json").read_text())
    assert content["schema"] == "cinecortex.findings/1"
    assert [finding["id"] for finding in content["findings"]] == GROUPS
    assert content["summary"]["verdict"] == found.summary.verdict == "refuted"
    assert "It may not be claimed that painter reads the movie from the neurons (on 6 clips)" in found.summary.sentence
    assert content["method"]["name"] == "painter"
    assert content["recording"]["fingerprint"] == recording.fingerprint
    assert any("18 inversions asked for" in sentence for sentence in said)
    assert painter.asked == 0, "workers ask copies"
    shown = read_exhibit(tmp_path / "shown")
    assert [one.trial_id for one in shown.trials] == content["recording"]["judged"]
    for one, trial in zip(shown.trials, found.trials, strict=True):
        assert torch.equal(one.movie, trial.movie)
        assert torch.equal(one.answers["judged"].movie, found.answers[Question.of(trial)].movie)
        assert torch.equal(one.answers["no_neurons"].movie, found.answers[Question.of(trial, "no_neurons")].movie)
    assert not list(tmp_path.rglob("*.unfinished*"))


def test_a_second_run_inverts_nothing_and_says_so(recording, model, tmp_path):
    chosen = {"trials": recording.tier(TEST), "out": tmp_path}
    first = validating.validate(recording, model, "map", options=options(), **chosen)
    said = []
    second = validating.validate(recording, model, "map", options=options(tell=said.append), **chosen)
    assert any("all in the cache, nothing to run" in sentence for sentence in said)
    assert not any("run on" in sentence for sentence in said)
    assert second.content == first.content
    question = next(iter(first.answers))
    assert torch.equal(first.answers[question].movie, second.answers[question].movie)


def test_an_answer_is_that_of_the_method_with_the_seed_of_its_trial(recording, model, tmp_path):
    found = validating.validate(
        recording, model, "mean", out=tmp_path, trials=recording.tier(TEST), options=options(), seed=Seed(4)
    )
    from cinecortex.methods import make_inverter

    trial = found.trials[0]
    stream = Seed(4) / "invert" / trial.session_id / trial.trial_id
    expected = make_inverter("mean", model, recording, seed=Seed(4))(trial.observe(), stream)
    assert torch.equal(found.answers[Question.of(trial)].movie, expected.movie)


def test_finished_movies_are_asked_nothing_more(recording, model, tmp_path):
    trials = recording.tier(TEST)
    movies = {trial.trial_id: trial.movie for trial in trials}
    found = validating.validate(recording, model, out=tmp_path, trials=trials, movies=movies, options=options())
    assert [finding.id for finding in found.findings] == ["identification"]
    assert found.findings[0].value == 1.0
    assert set(found.missing) == set(GROUPS) - {"identification"}
    assert "Not asked: controls.no_neurons (it needs new inversions" in found.summary.sentence
    assert found.summary.verdict == "undecided", "what was not asked is not supported"


def test_what_fails_is_said_and_what_did_not_is_kept(recording, model, tmp_path):
    class Fails(Painter):
        name = "fails"

        def __call__(self, observation, seed):
            if not observation.heard.any():
                raise ValueError("nobody speaks")
            return super().__call__(observation, seed)

    with pytest.raises(CinecortexError, match=r"6 inversions failed, such as .*no_neurons.*nobody speaks"):
        validating.validate(recording, model, Fails(), out=tmp_path, trials=recording.tier(TEST), options=options())
    assert not (tmp_path / "findings.json").exists()
    assert len(list((tmp_path / "answers").rglob("*.safetensors"))) >= 12


def test_unknown_checks_and_nothing_to_judge_are_refused(recording, model, tmp_path):
    with pytest.raises(WrongUse, match=r"'controls\.no_neuron' is unknown; the nearest is 'controls\.no_neurons'"):
        validating.validate(recording, model, out=tmp_path, options=validating.Options(checks=["controls.no_neuron"]))
    with pytest.raises(WrongUse, match="has no trial to judge"):
        validating.validate(recording, model, out=tmp_path, trials=[], options=options())
    with pytest.raises(WrongUse, match="--method 'mapp' is unknown"):
        validating.validate(recording, model, "mapp", out=tmp_path, options=options())
    assert not (tmp_path / "findings.json").exists()


def test_a_method_of_ones_own_is_found_by_name(recording, model, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "from cinecortex.reconstruction import Reconstruction\n"
        "class Gray:\n"
        "    name = 'gray'\n"
        "    def __init__(self, encoder):\n"
        "        self.size = encoder.frame_size\n"
        "    def __call__(self, observation, seed):\n"
        "        return Reconstruction(torch.full((observation.frames, *self.size), 0.5), ended='gray')\n"
        "nothing = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    found = validating.validate(
        recording, model, "mine:Gray", out=tmp_path / "out", trials=recording.tier(TEST), options=options()
    )
    assert found.summary.verdict == "refuted"
    assert found.content["method"]["name"] == "gray"
    for wrong, sentence in (("mine:nothing", "is no inverter"), ("mine:none", "no attribute"), ("his:Gray", "his")):
        with pytest.raises(WrongUse, match=sentence):
            validating.validate(recording, model, wrong, out=tmp_path / "out", options=options())


def test_an_encoder_alone_and_no_folder_will_do(recording, model):
    encoder = model.session(recording.session_id)
    asked = validating.Options(checks=["leakage.clips", "identification"])
    found = validating.validate(recording, encoder, Painter(), trials=recording.tier(TEST), options=asked)
    assert [(finding.id, finding.verdict) for finding in found.findings] == [("identification", "refuted")]
    assert found.missing == {"leakage.clips": "the encoder does not say which clips it was fitted to"}
    assert found.content["encoder"]["fitted"] == []


def test_clips_are_drawn_at_random_and_repeats_go_along(recording):
    pool = [trial for trial in recording.trials if trial.tier != "train"]
    judged, repeats = choose_clips(pool, 3, seed=Seed(1))
    assert len({trial.clip_id for trial in judged}) == 3
    others = {frozenset(t.trial_id for t in choose_clips(pool, 3, seed=Seed(n))[0]) for n in range(8)}
    assert len(others) > 3
    assert len(repeats) == 4
    assert len({trial.clip_id for trial in repeats}) == 2
    everything, _ = choose_clips(pool, 100, seed=Seed(1))
    assert len(everything) == len({trial.clip_id for trial in pool})


def test_checks_are_chosen_by_name_and_by_group():
    assert [entry.id for entry in entries(["identification", "controls.no_neurons"])] == [
        "controls.no_neurons",
        "identification",
    ], "in the order of the suite"
    assert {entry.id.split(".")[0] for entry in entries(["controls"])} == {"controls"}
    assert set(entries(quick=True)) < set(SUITE)
    assert JUDGED == ""


def test_deep_checks_are_answered_by_who_measures(recording, model, tmp_path):
    asked = ["identifiability", "population.scaling"]
    found = validating.validate(
        recording, model, out=tmp_path, trials=recording.tier(TEST), options=validating.Options(checks=asked)
    )
    assert found.missing == {}
    names = [finding.id for finding in found.findings]
    assert names == [
        "identifiability.information",
        "identifiability.data_share",
        "identifiability.metamers",
        "population.scaling",
    ]
    measured = [answer for question, answer in found.answers.items() if question.method == "information"]
    assert len(measured) == 6
    assert all(answer.information is not None and answer.information.bits > 0 for answer in measured)
    json.dumps(found.content, allow_nan=False)


def test_limits_of_resolution_are_told_in_degrees_where_the_screen_is_known(recording, model, tmp_path):
    save_model(model, tmp_path / "watches")
    asked = validating.Options(
        checks=["resolution.limits"],
        held_out=[tmp_path / "watches"],
        screen=ScreenGeometry(recording.frame_size[1], 2.0 * recording.frame_size[1]),
    )
    found = validating.validate(recording, model, "mean", out=tmp_path, trials=recording.tier(TEST), options=asked)
    (finding,) = found.findings
    assert finding.data["units"] == {"spatial": "cycles per degree", "temporal": "Hz"}
    assert {cell["animal"] for cell in finding.data["cells"]} == {"noisy", "noiseless"}


def test_the_error_budget_asks_the_method_and_a_descent_to_the_end(recording, model, tmp_path):
    save_model(model, tmp_path / "another")
    asked = validating.Options(checks=["error.budget"], held_out=[tmp_path / "another"])
    found = validating.validate(recording, model, out=tmp_path, trials=recording.tier(TEST), options=asked)
    assert found.missing == {}
    assert [finding.id for finding in found.findings] == ["error.budget"]
    asked_of = Counter(question.method for question in found.answers)
    assert asked_of == {JUDGED: 5 * 6, "solved": 3 * 6}
    # The held-out encoder is the inverted one: nothing is the encoder's, but that a descent ends near the end only.
    parts = found.findings[0].data["parts"]
    assert parts["encoder"] == pytest.approx([0.0] * 6, abs=0.02)
    assert parts["inverter"] == pytest.approx([0.0] * 6, abs=0.02)
    assert min(parts["prior"]) > 0
    json.dumps(found.content, allow_nan=False)
