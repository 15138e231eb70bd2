"""Dots go where they should, as fast as they should, and nothing else is on the screen."""

import math

import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.dots import moving_dots

SIZE = (20, 30)


@pytest.mark.parametrize(("direction", "rows", "columns"), [(0.0, 0, 1), (90.0, -1, 0), (180.0, 0, -1), (270.0, 1, 0)])
def test_coherent_dots_move_together(direction, rows, columns):
    movie = moving_dots(Seed(1), direction_deg=direction, speed_px_per_s=60.0, frames=9, frame_size=SIZE)
    for frame in range(9):
        expected = movie[0].roll((2 * rows * frame, 2 * columns * frame), (0, 1))
        torch.testing.assert_close(movie[frame], expected, atol=1e-5, rtol=0)
    assert float((movie[0] - movie[1]).abs().max()) > 0.3


def test_a_disc_has_its_area_and_luminance():
    movie = moving_dots(Seed(2), dots=1, radius_px=5.0, contrast=0.6, frames=40, frame_size=(40, 50))
    assert float(movie.max()) == pytest.approx(0.8)
    assert float(movie.min()) == pytest.approx(0.5)
    # The ramp at the edge is a pixel wide: pi (r^2 + 1/12) on average over where the centre lies.
    area = float((movie - 0.5).sum((1, 2)).mean()) / 0.3
    assert area == pytest.approx(math.pi * (25 + 1 / 12), rel=0.01)


def test_half_are_bright_and_half_are_dark():
    movie = moving_dots(Seed(3), dots=60, frames=50, frame_size=(60, 80))
    bright, dark = (movie > 0.85).double().mean(), (movie < 0.15).double().mean()
    assert float(bright / dark) == pytest.approx(1, abs=0.15)
    assert float((movie - 0.5).abs().max()) == pytest.approx(0.4)


def test_dots_that_do_not_follow_go_their_own_ways():
    def moved(coherence: float) -> float:
        movie = moving_dots(
            Seed(4), dots=40, coherence=coherence, radius_px=1.5, speed_px_per_s=60.0, frames=6, frame_size=(60, 80)
        )
        shown, kept = movie[5] - 0.5, movie[0].roll(10, 1) - 0.5
        return float((shown * kept).sum() / (shown.norm() * kept.norm()))

    assert moved(1.0) > 0.99
    assert moved(0.5) == pytest.approx(0.5, abs=0.2)
    assert abs(moved(0.0)) < 0.25


def test_same_seed_same_bits_and_wrong_use():
    assert torch.equal(moving_dots(Seed(5), frames=3), moving_dots(Seed(5), frames=3))
    assert not torch.equal(moving_dots(Seed(5), frames=3), moving_dots(Seed(6), frames=3))
    for wrong in ({"contrast": 1.2}, {"mean_luminance": 0.8}, {"coherence": 1.5}, {"dots": 0}, {"radius_px": 0.0}):
        with pytest.raises(WrongUse):
            moving_dots(Seed(0), **wrong)
