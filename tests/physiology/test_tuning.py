import csv
import json
import math

import numpy as np
import pytest
import torch
from tests.physiology.cells import SIZE, EnergyCells, gabor, linear, quadrature

from cinecortex.errors import WrongUse
from cinecortex.physiology.gratings import GratingResponses, show_gratings
from cinecortex.physiology.local import show_gratings_nearby
from cinecortex.physiology.measure import measure_physiology, write_table
from cinecortex.physiology.preferences import apart_deg, excitation, preferences

LAGS = torch.tensor([0.2, 0.6, 0.4])
SPATIAL = (0.04, 0.06, 0.085, 0.12, 0.17, 0.24)
BIN = 1.42
DIRECTIONS_DEG = (10.0, 55.0, 118.0, 201.0, 299.0)


def few(encoder, **options) -> GratingResponses:
    return show_gratings(encoder, **{"spatial_cycles_per_px": SPATIAL, "temporal_hz": (3.0,), **options})


def oriented(nonlinearity: str = "softplus"):
    filters = torch.stack([gabor(direction_deg=angle, phase_deg=20 * n) for n, angle in enumerate(DIRECTIONS_DEG)])
    return linear(filters / 3, LAGS, nonlinearity=nonlinearity)


@pytest.mark.parametrize("nonlinearity", ["identity", "softplus", "exponential"])
def test_orientation_is_found_within_two_degrees_and_spatial_frequency_within_a_bin(nonlinearity):
    found = preferences(few(oriented(nonlinearity)))
    expected = (torch.tensor(DIRECTIONS_DEG) + 90) % 180
    assert float(apart_deg(found.orientation_deg, expected, period_deg=180.0).max()) < 2
    ratio = found.spatial_frequency_cycles_per_px / 0.12
    assert bool(((ratio < BIN) & (ratio > 1 / BIN)).all())
    assert float(found.orientation_selectivity.min()) > 0.4
    # A separable filter has no direction.
    assert float(found.direction_selectivity.max()) < 0.05


def test_a_linear_cell_modulates_as_its_transfer_function_says():
    frequency, temporal_hz = 0.12, 3.0
    responses = few(
        linear(gabor()[None], LAGS, nonlinearity="identity"), spatial_cycles_per_px=(frequency,), directions=4
    )
    row, column = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = {0: np.exp(2j * np.pi * frequency * column), 1: np.exp(-2j * np.pi * frequency * row)}
    lag = np.exp(-2j * np.pi * temporal_hz / 30 * np.arange(3))
    for direction, wave in waves.items():
        amplitude = 0.5 * 0.8 * abs((gabor().numpy() * wave).sum()) * abs((LAGS.numpy() * lag).sum())
        assert float(responses.modulation[0, direction, 0, 0]) == pytest.approx(amplitude, rel=1e-3, abs=1e-4)
    assert float(responses.mean.abs().max()) < 1e-3
    # Nothing of it is excitation by F0; the modulation stands in.
    torch.testing.assert_close(excitation(responses), responses.modulation)
    assert bool(preferences(responses).modulation_ratio > 100)


def test_an_energy_cell_is_tuned_and_does_not_modulate():
    spatial = torch.stack([quadrature(direction_deg=angle) for angle in DIRECTIONS_DEG])
    responses = few(EnergyCells(spatial[:, :, None] * LAGS[:, None, None]))
    found = preferences(responses)
    expected = (torch.tensor(DIRECTIONS_DEG) + 90) % 180
    assert float(apart_deg(found.orientation_deg, expected, period_deg=180.0).max()) < 2
    assert bool(((found.spatial_frequency_cycles_per_px / 0.12).log().abs() < math.log(BIN)).all())
    assert float(found.modulation_ratio.max()) < 0.1
    torch.testing.assert_close(responses.gray, torch.zeros(5), atol=1e-9, rtol=0)


