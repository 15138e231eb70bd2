"""The layers of DwiseNeuro, under the attribute names of the published weights (see `dwiseneuro`)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.depthwise import FilterInSpace, FilterInTime

# "_": the number of features, or the size of the frame, that leaves a layer may differ from what enters it.
Features = Float[Tensor, "batch _ time _ _"]
Series = Float[Tensor, "batch _ time"]

_LONGEST_WAVE = 10000.0  # of the position encoding, over 2 pi


class Normalised(nn.Module):
    """Batch norm, then SiLU where ``active``."""

    def __init__(self, norm: nn.Module, *, active: bool = False) -> None:
        super().__init__()
        self.bn = norm
        self.active = active

    def forward(self, features: Tensor) -> Tensor:
        """The same shape."""
        normed: Tensor = self.bn(features)
        return functional.silu(normed) if self.active else normed


class DropPath(nn.Module):
    """In training, whole samples are zeroed by chance and the others scaled up (Huang et al. 2016)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, features: Tensor) -> Tensor:
        """The same shape; untouched in evaluation."""
        if not self.training or self.rate == 0:
            return features
        keep = features.new_empty(len(features), *[1] * (features.ndim - 1)).bernoulli_(1 - self.rate)
        return features * (keep / (1 - self.rate))


class PositionEncoding(nn.Module):
    """Adds sines and cosines of the frame's number, the row and the column, a third of the features each.

    The axes have ``2 * ceil(features / 6)`` features each, rounded up to an even number; what is too much is cut from
    those of the column.
    """

    inv_freq: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        even = math.ceil(features / 6) * 2
        self.register_buffer("inv_freq", 1.0 / _LONGEST_WAVE ** (torch.arange(0, even, 2).float() / even))

    def encoding(self, time: int, height: int, width: int) -> Float[Tensor, "feature time height width"]:
        """What is added to a window of this size."""
        parts = []
        for axis, length in enumerate((time, height, width)):
            place = torch.arange(length, device=self.inv_freq.device, dtype=self.inv_freq.dtype)
            angle = self.inv_freq[:, None] * place
            waves = torch.cat([angle.sin(), angle.cos()])
            shape = [len(waves), 1, 1, 1]
            shape[1 + axis] = length
            parts.append(waves.reshape(shape).expand(-1, time, height, width))
        return torch.cat(parts)[: self.features]

    def forward(self, features: Features) -> Features:
        """The same shape."""
        return features + self.encoding(*features.shape[2:]).to(features.dtype)


class SqueezeExcite(nn.Module):
    """Scales every feature by a gate computed from the averages of all features over the window (Hu et al. 2018)."""

    def __init__(self, features: int, reduced: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv3d(features, reduced, 1)
        self.conv_expand = nn.Conv3d(reduced, features, 1)

    def forward(self, features: Features) -> Features:
        """The same shape."""
        average = features.mean((2, 3, 4), keepdim=True)
        return features * torch.sigmoid(self.conv_expand(functional.silu(self.conv_reduce(average))))


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise filters in space and in time, gate, pointwise projection; and a shortcut.

    The shortcut has no weights but those of its batch norm: the nearest pixels at the strided size, the features
    repeated cyclically to the number needed. (Sandler et al. 2018; Tan & Le 2019)
    """

    def __init__(
        self,
        entering: int,
        leaving: int,
        *,
        stride: int,
        spatial_kernel: int,
        temporal_kernel: int,
        expansion_ratio: int,
        se_reduce_ratio: int,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.stride, self.leaving = stride, leaving
        inside = entering * expansion_ratio

        def stage(convolution: nn.Conv3d, *, active: bool = True) -> nn.Sequential:
            return nn.Sequential(convolution, Normalised(nn.BatchNorm3d(convolution.out_channels), active=active))

        self.conv_pw = stage(nn.Conv3d(entering, inside, 1, bias=False))
        self.spat_covn_dw = stage(FilterInSpace(inside, spatial_kernel, stride=stride))
        self.temp_covn_dw = stage(FilterInTime(inside, temporal_kernel))
        self.se = SqueezeExcite(inside, inside // se_reduce_ratio)
        self.conv_pwl = stage(nn.Conv3d(inside, leaving, 1, bias=False), active=False)
        self.drop_path = DropPath(drop_path_rate)
        self.bn_sc = Normalised(nn.BatchNorm3d(leaving))

    def forward(self, features: Features) -> Features:
        """Height and width divided by the stride and rounded up, ``leaving`` features."""
        inside = self.temp_covn_dw(self.spat_covn_dw(self.conv_pw(features)))
        changed: Tensor = self.drop_path(self.conv_pwl(self.se(inside))) + self.bn_sc(self.shortcut(features))
        return changed

    def shortcut(self, features: Features) -> Features:
        """The block's input brought to the size and number of features of its output."""
        time, height, width = features.shape[2:]
        if self.stride > 1:
            size = (time, math.ceil(height / self.stride), math.ceil(width / self.stride))
            features = functional.interpolate(features, size=size, mode="nearest")
        return repeated(features, self.leaving)


class ShuffleLayer(nn.Module):
    """A grouped pointwise layer whose outputs are dealt to the other groups, and a shortcut (Zhang et al. 2018)."""

    def __init__(self, entering: int, leaving: int, *, groups: int, drop_path_rate: float) -> None:
        super().__init__()
        self.groups, self.leaving = groups, leaving
        self.conv = nn.Conv1d(entering, leaving, 1, groups=groups, bias=False)
        self.bn = Normalised(nn.BatchNorm1d(leaving), active=True)
        self.drop_path = DropPath(drop_path_rate)
        self.bn_sc = Normalised(nn.BatchNorm1d(leaving))

    def forward(self, series: Series) -> Series:
        """``leaving`` features."""
        changed = self.bn(self.conv(series)).unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        summed: Tensor = self.drop_path(changed) + self.bn_sc(repeated(series, self.leaving))
        return summed


class Readout(nn.Module):
    """The neurons of one animal: a grouped pointwise layer and a softplus.

    A number of neurons that the groups do not divide is rounded up, and the outputs that are too many are cut.
    """

    def __init__(self, entering: int, neurons: int, *, groups: int, softplus_beta: float, drop_rate: float) -> None:
        super().__init__()
        self.neurons, self.softplus_beta = neurons, softplus_beta
        padded = math.ceil(neurons / groups) * groups
        self.layer = nn.Sequential(nn.Dropout1d(drop_rate), nn.Conv1d(entering, padded, 1, groups=groups))

    def forward(self, series: Series) -> Series:
        """``batch neuron time``, positive."""
        drive = self.layer(series)[:, : self.neurons]
        return functional.softplus(drive, beta=self.softplus_beta)


def repeated(features: Tensor, count: int) -> Tensor:
    """The features repeated cyclically along axis 1 until there are ``count``."""
    times = math.ceil(count / features.shape[1])
    return torch.cat([features] * times, 1)[:, :count] if times > 1 else features[:, :count]
