"""DwiseNeuro: the published network to the last parameter, and whole clips from it."""

from __future__ import annotations

import re

import pytest
import torch
from tests.encoders.dwiseneuro_small import NEURONS, sine_inputs, small_network
from torch import Tensor, nn

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import INPUT_BEHAVIORS, DwiseNeuroEncoder
from cinecortex.encoders.dwiseneuro_layers import PositionEncoding
from cinecortex.errors import WrongUse

COMPETITION = (7863, 7908, 8202, 7939, 8122)

# Parameters of the original network with the settings of configs/true_batch_001.py (ratio 7) and distillation_001.py
# (ratio 6) of lRomul/sensorium, counted in its own code: of each block, of each layer of the cortex, of each readout.
PUBLISHED = {
    6: ([66700, 66700, 66700, 91532, 250136, 250136, 348952, 967216, 967216], 90512124),
    7: ([79566, 79566, 79566, 108494, 298908, 298908, 414108, 1156920, 1156920], 91109792),
}
PUBLISHED_CORTEX = [135168, 1056768, 4210688]
PUBLISHED_READOUTS = [16113336, 16203492, 16805898, 16269060, 16641978]

# Computed by the original code with the weights of `sine_weights` on `sine_inputs(2, 6, 10, 12)`: the last frame of the
# second window, and the mean over windows, neurons and frames, of each animal.
GOLDEN = {
    6: (
        [
            [0.0, 414.2693289495, 0.0029962845, 5.907e-07, 228.6503199209],
            [157.924643, 234.77633346, 0.0, 307.63794592, 167.39918574, 1.468e-07, 154.06507659, 75.79066893],
            [438.9927667998, 1e-09, 0.0004419371],
        ],
        [109.1328825892, 126.9523757859, 131.3342259274],
    ),
    7: (
        [
            [7e-10, 447.3519242767, 7.3804e-06, 5.80637e-05, 254.8505138744],
            [241.2637051, 158.78740842, 0.0, 372.20561247, 70.57340112, 8.336e-07, 220.73014365, 1.60561645],
            [421.8754023211, 0.0, 0.4884945371],
        ],
        [93.2233954147, 89.9985546577, 95.4642920672],
    ),
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("ratio", [6, 7])
def test_the_published_network_has_the_published_parameters(ratio: int) -> None:
    with torch.device("meta"):
        network = DwiseNeuroNetwork(COMPETITION, expansion_ratio=ratio)
    blocks, total = PUBLISHED[ratio]
    assert count(network.core.stem) == 448
    assert [count(block) for block in list(network.core.blocks)[1::2]] == blocks
    assert [count(layer) for layer in network.cortex.layers] == PUBLISHED_CORTEX
    assert [count(readout) for readout in network.readouts] == PUBLISHED_READOUTS
    assert count(network) == total
    assert len(network.state_dict()) == 355


def test_the_names_of_the_tensors_are_the_published_ones() -> None:
    norm = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
    patterns = [
        r"core\.stem\.0\.weight",
        rf"core\.stem\.1\.bn\.{norm}",
        r"core\.blocks\.(0|2|4|6|8|10|12|14|16)\.inv_freq",
        r"core\.blocks\.(1|3|5|7|9|11|13|15|17)\.(conv_pw|spat_covn_dw|temp_covn_dw|conv_pwl)\.0\.weight",
        rf"core\.blocks\.(1|3|5|7|9|11|13|15|17)\.(conv_pw|spat_covn_dw|temp_covn_dw|conv_pwl)\.1\.bn\.{norm}",
        r"core\.blocks\.(1|3|5|7|9|11|13|15|17)\.se\.(conv_reduce|conv_expand)\.(weight|bias)",
        rf"core\.blocks\.(1|3|5|7|9|11|13|15|17)\.bn_sc\.bn\.{norm}",
        r"cortex\.layers\.[012]\.conv\.weight",
        rf"cortex\.layers\.[012]\.(bn|bn_sc)\.bn\.{norm}",
        r"readouts\.[01234]\.layer\.1\.(weight|bias)",
    ]
    # How many tensors each pattern stands for in the published network.
    counts = [1, 5, 9, 9 * 4, 9 * 4 * 5, 9 * 4, 9 * 5, 3, 3 * 2 * 5, 5 * 2]
    with torch.device("meta"):
        names = list(DwiseNeuroNetwork(COMPETITION).state_dict())
    assert [sum(bool(re.fullmatch(pattern, name)) for name in names) for pattern in patterns] == counts
    assert sum(counts) == len(names)


@pytest.mark.parametrize("ratio", [6, 7])
def test_the_numbers_are_those_of_the_original_code(ratio: int) -> None:
    with torch.no_grad():
        rates = small_network(ratio)(sine_inputs(2, 6, 10, 12))
    last, means = GOLDEN[ratio]
    for rate, expected, mean, neurons in zip(rates, last, means, NEURONS, strict=True):
        assert rate.shape == (2, neurons, 6)
        torch.testing.assert_close(rate[1, :, -1], torch.tensor(expected).double(), rtol=1e-6, atol=1e-4)
        assert float(rate.mean()) == pytest.approx(mean, rel=1e-9)


def test_one_animal_is_its_part_of_all() -> None:
    network, inputs = small_network(), sine_inputs(1, 4, 8, 8)
    with torch.no_grad():
        for index, rates in enumerate(network(inputs)):
            assert torch.equal(network(inputs, index), rates)


def test_position_encoding_names_every_place_differently() -> None:
    encoding = PositionEncoding(14).encoding(5, 6, 7)
    assert encoding.shape == (14, 5, 6, 7)
    places = encoding.flatten(1).T
    assert torch.cdist(places, places).add(torch.eye(len(places)) * 9).min() > 0.05
    assert torch.equal(encoding[:6, 0, 0, 0], torch.tensor([0.0, 0, 0, 1, 1, 1]))


def test_in_training_layers_are_skipped_by_sample() -> None:
    network = small_network(drop_path_rate=0.9, drop_rate=0.0)
    path = network.cortex.layers[0].drop_path.train()
    torch.manual_seed(0)
    kept = path(torch.ones(2000, 3, 2))
    assert kept.unique().tolist() == pytest.approx([0.0, 10.0])
    assert (kept == kept[:, :1, :1]).all()
    assert kept.mean() == pytest.approx(1.0, abs=0.25)


FRAME = (9, 14)


def encoder_of(index: int = 1, **options: object) -> DwiseNeuroEncoder:
    arguments = {"frame_size": FRAME, "padded_size": (12, 16), "window_frames": 4, **options}
    return DwiseNeuroEncoder(small_network(), index, **arguments).double().eval()  # type: ignore[arg-type]


def clips(batch: int = 2, frames: int = 11) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    movies = torch.rand(batch, frames, *FRAME, dtype=torch.float64, generator=generator)
    behaviors = torch.randn(batch, frames, 4, dtype=torch.float64, generator=generator)
    return movies, behaviors * torch.tensor([10.0, 5, 3, 3], dtype=torch.float64)


def as_published(network: nn.Module, movie: Tensor, behavior: Tensor, index: int) -> Tensor:
    """A clip as the published predictor does it: frame by frame in place, window by window."""
    time, height, width = movie.shape
    inputs = torch.zeros(5, time, 12, 16, dtype=torch.float64)
    inputs[0, :, 1 : 1 + height, 1 : 1 + width] = 255 * movie  # (12 - 9) // 2 and (16 - 14) // 2
    inputs[1:] = behavior.T[..., None, None]
    total, held = torch.zeros(NEURONS[index], time, dtype=torch.float64), torch.zeros(time)
    for last in range(6, time):
        places = list(range(last - 6, last + 1, 2))
        total[:, places] += network(inputs[None, :, places], index)[0]
        held[places] += 1
    return (total / held).T


def test_a_clip_is_predicted_as_published() -> None:
    encoder, (movies, behaviors) = encoder_of(), clips()
    with torch.no_grad():
        rates = encoder(movies, behaviors)
        for number in range(2):
            expected = as_published(encoder.network, movies[number], behaviors[number], 1)
            torch.testing.assert_close(rates[number], expected, rtol=1e-9, atol=1e-9)
    assert rates.shape == (2, 11, encoder.neurons) == (2, 11, 8)


@pytest.mark.parametrize("at_once", [1, 3, None])
def test_the_folded_form_is_the_network_and_its_gradient(at_once: int | None) -> None:
    encoder, (movies, behaviors) = encoder_of(windows_at_once=at_once), clips()
    plain = encoder_of(folded=False)
    weight = torch.linspace(-1, 2, movies.shape[1], dtype=torch.float64)[:, None]
    movies.requires_grad_(True)
    rates, expected = encoder(movies, behaviors), plain(movies, behaviors)
    torch.testing.assert_close(rates, expected, rtol=1e-9, atol=1e-9)
    slopes = [torch.autograd.grad((r * weight).sum(), movies)[0] for r in (rates, expected)]
    assert slopes[1].abs().max() > 1
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)