def direction_selective(angles_deg) -> EnergyCells:
    """Two filters in quadrature in space and time, whose sum drifts (Adelson & Bergen 1985)."""
    lag = torch.arange(10.0)
    even, odd = (torch.exp(-lag / 4) * wave(2 * math.pi * 3 / 30 * lag) for wave in (torch.cos, torch.sin))
    cells = []
    for angle in angles_deg:
        cosine, sine = quadrature(direction_deg=angle)
        # cos(k x + w lag): what drifts along k was further back, lag by lag.
        one = cosine * even[:, None, None] - sine * odd[:, None, None]
        other = sine * even[:, None, None] + cosine * odd[:, None, None]
        cells.append(torch.stack([one, other]))
    return EnergyCells(torch.stack(cells))


def test_the_direction_of_a_direction_selective_cell_is_the_one_it_drifts_in():
    found = preferences(few(direction_selective(DIRECTIONS_DEG)))
    assert float(apart_deg(found.direction_deg, torch.tensor(DIRECTIONS_DEG), period_deg=360.0).max()) < 3
    assert float(found.direction_selectivity.min()) > 0.6
    expected = (torch.tensor(DIRECTIONS_DEG) + 90) % 180
    assert float(apart_deg(found.orientation_deg, expected, period_deg=180.0).max()) < 3


def test_an_unselective_cell_has_low_indices():
    blob = gabor(cycles_per_px=0.0, width_px=1.5, centre=(8.5, 10.5))
    found = preferences(few(linear(blob[None] / 3, LAGS)))
    assert float(found.orientation_selectivity) < 0.05
    assert float(found.direction_selectivity) < 0.05


def test_temporal_frequency_and_degrees():
    # A resonant filter in time: it prefers 5 Hz.
    lag = torch.arange(24.0)
    encoder = linear(
        gabor()[None], torch.exp(-lag / 8) * torch.cos(2 * math.pi * 5 / 30 * lag), nonlinearity="identity"
    )
    found = preferences(few(encoder, temporal_hz=(1.25, 2.5, 5.0, 10.0)))
    assert float(found.temporal_frequency_hz) == pytest.approx(5, rel=0.15)


def test_a_curve_that_is_known_gives_the_indices_that_it_has():
    angle = torch.arange(24) * 15.0
    curve = 1 + 0.5 * torch.cos(torch.deg2rad(2 * (angle - 33))) + 0.3 * torch.cos(torch.deg2rad(angle - 33))
    frequencies = torch.tensor([0.05, 0.1, 0.2])
    profile = torch.exp(-((frequencies / 0.12).log() ** 2))
    mean = (curve[:, None] * profile)[None, :, :, None]
    responses = GratingResponses(angle, frequencies, torch.tensor([2.0]), mean, 0.4 * mean, torch.zeros(1))
    found = preferences(responses)
    assert float(found.direction_deg) == pytest.approx(33, abs=0.5)
    assert float(found.orientation_deg) == pytest.approx(123, abs=0.5)
    assert float(found.orientation_selectivity) == pytest.approx(0.25, abs=1e-3)
    assert float(found.direction_selectivity) == pytest.approx(0.6 / 3, abs=1e-2)
    assert float(found.modulation_ratio) == pytest.approx(0.4, abs=1e-4)
    # A Gaussian in log frequency is no parabola, but nearly one at its peak.
    assert float(found.spatial_frequency_cycles_per_px) == pytest.approx(0.12, rel=0.05)


def test_a_silent_neuron_prefers_nothing():
    shape = (2, 8, 3, 1)
    mean = torch.ones(shape)
    mean[0, 2, 1] = 3
    responses = GratingResponses(
        torch.arange(8) * 45.0, torch.tensor([0.05, 0.1, 0.2]), torch.tensor([2.0]), mean, 0 * mean, torch.ones(2)
    )
    found = preferences(responses)
    assert found.direction_deg.tolist()[0] == 90
    for name in ("direction_deg", "orientation_selectivity", "temporal_frequency_hz", "modulation_ratio"):
        assert getattr(found, name).isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"temporal_hz": (2.0, 15.0)}, "15 Hz has no direction at 30 frames per second; choose .* below 15 Hz"),
        ({"temporal_hz": (40.0,)}, "below 15 Hz, half the frame rate"),
        ({"spatial_cycles_per_px": (0.1, 0.5)}, "0.5 cycles per pixel .* below 0.5, the limit of the pixels"),
        ({"temporal_hz": (0.0, 1.0)}, "temporal frequencies must be positive and rise"),
        ({"spatial_cycles_per_px": ()}, "spatial frequencies must be positive"),
        ({"spatial_cycles_per_px": (0.2, 0.1)}, "rise"),
        ({"directions": 9}, "even number of directions"),
    ],
)
def test_gratings_that_cannot_be_shown_or_compared_are_refused(options, sentence):
    with pytest.raises(WrongUse, match=sentence):
        few(oriented(), **options)


