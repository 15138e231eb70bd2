"""Depthwise filters in space or in time alone, trained on a processor several times faster than as 3-D convolutions.

A 3-D convolution that filters each feature by itself has no fast path on processors, least of all for its derivatives.
Along space alone it is a 2-D convolution of every frame, and along time alone a 2-D convolution with all pixels in a
row; both have one. In evaluation, and on an accelerator, these are plain 3-D convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class FilterInSpace(nn.Conv3d):
    """One spatial filter for each feature; the parameters are those of the 3-D convolution that it is."""

    def __init__(self, features: int, size: int, *, stride: int) -> None:
        super().__init__(
            features,
            features,
            (1, size, size),
            stride=(1, stride, stride),
            padding=(0, size // 2, size // 2),
            groups=features,
            bias=False,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Height and width divided by the stride and rounded up."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        batch, features, time, height, width = input.shape
        frames = input.transpose(1, 2).reshape(batch * time, features, height, width)
        size, stride = self.weight.shape[-1], self.stride[1]
        filtered = functional.conv2d(frames, self.weight[:, :, 0], stride=stride, padding=size // 2, groups=features)
        # The batch norm that follows is slow on anything but the usual order.
        return filtered.reshape(batch, time, features, *filtered.shape[2:]).transpose(1, 2).contiguous()


class FilterInTime(nn.Conv3d):
    """One temporal filter for each feature; the parameters are those of the 3-D convolution that it is."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__(features, features, (size, 1, 1), padding=(size // 2, 0, 0), groups=features, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        batch, features, time, height, width = input.shape
        rows = input.reshape(batch, features, time, height * width)
        padding = (self.weight.shape[2] // 2, 0)
        filtered = functional.conv2d(rows, self.weight[..., 0], padding=padding, groups=features)
        return filtered.reshape(input.shape)
