"""Surrogate activity: whose score survives it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.validation import methods
from tests.validation.methods import FRAMES, SIZE, Shown, answers, trials

from cinecortex.errors import WrongUse
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.phase_randomised import phase_randomised
from cinecortex.validation.phase_randomised_check import PhaseRandomised
from cinecortex.validation.scoring import Scoring

SEED, SCORING = Seed(5), Scoring(burn_in=4)
CHECK = PhaseRandomised(SEED, SCORING)


@pytest.mark.parametrize(
    ("method", "clips", "verdict"),
    [
        ("honest", 10, "supported"),
        ("ignores_time", 10, "refuted"),
        ("leaker", 10, "refuted"),
        ("mean_painter", 10, "refuted"),
        ("honest", 4, "undecided"),
        ("ignores_time", 4, "undecided"),
    ],
)
def test_what_lives_on_means_and_spectra_is_refuted(method, clips, verdict):
    shown = trials(clips)
    finding = CHECK.judge(shown, answers(getattr(methods, method), [CHECK], shown))
    assert (finding.verdict, finding.n) == (verdict, clips)
    assert finding.rule == CHECK.rule
    if verdict == "supported":
        assert finding.p == finding.data["smallest_p"] <= 0.002


def test_it_asks_for_the_surrogate_of_each_trial_in_a_stream_of_its_own():
    assert isinstance(CHECK, Check)
    shown = trials(2)
    asked = CHECK.ask(shown)
    assert len(asked) == 4
    for trial in shown:
        expected = phase_randomised(trial.observe(), SEED / CHECK.id / "a" / trial.trial_id)
        assert torch.equal(asked[Question.of(trial, "phase_randomised")].response, expected.response)
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})


class Still(Shown):
    """Little moves."""

    def movie(self) -> torch.Tensor:
        movie = super().movie()
        return movie.mean(0) + 0.1 * (movie - movie.mean(0))


class Gaps(Shown):
    """Of most frames some neuron lacks."""

    def response(self) -> torch.Tensor:
        response = super().response()
        response[2:, 0] = torch.nan
        return response


def test_what_has_no_surrogate_of_another_course_is_left_out():
    still, gaps = (Trial(kind.__name__, "a", "test", 30.0, SIZE, (), kind(50, FRAMES, 0)) for kind in (Still, Gaps))
    mixed = [*trials(6), still, gaps, *(replace(trial, trial_id="uniform") for trial in trials(1, first=-1))]
    given = answers(methods.honest, [CHECK], mixed)
    assert Question.of(gaps) not in given
    finding = CHECK.judge(mixed, given)
    assert (finding.verdict, finding.n) == ("supported", 6)
    assert "Trials left out: 3" in finding.notes
    assert CHECK.judge([still], {}).verdict == "undecided"
