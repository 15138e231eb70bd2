"""The network of DwiseNeuro, winner of Sensorium 2023, with the parameter names of the published weights.

Source: lRomul/sensorium on GitHub (MIT licence), described in Turishcheva et al. 2024, "Retrospective for the Dynamic
Sensorium Competition" (NeurIPS). Written anew; the attribute names of the modules, misspellings included, are theirs,
because the names of the published tensors are made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from cinecortex.encoders.dwiseneuro_layers import (
    InvertedResidual,
    Normalised,
    PositionEncoding,
    Readout,
    Series,
    ShuffleLayer,
)

Inputs = Float[Tensor, "batch input time height width"]


class DwiseNeuroNetwork(nn.Module):
    """Depthwise 3-D convolutions shared by all animals, a pointwise "cortex", and one readout per animal.

    Every window is seen whole: squeeze-and-excitation averages over all its frames, so that the rate of its first
    frame depends on its last. The defaults are those of the winning solution; its first stage and the weights of
    Bauer et al. (eLife 2026) have ``expansion_ratio=7``.

    Args:
        readout_outputs: Number of neurons of each animal.
        in_channels: Video, pupil dilation, running speed, gaze x, gaze y.
        core_features: Features that enter each block; a block hands on as many as the next one takes.
        spatial_strides: Stride of each block along height and width.
        spatial_kernel, temporal_kernel: Lengths of the depthwise convolutions.
        expansion_ratio: Features inside a block over features that enter it.
        se_reduce_ratio: Features inside a block over those of its squeeze-and-excitation.
        cortex_features: Features of the pointwise layers after the spatial average.
        groups: Groups of the pointwise layers of cortex and readouts.
        softplus_beta: Sharpness of the softplus that makes rates positive.
        drop_rate: Features of the cortex dropped before the readout, in training.
        drop_path_rate: Chance that a sample skips a layer, in training; it grows from 0 over the blocks of the core and
            is as stated in the cortex.
    """

    def __init__(
        self,
        readout_outputs: Sequence[int],
        *,
        in_channels: int = 5,
        core_features: Sequence[int] = (64, 64, 64, 64, 128, 128, 128, 256, 256),
        spatial_strides: Sequence[int] = (2, 1, 1, 1, 2, 1, 1, 2, 1),
        spatial_kernel: int = 3,
        temporal_kernel: int = 5,
        expansion_ratio: int = 6,
        se_reduce_ratio: int = 32,
        cortex_features: Sequence[int] = (1024, 2048, 4096),
        groups: int = 2,
        softplus_beta: float = 0.07,
        drop_rate: float = 0.4,
        drop_path_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "readout_outputs": list(readout_outputs),
            "in_channels": in_channels,
            "core_features": list(core_features),
            "spatial_strides": list(spatial_strides),
            "spatial_kernel": spatial_kernel,
            "temporal_kernel": temporal_kernel,
            "expansion_ratio": expansion_ratio,
            "se_reduce_ratio": se_reduce_ratio,
            "cortex_features": list(cortex_features),
            "groups": groups,
            "softplus_beta": softplus_beta,
            "drop_rate": drop_rate,
            "drop_path_rate": drop_path_rate,
        }
        blocks: list[nn.Module] = []
        for number, (features, stride) in enumerate(zip(core_features, spatial_strides, strict=True)):
            following = core_features[min(number + 1, len(core_features) - 1)]
            block = InvertedResidual(
                features,
                following,
                stride=stride,
                spatial_kernel=spatial_kernel,
                temporal_kernel=temporal_kernel,
                expansion_ratio=expansion_ratio,
                se_reduce_ratio=se_reduce_ratio,
                drop_path_rate=drop_path_rate * number / len(core_features),
            )
            blocks += [PositionEncoding(features), block]
        stem = nn.Sequential(
            nn.Conv3d(in_channels, core_features[0], 1, bias=False), Normalised(nn.BatchNorm3d(core_features[0]))
        )
        self.core = nn.Sequential()
        self.core.add_module("stem", stem)
        self.core.add_module("blocks", nn.Sequential(*blocks))
        layers = [
            ShuffleLayer(entering, leaving, groups=groups, drop_path_rate=drop_path_rate)
            for entering, leaving in zip((core_features[-1], *cortex_features), cortex_features, strict=False)
        ]
        self.cortex = nn.Sequential()
        self.cortex.add_module("layers", nn.Sequential(*layers))
        self.readouts = nn.ModuleList(
            Readout(cortex_features[-1], outputs, groups=groups, softplus_beta=softplus_beta, drop_rate=drop_rate)
            for outputs in readout_outputs
        )

    def shared(self, inputs: Inputs) -> Series:
        """What the readouts of all animals read: the features of the cortex on every frame of every window."""
        series: Tensor = self.cortex(self.core(inputs).mean((3, 4)))
        return series

    def forward(self, inputs: Inputs, index: int | None = None) -> list[Series] | Series:
        """Expected responses on every frame of every window.

        Args:
            inputs: Windows of alternate frames in raw units: video 0..255 in the middle of 64 x 64 pixels, and the
                four behavior channels, each the same all over the frame.
            index: Which animal; None for all, whose windows are then the same.

        Returns:
            ``batch neuron time`` of the animal, or a list of those of all animals.
        """
        series = self.shared(inputs)
        if index is not None:
            rates: Tensor = self.readouts[index](series)
            return rates
        return [readout(series) for readout in self.readouts]
