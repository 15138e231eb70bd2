import math

import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.probes import FREQUENCIES, LENGTHS, RATES, Grating, Noise, Probe, gratings, noises

SHAPE = {"frames": 12, "frame_size": (10, 14)}


@pytest.mark.parametrize(
    ("space", "time", "sentence"),
    [
        (0.51, 0.1, "0.51 cycles per pixel would be shown as another one"),
        (0.0, 0.1, "choose one above 0 and at most 0.5"),
        (0.1, 0.501, "0.501 cycles per frame would be shown as another one.*half the frame rate"),
        (0.1, -0.1, "turn direction_deg to drift backwards"),
        (math.nan, 0.1, "cycles per pixel"),
    ],
)
def test_what_would_alias_is_refused(space: float, time: float, sentence: str) -> None:
    with pytest.raises(WrongUse, match=sentence) as refused:
        Grating(space, time)
    assert str(refused.value).count(". ") == 0, "one sentence"


def test_what_is_refused_would_indeed_have_looked_like_another() -> None:
    frame = torch.arange(20, dtype=torch.float64)
    torch.testing.assert_close(torch.cos(2 * math.pi * 0.6 * frame), torch.cos(2 * math.pi * 0.4 * frame))


@pytest.mark.parametrize("lengths", [(-1.0, 0.0), (0.0, 33.0), (math.nan, 0.0)])
def test_lengths_are_within_what_is_asked_for(lengths: tuple[float, float]) -> None:
    with pytest.raises(WrongUse, match="lengths from 0 to 32"):
        Noise(*lengths)


@pytest.mark.parametrize("probe", [Grating(0.2, 0.1, 30.0), Grating(0.5, 0.5, 90.0), Noise(2.0, 3.0), Noise(0.0, 0.0)])
def test_a_movie_comes_back_whole_from_itself_and_not_from_another(probe: Probe) -> None:
    movie = probe.movie(Seed(1), **SHAPE)  # type: ignore[arg-type]
    assert movie.shape == (12, 10, 14)
    assert 0 <= float(movie.min()) < float(movie.max()) <= 1
    assert torch.equal(movie, probe.movie(Seed(1), **SHAPE))  # type: ignore[arg-type]
    assert not torch.equal(movie, probe.movie(Seed(2), **SHAPE))  # type: ignore[arg-type]
    whole = probe.score(movie, movie, Seed(1), burn_in=2)
    assert whole.correlation == pytest.approx(1)
    assert whole.gain == pytest.approx(1, abs=1e-5)
    faint = probe.score(0.5 - 0.25 * (movie - 0.5), movie, Seed(1), burn_in=2)
    assert faint.correlation == pytest.approx(-1)
    assert faint.transfer == pytest.approx(-0.25, abs=1e-5)
    gray = probe.score(torch.full_like(movie, 0.5), movie, Seed(1), burn_in=2)
    assert (gray.correlation, gray.transfer) == (0, pytest.approx(0, abs=1e-6))


def test_grids_hold_every_cell_once() -> None:
    assert len(noises()) == len(set(noises())) == len(LENGTHS) ** 2
    assert max(probe.length_px for probe in noises()) == 32
    every = gratings()
    moving, still = len(RATES) - 1, 2
    assert len(every) == len(set(every)) == len(FREQUENCIES) * (moving * 4 + still)
    assert {probe.direction_deg for probe in every if not probe.cycles_per_frame} == {0.0, 90.0}
    assert len({probe.name for probe in (*every, *noises())}) == len(every) + len(noises())
    with pytest.raises(WrongUse, match="per pixel"):
        gratings(frequencies=(0.1, 0.6))
