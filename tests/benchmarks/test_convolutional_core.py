"""The peer in the benchmark is a real, learning encoder; its speed is not tested."""

import pytest
import torch

from cinecortex.encoders.base import Encoder
from cinecortex.seeds import Seed


@pytest.fixture(scope="module")
def peer(benchmark_module):
    return benchmark_module("convolutional_core")


PLACES = torch.tensor([[3, 4], [8, 11], [5, 8]])


@pytest.fixture(scope="module")
def clips():
    """Three neurons that follow the luminance of one pixel each, two frames later."""
    numbers = torch.Generator().manual_seed(3)
    clips = []
    for _ in range(6):
        movie = torch.rand(50, 12, 16, generator=numbers)
        follow = movie[:, PLACES[:, 0], PLACES[:, 1]].roll(2, 0)
        follow[:2] = 0.5
        clips.append((movie, torch.zeros(50, 2), torch.poisson(20 * follow, generator=numbers)))
    return clips


@pytest.fixture
def core(peer):
    return peer.ConvolutionalCore(
        3, (12, 16), 30.0, behavior_channels=2, channels=(6, 6), spatial=(3, 3), temporal=(3, 2), pool=1, seed=Seed(1)
    )


def test_shapes_and_the_contract_of_an_encoder(core, clips):
    assert isinstance(core, Encoder)
    assert (core.neurons, core.memory) == (3, 4)
    rates = core(torch.stack([clips[0][0], clips[1][0]]), torch.zeros(2, 50, 2))
    assert rates.shape == (2, 50, 3)
    assert bool((rates > 0).all())


def test_a_rate_rests_on_its_memory_and_nothing_else(core, clips):
    core.eval()
    movie = clips[0][0][None].clone().requires_grad_()
    core(movie, torch.zeros(1, 50, 2))[0, 20].sum().backward()
    moved = movie.grad[0].abs().sum((1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == [17, 18, 19, 20]


def test_the_gradient_reaches_the_movie_as_differences_say(core, clips):
    core.eval().double()
    movie = clips[0][0][None, :8].double().requires_grad_()
    still = torch.zeros(1, 8, 2, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(core(movie, still).sum(), movie)
    step = 1e-5 * torch.randn(movie.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        change = core(movie + step, still).sum() - core(movie - step, still).sum()
    torch.testing.assert_close(change, 2 * (gradient * step).sum(), rtol=1e-5, atol=1e-10)


def test_gaze_moves_where_the_movie_is_read(peer, clips):
    small = {"channels": (4,), "spatial": (3,), "temporal": (2,), "pool": 1}
    core = peer.ConvolutionalCore(3, (12, 16), 30.0, behavior_channels=4, **small)
    core.eval()
    with torch.no_grad():
        core.shift[0, 0] = 2 * 3 / 16  # gaze x of 1 reads 3 pixels further right
    gaze = torch.zeros(1, 50, 4)
    gaze[..., 2] = 1.0
    movie = clips[0][0][None]
    with torch.no_grad():
        core.position.mul_(0.3)
        moved, still = core(movie.roll(3, 3), gaze), core(movie, torch.zeros(1, 50, 4))
    torch.testing.assert_close(moved, still)


def test_the_readout_starts_where_the_neurons_look(peer, core, clips):
    peer.start_readout(core, clips, blur=0.5)
    pixels = (core.position.detach().flip(1) + 1) / 2 * torch.tensor([12.0, 16.0]) - 0.5
    assert float((pixels - PLACES).abs().max()) <= 1.01  # a kernel of three pixels may weigh its border most


def test_training_lowers_the_loss_and_predicts_unseen_clips(peer, core, clips):
    rows = list(
        peer.train(core, clips[:5], clips[5:], steps=40, every_seconds=0.0, learning_rate=2e-2, batch=4, frames=40)
    )
    assert rows[-1].loss < rows[0].loss
    assert float(rows[-1].correlation.min()) > 0.5
    assert [row.frames for row in rows] == [4 * 43 * (i + 1) for i in range(40)]
    assert rows[-1].frames_per_second > 0


def test_the_same_seed_trains_the_same_core(peer, clips):
    def weights():
        core = peer.ConvolutionalCore(
            3, (12, 16), 30.0, behavior_channels=2, channels=(4,), spatial=(3,), temporal=(2,)
        )
        list(peer.train(core, clips, clips, steps=3))
        return core.weights.detach()

    assert torch.equal(weights(), weights())


def test_the_benchmark_reports_seconds_frames_and_fraction_of_the_ceiling(peer, clips):
    rows = peer.benchmark_core(clips[:5], clips[5:], torch.full((3,), 0.5), 0.5)
    seconds, frames, fractions = zip(*rows, strict=True)
    assert list(seconds) == sorted(seconds)
    assert list(frames) == sorted(frames)
    assert seconds[-1] >= 0.5
    assert all(-2 <= fraction <= 2 for fraction in fractions)
