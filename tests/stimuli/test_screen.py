import math

import pytest

from cinecortex.errors import BadData, WrongUse
from cinecortex.stimuli.screen import ScreenGeometry, screen_of


def test_a_flat_screen_subtends_what_it_subtends() -> None:
    """As wide as twice its distance: half of it stands at 45 degrees."""
    screen = ScreenGeometry.flat(60, width_cm=50.0, distance_cm=25.0)
    assert screen.width_deg == pytest.approx(90)
    assert screen.degrees_per_px == pytest.approx(1.5)
    assert screen.cycles_per_degree(0.3) == pytest.approx(0.2)
    assert screen.cycles_per_px(0.2) == pytest.approx(0.3)
    far = ScreenGeometry.flat(100, width_cm=1.0, distance_cm=1000.0)
    assert far.width_deg == pytest.approx(math.degrees(1 / 1000), rel=1e-6)


def test_metadata_tell_of_it_or_nobody_does() -> None:
    assert screen_of({"species": "mouse"}, 64) is None
    assert screen_of({"screen_width_deg": "128"}, 64) == ScreenGeometry(64, 128.0)
    told = screen_of({"screen_width_cm": "50", "screen_distance_cm": "25.0"}, 60)
    assert told is not None
    assert told.degrees_per_px == pytest.approx(1.5)


@pytest.mark.parametrize(
    "metadata",
    [
        {"screen_width_cm": "50"},
        {"screen_distance_cm": "15"},
        {"screen_width_deg": "wide"},
        {"screen_width_deg": "0"},
        {"screen_width_deg": "nan"},
        {"screen_width_cm": "-50", "screen_distance_cm": "15"},
    ],
)
def test_half_a_screen_is_not_guessed(metadata: dict[str, str]) -> None:
    with pytest.raises(BadData, match=r"metadata say screen_.*; give screen_width_deg, or"):
        screen_of(metadata, 64)


@pytest.mark.parametrize(("width_px", "width_deg"), [(0, 90.0), (64, 0.0), (64, 361.0), (64, math.nan)])
def test_an_impossible_screen_is_refused(width_px: int, width_deg: float) -> None:
    with pytest.raises(WrongUse, match="cannot be"):
        ScreenGeometry(width_px, width_deg)


def test_lengths_are_above_zero() -> None:
    with pytest.raises(WrongUse, match="lengths above 0"):
        ScreenGeometry.flat(64, width_cm=0.0, distance_cm=10.0)
