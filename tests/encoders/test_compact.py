import numpy as np
import pytest
import torch

from cinecortex.encoders.compact import CompactEncoder
from cinecortex.stimuli.spectrum import dct, inverse_dct

SIZE, NEURONS, FRAMES = (8, 10), 5, 70
CHANNELS = ("pupil dilation", "running speed", "gaze x", "gaze y")
LOOK_AHEAD = 5
"""Most frames that a rate may look ahead."""


def encoder_of(seed: int = 0, *, channels: tuple[str, ...] = CHANNELS, **options) -> CompactEncoder:
    """An encoder with random weights, in double precision so that rounding hides nothing."""
    encoder = CompactEncoder(
        **{"neurons": NEURONS, "frame_size": SIZE, "behavior_channels": channels, **options}
    ).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
        height, width = encoder.frame_size
        encoder.centre_px.copy_(torch.rand(encoder.neurons, 2, generator=random) * torch.tensor([height, width]))
    return encoder.eval()


def random_movies(batch: int = 1, frames: int = FRAMES, size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, (batch, frames, *size)))


def random_behavior(batch: int = 1, frames: int = FRAMES, channels: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed + 100).standard_normal((batch, frames, channels)))


@pytest.mark.parametrize("coarse", [1, 2])
@pytest.mark.parametrize("channels", [(), CHANNELS, ("running speed",), ("gaze x", "gaze y")])
def test_rates_are_positive_and_one_for_every_frame_and_neuron(coarse, channels):
    encoder = encoder_of(coarse=coarse, channels=channels)
    rates = encoder(random_movies(2), random_behavior(2, channels=len(channels)))
    assert rates.shape == (2, FRAMES, NEURONS)
    assert bool(torch.isfinite(rates).all())
    assert bool((rates > 0).all())
    assert bool((rates.std(1) > 0).all())
    assert (encoder.neurons, encoder.frame_size, encoder.behavior_at_rest.shape) == (NEURONS, SIZE, (len(channels),))


@pytest.mark.parametrize(("coarse", "resolution"), [(1, SIZE), (2, (4, 5)), (3, (3, 4))])
def test_it_is_blind_to_what_is_finer_than_its_resolution_and_to_nothing_else(coarse, resolution):
    encoder, movies, behaviors = encoder_of(coarse=coarse).requires_grad_(False), random_movies(), random_behavior()
    assert encoder.resolution == resolution
    rates = encoder(movies, behaviors)
    coarsest = inverse_dct(dct(movies, coarsest=resolution), frame_size=SIZE)
    torch.testing.assert_close(encoder(coarsest, behaviors), rates, atol=1e-5, rtol=1e-5)
    for kept in ((resolution[0] - 1, resolution[1]), (resolution[0], resolution[1] - 1)):
        less = inverse_dct(dct(movies, coarsest=kept), frame_size=SIZE)
        assert float((encoder(less, behaviors) - rates).abs().max()) > 1e-3


