"""What a report shows comes back as it was kept, whole or not at all."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from cinecortex.data import clip_identity
from cinecortex.data.shown import raster, read_exhibit, write_exhibit
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

SIZE = (6, 10)
MASK = torch.linspace(0, 1, 60).reshape(SIZE)


@dataclass(frozen=True, eq=False)
class Made:
    """Arrays of one trial."""

    shown: torch.Tensor
    said: torch.Tensor | None
    did: torch.Tensor

    def movie(self) -> torch.Tensor:
        return self.shown

    def response(self) -> torch.Tensor | None:
        return self.said

    def behavior(self) -> torch.Tensor:
        return self.did

    def clip_id(self) -> str:
        return clip_identity(self.shown)


def trial(name: str, frames: int, *, channels: tuple[str, ...] = ("pupil dilation",), deaf: bool = False) -> Trial:
    draw = torch.Generator().manual_seed(frames)
    reader = Made(
        torch.rand(frames, *SIZE, generator=draw),
        None if deaf else torch.rand(frames, 7, generator=draw),
        torch.rand(frames, len(channels), generator=draw),
    )
    return Trial(name, "s", "final_test_main", 30.0, SIZE, channels, reader)


def answer(shown: Trial, **more: torch.Tensor) -> Reconstruction:
    return Reconstruction(shown.movie.flip(0), "ended well", **more)


def test_everything_comes_back(tmp_path: Path):
    trials = [trial("4", 12), trial("11", 9)]
    share = torch.rand(12, *SIZE)
    answers = {
        "judged": {one.trial_id: answer(one) for one in trials},
        "information": {"4": answer(trials[0], data_share=share)},
    }
    folder = write_exhibit(
        tmp_path / "shown", trials, answers, mask=MASK, burn_in=3, seen=[trials[1].clip_id], attrs={"seed": 5}
    )
    exhibit = read_exhibit(folder)
    assert torch.equal(exhibit.mask, MASK)
    assert exhibit.burn_in == 3
    assert [one.trial_id for one in exhibit.trials] == ["4", "11"]
    assert [one.unseen for one in exhibit.trials] == [True, False]
    for kept, was in zip(exhibit.trials, trials, strict=True):
        assert torch.equal(kept.movie, was.movie)
        assert torch.equal(kept.behavior, was.behavior)
        assert kept.behavior_channels == was.behavior_channels
        assert kept.clip_id == was.clip_id
        assert torch.equal(kept.answers["judged"].movie, was.movie.flip(0))
        assert torch.allclose(kept.mean_response, was.response.mean(1))
    assert torch.equal(exhibit.trials[0].answers["information"].data_share, share)
    assert "information" not in exhibit.trials[1].answers


def test_nothing_recorded_is_nothing_shown(tmp_path: Path):
    silent = trial("4", 12, channels=(), deaf=True)
    folder = write_exhibit(tmp_path / "shown", [silent], {}, mask=MASK, burn_in=0, attrs={})
    (kept,) = read_exhibit(folder).trials
    assert kept.activity.shape == (12, 0)
    assert kept.behavior.shape == (12, 0)
    assert kept.mean_response.isnan().all()
    assert kept.answers == {}


def test_a_raster_goes_from_the_least_to_the_strongest():
    response = torch.zeros(200, 3)
    response[:, 0] = torch.arange(200.0)
    response[50, 1] = 7.0
    drawn, mean = raster(response, frames=200)
    assert drawn.dtype == np.uint8
    assert drawn[0, 0] == 0
    assert drawn[-1, 0] == 255
    assert (np.diff(drawn[:, 0].astype(int)) >= 0).all()
    assert drawn[50, 1] == 255, "one event is seen, rare as it is"
    assert drawn[:, 1].astype(int).sum() == 255
    assert not drawn[:, 2].any()
    assert torch.allclose(mean, response.mean(1))


def test_of_many_neurons_some_are_drawn():
    drawn, _ = raster(torch.arange(4.0)[:, None].expand(4, 1000), frames=4, rows=50)
    assert drawn.shape == (4, 50)


def test_an_earlier_exhibit_is_replaced_and_nothing_else_is(tmp_path: Path):
    shown = trial("4", 12)
    for burn_in in (1, 2):
        write_exhibit(tmp_path / "shown", [shown], {}, mask=MASK, burn_in=burn_in, attrs={})
    assert read_exhibit(tmp_path / "shown").burn_in == 2
    assert [path.name for path in tmp_path.iterdir()] == ["shown"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(WrongUse, match="holds something else"):
        write_exhibit(tmp_path / "mine", [shown], {}, mask=MASK, burn_in=1, attrs={})
    with pytest.raises(WrongUse, match="no trial to show"):
        write_exhibit(tmp_path / "none", [], {}, mask=MASK, burn_in=1, attrs={})


def test_a_failure_leaves_the_earlier_exhibit(tmp_path: Path):
    shown = trial("4", 12)
    write_exhibit(tmp_path / "shown", [shown], {}, mask=MASK, burn_in=1, attrs={})
    other = dataclasses.replace(answer(shown), movie=torch.zeros(12, 3, 3))
    with pytest.raises(WrongUse, match="frame sizes"):
        write_exhibit(
            tmp_path / "shown",
            [shown, trial("5", 8)],
            {"judged": {"4": other, "5": answer(trial("5", 8))}},
            mask=MASK,
            burn_in=2,
            attrs={},
        )
    assert read_exhibit(tmp_path / "shown").burn_in == 1
    assert [path.name for path in tmp_path.iterdir()] == ["shown"]


def test_what_is_not_there_cannot_be_read(tmp_path: Path):
    with pytest.raises(BadData, match="run cinecortex validate again"):
        read_exhibit(tmp_path)
