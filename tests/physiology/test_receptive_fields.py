import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.physiology.cells import SIZE, EnergyCells, gabor, linear, quadrature
from torch import nn

from cinecortex.encoders.wrap import wrap
from cinecortex.errors import WrongUse
from cinecortex.physiology.receptive_fields import ReceptiveFields, extent, map_receptive_fields
from cinecortex.seeds import Seed

LAGS = torch.tensor([0.2, 0.6, 0.4])
CENTRES = [(8.3, 11.6), (6.0, 8.5), (10.2, 13.1)]


def alike(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one * other).sum() / (one.norm() * other.norm()))


def test_a_linear_cell_is_mapped_to_its_own_filter():
    filters = torch.stack([gabor(centre=centre, direction_deg=30 + 50 * n) for n, centre in enumerate(CENTRES)])
    fields = map_receptive_fields(linear(filters, LAGS, nonlinearity="identity"), seed=Seed(1))
    assert fields.energy.shape == (3, *SIZE)
    torch.testing.assert_close(fields.row_px, torch.arange(float(SIZE[0])))
    for number, one in enumerate(filters):
        # Exactly so: the derivative of a linear cell does not depend on the movie.
        assert alike(fields.linear[number], one) > 0.9999
        assert alike(fields.energy[number], one**2) > 0.9999
    gain = (LAGS * torch.exp(-2j * math.pi / 12 * torch.arange(3))).sum().abs()
    torch.testing.assert_close(fields.linear.abs().amax((1, 2)), gain * filters.abs().amax((1, 2)), rtol=1e-3, atol=0)
    torch.testing.assert_close(fields.linear_share, torch.ones(3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("phase_deg", [0.0, 90.0])
def test_the_centre_of_a_softplus_cell_is_found_within_a_fifth_of_a_pixel(phase_deg):
    filters = torch.stack([gabor(centre=centre, direction_deg=70, phase_deg=phase_deg) for centre in CENTRES])
    place = extent(map_receptive_fields(linear(filters, LAGS), seed=Seed(2)))
    error = (place.centre_px - torch.tensor(CENTRES)).norm(dim=1)
    assert float(error.max()) < 0.2


def energy_cells(**options) -> EnergyCells:
    spatial = torch.stack([quadrature(centre=centre, direction_deg=40 * n) for n, centre in enumerate(CENTRES)])
    return EnergyCells(spatial[:, :, None] * LAGS[:, None, None])


def test_an_energy_cell_has_an_energy_map_and_no_linear_one():
    encoder = energy_cells()
    fields = map_receptive_fields(encoder, seed=Seed(3), movies=2)
    assert float(fields.linear_share.max()) < 1e-6
    assert float(fields.linear.abs().max()) < 1e-3 * float(fields.energy.sqrt().max())
    place = extent(fields)
    assert float((place.centre_px - torch.tensor(CENTRES)).norm(dim=1).max()) < 0.2
    # The envelope has a standard deviation of 2.2 px.
    torch.testing.assert_close(place.radius_px, torch.full((3,), 2.2), rtol=0.1, atol=0)


def test_uniform_gray_would_have_shown_nothing_of_an_energy_cell():
    encoder = energy_cells()
    gray = torch.full((1, 12, *SIZE), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(encoder(gray, torch.zeros(1, 12, 0)).sum(), gray)
    assert not bool(gradient.any())


def test_a_coarse_grid_still_finds_the_place():
    filters = torch.stack([gabor(centre=centre, cycles_per_px=0.05) for centre in CENTRES])
    fields = map_receptive_fields(linear(filters, LAGS), spacing_px=2)
    torch.testing.assert_close(fields.row_px, torch.arange(0.5, SIZE[0], 2.0))
    torch.testing.assert_close(fields.column_px, torch.arange(0.5, SIZE[1], 2.0))
    assert float((extent(fields).centre_px - torch.tensor(CENTRES)).norm(dim=1).max()) < 0.25


def test_the_extent_of_a_gaussian_is_its_centre_and_its_standard_deviation():
    picture = torch.zeros(41, 41, dtype=torch.float64)
    picture[19, 22] = 1.0
    amplitude = torch.from_numpy(gaussian_filter(picture.numpy(), 3.0, truncate=8)).float()
    noise = amplitude.max() * 1e-2 * torch.rand(41, 41, generator=torch.Generator().manual_seed(0))
    maps = torch.stack([amplitude, amplitude + noise, torch.zeros(41, 41)]) ** 2
    pixels = torch.arange(41.0)
    place = extent(ReceptiveFields(pixels, pixels, maps, maps, torch.zeros(3)))
    torch.testing.assert_close(place.centre_px[0], torch.tensor([19.0, 22.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(place.radius_px[:2], torch.tensor([3.0, 3.0]), atol=0.05, rtol=0)
    assert bool(place.centre_px[2].isnan().all())


def test_same_seed_same_map_and_a_network_of_any_batch_size():
    encoder = energy_cells()
    one = map_receptive_fields(encoder, seed=Seed(4), batch_frames=100)
    again = map_receptive_fields(encoder, seed=Seed(4), batch_frames=5000)
    other = map_receptive_fields(encoder, seed=Seed(5))
    torch.testing.assert_close(one.energy, again.energy)
    assert not torch.allclose(one.energy, other.energy, rtol=1e-2)


def test_a_wrapped_network_that_looks_ahead_is_mapped_at_rest():
    class Cell(nn.Module):
        """Looks one frame ahead; behavior moves its gain, which is zero unless the animal is at rest."""

        def forward(self, movies, behaviors):
            seen = ((movies - 0.5) * gabor()).sum((2, 3), keepdim=False)[..., None]
            ahead = torch.cat([seen[:, 1:], seen[:, -1:]], 1)
            return nn.functional.softplus(seen + ahead) * torch.exp(-1e3 * (behaviors - 7).abs())

    encoder = wrap(
        Cell(),
        neurons=1,
        frame_size=SIZE,
        memory=2,
        behavior_channels=("running speed",),
        behavior_at_rest=(7.0,),
        check=False,
    )
    fields = map_receptive_fields(encoder)
    assert alike(fields.linear[0], gabor()) > 0.99


@pytest.mark.parametrize("options", [{"movies": 0}, {"spacing_px": 0}])
def test_mapping_with_nothing_is_refused(options):
    with pytest.raises(WrongUse, match="mapping needs"):
        map_receptive_fields(energy_cells(), **options)