def test_a_batch_is_its_movies_one_by_one():
    encoder, movies, behaviors = encoder_of(), random_movies(3), random_behavior(3)
    together = encoder(movies, behaviors)
    one_by_one = torch.cat([encoder(m[None], b[None]) for m, b in zip(movies, behaviors, strict=True)])
    torch.testing.assert_close(together, one_by_one, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("frame", [30, 41])
def test_a_frame_changes_rates_within_the_memory_only(frame):
    encoder, movies, behaviors = encoder_of(), random_movies(), random_behavior()
    changed = movies.clone()
    changed[:, frame] = 1 - changed[:, frame]
    difference = (encoder(changed, behaviors) - encoder(movies, behaviors)).abs().amax((0, 2))
    touched = torch.nonzero(difference > 1e-10).flatten()
    assert int(touched.min()) >= frame - LOOK_AHEAD
    assert int(touched.max()) <= frame + encoder.memory - 1
    # It does look back: half of the memory at least is in use.
    assert int(touched.max()) >= frame + encoder.memory // 2


def test_a_settled_rate_does_not_rest_on_frames_before_the_movie():
    encoder, movies, behaviors = encoder_of(), random_movies(frames=90), random_behavior(frames=90)
    whole = encoder(movies, behaviors)[:, 20:]
    later = encoder(movies[:, 20:], behaviors[:, 20:])
    settled = encoder.settled(70)
    torch.testing.assert_close(later[:, settled], whole[:, settled], atol=1e-9, rtol=1e-9)


def test_before_its_start_a_movie_stood_still():
    encoder = encoder_of(channels=())
    movies = random_movies()
    longer = torch.cat([movies[:, :1].expand(-1, 40, -1, -1), movies], 1)
    rates = encoder(movies, random_behavior(channels=0))
    torch.testing.assert_close(
        encoder(longer, random_behavior(frames=110, channels=0))[:, 40:], rates, atol=1e-9, rtol=1e-9
    )


def test_the_gradient_over_the_movie_is_right():
    encoder = encoder_of(neurons=2, frame_size=(3, 4), pairs=1)
    movies, behaviors = random_movies(frames=6, size=(3, 4)), random_behavior(frames=6)
    assert torch.autograd.gradcheck(lambda m: encoder(m, behaviors), movies.requires_grad_(), atol=1e-6)
    (gradient,) = torch.autograd.grad(encoder(movies, behaviors).sum(), movies)
    assert bool((gradient.abs().amax((0, 2, 3)) > 0).all())


def test_gradients_reach_every_weight():
    encoder = encoder_of()
    encoder(random_movies(), random_behavior()).log().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


@pytest.mark.parametrize(("gaze", "shift"), [((1.0, 0.0), (0, 2)), ((0.0, -1.0), (-1, 0)), ((1.0, 1.0), (1, 2))])
def test_gaze_moves_the_receptive_fields_by_as_many_pixels(gaze, shift):
    encoder = encoder_of(channels=("gaze x", "gaze y"), frame_size=(12, 14))
    # Rows follow gaze y, one pixel a unit; columns follow gaze x, two pixels a unit.
    encoder.gaze_shift_px.data = torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    movies = torch.full((1, FRAMES, 12, 14), 0.5, dtype=torch.float64)
    movies[..., 4:8, 4:10] = random_movies(size=(4, 6))
    moved = movies.roll(shift, (2, 3))
    straight, aside = torch.zeros(1, FRAMES, 2).double(), torch.tensor(gaze).double().expand(1, FRAMES, 2)
    torch.testing.assert_close(encoder(moved, aside), encoder(movies, straight), atol=1e-6, rtol=1e-6)
    assert not torch.allclose(encoder(moved, straight), encoder(movies, straight), rtol=1e-2)


def test_running_scales_what_the_movie_drives():
    encoder, movies = encoder_of(channels=("pupil dilation", "running speed")), random_movies()
    still = torch.zeros(1, FRAMES, 2, dtype=torch.float64)
    fast = still.clone()
    fast[..., 1] = 1.0
    encoder.gain.data = torch.tensor([[0.0, 0.7]] * 3 + [[0.0, -0.7]] + [[0.0, 0.0]], dtype=torch.float64)
    rest, run = encoder(movies, still)[0], encoder(movies, fast)[0]
    assert bool((run[:, :3] > rest[:, :3]).all())
    assert bool((run[:, 3] < rest[:, 3]).all())
    torch.testing.assert_close(run[:, 4], rest[:, 4])
    # It scales the drive, not the baseline: changes in time grow by one factor.
    ratio = (run - run.mean(0)) / (rest - rest.mean(0))
    torch.testing.assert_close(ratio, ratio.median(0).values.expand_as(ratio), rtol=1e-4, atol=1e-4)
    assert bool((ratio[0, :3] > 1.3).all())
    # No excursion of running speed runs away with the rate.
    assert float((encoder(movies, 1e4 * fast)[0] / rest).detach().max()) < 5


def test_an_encoder_without_behavior_takes_none():
    encoder = encoder_of(channels=())
    assert encoder(random_movies(), torch.zeros(1, FRAMES, 0, dtype=torch.float64)).shape == (1, FRAMES, NEURONS)


def test_the_settings_make_the_same_encoder_again():
    encoder = encoder_of()
    settings = encoder.settings
    again = CompactEncoder(
        **{
            **settings,
            "frame_size": tuple(settings["frame_size"]),
            "behavior_channels": tuple(settings["behavior_channels"]),
        }
    ).double()
    again.load_state_dict(encoder.state_dict())
    movies, behaviors = random_movies(), random_behavior()
    assert torch.equal(again(movies, behaviors), encoder(movies, behaviors))


def test_many_short_windows_are_answered_as_one_by_one():
    encoder = encoder_of().requires_grad_(False)
    movies, behaviors = random_movies(9, 30), random_behavior(9, 30)

    def one_by_one():
        return torch.cat([encoder(m[None], b[None]) for m, b in zip(movies, behaviors, strict=True)])

    together = encoder(movies, behaviors)
    torch.testing.assert_close(together, one_by_one(), atol=1e-10, rtol=1e-10)
    # What is kept of a frozen encoder is made anew when its weights change.
    with torch.no_grad():
        encoder.temporal.mul_(0.5)
        encoder.smoothing.add_(torch.linspace(0, 1, encoder.smoothing.shape[1]))
    changed = encoder(movies, behaviors)
    assert not torch.allclose(changed, together)
    torch.testing.assert_close(changed, one_by_one(), atol=1e-10, rtol=1e-10)
