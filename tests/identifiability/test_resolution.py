"""A grid shown to an inverter that is a low-pass known by hand: its transfer, its lag, its correlation."""

from __future__ import annotations

import cmath
import json
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.identifiability.resolution import Cell, Resolution, measure_resolution
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.probes import SPREAD, Grating, Noise, Score, gratings
from cinecortex.stimuli.screen import ScreenGeometry

FRAMES, SIZE, REACH, DELAYS, NOISE = 32, (20, 26), 1, 3, 0.1
MASK = torch.zeros(SIZE)
MASK[REACH:-REACH, REACH:-REACH] = 1
"""Where the low-pass does not look beyond the frame."""


def like(frames=FRAMES, neurons=SIZE[0] * SIZE[1]):
    return Observation(
        response=torch.zeros(frames, neurons),
        behavior=torch.zeros(frames, 1),
        behavior_channels=("running speed",),
        frame_rate_hz=30.0,
        frame_size=SIZE,
        heard=torch.ones(neurons, dtype=torch.bool),
    )


def sees_all(movie, behavior, seed):
    assert len(movie) == len(behavior)
    return movie.flatten(1)


def with_noise(movie, behavior, seed):
    return sees_all(movie, behavior, seed) + NOISE * torch.randn(len(movie), movie[0].numel(), generator=seed.torch())


class LowPass:
    """Mean of three by three pixels, of this frame and the two before."""

    name = "low-pass"

    def __call__(self, observation, seed):
        movie = observation.response.unflatten(1, observation.frame_size)
        smooth = torch.nn.functional.avg_pool2d(movie[:, None], 3, 1, 1)[:, 0]
        past = torch.cat([smooth[:1].expand(DELAYS - 1, -1, -1), smooth])
        delayed = [past[delay : delay + len(movie)] for delay in range(DELAYS)]
        return Reconstruction(torch.stack(delayed).mean(0), ended="tested")


ANIMALS = {"noisy": with_noise, "noiseless": sees_all}
WITHIN = {"frames": FRAMES, "mask": MASK, "burn_in": DELAYS, "seed": Seed(3)}


def transfer_of(probe: Grating) -> complex:
    angle = math.radians(probe.direction_deg)
    in_space = [
        (1 + 2 * math.cos(2 * math.pi * probe.cycles_per_px * part)) / 3 for part in (math.cos(angle), math.sin(angle))
    ]
    turn = cmath.exp(2j * math.pi * probe.cycles_per_frame)
    return in_space[0] * in_space[1] * (1 + turn + turn**2) / 3


@pytest.fixture(scope="module")
def grid():
    probes = gratings((0.05, 0.2, 0.45), (0.0, 0.1, 0.4), (0.0, 120.0))
    return measure_resolution(LowPass(), ANIMALS, probes, like=[like()], repeats=2, **WITHIN)


def test_the_transfer_is_that_of_the_low_pass_at_every_frequency_and_direction(grid):
    assert len(grid.cells) == 2 * 3 * 3 * 2
    counted = (FRAMES - DELAYS) * float(MASK.sum())
    for cell in grid.cells:
        exact = transfer_of(cell.probe)
        # Noise that the filter lets through may be coarser than white by its nine pixels and three frames.
        error = 0.0 if cell.animal == "noiseless" else NOISE / (math.sqrt(2) * SPREAD) * math.sqrt(2 / counted)
        for score in cell.scores:
            assert abs(score.gain - exact) < 5 * error + 1e-5
            assert score.transfer == score.gain.real
        assert abs(cell.gain - exact) < 5 * error + 1e-5


def test_directions_come_together_and_the_lag_is_that_of_the_filter(grid):
    points = grid.points(Grating.kind, "noiseless")
    assert [(point.spatial, point.temporal) for point in points] == [
        (space, time) for space in (0.05, 0.2, 0.45) for time in (0.0, 0.1, 0.4)
    ]
    for point in points:
        every = [transfer_of(cell.probe) for cell in grid.cells if cell.probe.axes == (point.spatial, point.temporal)]
        mean = sum(every) / len(every)
        assert point.modulation == pytest.approx(abs(mean), abs=1e-5)
        assert point.transfer == pytest.approx(mean.real, abs=1e-5)
        assert point.movies == 4
        assert (point.lag_frames is None) == (point.temporal == 0)
    lagging = next(point for point in points if (point.spatial, point.temporal) == (0.05, 0.1))
    assert lagging.lag_frames == pytest.approx(1, abs=1e-4), "in the mean of none, one and two frames"
    assert grid.points(Noise.kind, "noiseless") == ()


