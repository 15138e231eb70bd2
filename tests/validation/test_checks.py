"""Every check: supported for a right answer, refuted for a wrong one, undecided with too little to go by."""

from __future__ import annotations

import json
import math

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import FRAMES, SIZE, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.metrics import movie_correlation
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.identification import Identification, identified
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.time_shifted import TimeShifted
from cinecortex.validation.trials_swapped import TrialsSwapped

SEED, SCORING = Seed(5), Scoring(burn_in=4)
CHECKS: tuple[Check, ...] = (
    NoNeurons(SEED, SCORING),
    NeuronsShuffled(SEED, SCORING),
    TimeShifted(6, SEED, SCORING),
    TrialsSwapped(SEED, SCORING),
    Identification(SEED, SCORING),
)
IDS = [check.id for check in CHECKS]

CAUGHT_BY = {
    "honest": set(),
    "mean_painter": set(IDS),
    "hallucinator": set(IDS) - {"controls.trials_swapped"},
    "behavior_reader": set(IDS) - {"identification"},
    "sum_follower": {"controls.neurons_shuffled"},
    "ignores_time": {"controls.time_shifted"},
}
# Movies of the right kind are like each other by chance; 24 of them are too few to tell by how little.
TOO_FEW = {("hallucinator", "controls.trials_swapped")}


@pytest.fixture(scope="module")
def shown():
    return trials(24)


@pytest.mark.parametrize("method", CAUGHT_BY)
def test_which_check_catches_which_wrong_method(method, shown):
    given = answers(getattr(methods, method), CHECKS, shown)
    findings = {check.id: check.judge(shown, given) for check in CHECKS}
    verdicts = {name: finding.verdict for name, finding in findings.items()}
    expected = {name: "refuted" if name in CAUGHT_BY[method] else "supported" for name in IDS}
    expected |= {name: "undecided" for wrong, name in TOO_FEW if wrong == method}
    assert verdicts == expected
    for finding in findings.values():
        low, high = finding.interval
        assert low <= finding.value <= high
        assert (finding.n, finding.unit, finding.level) == (24, "clip", 0.95)
        assert (finding.p <= 0.001) == (finding.verdict == "supported")
        assert finding.null is not None
        assert f"{finding.data['threshold']:g}" in finding.rule
        json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
@pytest.mark.parametrize("method", ["honest", "mean_painter"])
def test_three_clips_decide_nothing(check, method):
    few = trials(3)
    finding = check.judge(few, answers(getattr(methods, method), [check], few))
    assert (finding.verdict, finding.n) == ("undecided", 3)
    assert finding.data["needed"] >= 5
    assert f"{finding.data['needed']} clips would decide" in finding.notes
    assert "there are 3" in finding.notes


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_nothing_to_judge_is_undecided(check):
    finding = check.judge([], {})
    assert (finding.verdict, finding.n, finding.p) == ("undecided", 0, 1.0)
    assert math.isnan(finding.value)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_a_check_keeps_its_promises(check, shown):
    assert isinstance(check, Check)
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    first, second = check.ask(shown), check.ask(shown)
    assert first.keys() == second.keys()
    for question, observation in first.items():
        assert torch.equal(observation.response, second[question].response)
        assert torch.equal(observation.heard, second[question].heard)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        check.judge(shown, {})
    cut = {name: Reconstruction(torch.zeros(FRAMES - 1, *SIZE), ended="too soon") for name in first}
    with pytest.raises(WrongUse, match="23x4x5"):
        check.judge(shown, cut)


def test_scores_in_the_data_are_those_of_the_metric(shown):
    check = CHECKS[0]
    given = answers(methods.honest, [check], shown)
    data = check.judge(shown, given).data
    trial = shown[7]
    expected = movie_correlation(given[Question.of(trial)].movie, trial.movie, burn_in=4)
    assert data["intact"][7] == pytest.approx(expected)
    assert data["control"] == [0.0] * 24, "uniform answers"
    assert data["difference"][7] == pytest.approx(expected)
    assert (data["trial"][7], data["clip"][7], data["session"][7]) == ("7", "clip 7", "a")