def test_the_folded_form_keeps_single_precision() -> None:
    encoder, (movies, behaviors) = encoder_of(), clips()
    movies.requires_grad_(True)
    exact = encoder(movies, behaviors)
    slope = torch.autograd.grad(exact.sum(), movies)[0]
    encoder.float()
    rough = movies.detach().float().requires_grad_(True)
    rates = encoder(rough, behaviors.float())
    assert (rates - exact).abs().max() < 1e-5 * exact.abs().max()
    assert (torch.autograd.grad(rates.sum(), rough)[0] - slope).abs().max() < 1e-4 * slope.abs().max()


def test_strides_that_do_not_divide_the_frame_are_left_to_the_network() -> None:
    encoder, (movies, behaviors) = encoder_of(padded_size=(11, 15)), clips()
    plain = encoder_of(padded_size=(11, 15), folded=False)
    with torch.no_grad():
        assert torch.equal(encoder(movies, behaviors), plain(movies, behaviors))


def test_behavior_is_found_by_name_and_filled_in_by_its_mean() -> None:
    movies, behaviors = clips()
    whole, mixed = encoder_of(), encoder_of(behavior_channels=("gaze y", "lick", "running speed"))
    for encoder in (whole, mixed):
        encoder.behavior_mean.copy_(torch.tensor([30.0, 0.5, -2, 4]))
    lick = torch.full_like(behaviors[..., :1], 1e6)
    given = torch.cat([behaviors[..., 3:], lick, behaviors[..., 1:2]], -1)
    filled = torch.stack(
        [torch.full_like(behaviors[..., 0], 30), behaviors[..., 1], torch.full_like(lick[..., 0], -2), given[..., 0]],
        -1,
    )
    with torch.no_grad():
        assert torch.equal(mixed(movies, given), whole(movies, filled))
    assert whole.behavior_at_rest.tolist() == [30.0, 0.5, -2.0, 4.0]
    assert mixed.behavior_at_rest.tolist() == [4.0, 0.0, 0.5]
    assert encoder_of(behavior_channels=()).behavior_at_rest.shape == (0,)