def autocorrelation(lag, length):
    return np.exp(-(lag**2) / (2 * length**2)) if length else (lag == 0).astype(float)


@pytest.mark.parametrize("lengths", [(1.5, 1.0), (0.0, 2.0), (0.0, 0.0)])
def test_the_correlation_with_noise_is_the_analytic_one(lengths):
    """Of ``y = h * (x + n)`` with x: ``h R / sqrt(R(0) (h R h + s^2 h h))``, and the slope is ``h R / R(0)``."""
    found = measure_resolution(LowPass(), ANIMALS, [Noise(*lengths)], like=[like()], repeats=12, **WITHIN)
    offsets = [np.arange(-1, 2), np.arange(-(DELAYS - 1), 1)]
    row, column, frame = np.meshgrid(offsets[0], offsets[0], offsets[1], indexing="ij")
    taps = np.stack([row.ravel(), column.ravel(), frame.ravel()], 1)

    def covariance(lags):
        return np.prod([autocorrelation(lags[..., i], (lengths[0], lengths[0], lengths[1])[i]) for i in range(3)], 0)

    slope = covariance(taps).mean()
    variance = covariance(taps[:, None] - taps[None]).mean()
    for cell in found.cells:
        noise = NOISE**2 / SPREAD**2 / len(taps) if cell.animal == "noisy" else 0.0
        exact = {"correlation": slope / math.sqrt(variance + noise), "transfer": slope}
        for name, value in exact.items():
            measured = [getattr(score, name) for score in cell.scores]
            error = statistics.stdev(measured) / math.sqrt(len(measured))
            assert abs(statistics.fmean(measured) - value) < 4.5 * error + 1e-3, (cell.animal, name)
        assert cell.unshown == pytest.approx(0, abs=0.06)
    points = [found.points(Noise.kind, animal)[0] for animal in ANIMALS]
    assert points[0].correlation < points[1].correlation
    assert points[0].lag_frames is None


def test_units_are_those_of_the_screen_or_of_the_pixels(grid):
    assert grid.units == (("cycles per px", 1.0), ("Hz", 30.0))
    (space, factor), _ = Resolution(grid.cells, FRAMES, 30.0, ScreenGeometry(26, 52.0)).units
    assert (space, factor) == ("cycles per degree", pytest.approx(0.5))


def test_it_fits_json_also_where_nothing_varied():
    flat = Cell(Noise(32.0, 32.0), "noisy", (Score(math.nan, complex(math.nan, 0.0)),), None)
    (cell,) = json.loads(json.dumps(Resolution((flat,), 5, 30.0).to_json(), allow_nan=False))
    assert cell["correlation"] == [None]
    assert (cell["length_px"], cell["kind"]) == (32.0, "Gaussian noise")


def test_the_same_seed_gives_the_same_and_both_animals_are_shown_the_same():
    shown, behaved = [], []

    def remembers(movie, behavior, seed):
        shown.append(movie)
        behaved.append(float(behavior.mean()))
        return sees_all(movie, behavior, seed)

    told = []
    animals = {"one": remembers, "other": remembers}
    for _ in range(2):
        found = measure_resolution(
            LowPass(),
            animals,
            [Noise(2.0, 2.0)],
            like=[like(), replace(like(), behavior=torch.ones(FRAMES, 1))],
            progress=lambda *each: told.append(each),
            **WITHIN,
        )
    assert all(torch.equal(shown[0], movie) for movie in shown)
    assert behaved == [0.0] * 4
    assert told[:2] == [(1, 2, "noise, 2 px, 2 frames, one"), (2, 2, "noise, 2 px, 2 frames, other")]
    assert found.cells[0].unshown is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"probes": []}, "at least one animal, one probe"),
        ({"animals": {}}, "at least one animal"),
        ({"like": []}, "one observation"),
        ({"frames": FRAMES + 1}, "fewer than the 33 frames"),
    ],
)
def test_nothing_to_show_is_refused(changed, sentence):
    asked = {"probes": [Noise(1.0, 1.0)], "animals": ANIMALS, "like": [like()], **WITHIN, **changed}
    with pytest.raises(WrongUse, match=sentence):
        measure_resolution(LowPass(), asked.pop("animals"), asked.pop("probes"), **asked)
