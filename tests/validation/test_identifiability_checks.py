"""The checks that rest on what was measured: who stated a right share, who a wrong one, and how little says nothing."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from tests.validation.methods import FRAMES, SIZE, honest, trials

from cinecortex.errors import WrongUse
from cinecortex.information import Band, Information
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.identifiability_data_share import DataShareCheck
from cinecortex.validation.identifiability_information import InformationCheck, whose
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import first_frames

SEED, CUT = Seed(5), 20
VARIANCE, NOISE = 0.1**2 + 0.15**2 + 0.15**2, 0.1**2
"""Of a pixel of the tiny world, and of what its neuron says of it."""
TRUE_SHARE = VARIANCE / (VARIANCE + NOISE)
LEFT = torch.zeros(SIZE)
LEFT[:, :2] = 1.0
SCORING = Scoring(mask=LEFT, burn_in=4)
INFORMATION, DATA_SHARE = InformationCheck(SEED, SCORING, CUT), DataShareCheck(SEED, SCORING, CUT)
CHECKS: tuple[Check, ...] = (INFORMATION, DATA_SHARE)
IDS = [check.id for check in CHECKS]


def said(share: float) -> Information:
    """Of the tiny world, where every pixel is a dimension of its own."""
    pixels = CUT * SIZE[0] * SIZE[1]
    bits = -0.5 * math.log2(1 - share) * 0.4 * pixels
    luminance = Band((0.0, 0.0), (0.0, 0.0), 0.99, 0.01, 5 * VARIANCE)
    moves = Band((0.0, 0.0), (0.0, 0.5), 0.0, 0.01, VARIANCE / 2)
    rest = Band((0.0, 0.7), (0.0, 0.0), 0.8 * share, 0.01, VARIANCE / 2)
    return Information(
        bits=bits,
        bits_error=1.0,
        dimensions=share * 0.4 * pixels,
        dimensions_error=1.0,
        eigenvalues=(share / (1 - share), 0.0),
        counts=(0.4 * pixels, 0.6 * pixels),
        coordinates=pixels,
        neurons=25,
        frames=CUT,
        frame_rate_hz=30.0,
        share=0.4 * share,
        share_error=0.01,
        bands=(luminance, moves, rest),
        probes=4,
    )


def measured(trial, *, share: torch.Tensor | float, gain: float = TRUE_SHARE, sees: torch.Tensor = LEFT, noise=0.05):
    """A population that sees the left of the screen; its posterior mean, and a share that is stated of it."""
    stretch = first_frames(trial, CUT)
    question = Question.of(stretch, method="information")
    said_so = honest(question, stretch.observe()) - 0.5
    stated = torch.as_tensor(share).expand(SIZE).expand(CUT, *SIZE)
    stated = stated + noise * torch.randn(stated.shape, generator=(SEED / trial.trial_id).torch())
    return question, Reconstruction(
        0.5 + gain * sees * said_so,
        ended="tested",
        mask=sees,
        std=(VARIANCE * (1 - stated).clamp_min(0.05)).sqrt(),
        data_share=stated,
        information=said(TRUE_SHARE),
    )


def judged(check: Check, clips: int = 8, **stated):
    shown = trials(clips)
    finding = check.judge(shown, dict(measured(trial, **stated) for trial in shown))
    json.dumps(finding.to_json() if finding.n else dict(finding.data), allow_nan=False)
    return finding


RIGHT = TRUE_SHARE * LEFT


def informed(share: float, clips: int = 8):
    """What the check says of a population that tells this much of the pixels that it sees."""
    shown = trials(clips)
    given = dict(measured(trial, share=share * LEFT) for trial in shown)
    finding = INFORMATION.judge(
        shown, {name: replace(answer, information=said(share)) for name, answer in given.items()}
    )
    json.dumps(finding.to_json(), allow_nan=False)
    return finding


@pytest.mark.parametrize(
    ("share", "clips", "verdict"),
    [
        (TRUE_SHARE, 8, "supported"),
        (TRUE_SHARE, 4, "undecided"),
        (0.3, 8, "supported"),
        (0.1, 8, "refuted"),
        (0.0, 4, "undecided"),
    ],
)
def test_a_population_that_tells_next_to_nothing_is_refuted(share, clips, verdict):
    finding = informed(share, clips)
    assert (finding.verdict, finding.n) == (verdict, clips)
    assert finding.value == pytest.approx(0.4 * share), (
        "the screen that is not seen counts, its mean luminance does not"
    )
    assert finding.data["share inside the mask, with luminance"][0] == pytest.approx(share, abs=0.02)
    assert finding.data["share of the screen, with luminance"][0] == pytest.approx(0.4 * share, abs=0.02)
    assert finding.data["bits per second"][0] == pytest.approx(said(share).bits * 30 / CUT)


def test_the_notes_say_in_words_whose_the_screen_is():
    poor, fair = informed(0.02), informed(TRUE_SHARE)
    assert poor.notes.count("Almost everything on the screen is the algorithm's: 25 neurons settle 0.8%") == 1
    assert "Most of what is on the screen is the algorithm's" in fair.notes
    assert whose(0.6) == "most of what is on the screen is the neurons'"
    assert f"{said(TRUE_SHARE).bits:.0f} bits" in fair.notes


@pytest.mark.parametrize(
    ("stated", "clips", "verdict"),
    [
        ({"share": RIGHT}, 8, "supported"),
        ({"share": RIGHT}, 4, "undecided"),
        # An honest answer may hold back, or be of an encoder that is half wrong: the share is still about right.
        ({"share": RIGHT, "gain": 0.5}, 8, "supported"),
        ({"share": RIGHT.flip(1)}, 8, "refuted"),
        ({"share": TRUE_SHARE - RIGHT}, 8, "refuted"),
        ({"share": 0.4}, 8, "refuted"),
        ({"share": 0.4, "noise": 0.0}, 8, "refuted"),
        # One that is stated of an answer that heard nothing.
        ({"share": RIGHT, "gain": 0.0}, 8, "refuted"),
    ],
)
def test_a_share_that_is_not_so_is_refuted(stated, clips, verdict):
    finding = judged(DATA_SHARE, clips, **stated)
    assert (finding.verdict, finding.n) == (verdict, clips)


def test_a_share_of_noise_alone_is_not_supported():
    finding = judged(DATA_SHARE, 24, share=0.4, noise=0.5)
    assert finding.verdict != "supported"
    assert finding.interval[0] < 0 < finding.interval[1] + 0.1


def test_a_right_share_has_slope_one_and_says_where_nothing_is_known():
    finding = judged(DATA_SHARE, 24, share=RIGHT)
    assert finding.interval[0] < 1.1
    assert finding.value == pytest.approx(1, abs=0.1)
    assert finding.data["pixels below the least share"] == [12] * 24
    assert max(map(abs, finding.data["taken away below the least share"])) < 0.1
    assert min(finding.data["taken away above the least share"]) > 0.6
    assert finding.data["correlation of stated share and part taken away, over pixels and all clips"] > 0.9
    assert sum(finding.data["correlation of predicted and realised squared error, over pixels"]) / 24 > 0.6
    assert finding.data["correlation of predicted and realised squared error, over pixels, means over clips"] > 0.8
    strict = finding.data["correlation of predicted and realised squared error, over pixels and frames"]
    assert 0.2 < sum(strict) / 24 < 0.9
    assert "below 0.1 the reconstruction takes away" in finding.notes
    still, moving = (finding.data["by frequency"][0][place] for place in (1, 0))
    movie = first_frames(trials(1)[0], CUT).movie[4:].double()
    picture = movie.mean(0) - movie.mean()
    assert still["share"] == pytest.approx(0.8 * TRUE_SHARE)
    assert still["prior"] == pytest.approx(float(16 * picture.square().sum())), "what does not move"
    flicker = movie.mean((1, 2)) - movie.mean()
    assert moving["prior"] == pytest.approx(float(20 * flicker.square().sum())), "what is the same all over"
    assert "bands of frequency with a share below 0.1 it takes away" in finding.notes


def test_the_same_share_everywhere_says_nothing_of_a_population_that_sees_everything():
    finding = judged(DATA_SHARE, share=TRUE_SHARE, sees=torch.ones(SIZE), noise=0.0)
    assert (finding.verdict, finding.n) == ("undecided", 0)
    assert "same everywhere: 8" in finding.notes
    assert finding.data["difference"] == [None] * 8


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_the_check_keeps_its_promises(check):
    shown = trials(6)
    assert isinstance(check, Check)
    assert check.claim.endswith(".")
    assert check.rule.endswith(".")
    asked = check.ask(shown)
    assert asked.keys() == INFORMATION.ask(shown).keys() == check.ask(shown).keys(), "asked once by both"
    assert {(question.control, question.method) for question in asked} == {("intact", "information")}
    assert {observation.frames for observation in asked.values()} == {CUT}
    with pytest.raises(WrongUse, match="has no reconstruction"):
        check.judge(shown, {})
    given = dict(measured(trial, share=RIGHT) for trial in shown)
    with pytest.raises(WrongUse, match="let `Identified` answer"):
        check.judge(shown, {name: replace(answer, information=None) for name, answer in given.items()})
    with pytest.raises(WrongUse, match="20x4x5"):
        check.judge(shown, {name: Reconstruction(torch.zeros(FRAMES, *SIZE), ended="") for name in given})
    empty = check.judge([], {})
    assert (empty.verdict, empty.n, empty.p) == ("undecided", 0, 1.0)