def test_the_odd_pixel_of_the_padding_goes_below_and_to_the_right() -> None:
    encoder = encoder_of(frame_size=(9, 13))
    inputs = encoder.network_inputs(torch.ones(1, 4, 9, 13), torch.zeros(1, 4, 4))
    rows, columns = (inputs[0, 0, 0].sum(axis).nonzero().flatten().tolist() for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (1, 9, 1, 13)


def test_as_published_it_needs_32_frames_and_settles_after_30() -> None:
    encoder = DwiseNeuroEncoder(small_network(), 0).double().eval()
    assert encoder.memory == 31
    assert encoder.settled(300) == slice(30, 300)
    assert INPUT_BEHAVIORS == ("pupil dilation", "running speed", "gaze x", "gaze y")
    for frames in (1, 31):
        movie, behavior = torch.rand(1, frames, 36, 64).double(), torch.zeros(1, frames, 4).double()
        with pytest.raises(WrongUse, match="too short"):
            encoder(movie, behavior)
    with torch.no_grad():
        rates = encoder(torch.rand(1, 32, 36, 64).double(), torch.zeros(1, 32, 4).double())
    assert rates.shape == (1, 32, 5)


def test_in_training_gradients_reach_weights_and_on_request_behavior() -> None:
    encoder, (movies, behaviors) = encoder_of(), clips(1, 8)
    encoder.train()
    encoder(movies, behaviors).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.network.core.parameters())
    encoder.eval()
    assert torch.autograd.grad(encoder(movies, behaviors.requires_grad_(True)).sum(), behaviors)[0].abs().max() > 0


def test_movies_larger_than_the_network_sees_are_refused() -> None:
    with pytest.raises(WrongUse, match="20x14 px do not fit into the 12x16 px"):
        encoder_of(frame_size=(20, 14))
    with pytest.raises(WrongUse, match="takes 3 channels"):
        DwiseNeuroEncoder(DwiseNeuroNetwork((4,), in_channels=3, core_features=(6,), spatial_strides=(1,)), 0)
