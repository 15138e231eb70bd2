"""Copies planted in training are found, however they were changed; clips that were not there are not."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from tests.validation.methods import trials
from torch.nn import functional

from cinecortex.data import clip_identity
from cinecortex.errors import BadData
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.tensors import Movie
from cinecortex.validation.check import Check
from cinecortex.validation.leakage_clips import EXACT, LeakageClips

FRAMES, SIZE = 60, (18, 32)


@dataclass(frozen=True, eq=False)
class Stored:
    """A movie without responses; one of no frames cannot be read."""

    shown: Movie

    def movie(self) -> Movie:
        if not len(self.shown):
            raise BadData("the file is cut short.")
        return self.shown

    def response(self) -> None:
        return None

    def behavior(self) -> torch.Tensor:
        return torch.zeros(len(self.shown), 0)

    def clip_id(self) -> str:
        return clip_identity(self.movie())


def trial(name: str, movie: Movie, session: str = "a") -> Trial:
    return Trial(name, session, "any", 30.0, (movie.shape[1], movie.shape[2]), (), Stored(movie))


def leaves(number: int) -> Movie:
    return dead_leaves(Seed(number), frames=FRAMES, frame_size=SIZE, cuts_per_second=0.0)


@pytest.fixture(scope="module")
def tested() -> list[Trial]:
    return [trial(f"t{number}", leaves(number)) for number in range(5)]


@pytest.fixture(scope="module")
def training() -> list[Trial]:
    return [trial(f"{number}", leaves(number)) for number in range(10, 45)]


def identities(trials: Sequence[Trial]) -> frozenset[str]:
    return frozenset(one.clip_id for one in trials)


def audit(training: Sequence[Trial], tested: Sequence[Trial], *, seen: frozenset[str] | None = None):
    check = LeakageClips(training, identities(training) if seen is None else seen)
    assert isinstance(check, Check)
    assert check.ask(tested) == {}
    finding = check.judge(tested, {})
    assert finding.data["test_trials"] == [one.trial_id for one in tested]
    assert finding.id == "leakage.clips"
    assert finding.claim.endswith(".")
    assert finding.rule.endswith(".")
    return finding


def noisy(movie: Movie) -> Movie:
    return (movie + 8 / 255 * torch.randn(movie.shape, generator=Seed(3).torch())).clamp(0, 1)


def cropped(movie: Movie) -> Movie:
    inner = movie[:, None, 1:-1, 1:-1]
    return functional.interpolate(inner, movie.shape[1:], mode="bilinear", align_corners=False)[:, 0]


CHANGED = {
    "mirrored left-right": lambda movie: movie.flip(2),
    "mirrored upside down": lambda movie: movie.flip(1),
    "contrast x0.50": lambda movie: 0.5 * movie + 0.4,
    "noisy": noisy,
    "cropped": cropped,
    "17 frames later": lambda movie: torch.cat([torch.full((17, *SIZE), 0.5), movie[:-17]]),
    "20 frames earlier": lambda movie: movie[20:50],
    "9 frames earlier, mirrored left-right": lambda movie: noisy(0.7 * torch.cat([movie[9:], movie[:9]]).flip(2)),
}


def test_unseen_clips_are_unseen(training, tested):
    finding = audit(training, tested)
    assert (finding.verdict, finding.value, finding.n, finding.unit) == ("supported", 0.0, 5, "clip")
    assert finding.interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 5)))
    assert finding.data["pairs"] == []
    assert finding.notes == ""
    json.dumps(finding.to_json(), allow_nan=False)


def test_an_exact_copy_in_another_session_refutes(training, tested):
    repeat = replace(tested[1], trial_id="again")
    copy = trial("7", leaves(1).clone(), session="b")
    finding = audit([*training, copy], [*tested, repeat])
    assert (finding.verdict, finding.value, finding.n) == ("refuted", pytest.approx(0.2), 5)
    whole = {"relation": EXACT, "test_frames": [0, FRAMES], "training_frames": [0, FRAMES]}
    first, second = finding.data["pairs"]
    assert first == {
        "test_trial": "t1",
        "test_session": "a",
        "clip": tested[1].clip_id,
        "training_trial": "7",
        "training_session": "b",
        "fitted": True,
        **whole,
    }
    assert second["test_trial"] == "again", "every presentation is named"
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize("how", CHANGED)
@pytest.mark.parametrize("place", [0, 34])
def test_a_changed_copy_refutes(how, place, training, tested):
    changed = trial("bad", CHANGED[how](leaves(2)), session="b")
    planted = [*training[:place], changed, *training[place:]]
    finding = audit(planted, tested)
    assert finding.verdict == "refuted"
    (pair,) = finding.data["pairs"]
    assert (pair["test_trial"], pair["training_trial"], pair["training_session"]) == ("t2", "bad", "b")
    assert all(word in pair["relation"] for word in ("near-copy", *how.split(", ")) if word not in ("noisy", "cropped"))
    lag = {"17 frames later": 17, "20 frames earlier": -20}.get(how, -9 if "9 frames" in how else 0)
    assert pair["training_frames"][0] - pair["test_frames"][0] == pytest.approx(lag, abs=1)
    assert pair["test_frames"][1] - pair["test_frames"][0] >= 16


def test_a_clip_that_only_the_encoder_speaks_of_is_found_by_identity(training, tested):
    told = identities(training) | {tested[3].clip_id}
    finding = audit(training, tested, seen=told)
    assert finding.verdict == "refuted"
    (pair,) = finding.data["pairs"]
    assert (pair["test_trial"], pair["training_trial"], pair["relation"]) == ("t3", None, EXACT)
    assert "near-copies could not be looked for" in finding.notes
    assert finding.data["clips known by identity only"] == [tested[3].clip_id]


def test_what_was_not_looked_at_is_said(training, tested):
    few_missing = audit(training, tested, seen=identities(training) | {"somewhere else"})
    assert few_missing.verdict == "supported"
    assert "Of 36 clips that the encoder says it saw, 1 are in none" in few_missing.notes
    many_missing = audit(training[:20], tested, seen=identities(training))
    assert many_missing.verdict == "undecided", "near-copies of 15 of 35 clips could not be looked for"
    more = audit(training, tested, seen=identities(training[:-2]))
    assert more.verdict == "supported"
    assert "2 clips that the encoder does not say it saw" in more.notes


def test_nothing_to_compare_is_undecided(training, tested):
    nobody = audit(training, [])
    assert (nobody.verdict, nobody.n) == ("undecided", 0)
    assert math.isnan(nobody.value)
    nothing_known = audit([], tested)
    assert (nothing_known.verdict, nothing_known.data["pairs"]) == ("undecided", [])
    assert "Nothing is known" in nothing_known.notes
    broken = [trial(f"{number}", torch.zeros(0, *SIZE)) for number in range(2)]
    unread = audit(broken, tested, seen=frozenset({"one", "two"}))
    assert unread.verdict == "undecided"
    assert "could not be read: 0 of session a, 1 of session a" in unread.notes
    assert audit(broken, tested, seen=frozenset({tested[0].clip_id})).verdict == "refuted"


def test_short_clips_pictures_and_gray_are_compared_and_nothing_breaks():
    pictures = [leaves(number)[:1] for number in range(50, 62)]
    short = [leaves(number)[: number % 7 + 2] for number in range(70, 80)]
    gray = torch.full((FRAMES, *SIZE), 0.5)
    tested = [trial(f"t{number}", movie) for number, movie in enumerate([pictures[0], short[0], gray])]
    others = [trial(str(number), movie) for number, movie in enumerate([*pictures[1:], *short[1:], gray[:9] + 0.1])]
    assert audit(others, tested).verdict == "supported"
    held = trial("held", 0.8 * pictures[0].repeat(20, 1, 1).flip(2))
    finding = audit([*others, held], tested)
    assert finding.verdict == "refuted"
    (pair,) = finding.data["pairs"]
    assert (pair["test_trial"], pair["training_trial"], pair["test_frames"]) == ("t0", "held", [0, 1])
    assert "mirrored left-right" in pair["relation"]


def test_unrelated_clips_of_a_tiny_world_are_not_joined():
    training = trials(40, first=100)
    assert LeakageClips(training, identities(training)).judge(trials(10), {}).verdict == "supported"
    assert LeakageClips(training, identities(training)).judge(trials(3, first=102), {}).value == 1.0


def test_copies_that_the_fit_left_out_leave_the_question_open(tested, training):
    copies = [trial("77", tested[1].movie), trial("78", (0.8 * tested[2].movie.flip(2) + 0.1))]
    finding = LeakageClips(training, identities(training), copies).judge(tested, {})
    assert finding.verdict == "undecided", "nothing leaked, but these clips were shown in training"
    assert finding.value == 0.0
    assert [(p["test_trial"], p["training_trial"], p["fitted"]) for p in finding.data["pairs"]] == [
        ("t1", "77", False),
        ("t2", "78", False),
    ]
    assert finding.data["left out of the fit"] == ["77", "78"]
    assert "as near-copies: 2 of 5" in finding.notes
    assert "--trials t0,t3,t4" in finding.notes


def test_copies_of_clips_that_are_not_judged_do_not_matter(tested, training):
    finding = LeakageClips(training, identities(training), [trial("77", tested[1].movie)]).judge(tested[2:], {})
    assert finding.verdict == "supported"
    assert finding.data["pairs"] == []


def test_one_leak_outweighs_what_was_left_out(tested, training):
    leaked = [*training, trial("5", tested[0].movie)]
    finding = LeakageClips(leaked, identities(leaked), [trial("77", tested[1].movie)]).judge(tested, {})
    assert finding.verdict == "refuted"
    assert finding.value == pytest.approx(0.2)
    assert {(p["training_trial"], p["fitted"]) for p in finding.data["pairs"]} == {("5", True), ("77", False)}


def test_where_every_clip_was_shown_in_training_none_is_recommended(tested, training):
    copies = [trial(f"c{number}", one.movie) for number, one in enumerate(tested)]
    finding = LeakageClips(training, identities(training), copies).judge(tested, {})
    assert finding.verdict == "undecided"
    assert "none of these is left" in finding.notes
