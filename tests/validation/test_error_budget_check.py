"""Errors that come with the neurons and the encoder are accounted for; errors of a method's own making are not."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace

import pytest
import torch
from tests.validation import methods, tiny
from tests.validation.deep_in_silico import CLIPS, SCORING, SEED, check, mixed, recorded
from tests.validation.methods import FRAMES, SIZE, answers, asking_others, trials

from cinecortex.errors import WrongUse
from cinecortex.metrics.error_budget import PARTS
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.deep import DEEP
from cinecortex.validation.entry import NO_HELD_OUT
from cinecortex.validation.error_budget import METRIC, METRIC_OWN, SOLVED, ErrorBudgetCheck
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder
from cinecortex.validation.perturbation_contrast import Contrast
from cinecortex.validation.stretch import first_frames

CHECK = check()


def finding_of(method, shown, asking: ErrorBudgetCheck = CHECK):
    return asking.judge(shown, answers(asking_others(method, {SOLVED: methods.honest}), [asking], shown))


@pytest.mark.parametrize(("share", "noise"), [(0.2, 1.0), (0.0, 5.0), (0.5, 1.0), (0.5, 4.0)])
def test_errors_of_neurons_and_encoder_are_accounted_for(share, noise):
    """However large they are: the second and the last of these score about 0.4."""
    shown, asking = recorded(share=share, noise=noise), check(share=share, noise=noise)
    finding = finding_of(methods.honest, shown, asking)
    assert (finding.verdict, finding.n, finding.unit) == ("supported", CLIPS, "clip")
    assert finding.metric == METRIC
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert abs(finding.value) < 0.1
    assert finding.data["largest"] == ("noise" if noise > 1 or not share else finding.data["largest"])
    correlation = statistics.fmean(finding.data["movie correlation"]["recorded"])
    assert correlation < 0.5 or noise == 1.0
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize("method", ["texture_adder", "ignores_time", "mean_painter", "hallucinator", "sum_follower"])
def test_errors_of_a_methods_own_making_are_refuted(method):
    shown = recorded()
    finding = finding_of(getattr(methods, method), shown)
    assert (finding.verdict, finding.n) == ("refuted", CLIPS)
    assert finding.metric == METRIC_OWN
    assert finding.value > finding.interval[0] > 0.25
    assert "The largest part is inverter" in finding.notes
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize(("own", "verdict"), [(0.05, "supported"), (0.3, "refuted")])
def test_noise_of_a_methods_own_counts_as_its_own(own, verdict):
    """A little, beside neurons that are noisier, is accounted for; more than a quarter of all is not."""

    def scattering(question, observation):
        answer = methods.honest(question, observation)
        random = (Seed(23) / question.trial_id / question.control).torch()
        return answer + own * torch.randn(answer.shape, generator=random)

    finding = finding_of(scattering, recorded())
    assert finding.verdict == verdict
    assert (finding.data["share"]["inverter"]["value"] > 0.25) == (verdict == "refuted")


def test_a_decoder_that_pays_with_blur_for_less_noise_is_not_refuted():
    """What it leaves without noise is a large part of its error, and a descent to the end is no better for it."""
    finding = finding_of(methods.smoothed, recorded(noise=2.0), check(noise=2.0))
    assert finding.verdict != "refuted"
    assert finding.data["share"]["inverter"]["value"] > 0.3


@pytest.mark.parametrize(
    ("here", "elsewhere", "words"), [(0.5, 0.0, "what both encoders get wrong alike"), (0.0, 0.5, "farther from")]
)
def test_a_sum_that_misses_the_total_is_not_held_against_the_method(here, elsewhere, words):
    """An animal that no encoder knows, and a held-out encoder that is worse than the inverted one."""
    finding = finding_of(methods.honest, recorded(share=here), check(share=elsewhere))
    assert finding.verdict == "undecided"
    assert words in finding.notes
    assert "not held against the method" in finding.notes
    assert (finding.value > 0.25) if here else (finding.value < -0.25)
    low, high = finding.interval
    assert low <= finding.value <= high
    assert low > 0.25 or high < -0.25


@pytest.mark.parametrize("method", [methods.honest, methods.mean_painter])
def test_three_clips_decide_nothing(method):
    finding = finding_of(method, recorded(3))
    assert (finding.verdict, finding.n) == ("undecided", 3)
    assert f"{finding.data['needed']} clips would decide" in finding.notes


def test_where_there_is_no_error_there_is_nothing_to_account_for():
    finding = finding_of(methods.behavior_reader, recorded())
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert "There is no error to account for." in finding.notes


def test_the_parts_are_differences_of_squared_errors_and_sum_up():
    shown, asking = recorded(share=0.3), check(share=0.3)
    given = answers(asking_others(methods.honest, {SOLVED: methods.honest}), [asking], shown)
    finding = asking.judge(shown, given)
    parts, trial = finding.data["parts"], shown[2]
    truth = trial.movie
    alone = float((truth - 0.5)[4:].square().mean())
    # By hand: what is told of the pixels without noise is exact, and with mixing it is the mixed movie.
    assert parts["prior"][2] == pytest.approx(0.0, abs=1e-9)
    assert parts["encoder"][2] == pytest.approx(
        float((mixed(truth, 0.3) - truth)[4:].square().mean()) / alone, rel=1e-4
    )
    answer = trial.response.unflatten(1, SIZE) / 10
    assert parts["total"][2] == pytest.approx(float((answer - truth)[4:].square().mean()) / alone, rel=1e-4)
    for place in range(CLIPS):
        summed = sum(parts[part][place] for part in PARTS)
        assert parts["sum"][place] == pytest.approx(summed)
        assert parts["remainder"][place] == pytest.approx(parts["total"][place] - summed)
    ratio = statistics.fmean(parts["remainder"]) / statistics.fmean(parts["total"])
    assert finding.value == pytest.approx(ratio)
    assert finding.data["share"]["remainder"]["value"] == pytest.approx(ratio)
    # White noise of 1 on a gain of 10, whatever the clip.
    assert parts["noise"][2] == pytest.approx(0.01 / alone, rel=0.2)


def test_uniform_movies_are_left_out():
    mixture = [*recorded(1, first=-1), *recorded(6)]
    for number, trial in enumerate(mixture):
        object.__setattr__(trial, "trial_id", str(number))
    finding = finding_of(methods.honest, mixture)
    assert (finding.verdict, finding.n) == ("supported", 6)
    assert "Clips left out: 1" in finding.notes
    json.dumps(finding.to_json(), allow_nan=False)


def test_it_asks_once_what_other_checks_ask_and_one_trial_of_each_clip():
    shown = trials(2, repeats=2)
    asked = CHECK.ask(shown)
    assert len(asked) == 8 * 2
    assert sum(question.method == SOLVED for question in asked) == 3 * 2
    shared = Contrast(CHECK.other_noisy, SEED, SCORING).ask(shown).keys() & asked.keys()
    assert {question.trial_id for question in shared} == {"0", "0, as it was", "1", "1, as it was"}


def test_the_suite_asks_with_the_animal_of_the_other_checks_and_the_noise_of_each_encoder():
    (entry,) = (one for one in DEEP if one.id == ErrorBudgetCheck.id)
    assert entry.needs_held_out
    subject = tiny.subject()
    made = entry.make(subject)
    assert made.other_noisy is subject.animal
    assert isinstance(made.own, NoiselessEncoder)
    assert made.own.encoder is subject.encoder
    assert isinstance(made.own_noisy, NoisyEncoder)
    assert made.own_noisy.encoder is subject.encoder
    assert made.other.encoder is subject.held_out["another seed"]
    assert entry.make(replace(subject, held_out={}, animal=None)) == NO_HELD_OUT


def test_only_the_start_of_a_long_clip_is_asked():
    long = trials(1, lengths=[130])
    asked = CHECK.ask(long)
    assert {observation.frames for observation in asked.values()} == {100}
    assert Question.of(first_frames(long[0], 100)) in asked


def test_a_check_keeps_its_promises():
    shown = recorded()
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    assert "-0.25 and 0.25" in CHECK.rule
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert first.keys() == second.keys()
    assert all(torch.equal(seen.response, second[question].response) for question, seen in first.items())
    finding = finding_of(methods.honest, shown)
    assert finding.rule == CHECK.rule
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
    cut = {name: Reconstruction(torch.zeros(FRAMES - 1, *SIZE), ended="too soon") for name in first}
    with pytest.raises(WrongUse, match="23x4x5"):
        CHECK.judge(shown, cut)
    empty = CHECK.judge([], {})
    assert (empty.verdict, empty.n) == ("undecided", 0)
    with pytest.raises(WrongUse, match="above 0"):
        replace(CHECK, margin=0.0)
    assert math.isnan(empty.value)
