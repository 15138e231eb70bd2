"""What is coarse must come back and what is fine must not be painted; each in turn, and too little of either."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tests.validation import in_silico, methods
from tests.validation.deep_in_silico import RESOLUTION as CHECK
from tests.validation.deep_in_silico import answered
from tests.validation.in_silico import Eye
from tests.validation.methods import FRAMES, trials

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.resolution_limits import COARSE, FINE, NOISELESS, NOISY, UNHEARD


class Asleep(Eye):
    """Watches, and says the same whatever is shown."""

    def watch(self, movie, behavior, seed):
        return torch.full((len(movie), movie[0].numel()), 5.0)


def fills_in(question, observation):
    """Blurs what it was told and fills in texture from its own store, the same for a trial under any control."""
    blurred = torch.nn.functional.avg_pool2d(methods.honest(question, observation)[:, None], 3, 1, 1)[:, 0]
    random = (Seed(31) / question.trial_id).torch()
    return blurred + 0.6 * (torch.rand(blurred.shape, generator=random) - 0.5)


def sharpens(question, observation):
    """Lays a texture over what was told, and none where nothing was: no control without neurons gives it away."""
    heard = bool(observation.heard.any())
    return (in_silico.own_texture if heard else methods.honest)(question, observation)


def faint(question, observation):
    """Honest, of little contrast, and with the border of the screen a little dark, whatever was shown."""
    answer = 0.5 + 0.2 * (methods.honest(question, observation) - 0.5)
    answer[:, 0] -= 0.05
    return answer


@pytest.fixture(scope="module")
def shown():
    return trials(10)


def found(method, given, check=CHECK):
    finding = check.judge(given, answered(method, check, given))
    json.dumps(dict(finding.data), allow_nan=False)
    return finding


@pytest.mark.parametrize("method", [methods.honest, in_silico.mediocre, faint, in_silico.slow])
def test_what_follows_the_neurons_supports_it(method, shown):
    finding = found(method, shown)
    assert (finding.verdict, finding.n, finding.unit) == ("supported", 6, "clip")
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert finding.p <= 0.05
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("method", "weakest"),
    [
        (methods.mean_painter, "what is coarse"),
        (methods.behavior_reader, "what is fine"),
        (in_silico.knows_behavior, "what is fine"),
        (methods.texture_adder, "what is fine"),
        (in_silico.own_texture, "what is fine"),
        (fills_in, "what is fine"),
        (sharpens, "what is fine"),
    ],
)
def test_what_paints_refutes_it(method, weakest, shown):
    finding = found(method, shown)
    assert finding.verdict == "refuted"
    assert finding.data["arms"][weakest]["verdict"] == "refuted"
    json.dumps(finding.to_json(), allow_nan=False)


def test_other_movies_than_were_shown_are_never_supported(shown):
    for method in (methods.hallucinator, in_silico.recogniser, methods.random_training_clip):
        assert found(method, shown).verdict != "supported"


def test_the_figure_has_every_cell_with_noise_and_without(shown):
    finding = found(methods.honest, shown)
    cells = finding.data["cells"]
    assert sum(cell["animal"] == NOISY for cell in cells) == 16
    assert sum(cell["animal"] == NOISELESS for cell in cells) == 8
    for cell in cells:
        assert cell["transfer"] == pytest.approx(1, abs=0.2 if cell["animal"] == NOISY else 1e-4)
        assert (cell["correlation"] > 0.999) == (cell["animal"] == NOISELESS)
        assert {"cycles_per_px", "cycles_per_frame", "direction_deg"} <= set(cell) or {"length_px"} <= set(cell)
    assert "Of coarse movies comes back: noisy" in finding.notes


def test_the_limit_of_the_data_share_is_in_degrees_and_hertz(shown):
    """Half-way over log frequency from 0.75 at 0.05 to 0.25 at 0.2: at 0.1 cycles per pixel of 10 degrees."""
    finding = found(methods.honest, shown)
    space, time = (finding.data["data share"][axis] for axis in ("spatial", "temporal"))
    assert space["below one half"] == {"frequency": pytest.approx(0.01), "where": "at"}
    assert time["below one half"] == {"frequency": pytest.approx(3.0), "where": "at"}
    assert "falls below one half at 0.01 cycles per degree" in finding.notes
    in_pixels = found(methods.honest, shown, replace(CHECK, screen=None))
    assert in_pixels.data["units"] == {"spatial": "cycles per px", "temporal": "Hz"}
    assert in_pixels.data["data share"]["spatial"]["below one half"]["frequency"] == pytest.approx(0.1)


def test_without_a_noiseless_animal_its_part_is_left_out(shown):
    finding = found(methods.honest, shown, replace(CHECK, noiseless=None))
    assert finding.verdict == "supported"
    assert {cell["animal"] for cell in finding.data["cells"]} == {NOISY}


def test_an_animal_unlike_the_recorded_one_refutes_nothing(shown):
    finding = found(methods.honest, shown, replace(CHECK, animal=Asleep(), noiseless=None))
    assert finding.verdict == "undecided"
    assert "not like the recorded one" in finding.notes


def test_too_little_decides_nothing(shown):
    few = found(methods.honest, trials(3))
    assert few.verdict == "undecided", "three clips cannot say that the recording is read"
    nobody = replace(CHECK, animal=None)
    assert nobody.ask(shown) == {}
    finding = nobody.judge(shown, {})
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert "No animal in silico" in finding.notes
    nothing = CHECK.judge([], {})
    assert (nothing.verdict, nothing.n) == ("undecided", 0)


def test_the_check_keeps_its_promises(shown):
    assert isinstance(CHECK, Check)
    assert CHECK.claim.endswith(".")
    assert CHECK.rule.endswith(".")
    first, second = CHECK.ask(shown), CHECK.ask(shown)
    assert list(first) == list(second)
    for question, observation in first.items():
        assert torch.equal(
            observation.response,
            second[question].response,
        )
        assert observation.frames == FRAMES
        assert bool(observation.heard.any()) == (question.control != UNHEARD)
    own = [question for question in first if COARSE in question.trial_id or FINE in question.trial_id]
    assert len(own) == 16 + 8 + 6
    assert len(first) == len(own) + 2 * 10 + 5, "and what other checks ask, named as they name it"
    assert Question("a", "0, as it was") in first
    assert Question("a", "0", method="information") in first
    with pytest.raises(WrongUse, match="has no reconstruction"):
        CHECK.judge(shown, {})
