from __future__ import annotations

import pytest
import torch

from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.separable import SeparableEncoder
from cinecortex.errors import WrongUse

SIZE, NEURONS = (5, 6), 3


def linear(seed: int, lags: int = 3) -> LinearNonlinear:
    random = torch.Generator().manual_seed(seed)
    return LinearNonlinear(torch.randn(NEURONS, lags, *SIZE, generator=random), torch.zeros(NEURONS))


def told_behavior(channels: int = 2) -> CompactEncoder:
    names = ("pupil dilation", "running speed", "gaze x", "gaze y")[:channels]
    return CompactEncoder(neurons=NEURONS, frame_size=SIZE, behavior_channels=names)


@pytest.fixture
def shown() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(9)
    return torch.rand(2, 40, *SIZE, generator=random), torch.randn(2, 40, 2, generator=random)


def test_the_rate_is_the_mean_of_its_members_of_any_kind(shown):
    members = [linear(0), told_behavior(), SeparableEncoder(neurons=NEURONS, frame_size=SIZE)]
    ensemble = Ensemble(members)
    rates = torch.stack([member(*shown) for member in members])
    torch.testing.assert_close(ensemble(*shown), rates.mean(0))
    torch.testing.assert_close(ensemble.rates(*shown), rates)
    assert ensemble.members == tuple(members)
    assert ensemble.memory == max(member.memory for member in members) == 24
    assert (ensemble.neurons, ensemble.frame_size, ensemble.frame_rate_hz) == (NEURONS, SIZE, 30.0)


def test_disagreement_is_the_spread_of_the_members(shown):
    members = [linear(seed) for seed in range(4)]
    rates = torch.stack([member(*shown) for member in members])
    torch.testing.assert_close(Ensemble(members).disagreement(*shown), rates.var(0, unbiased=True).sqrt())
    same = Ensemble([linear(0), linear(0)])
    assert float(same.disagreement(*shown).max().detach()) == 0


def test_the_gradient_reaches_the_movie_through_every_member(shown):
    movies, behaviors = shown
    members = [linear(0), linear(1)]
    gradients = []
    for encoder in (Ensemble(members), *members):
        seen = movies.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(encoder(seen, behaviors).sum(), seen)
        gradients.append(gradient)
    torch.testing.assert_close(gradients[0], (gradients[1] + gradients[2]) / 2)


def test_behavior_at_rest_is_that_of_the_members_that_are_told_any():
    told, other = told_behavior(), told_behavior()
    told.behavior_mean.copy_(torch.tensor([1.0, 2.0]))
    other.behavior_mean.copy_(torch.tensor([3.0, 2.0]))
    assert Ensemble([linear(0), told, other]).behavior_at_rest.tolist() == [2.0, 2.0]
    assert len(Ensemble([linear(0)]).behavior_at_rest) == 0


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((), "at least one encoder"),
        ((linear(0), SeparableEncoder(neurons=4, frame_size=SIZE)), "member 1 of the ensemble has neurons 4"),
        ((linear(0), SeparableEncoder(neurons=NEURONS, frame_size=(5, 7))), "has frame_size"),
        ((linear(0), SeparableEncoder(neurons=NEURONS, frame_size=SIZE, frame_rate_hz=8.0)), "has frame_rate_hz 8.0"),
        ((told_behavior(2), told_behavior(3)), "different numbers of behavior channels"),
    ],
    ids=["none", "neurons", "frame size", "frame rate", "behavior"],
)
def test_members_that_do_not_belong_together_are_refused(members, sentence):
    with pytest.raises(WrongUse, match=sentence):
        Ensemble(members)