def small(encoder, **options):
    return measure_physiology(
        encoder, **{"directions": 12, "spatial_cycles_per_px": SPATIAL, "temporal_hz": (3.0,), **options}
    )


def test_a_window_around_the_cell_keeps_a_suppressive_surround_out():
    class Suppressed(EnergyCells):
        """Divided by the contrast energy of oblique bars far from its receptive field."""

        def __init__(self):
            centre, far = (9.0, 5.0), (9.0, 18.0)
            tuned = quadrature(centre=centre, direction_deg=90, width_px=1.6)
            around = quadrature(centre=far, direction_deg=60, width_px=1.6)
            super().__init__(torch.stack([tuned, around])[:, :, None] * LAGS[:, None, None])

        @property
        def neurons(self):
            return 1

        def forward(self, movies, behaviors):
            both = super().forward(movies, behaviors)
            return both[..., :1] / (0.3 + both[..., 1:])

    place = torch.tensor([[9.0, 5.0]])
    whole = preferences(few(Suppressed()))
    near = preferences(show_gratings_nearby(Suppressed(), place, aperture_px=3.0, spatial_cycles_per_px=SPATIAL))
    assert float(apart_deg(near.orientation_deg, torch.zeros(1), period_deg=180.0)) < 3
    assert float(apart_deg(whole.orientation_deg, torch.zeros(1), period_deg=180.0)) > 6


def test_the_table_holds_every_neuron_in_every_form(tmp_path):
    told = []
    cells = small(
        direction_selective(DIRECTIONS_DEG),
        degrees_per_px=2.0,
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    torch.testing.assert_close(cells.spatial_frequency_cycles_per_deg, cells.spatial_frequency_cycles_per_px / 2)
    assert repr(cells).startswith("Physiology(5 neurons: 5 oriented, 5 directional, 0 simple; median radius 2.")
    write_table(cells, tmp_path / "new" / "cells.csv")
    with (tmp_path / "new" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["neuron"]) for row in rows] == list(range(5))
    assert float(rows[3]["direction_deg"]) == float(cells.direction_deg[3])
    assert float(rows[3]["center_row_px"]) == pytest.approx(8.3, abs=0.2)
    assert float(rows[3]["spatial_frequency_cycles_per_deg"]) == pytest.approx(0.06, rel=0.3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cells.csv"]
    content = json.loads(json.dumps(cells.to_json(), allow_nan=False))
    assert content["summary"]["directional"] == 5
    assert len(content["neurons"]["center_column_px"]) == 5
    assert {what for _, _, what in told} == {"receptive fields", "gratings"}
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1] == (100, 100, "gratings")


def test_cycles_per_degree_need_the_size_of_a_pixel():
    cells = small(oriented(), directions=4, spatial_cycles_per_px=(0.1,))
    with pytest.raises(WrongUse, match="need the size of a pixel"):
        _ = cells.spatial_frequency_cycles_per_deg
    assert "spatial_frequency_cycles_per_deg" not in cells.columns()
    told = []
    near = small(
        oriented(),
        directions=4,
        spatial_cycles_per_px=(0.1,),
        aperture_px=9.0,
        progress=lambda done, total, what: told.append(done),
    )
    assert told == sorted(told)
    assert bool(near.response.gt(0).all())
    for options in ({"degrees_per_px": 0.0}, {"aperture_px": 0.0}):
        with pytest.raises(WrongUse, match=r"size of a pixel|shows nothing"):
            small(oriented(), directions=4, spatial_cycles_per_px=(0.1,), **options)
