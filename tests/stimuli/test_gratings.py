import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.stimuli.gratings import drifting_grating


@pytest.mark.parametrize(("direction", "shift"), [(0.0, (0, 1)), (90.0, (-1, 0)), (180.0, (0, -1)), (270.0, (1, 0))])
def test_it_drifts_where_it_is_told_to(direction: float, shift: tuple[int, int]) -> None:
    """At 1/16 cycles per px and 30/16 Hz a frame is the last one moved by one pixel; rows count downwards."""
    movie = drifting_grating(
        direction_deg=direction,
        spatial_frequency_cycles_per_px=1 / 16,
        temporal_frequency_hz=30 / 16,
        frame_size=(32, 64),
        frames=5,
    )
    moved = torch.roll(movie[:-1], shift, dims=(1, 2))
    torch.testing.assert_close(moved, movie[1:], atol=1e-5, rtol=0)


def test_frequencies_mean_and_contrast_are_exact() -> None:
    movie = drifting_grating(
        spatial_frequency_cycles_per_px=0.125, temporal_frequency_hz=3.0, contrast=0.6, mean_luminance=0.4, frames=60
    ).numpy()
    spectrum = np.abs(np.fft.fftn(movie)) / movie.size
    assert spectrum[0, 0, 0] == pytest.approx(0.4, abs=1e-6)
    # 3 Hz in 2 s is bin 6, 0.125 cycles per px in 64 px is bin 8; rightwards is (k, -w).
    assert spectrum[-6, 0, 8] == pytest.approx(0.4 * 0.6 / 2, abs=1e-6)
    assert spectrum[6, 0, 8] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"temporal_frequency_hz": 15.1}, "15.1 Hz cannot be shown at 30 frames per second"),
        ({"temporal_frequency_hz": -1.0}, "turn direction_deg"),
        ({"spatial_frequency_cycles_per_px": 0.51}, "limit of the pixels"),
        ({"spatial_frequency_cycles_per_px": 0.0}, "limit of the pixels"),
        ({"contrast": 1.2}, "screen's range"),
        ({"contrast": 0.8, "mean_luminance": 0.6}, "screen's range"),
        ({"frames": 0}, "at least one frame"),
    ],
)
def test_what_cannot_be_shown_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(WrongUse, match=sentence):
        drifting_grating(**wrong)  # type: ignore[arg-type]


def test_the_limits_themselves_are_accepted() -> None:
    movie = drifting_grating(temporal_frequency_hz=15.0, spatial_frequency_cycles_per_px=0.5, contrast=1.0, frames=2)
    assert movie.shape == (2, 36, 64)