def test_the_mask_and_the_burn_in_are_heeded(shown):
    mask = torch.zeros(SIZE)
    mask[0] = 0.6
    given = dict(answers(methods.honest, CHECKS[:1], shown))
    for question, answer in given.items():
        answer.movie[:4] = 0.0
        answer.movie[:, 1:] = 0.0
        assert question.session_id == "a"
    spoilt = CHECKS[0].judge(shown, given)
    inside = NoNeurons(SEED, Scoring(mask=mask, burn_in=4)).judge(shown, given)
    assert min(inside.data["intact"]) > 0.8 > max(spoilt.data["intact"])
    assert Scoring(burn_in=30)(shown[0].movie, shown[0].movie) == pytest.approx(1.0), "of short clips, half"


def test_repeats_of_a_clip_are_one_unit():
    repeated = trials(6, repeats=3)
    given = answers(methods.honest, CHECKS, repeated)
    for check in CHECKS:
        finding = check.judge(repeated, given)
        assert (finding.n, finding.unit) == (6, "clip")


def test_five_sessions_speak_for_others_and_two_for_themselves():
    many = [trial for number in range(5) for trial in trials(3, session=str(number))]
    finding = CHECKS[0].judge(many, answers(methods.honest, CHECKS[:1], many))
    assert (finding.verdict, finding.n, finding.unit) == ("supported", 5, "session")
    assert finding.data["smallest_p"] == finding.p == 1 / 32
    two = [trial for number in range(2) for trial in trials(6, session=str(number), first=3 * number)]
    finding = CHECKS[0].judge(two, answers(methods.honest, CHECKS[:1], two))
    assert (finding.verdict, finding.n, finding.unit) == ("supported", 9, "clip"), "three clips were seen by both"
    assert "nothing about other animals" in finding.notes


def test_what_cannot_show_a_shift_is_left_out():
    short, uniform, long = trials(1, first=1, lengths=[12]), trials(1, first=-1), trials(5, first=2)
    for number, trial in enumerate(mixed := [*short, *uniform, *long]):
        object.__setattr__(trial, "trial_id", str(number))
    check = TimeShifted(6, SEED, SCORING)
    assert Question.of(mixed[0]) not in check.ask(mixed), "12 frames cannot be shifted by more than 6 both ways"
    finding = check.judge(mixed, answers(methods.honest, [check], mixed))
    assert (finding.n, finding.verdict) == (5, "supported")
    assert "Trials left out: 2" in finding.notes
    assert min(finding.data["against the movie shifted alike"]) > 0.8, "the answer follows the activity"


def test_the_time_shifted_answer_must_show_the_movie_shifted(shown):
    check = TimeShifted(6, SEED, SCORING)
    given = answers(methods.honest, [check], shown)
    data = check.judge(shown, given).data
    trial = shown[3]
    truth, answer = trial.movie, given[Question.of(trial, "time_shifted")].movie
    moved = movie_correlation(answer, truth.roll(12, 0), burn_in=4)
    still = movie_correlation(answer, truth, burn_in=4)
    alike = movie_correlation(truth.roll(12, 0), truth, burn_in=4)
    followed = data["arms"]["the movie shifted alike"]["difference"]
    assert followed[3] == pytest.approx((moved - still) / (1 - alike))
    assert sum(followed) / 24 == pytest.approx(sum(data["intact"]) / 24, abs=0.05), "its correlation with the truth"


def test_who_knows_a_clip_by_its_course_loses_by_the_shift_and_follows_nothing(shown):
    check = TimeShifted(6, SEED, SCORING)
    finding = check.judge(shown, answers(time_locked, [check], shown))
    verdicts = {name: arm["verdict"] for name, arm in finding.data["arms"].items()}
    assert verdicts == {"what shifting loses": "supported", "the movie shifted alike": "refuted"}
    assert (finding.verdict, finding.data["weakest"]) == ("refuted", "the movie shifted alike")


