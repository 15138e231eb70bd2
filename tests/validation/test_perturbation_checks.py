"""Every perturbation: supported for a right method, refuted for a wrong one, undecided with too little to go by."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.validation import in_silico, methods
from tests.validation.in_silico import KNOWN, BlindToLuminance, ClearEye, Eye, Stranger
from tests.validation.methods import FRAMES, SIZE, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Check, Question
from cinecortex.validation.perturbation_contrast import Contrast
from cinecortex.validation.perturbation_luminance import Luminance
from cinecortex.validation.perturbation_noise import Noise
from cinecortex.validation.perturbation_polarity import Polarity
from cinecortex.validation.perturbation_reversal import Reversal
from cinecortex.validation.perturbation_scramble import Scramble
from cinecortex.validation.perturbation_semantics import Semantics
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)


def checks(animal: Animal | None) -> dict[str, Check]:
    made = (
        Scramble(6, SEED, SCORING, animal),
        Contrast(animal, SEED, SCORING),
        Polarity(animal, SEED, SCORING),
        Luminance(animal, SEED, SCORING),
        Reversal(animal, SEED, SCORING),
        Noise(SEED, SCORING),
        Semantics(animal, SEED, SCORING),
    )
    return {check.id.split(".")[1]: check for check in made}


IN_SILICO, ALONE = checks(Eye()), checks(None)
NAMES = tuple(IN_SILICO)
CAUGHT_BY: Mapping[str, set[str]] = {
    "honest": set(),
    "mediocre": set(),
    "mean_painter": set(NAMES) - {"semantics"},
    "hallucinator": {"contrast", "luminance", "noise"},
    "knows_behavior": set(NAMES),
    "recogniser": set(NAMES) - {"polarity"},
    "sum_follower": set(),
    "ignores_time": {"scramble", "reversal", "noise"},
    "one_contrast": {"contrast", "luminance"},
    "own_texture": {"contrast", "polarity"},
}
"""What none of them catches does not rest on the order, the contrast or the content of what is shown."""
UNDECIDED = {
    # It scores nothing, and so has nothing to lose.
    "mean_painter": {"semantics"},
    # What was not shown is like what was by chance, and 10 clips are too few to tell by how little.
    "hallucinator": {"scramble", "polarity", "reversal", "semantics"},
}


def method_of(name: str) -> methods.Method:
    return getattr(in_silico, name, None) or getattr(methods, name)


@pytest.fixture(scope="module")
def shown():
    return trials(KNOWN)


@cache
def asked() -> Mapping[Question, Observation]:
    clips = trials(KNOWN)
    return {question: seen for check in IN_SILICO.values() for question, seen in check.ask(clips).items()}


@cache
def findings(method: str) -> dict[str, Finding]:
    reconstruct, clips = method_of(method), trials(KNOWN)
    given = {
        question: Reconstruction(reconstruct(question, seen), ended="tested") for question, seen in asked().items()
    }
    return {name: check.judge(clips, given) for name, check in IN_SILICO.items()}


@pytest.mark.parametrize("method", CAUGHT_BY)
def test_which_check_catches_which_wrong_method(method):
    found = findings(method)
    expected = {name: "refuted" if name in CAUGHT_BY[method] else "supported" for name in NAMES}
    expected |= dict.fromkeys(UNDECIDED.get(method, ()), "undecided")
    assert {name: finding.verdict for name, finding in found.items()} == expected
    for finding in found.values():
        low, high = finding.interval
        assert low <= finding.value <= high
        assert (finding.n, finding.unit, finding.level) == (KNOWN, "clip", 0.95)
        assert finding.verdict != "supported" or finding.p <= 0.001
        json.dumps(finding.to_json(), allow_nan=False)


def test_the_mediocre_method_is_mediocre():
    assert statistics.fmean(findings("mediocre")["polarity"].data["as it was"]) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["honest", "mean_painter"])
def test_three_clips_decide_nothing(name, method):
    few, check = trials(3), IN_SILICO[name]
    finding = check.judge(few, answers(getattr(methods, method), [check], few))
    assert (finding.verdict, finding.n) == ("undecided", 3)
    if (name, method) != ("semantics", "mean_painter"):
        assert finding.data["needed"] >= 5
        assert "clips would decide" in finding.notes


@pytest.mark.parametrize("check", [*IN_SILICO.values(), *ALONE.values()], ids=lambda check: check.id)
def test_nothing_to_judge_is_undecided(check):
    assert check.ask([]) == {}
    finding = check.judge([], {})
    assert (finding.verdict, finding.n, finding.p) == ("undecided", 0, 1.0)
    assert math.isnan(finding.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_keeps_its_promises(name):
    check, few = IN_SILICO[name], trials(2)
    assert isinstance(check, Check)
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    first, second = check.ask(few), check.ask(few)
    assert first.keys() == second.keys()
    for question, observation in first.items():
        assert torch.equal(observation.response, second[question].response)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        check.judge(few, {})
    cut = {question: Reconstruction(torch.zeros(FRAMES - 1, *SIZE), ended="too soon") for question in first}
    with pytest.raises(WrongUse, match="23x4x5"):
        check.judge(few, cut)


def test_what_several_checks_ask_is_asked_once_and_alike():
    (trial,) = trials(1)
    told = {name: check.ask([trial]) for name, check in IN_SILICO.items()}
    together: dict[Question, torch.Tensor] = {}
    for questions in told.values():
        for question, observation in questions.items():
            assert torch.equal(together.setdefault(question, observation.response), observation.response)
    # As recorded and as it was; blocks of 1, 4 and 8, two of them shown; four contrasts; inverted; two luminances;
    # backwards twice; four shares of noise; two without content.
    assert len(together) == 2 + 5 + 4 + 1 + 2 + 2 + 4 + 2
    assert sum(map(len, told.values())) > len(together)
    assert {question.control for question in together if ", " in question.trial_id} == {"intact"}


@pytest.mark.parametrize("name", ["contrast", "polarity", "luminance", "semantics"])
def test_without_an_animal_nothing_is_asked_and_it_says_so(name, shown):
    assert ALONE[name].ask(shown) == {}
    finding = ALONE[name].judge(shown, {})
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert "held-out encoder is needed" in finding.notes


@pytest.mark.parametrize(
    ("method", "scramble", "reversal"),
    [
        ("honest", "supported", "supported"),
        ("recogniser", "refuted", "refuted"),
        ("knows_behavior", "refuted", "refuted"),
        ("ignores_time", "refuted", "undecided"),
        ("mean_painter", "refuted", "undecided"),
    ],
)
def test_what_needs_no_animal_is_asked_of_the_activity(method, scramble, reversal, shown):
    both = [ALONE["scramble"], ALONE["reversal"]]
    given = answers(method_of(method), both, shown)
    found = [check.judge(shown, given) for check in both]
    assert [finding.verdict for finding in found] == [scramble, reversal]
    assert all("no animal in silico" in finding.notes for finding in found)
    assert "above 0," in both[1].rule


def test_a_stranger_refutes_nothing(shown):
    stranger = checks(Stranger())
    given = answers(methods.honest, list(stranger.values()), shown)
    found = {name: check.judge(shown, given) for name, check in stranger.items()}
    assert "refuted" not in {finding.verdict for finding in found.values()}
    reversal = found["reversal"]
    assert (reversal.verdict, reversal.interval[1] < 0.05) == ("undecided", True), "it would be, but for the animal"
    assert "not like the recorded one" in reversal.notes
    painted = stranger["contrast"].judge(shown, answers(methods.mean_painter, [stranger["contrast"]], shown))
    assert painted.verdict == "refuted", "who reads neither has nothing to lose"


def test_repeats_of_a_clip_are_one_unit():
    repeated = trials(5, repeats=2)
    chosen = [IN_SILICO[name] for name in ("scramble", "polarity", "noise")]
    given = answers(methods.honest, chosen, repeated)
    for check in chosen:
        finding = check.judge(repeated, given)
        assert (finding.verdict, finding.n, finding.unit) == ("supported", 5, "clip")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "luminance"])
def test_uniform_clips_are_left_out(name):
    mixed = [*trials(1, first=-1), *trials(5, first=1)]
    for number, trial in enumerate(mixed):
        object.__setattr__(trial, "trial_id", str(number))
    check = IN_SILICO[name]
    finding = check.judge(mixed, answers(methods.honest, [check], mixed))
    assert (finding.verdict, finding.n) == ("supported", 5)
    assert "left out" in finding.notes
    json.dumps(finding.to_json(), allow_nan=False)


def test_long_trials_are_asked_for_a_stretch():
    long = trials(5, lengths=[40] * 5)
    for check in (
        Scramble(3, SEED, SCORING, Eye(), frames=24),
        Contrast(Eye(), SEED, SCORING, frames=24),
        Noise(SEED, SCORING, frames=24),
    ):
        asked = check.ask(long)
        assert {observation.frames for observation in asked.values()} == {24}
        assert all(
            question.trial_id.startswith(("0, first 24 frames", "1, ", "2, ", "3, ", "4, ")) for question in asked
        )
        assert check.judge(long, answers(methods.honest, [check], long)).verdict == "supported"
    short = Scramble(14, SEED, SCORING)
    assert short.ask(long[:1]).keys() == {
        Question("a", "0", name) for name in ("intact", "blocks of 1", "blocks of 4", "blocks of 16")
    }
    assert Scramble(33, SEED, SCORING).ask(long) == {}, "64 frames twice are more than there are"


@pytest.mark.parametrize(
    ("memory", "blocks"), [(1, (1,)), (2, (1, 2)), (6, (1, 4, 8)), (24, (1, 4, 16, 32)), (33, (1, 4, 16, 64))]
)
def test_the_longest_blocks_hold_the_memory(memory, blocks):
    assert Scramble(memory, SEED).blocks == blocks


def test_who_remembers_falls_off_where_blocks_are_shorter(shown):
    def course(method: str) -> list[float]:
        finding = ALONE["scramble"].judge(shown, answers(method_of(method), [ALONE["scramble"]], shown))
        assert finding.verdict == "supported"
        return [statistics.fmean(clip[place] for clip in finding.data["activity, new order"]) for place in range(3)]

    one_frame, six_frames = course("honest"), course("slow")
    assert max(one_frame) - min(one_frame) < 0.02
    assert six_frames[0] < six_frames[1] < six_frames[2]
    assert findings("honest")["scramble"].data["blocks shown"] == [1, 8]


def test_lines_through_contrasts_are_exact_where_there_is_no_noise(shown):
    def dim(question, observation):
        return 0.3 + 0.5 * methods.honest(question, observation)

    def textured(question, observation):
        return in_silico.own_texture(question, observation)

    check = Contrast(ClearEye(), SEED, SCORING)
    data = check.judge(shown, answers(dim, [check], shown)).data
    assert data["slope"] == pytest.approx([0.5] * KNOWN, abs=1e-4)
    assert data["intercept"] == pytest.approx([0] * KNOWN, abs=1e-4)
    assert data["saturation"] == pytest.approx([1] * KNOWN, abs=1e-3)
    assert data["on a uniform screen"] == pytest.approx([0] * KNOWN, abs=1e-4)
    assert data["own"] == pytest.approx([0] * KNOWN, abs=1e-4)
    assert data["arms"]["the contrast shown"]["difference"] == pytest.approx([1] * KNOWN, abs=1e-3), (
        "half of it is all of it"
    )
    strongest = [shown[4] / shown[3] for shown in data["contrast shown"]]
    assert 1.2 < min(strongest) < max(strongest) < 1.4, "some of it was clipped, and measured"
    data = check.judge(shown, answers(textured, [check], shown)).data
    for row in data["contrast reconstructed"]:
        assert row[0] == pytest.approx(0.4, abs=1e-3)
    assert min(data["own"]) > 0.8
    assert data["weakest"] == "uniform screens"


def test_a_pixel_method_keeps_what_flips_and_says_what_stays():
    data = findings("own_texture")["polarity"].data
    assert all(alike > 0 for alike in data["the two alike"])
    assert statistics.fmean(findings("honest")["polarity"].data["the two alike"]) < -0.8
    assert "adds by itself" in findings("own_texture")["polarity"].notes


def test_nobody_is_held_to_a_luminance_that_neurons_do_not_tell(shown):
    check = Luminance(BlindToLuminance(), SEED, SCORING)
    finding = check.judge(shown, answers(methods.honest, [check], shown))
    assert (finding.verdict, finding.interval[1] < 0.1) == ("undecided", True)
    assert "no method can be held to it" in finding.notes


def test_noise_takes_away_what_changes_and_leaves_the_picture(shown):
    scores = findings("honest")["noise"].data["score"]
    assert min(row[0] for row in scores) > 0.8
    assert abs(statistics.fmean(row[-1] for row in scores)) < 0.1
    check = IN_SILICO["noise"]
    given = answers(methods.honest, [check], shown)
    plain = [SCORING(given[Question.of(trial, "response_noise 1")].movie, trial.movie) for trial in shown]
    assert min(plain) > 0.25, "the picture that all frames have in common is still read"


def test_clips_that_hardly_change_say_nothing_about_noise():
    class Still:
        def __init__(self, trial):
            self.trial, self.behavior, self.clip_id = trial, trial.reader.behavior, trial.reader.clip_id

        def movie(self):
            movie = self.trial.reader.movie()
            return 0.2 * movie + 0.8 * movie.mean(0)

        def response(self):
            return 10 * self.movie().flatten(1)

    clips = trials(6)
    for trial in clips[:2]:
        object.__setattr__(trial, "reader", Still(replace(trial)))
    check = IN_SILICO["noise"]
    finding = check.judge(clips, answers(methods.honest, [check], clips))
    assert finding.n == 4
    assert "Trials left out because their movie hardly changes: 2." in finding.notes
