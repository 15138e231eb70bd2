"""Other priors: what stays is the neurons', what follows is the prior's."""

from __future__ import annotations

import json

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import SIZE, answers, asking_others, honest, trials

from cinecortex.errors import WrongUse
from cinecortex.metrics import movie_correlation
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.prior_sensitivity import PriorSensitivity
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
PRIORS = {"map, smooth": "a smooth prior", "map, half the weight": "half the prior's weight"}
CHECK = PriorSensitivity(PRIORS, SEED, SCORING)


def painted(question, observation):
    """Whatever its prior is: another movie for another prior."""
    random = (Seed(30) / question.trial_id / question.method).torch()
    return 0.5 + 0.2 * torch.randn(observation.frames, *SIZE, generator=random)


def fitted_noise(question, observation):
    """The same movie under every prior, and none that was shown: what an inversion makes of noise."""
    random = (Seed(33) / question.trial_id).torch()
    return 0.5 + 0.2 * torch.randn(observation.frames, *SIZE, generator=random)


def mediocre(question, observation):
    """Correlates at 0.4 with the truth: mostly the noise of the responses, under any prior the same."""
    random = (Seed(31) / question.trial_id).torch()
    noise = 0.5 * torch.randn(observation.frames, *SIZE, generator=random)
    own = 0.1 * torch.randn(observation.frames, *SIZE, generator=(Seed(32) / question.method).torch())
    return honest(question, observation) + noise + own


def judged(method, clips=8, others=methods.OTHERS, check=CHECK):
    shown = trials(clips)
    return check.judge(shown, answers(asking_others(method, others), [check], shown))


@pytest.mark.parametrize(
    ("method", "others", "clips", "verdict"),
    [
        (honest, methods.OTHERS, 8, "supported"),
        (mediocre, {}, 8, "supported"),
        (painted, {}, 8, "refuted"),
        (methods.hallucinator, methods.OTHERS, 8, "refuted"),
        (methods.mean_painter, {}, 8, "refuted"),
        (honest, methods.OTHERS, 4, "undecided"),
        (painted, {}, 4, "undecided"),
    ],
)
def test_a_movie_that_is_the_priors_work_is_refuted(method, others, clips, verdict):
    finding = judged(method, clips, others)
    assert (finding.verdict, finding.n) == (verdict, min(clips, 6))
    json.dumps(finding.to_json(), allow_nan=False)
    if verdict == "supported":
        assert finding.p == 1 / 720 == finding.data["smallest_p"]


def test_what_stays_and_is_not_of_the_movie_supports_nothing():
    finding = judged(fitted_noise, others={})
    assert min(finding.data["agreement"]) > 0.99
    assert finding.verdict == "undecided"
    assert "What stays is not shown to be of the movie" in finding.notes
    assert max(map(abs, finding.data["more like its own movie"])) < 0.2
    assert min(judged(honest).data["more like its own movie"]) > 0.5


def test_agreement_is_the_mean_over_priors_and_the_truth_plays_no_part():
    finding, shown = judged(honest), trials(8)
    given = answers(asking_others(honest), [CHECK], shown)
    own = given[Question.of(shown[3])].movie
    expected = [movie_correlation(given[Question.of(shown[3], method=name)].movie, own, burn_in=4) for name in PRIORS]
    assert finding.data["agreement"][3] == pytest.approx(sum(expected) / 2)
    assert [finding.data["agreement by prior"][name][3] for name in PRIORS] == pytest.approx(expected)
    assert finding.data["agreement by prior"]["map, half the weight"] == pytest.approx([1.0] * 6)


def test_bands_say_what_stays_and_what_follows_the_prior():
    def slow_stays(question, observation):
        """Each pixel's mean is the neurons'; all that moves is the prior's."""
        moving = painted(question, observation)
        return methods.ignores_time(question, observation) + moving - moving.mean(0)

    finding = judged(slow_stays, others={})
    still, *moving = finding.data["agreement by band"]
    assert min(value for value in still[1:] if value is not None) > 0.5
    assert max(value for row in moving for value in row if value is not None) < 0.45
    assert "follow the prior" in finding.notes
    assert "2-5 Hz: none" in finding.notes


def test_a_handful_of_clips_is_asked_of_every_prior():
    assert isinstance(CHECK, Check)
    asked = CHECK.ask(trials(7, repeats=2))
    assert len(asked) == 6 * 3
    assert {question.method for question in asked} == {"", *PRIORS}
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(trials(7), {})
    with pytest.raises(WrongUse, match="name of another"):
        PriorSensitivity({}, SEED)
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n, nothing.p) == ("undecided", 0, 1.0)
    json.dumps(nothing.data, allow_nan=False)


def test_clips_of_unequal_length_can_be_compared():
    mixed = trials(6, lengths=[24, 30, 18, 40, 24, 26])
    assert CHECK.judge(mixed, answers(asking_others(honest), [CHECK], mixed)).verdict == "supported"
