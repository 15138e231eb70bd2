import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.photographs import PHOTOGRAPHS, ego_motion, photograph


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_photograph_is_in_the_wheel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)  # a download would fail
    picture = photograph(name)
    assert min(picture.shape) >= 300
    assert picture.min() >= 0
    assert 0.3 < picture.max() <= 1
    assert picture.std() > 0.02


def test_photographs_are_distinct() -> None:
    small = [photograph(name)[:300:10, :300:10].ravel() for name in PHOTOGRAPHS]
    correlation = np.corrcoef(small) - np.eye(len(small))
    assert correlation.max() < 0.8


def test_an_unknown_photograph_is_refused() -> None:
    with pytest.raises(WrongUse, match="the photographs are astronaut"):
        photograph("lena")


def test_ego_motion_moves_and_stays_on_the_screen() -> None:
    movie = ego_motion(photograph("camera"), Seed(4), frames=90)
    assert movie.shape == (90, 36, 64)
    assert movie.min() >= 0
    assert movie.max() <= 1
    step = (movie[1:] - movie[:-1]).abs().mean((1, 2))
    assert step.min() > 1e-4
    assert step.median() < 0.3 * (movie[45:] - movie[:45]).abs().mean()  # smooth: steps are small beside the way


def test_a_seed_is_a_clip() -> None:
    first, again, other = (ego_motion(photograph("coffee"), seed, frames=5) for seed in (Seed(1), Seed(1), Seed(2)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_featureless_picture_stays_featureless() -> None:
    movie = ego_motion(np.full((50, 80), 0.5, dtype=np.float32), Seed(0), frames=30)
    assert float(movie.std()) == pytest.approx(0, abs=1e-5)


def test_detail_is_averaged_and_not_aliased() -> None:
    """A fine checkerboard, seen from afar, is gray; single samples of it would be black and white."""
    checks = (np.indices((1500, 1500)).sum(0) % 2).astype(np.float32)
    assert float(ego_motion(checks, Seed(0), frames=5).std()) < 0.05


def test_no_frames_are_refused() -> None:
    with pytest.raises(WrongUse, match="ego-motion needs"):
        ego_motion(photograph("moon"), Seed(0), frames=0)
