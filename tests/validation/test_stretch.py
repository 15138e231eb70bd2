"""Stretches of trials, and whether the animal that is shown them can bear witness."""

from __future__ import annotations

import pytest
import torch
from tests.validation.in_silico import Eye, Stranger
from tests.validation.methods import SIZE, honest, trials

from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import polarity_inverted
from cinecortex.validation.check import Question
from cinecortex.validation.perturbation_luminance import luminance_told
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames, seen, shown_altered, shown_as_it_was
from cinecortex.validation.witness import recorded_and_shown, unless_unlike

SEED, SCORING = Seed(3), Scoring(burn_in=4)


def test_a_stretch_is_of_the_clip_and_has_a_name_of_its_own():
    (trial,) = trials(1)
    stretch = first_frames(trial, 10)
    assert (stretch.trial_id, stretch.session_id, stretch.clip_id) == ("0, first 10 frames", "a", "clip 0")
    assert torch.equal(stretch.movie, trial.movie[:10])
    seen_by, whole = stretch.observe(), trial.observe()
    assert torch.equal(seen_by.response, whole.response[:10])
    assert torch.equal(seen_by.behavior, whole.behavior[:10])
    assert first_frames(trial, 24) is first_frames(trial, 100) is trial
    assert first_frames(stretch, 10) is stretch


def test_what_is_shown_is_the_stretch_altered_under_a_stream_that_checks_share():
    (trial,) = trials(1)
    plain = shown_as_it_was(Eye(), trial, frames=10, seed=SEED)
    inverted = shown_altered(Eye(), trial, polarity_inverted, name="inverted", frames=10, seed=SEED)
    assert plain.trial_id == "0, first 10 frames, as it was"
    torch.testing.assert_close(inverted.movie, 1 - plain.movie)
    assert torch.equal(plain.response, shown_as_it_was(Eye(), trial, frames=10, seed=SEED).response)
    assert not torch.equal(plain.response, first_frames(trial, 10).response), "another noise"


def test_what_is_seen_is_inside_the_mask_and_after_the_burn_in():
    movie = torch.rand(10, *SIZE, generator=SEED.torch())
    mask = torch.zeros(SIZE)
    mask[1, 2:4] = torch.tensor([0.5, 0.4])
    assert torch.equal(seen(movie, Scoring(mask=mask, burn_in=4)), movie[4:, 1:2, 2])
    assert torch.equal(seen(movie, Scoring(burn_in=30)), movie[5:].flatten(1)), "of short movies, half"


def found(verdict: str) -> Finding:
    return Finding("x", "c.", verdict, "m", 0.1, (0.0, 0.2), 0.95, 6, "clip", "r.", notes="So it is.")


def judged(animal: Eye, verdict: str, gain: float, *, recorded: float | None = None) -> Finding:
    """From answers of this gain, and of another to what was recorded."""
    shown = trials(6)
    recorded = gain if recorded is None else recorded
    given = {
        question: Reconstruction(
            0.5 + (gain if "was" in question.trial_id else recorded) * (honest(question, observation) - 0.5),
            ended="tested",
        )
        for question, observation in recorded_and_shown(animal, shown, frames=16, seed=SEED).items()
    }
    return unless_unlike(found(verdict), animal, shown, given, scoring=SCORING, frames=16, seed=SEED)


def test_only_an_animal_that_is_read_as_the_recording_is_can_bear_witness():
    assert judged(Eye(), "refuted", 1.0).verdict == "refuted"
    unlike = judged(Stranger(), "refuted", 1.0)
    assert unlike.verdict == "undecided"
    assert unlike.notes.startswith("So it is. The animal in silico is not like the recorded one")
    assert min(unlike.data["as recorded"]) > 0.8 > max(unlike.data["shown to the animal"])
    assert judged(Stranger(), "supported", 1.0).verdict == "supported"
    assert judged(Stranger(), "refuted", 0.0).verdict == "refuted", "who reads neither loses nothing by the animal"
    assert judged(Eye(), "supported", 1.0).verdict == "supported"
    noise = judged(Eye(), "supported", 1.0, recorded=0.0)
    assert noise.verdict == "undecided"
    assert "The recording itself is not read" in noise.notes
    assert judged(Eye(), "refuted", 1.0, recorded=0.0).verdict == "refuted"
    assert unless_unlike(found("refuted"), None, [], {}, scoring=SCORING, frames=16, seed=SEED) == found("refuted")
    assert recorded_and_shown(None, trials(2), frames=16, seed=SEED) == {}


def test_luminance_is_told_where_a_linear_reading_finds_it():
    random = SEED.torch()
    luminances = [[0.3 + 0.02 * clip + shift for shift in (-0.1, 0.0, 0.1)] for clip in range(6)]
    y = torch.tensor(luminances)
    weights = torch.randn(30, generator=random)
    exact = y[..., None] * weights
    assert luminance_told(list(exact), luminances) == pytest.approx(1)
    content = torch.randn(6, 1, 30, generator=random)
    blind = content.expand(6, 3, 30) + 0.01 * torch.randn(6, 3, 30, generator=random)
    assert luminance_told(list(blind), luminances) < 0.2
    assert luminance_told(list(exact[:2]), luminances[:2]) is None


def test_the_questions_are_those_of_the_checks():
    (trial,) = trials(1)
    asked = recorded_and_shown(Eye(), [trial], frames=16, seed=SEED)
    assert set(asked) == {Question("a", "0, first 16 frames"), Question("a", "0, first 16 frames, as it was")}
