"""Every planted fault is refused with its own sentence and no other; honest networks pass."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.self_check import check_encoder
from cinecortex.encoders.wrap import NotAnEncoder, as_channels, wrap
from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import dct, inverse_dct

SIZE, NEURONS, LAGS = (6, 8), 5, 4


class Honest(nn.Module):
    """A causal convolution in time of spatial features, and softplus. Subclasses plant one fault each."""

    behavior = 0
    past, future = LAGS - 1, 0

    def __init__(self) -> None:
        super().__init__()
        numbers = torch.Generator().manual_seed(1)
        self.space = nn.Parameter(torch.randn(NEURONS, SIZE[0] * SIZE[1], generator=numbers) / 4)
        self.time = nn.Parameter(torch.randn(NEURONS, 1, LAGS, generator=numbers))
        self.norm = nn.BatchNorm1d(NEURONS)

    def drive(self, movies: torch.Tensor) -> torch.Tensor:
        projected = (movies.flatten(2) - 0.5) @ self.space.to(movies.dtype).T
        padded = functional.pad(projected.transpose(1, 2), (self.past, self.future))
        return functional.conv1d(padded, self.time.to(movies.dtype), groups=NEURONS).transpose(1, 2)

    def forward(self, movies: torch.Tensor) -> torch.Tensor:
        return functional.softplus(self.drive(movies))


class Transposed(Honest):
    def forward(self, movies):
        return super().forward(movies).transpose(1, 2)


class BatchSecond(Honest):
    def forward(self, movies):
        return super().forward(movies).transpose(0, 1)


class ManyNeurons(Honest):
    def forward(self, movies):
        return super().forward(movies).repeat(1, 1, 2)


class TooFewFrames(Honest):
    past = 0


class LastFrameOnly(Honest):
    def forward(self, movies):
        return super().forward(movies)[:, -1]


class AndFeatures(Honest):
    def forward(self, movies):
        return super().forward(movies), self.drive(movies)


class Squeezed(Honest):
    def forward(self, movies):
        return super().forward(movies).squeeze()


class OneLength(Honest):
    def forward(self, movies):
        rates = super().forward(movies)
        if rates.shape[1] % 2:
            raise RuntimeError("shape '[2, 21]' is invalid for input of size 43")
        return rates


class WantsBehavior(Honest):
    def forward(self, movies, behaviors):
        return super().forward(movies) + behaviors.mean()


class FiveChannels(Honest):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv3d(5, 1, 1)

    def forward(self, stack):
        return super().forward(self.first(stack)[:, 0])


class MixedFormats(Honest):
    def __init__(self):
        super().__init__()
        self.readout = nn.Linear(NEURONS, NEURONS).double()

    def forward(self, movies):
        return functional.softplus(self.readout(self.drive(movies)))


class DoubleRates(Honest):
    def forward(self, movies):
        return super().forward(movies).double()


class InPlace(Honest):
    def forward(self, movies):
        movies -= movies.mean((1, 2, 3), keepdim=True).detach()
        return super().forward(movies)


class Negative(Honest):
    def forward(self, movies):
        return self.drive(movies)


class NeverTrained(Honest):
    def forward(self, movies):
        return super().forward(movies) / torch.zeros(())


class ContrastDivided(Honest):
    def forward(self, movies):
        contrast = movies.flatten(2).std(2, keepdim=True)
        return super().forward(movies) / contrast


class DropoutLeftOn(Honest):
    def forward(self, movies):
        return functional.softplus(functional.dropout(self.drive(movies), 0.4, training=True))


class Stateful(Honest):
    calls = 0

    def forward(self, movies):
        self.calls += 1
        return super().forward(movies) * (1 + 0.1 * self.calls)


class BatchNormInTraining(Honest):
    def forward(self, movies):
        normed = functional.batch_norm(self.drive(movies).transpose(1, 2), None, None, training=True)
        return functional.softplus(normed.transpose(1, 2))


class Foresees(Honest):
    past, future = LAGS - 2, 1


class ForeseesTheWholeClip(Honest):
    def forward(self, movies):
        return functional.softplus(self.drive(movies) + self.drive(movies.flip(1)).flip(1))


class ForeseesWithinBlocks(Honest):
    """Works in blocks of eight frames, as networks with pooling in time do."""

    def forward(self, movies):
        drive = self.drive(movies)
        blocks = functional.pad(drive, (0, 0, 0, -drive.shape[1] % 8)).unflatten(1, (-1, 8))
        mean = blocks.mean(2, keepdim=True).expand_as(blocks).flatten(1, 2)[:, : drive.shape[1]]
        return functional.softplus(drive + mean)


class OlderThanClaimed(Honest):
    def forward(self, movies):
        drive = self.drive(movies)
        return functional.softplus(drive + functional.pad(drive, (0, 0, 1, -1)))


class NormalisedOverTheClip(Honest):
    def forward(self, movies):
        drive = self.drive(movies)
        return functional.softplus((drive - drive.mean(1, keepdim=True)) / (0.1 + drive.std(1, keepdim=True)))


class IgnoresTheMovie(Honest):
    def forward(self, movies):
        return super().forward(torch.zeros_like(movies))


class Detached(Honest):
    def forward(self, movies):
        return super().forward(movies.detach())


class NoGradient(Honest):
    def forward(self, movies):
        with torch.no_grad():
            return super().forward(movies)


class Rounded(Honest):
    def forward(self, movies):
        return super().forward((movies * 8).round() / 8)


class RootOfEnergy(Honest):
    def forward(self, movies):
        return super().forward(movies) + self.drive(movies).square().sum(2, keepdim=True).sqrt()


class HalfDetached(Honest):
    def forward(self, movies):
        projected = (movies.flatten(2) - 0.5) @ self.space.T
        padded = functional.pad(projected.transpose(1, 2), (self.past, 0))
        now = torch.cat([padded.detach()[..., : self.past], padded[..., self.past :]], 2)
        old = functional.conv1d(padded.detach(), self.time, groups=NEURONS)
        last = self.time * torch.tensor([0.0, 0, 0, 1])
        fresh = functional.conv1d(now, last, groups=NEURONS)
        return functional.softplus(old - fresh.detach() + fresh).transpose(1, 2)


class StraightThrough(Honest):
    def forward(self, movies):
        rates = super().forward(movies)
        return rates.square().detach() + rates - rates.detach()


FAULTS = [
    (Transposed, {}, "axes time and neuron the wrong way round"),
    (BatchSecond, {}, "axes batch and time the wrong way round"),
    (ManyNeurons, {}, "is for 10 neurons where neurons=5 was claimed"),
    (TooFewFrames, {}, "has 37 frames for a movie of 40; pad the convolutions in time"),
    (LastFrameOnly, {}, "has 2 axes"),
    (AndFeatures, {}, "returns a tuple, not a tensor"),
    (Squeezed, {}, "has 2 axes"),
    (OneLength, {}, "takes a movie of 40 frames but not one of 43"),
    (WantsBehavior, {}, "cannot be called on movies of .* with behavior of .*, 0.*missing 1 required positional"),
    (FiveChannels, {"layout": as_channels, "behavior_channels": ("pupil dilation",)}, "cannot be called .*channels"),
    (MixedFormats, {}, "several formats or devices .float32 on cpu, float64 on cpu."),
    (DoubleRates, {}, "torch.float64 on cpu from movies of torch.float32"),
    (InPlace, {}, "changes the movie that it is given"),
    (Negative, {}, "Rates are negative"),
    (NeverTrained, {}, "Rates of noise movies are not finite .100 %"),
    (ContrastDivided, {}, "Rates of a uniform screen .* are not finite"),
    (DropoutLeftOn, {}, "gives other rates when it is shown again"),
    (Stateful, {}, "gives other rates when it is shown again"),
    (BatchNormInTraining, {}, "other rates in a batch than alone"),
    (Foresees, {"causal": True}, "Later frames change earlier rates, though causal=True"),
    (ForeseesTheWholeClip, {"causal": True}, "Later frames change earlier rates"),
    (ForeseesWithinBlocks, {"causal": True, "memory": LAGS + 7}, "Later frames change earlier rates"),
    (OlderThanClaimed, {}, "depend on frames older than memory=4"),
    (Honest, {"memory": LAGS - 1}, "depend on frames older than memory=3"),
    (NormalisedOverTheClip, {}, "depend on frames older than memory=4"),
    (IgnoresTheMovie, {}, "Every movie gives the same rates"),
    (Detached, {}, "gradient does not reach the movie"),
    (NoGradient, {}, "gradient does not reach the movie"),
    (Rounded, {}, "gradient over the movie is zero"),
    (RootOfEnergy, {}, "not finite at a uniform gray movie"),
    (HalfDetached, {}, "disagrees with finite differences"),
    (StraightThrough, {}, "disagrees with finite differences"),
]


def wrapped(module: nn.Module, **options) -> Encoder:
    return wrap(module, **{"neurons": NEURONS, "frame_size": SIZE, "memory": LAGS, **options})


@pytest.mark.parametrize(("fault", "options", "sentence"), FAULTS, ids=[row[0].__name__ for row in FAULTS])
def test_a_planted_fault_is_refused_with_its_sentence_and_no_other(fault, options, sentence):
    with pytest.raises(NotAnEncoder, match=sentence) as refused:
        wrapped(fault(), **options)
    assert len(refused.value.problems) == 1, refused.value.problems
    assert isinstance(refused.value, WrongUse)
    assert str(refused.value).count("\n") == 0
    assert str(refused.value).endswith(".")


def test_two_faults_are_both_listed_and_the_first_is_raised():
    class Both(Negative):
        def forward(self, movies):
            return super().forward(movies.detach())

    with pytest.raises(NotAnEncoder, match="Rates are negative") as refused:
        wrapped(Both())
    assert [problem.where for problem in refused.value.problems] == ["rates", "gradient"]


def test_nothing_is_asked_where_no_check_is_wanted():
    encoder = wrapped(Negative(), check=False)
    assert [problem.where for problem in check_encoder(encoder)] == ["rates"]


class Energy(Honest):
    """Responds to contrast only: no gradient at uniform gray."""

    def forward(self, movies):
        return self.drive(movies).square()


class Bidirectional(nn.Module):
    """Looks ahead as far as back; says so."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = nn.GRU(SIZE[0] * SIZE[1], 6, batch_first=True, bidirectional=True)
        self.readout = nn.Linear(12, NEURONS)

    def forward(self, movies):
        features, _ = self.recurrent(movies.flatten(2))
        return functional.softplus(self.readout(features))