def time_locked(question, observation):
    """Has memorised the clips and what changes in them, and shows the one whose course fits, or nothing."""
    said = methods.honest(question, observation)
    clips = [methods.stored(number, observation.frames, SIZE) for number in methods.MEMORISED]
    fits = [SCORING(said - said.mean(0), clip - clip.mean(0)) for clip in clips]
    return clips[fits.index(max(fits))].clone() if max(fits) > 0.5 else methods.mean_painter(question, observation)


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.85])
def test_a_noisy_answer_to_a_movie_that_hardly_changes_is_not_refuted_for_it(alike):
    """At a correlation of 0.4 an honest answer follows by 0.4 of what a perfect one would, however still the movie."""
    clips = trials(12)
    for number, trial in enumerate(clips):
        object.__setattr__(trial, "reader", Slow(number, alike))
    check = TimeShifted(6, SEED, SCORING)
    finding = check.judge(clips, answers(noisy, [check], clips))
    followed = finding.data["arms"]["the movie shifted alike"]
    assert sum(finding.data["intact"]) / 12 == pytest.approx(0.4, abs=0.04)
    assert followed["verdict"] == "supported"
    assert followed["value"] == pytest.approx(0.4, abs=0.15)


class Slow(methods.Shown):
    """A still picture and what changes over it."""

    def __init__(self, number, alike):
        super().__init__(number, FRAMES, 0)
        object.__setattr__(self, "alike", alike)

    def movie(self):
        random = (Seed(24) / self.number).torch()
        still, changes = torch.randn((1, *SIZE), generator=random), torch.randn((FRAMES, *SIZE), generator=random)
        return 0.5 + 0.1 * (self.alike**0.5 * still + (1 - self.alike) ** 0.5 * changes)


def noisy(question, observation):
    random = (Seed(25) / question.trial_id / question.control).torch()
    return methods.honest(question, observation) + 0.21 * torch.randn(observation.frames, *SIZE, generator=random)


def test_a_finding_carries_the_rule_of_its_check(shown):
    for check in CHECKS:
        assert check.judge(shown, answers(methods.honest, [check], shown)).rule == check.rule
    assert "are left out" in CHECKS[2].rule
    assert "clip of the responses" in CHECKS[3].rule


def test_every_clip_gives_and_takes_responses_once(shown):
    check = TrialsSwapped(SEED, SCORING)
    finding = check.judge(shown, answers(methods.honest, [check], shown))
    takes, gives = finding.data["trial"], finding.data["responses of"]
    assert sorted(takes) == sorted(gives) == sorted(trial.trial_id for trial in shown)
    assert all(one != other for one, other in zip(takes, gives, strict=True))
    question = Question("a", takes[0], "trials_swapped")
    asked = check.ask(shown)[question]
    assert torch.equal(asked.response, shown[int(gives[0])].response)
    assert torch.equal(asked.behavior, shown[int(takes[0])].behavior)
    assert check.ask(trials(1)) == {}, "a single clip has nobody to swap with"


def test_clips_of_unequal_length_can_be_swapped_and_identified():
    mixed = trials(8, lengths=[FRAMES, 30, 18, 40, FRAMES, 26, 33, 21])
    for check in (CHECKS[3], CHECKS[4]):
        assert check.judge(mixed, answers(methods.honest, [check], mixed)).verdict == "supported"


def test_identification_among_k_is_drawing_k_minus_1_distractors():
    likeness = torch.tensor([0.3, 0.9, 0.1, 0.3, 0.5]).double().numpy()
    found = identified(likeness)
    assert found[:, 0].tolist() == [1.0] * 5, "among one clip there is nothing to miss"
    assert found[1].tolist() == [1.0] * 5
    # Three of the four others are at least as like as clip 0, a tie among them.
    assert found[0].tolist() == pytest.approx([1, 1 / 4, 0, 0, 0])
    # One of four is more like than clip 4: it is drawn among k - 1 in (k - 1) / 4 of all sets.
    assert found[4].tolist() == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4, 0])


def test_the_set_size_curve_of_guesses_is_chance(shown):
    check = Identification(SEED, SCORING)
    data = check.judge(shown, answers(methods.hallucinator, [check], shown)).data
    assert data["set size"] == list(range(1, 25))
    off = [one - chance for one, chance in zip(data["identified by set size"], data["chance by set size"], strict=True)]
    assert max(map(abs, off)) < 0.2
    right = check.judge(shown, answers(methods.honest, [check], shown)).data
    assert min(right["identified by set size"]) == 1.0
    assert check.threshold(10) == pytest.approx(0.55)
