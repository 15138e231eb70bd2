"""Rates and gradients of stretches of time against those of whole clips."""

import pytest
import torch
from tests.encoders.dwiseneuro_small import small_network
from torch import nn

from cinecortex.encoders.altered import frames_passed
from cinecortex.encoders.chunked import Chunked, frames_ahead
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.mixed_precision import MixedPrecision
from cinecortex.encoders.wrap import wrap
from cinecortex.errors import WrongUse

SIZE, FRAMES = (8, 8), 70


def compact() -> CompactEncoder:
    torch.manual_seed(0)
    encoder = CompactEncoder(
        neurons=6, frame_size=SIZE, behavior_channels=("pupil dilation", "gaze x"), filter_frames=9, smoothing_past=4
    ).double()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    encoder.centre_px.uniform_(0, 8)
    return encoder.eval().requires_grad_(False)


def linear() -> LinearNonlinear:
    torch.manual_seed(1)
    filters = torch.randn(6, 5, *SIZE, dtype=torch.float64)
    return LinearNonlinear(0.2 * filters, torch.randn(6, dtype=torch.float64)).requires_grad_(False)


def windowed(size: tuple[int, int] = SIZE, padded_size: tuple[int, int] = SIZE) -> DwiseNeuroEncoder:
    network = small_network().requires_grad_(False)
    return DwiseNeuroEncoder(network, 0, frame_size=size, padded_size=padded_size).double().eval()


def ensemble() -> Ensemble:
    return Ensemble([linear(), linear()])


ENCODERS = {"compact": compact, "linear": linear, "dwiseneuro": windowed, "ensemble": ensemble}
each_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS.keys())


def asked(encoder, frames: int = FRAMES):
    """Rates of two movies, and the gradient of their sum under random weights."""
    random = torch.Generator().manual_seed(2)
    movies = torch.rand(2, frames, *SIZE, generator=random, dtype=torch.float64).requires_grad_()
    behaviors = torch.randn(2, frames, len(encoder.behavior_at_rest), generator=random, dtype=torch.float64)
    rates = encoder(movies, behaviors)
    weight = torch.randn(rates.shape, generator=random, dtype=torch.float64)
    return rates.detach(), torch.autograd.grad((rates * weight).sum(), movies)[0]


@pytest.mark.parametrize(
    ("make", "frames_at_once"),
    [(compact, 7), (compact, 32), (compact, FRAMES), (linear, 7), (linear, 32), (ensemble, 7), (windowed, 35)],
)
def test_rates_and_gradient_are_those_of_the_whole_clip(make, frames_at_once):
    encoder = make()
    for found, whole in zip(asked(Chunked(encoder, frames_at_once)), asked(encoder), strict=True):
        torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-9 * float(whole.abs().max()))


def test_a_frame_ahead_less_is_a_wrong_gradient():
    encoder = compact()
    (_, wrong), (_, whole) = asked(Chunked(encoder, 20, ahead=2)), asked(encoder)
    assert float((wrong - whole).abs().max() / whole.abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("make", "ahead"),
    [(compact, 3), (linear, 0), (ensemble, 0), (windowed, 30)],
    ids=["compact", "linear", "ensemble", "dwiseneuro"],
)
def test_how_far_ahead_a_rate_looks(make, ahead):
    assert frames_ahead(make()) == ahead


def test_an_encoder_that_looks_at_the_whole_clip_is_refused():
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, movies):
            return movies.mean((1, 2, 3))[:, None, None] * self.scale * torch.ones_like(movies[:, :, :1, 0])

    encoder = wrap(Whole(), neurons=3, frame_size=SIZE, memory=2, check=False)
    assert frames_ahead(encoder) is None
    with pytest.raises(WrongUse, match="no more than a few frames after their own"):
        Chunked(encoder, 10)


@each_encoder
def test_the_frames_that_pass_are_counted(make):
    encoder = make()
    chunked = Chunked(encoder, 32)
    seen = []
    members = encoder.members if isinstance(encoder, Ensemble) else (encoder,)
    for member in members:
        member.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[1]))
    with torch.no_grad():
        chunked(torch.rand(1, FRAMES, *SIZE).double(), torch.zeros(1, FRAMES, len(encoder.behavior_at_rest)).double())
    assert frames_passed(chunked, FRAMES) == sum(seen) > FRAMES
    assert frames_passed(encoder, FRAMES) == FRAMES * len(members)
    assert frames_passed(Ensemble([chunked, encoder]), FRAMES) == sum(seen) + FRAMES * len(members)


def test_what_a_wrapper_says_of_itself_is_what_the_encoder_says():
    encoder = compact()
    for altered in (Chunked(encoder, 10), MixedPrecision(encoder)):
        for name in ("neurons", "frame_size", "frame_rate_hz", "memory", "causal", "dtype", "device", "kind"):
            assert getattr(altered, name) == getattr(encoder, name)
        assert altered.settled(40) == encoder.settled(40)
        assert torch.equal(altered.behavior_at_rest, encoder.behavior_at_rest)


@pytest.mark.parametrize(
    ("encoder", "batch"),
    [(compact(), 1), (compact(), 8), (windowed((16, 16), (32, 32)), 1)],
    ids=["compact", "compact, many short ones", "dwiseneuro"],
)
def test_half_precision_hardly_turns_the_gradient(encoder, batch):
    encoder = encoder.float()

    def gradient(one):
        random = torch.Generator().manual_seed(5)
        movies = torch.rand(batch, 48, *encoder.frame_size, generator=random).requires_grad_()
        rates = one(movies, encoder.behavior_at_rest.expand(batch, 48, -1))
        assert rates.dtype == torch.float32
        return torch.autograd.grad((rates * torch.randn(rates.shape, generator=random)).sum(), movies)[0].flatten()

    mixed = gradient(MixedPrecision(encoder))
    exact = gradient(encoder)
    assert bool(mixed.isfinite().all())
    cosine = float(exact.double() @ mixed.double() / (exact.double().norm() * mixed.double().norm()))
    # Below 1: half the digits were really left out.
    assert 0.999 < cosine < 1 - 1e-8


def test_what_was_made_in_half_precision_is_not_kept_for_full_precision():
    used, fresh = compact().float(), compact().float()
    movies, behaviors = torch.rand(8, 48, *SIZE), torch.zeros(8, 48, 2)
    MixedPrecision(used)(movies, behaviors)
    assert torch.equal(used(movies, behaviors), fresh(movies, behaviors))