class Normed(Honest):
    """Batch norm and dropout, as they should be: only in training."""

    def forward(self, movies):
        normed = self.norm(self.drive(movies).transpose(1, 2)).transpose(1, 2)
        return functional.softplus(functional.dropout(normed, 0.4, training=self.training))


class Behaving(Honest):
    def forward(self, movies, behaviors):
        return super().forward(movies) * torch.exp(0.1 * behaviors.sum(2, keepdim=True))


class Stacked(Honest):
    def forward(self, stack):
        return super().forward(stack[:, 0]) * torch.exp(0.1 * stack[:, 1:].mean((1, 3, 4)))[..., None]


class Silent(Honest):
    """Most neurons never answer."""

    def forward(self, movies):
        return functional.relu(self.drive(movies) - torch.tensor([1e3, 1e3, 1e3, 0, 0]))


def movie_only(module, movies, behaviors):
    return module(movies)


HONEST = {
    "causal": (Honest, {"causal": True}),
    "memory overstated": (Honest, {"memory": 9}),
    "energy": (Energy, {"causal": True}),
    "looks ahead and says so": (Foresees, {}),
    "bidirectional": (Bidirectional, {"memory": 40}),
    "batch norm and dropout": (Normed, {}),
    "behavior": (Behaving, {"behavior_channels": ("pupil dilation", "gaze x"), "behavior_at_rest": (30.0, 0.0)}),
    "behavior ignored": (
        Honest,
        {"behavior_channels": ("running speed",), "layout": movie_only},
    ),
    "channels": (Stacked, {"behavior_channels": ("running speed",), "layout": as_channels}),
    "double": (lambda: Honest().double(), {}),
    "half of the range": (Honest, {"luminance": (-1.7, 2.1)}),
    "silent neurons": (Silent, {}),
    "transposed, with a layout": (Transposed, {"layout": lambda module, movies, _: module(movies).transpose(1, 2)}),
    "frozen": (lambda: Honest().requires_grad_(False), {}),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_network_passes(name):
    make, options = HONEST[name]
    for seed in range(2):
        assert check_encoder(wrapped(make(), **options), seed=Seed(seed)) == ()


@pytest.mark.parametrize("nonlinearity", ["softplus", "exponential"])
def test_the_linear_nonlinear_encoder_passes_as_causal(nonlinearity):
    filters = 0.3 * torch.randn(7, 4, *SIZE, generator=torch.Generator().manual_seed(0))
    encoder = LinearNonlinear(filters, torch.zeros(7), nonlinearity=nonlinearity)
    assert encoder.causal
    assert check_encoder(encoder) == ()
    encoder.causal, encoder.memory = True, 3
    assert [problem.where for problem in check_encoder(encoder)] == ["memory"]


def test_finer_detail_than_was_claimed_is_found():
    class Finer(LinearNonlinear):
        @property
        def resolution(self):
            return 6, 7

    filters = torch.randn(NEURONS, LAGS, *SIZE, generator=torch.Generator().manual_seed(3)) / 4
    problems = check_encoder(Finer(filters, torch.zeros(NEURONS)))
    assert [problem.where for problem in problems] == ["resolution"]
    assert "finer detail than resolution=(6, 7)" in problems[0].what
    coarsest = inverse_dct(dct(filters, coarsest=(6, 7)), frame_size=SIZE)
    assert check_encoder(Finer(coarsest, torch.zeros(NEURONS))) == ()


@pytest.mark.parametrize("coarse", [1, 2])
def test_the_compact_encoder_passes(coarse):
    encoder = CompactEncoder(
        neurons=NEURONS, frame_size=(8, 10), behavior_channels=("running speed", "gaze x"), coarse=coarse
    )
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random)
        encoder.centre_px.copy_(torch.rand(NEURONS, 2, generator=random) * torch.tensor([8, 10]))
    encoder.train()
    assert check_encoder(encoder) == ()
    # It looks ahead a little, and would be caught claiming otherwise. It is left in the mode it was found in.
    encoder.causal = True
    assert [problem.where for problem in check_encoder(encoder)] == ["causality"]
    assert encoder.training
