from __future__ import annotations

import pytest
import torch
from torch import nn

from cinecortex.encoders.depthwise import FilterInSpace, FilterInTime

FILTERS = {
    "space": lambda: FilterInSpace(6, 3, stride=1),
    "space, strided": lambda: FilterInSpace(6, 3, stride=2),
    "space, wide": lambda: FilterInSpace(6, 5, stride=2),
    "time": lambda: FilterInTime(6, 5),
}


@pytest.mark.parametrize("name", FILTERS)
def test_in_training_it_is_the_convolution_it_is_in_evaluation(name):
    torch.manual_seed(0)
    layer: nn.Conv3d = FILTERS[name]().double()
    features = torch.randn(2, 6, 7, 8, 9, dtype=torch.float64, requires_grad=True)
    outcomes = []
    for training in (True, False):
        rate = layer.train(training)(features)
        weights = torch.arange(rate.numel(), dtype=torch.float64).reshape(rate.shape).sin()
        outcomes.append((rate, *torch.autograd.grad((rate * weights).sum(), (features, layer.weight))))
    plain = nn.functional.conv3d(features, layer.weight, None, layer.stride, layer.padding, groups=6)
    torch.testing.assert_close(outcomes[1][0], plain)
    for fast, slow in zip(*outcomes, strict=True):
        torch.testing.assert_close(fast, slow)
