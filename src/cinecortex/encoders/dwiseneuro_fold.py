"""From the network of DwiseNeuro in evaluation to its folded form; all sums are made in double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_block import Block
from cinecortex.encoders.dwiseneuro_folded import FoldedCore
from cinecortex.encoders.dwiseneuro_layers import (
    InvertedResidual,
    Normalised,
    PositionEncoding,
    Readout,
    ShuffleLayer,
    repeated,
)

Series = Float[Tensor, "window time _"]


@dataclass(frozen=True, eq=False)
class FoldedCortex:
    """The pointwise layers of the cortex and the readout of one animal, all weights constant.

    Attributes:
        layers: Of each layer the weights (group, entering, leaving), the bias (group, 1, leaving), and the scale and
            offset of its shortcut.
        readout: Weights and bias of the readout, likewise.
        neurons: How many outputs are neurons.
        softplus_beta: Sharpness of the softplus.
    """

    layers: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    readout: tuple[Tensor, Tensor]
    neurons: int
    softplus_beta: float

    def __call__(self, series: Series) -> Series:
        """Rates of one animal."""
        rows = series.flatten(0, 1)
        for weight, bias, scale, offset in self.layers:
            dealt = functional.silu(_grouped(rows, weight, bias)).permute(1, 2, 0).flatten(1)
            rows = torch.addcmul(offset, repeated(rows, dealt.shape[1]), scale) + dealt
        drive = _grouped(rows, *self.readout).transpose(0, 1).flatten(1)[:, : self.neurons]
        return functional.softplus(drive, beta=self.softplus_beta).view(*series.shape[:2], -1)


def _grouped(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``group row leaving``."""
    return torch.baddbmm(bias, rows.view(len(rows), len(weight), -1).transpose(0, 1), weight)


def fold_cortex(network: DwiseNeuroNetwork, index: int) -> FoldedCortex:
    """Cortex and readout of one animal."""
    layers = []
    for layer in cast("list[ShuffleLayer]", list(network.cortex.get_submodule("layers").children())):
        scale, offset = _affine(layer.bn)
        weight, bias = _by_group(scale[:, None] * _double(layer.conv.weight)[..., 0], offset, layer.groups)
        shortcut_scale, shortcut_offset = _affine(layer.bn_sc)
        layers.append((weight, bias, shortcut_scale, shortcut_offset))
    like = cast(nn.Conv3d, network.core.get_submodule("stem.0")).weight
    readout = cast(Readout, network.readouts[index])
    convolution = cast(nn.Conv1d, readout.layer[1])
    bias = cast(Tensor, convolution.bias).detach()
    return FoldedCortex(
        [cast("tuple[Tensor, Tensor, Tensor, Tensor]", tuple(value.to(like) for value in layer)) for layer in layers],
        _by_group(convolution.weight.detach()[..., 0], bias, convolution.groups),
        readout.neurons,
        readout.softplus_beta,
    )


def _by_group(weight: Tensor, bias: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    return weight.view(groups, -1, weight.shape[1]).transpose(1, 2), bias.view(groups, 1, -1)


def fold_core(
    network: DwiseNeuroNetwork, *, frames: int, size: tuple[int, int], place: tuple[slice, slice]
) -> FoldedCore:
    """Stem and blocks for windows of one size.

    Args:
        network: It, in evaluation.
        frames: Frames of a window.
        size: Height and width of the padded frame; the strides must divide them (`folds`).
        place: Rows and columns that hold the video.
    """
    stem = cast(nn.Sequential, network.core.get_submodule("stem"))
    parts = list(network.core.get_submodule("blocks").children())
    encodings = cast("list[PositionEncoding]", parts[::2])
    residuals = cast("list[InvertedResidual]", parts[1::2])
    weight = cast(nn.Conv3d, stem[0]).weight
    blocks, height, width = [], *size
    for number, residual in enumerate(residuals):
        height, width = height // residual.stride, width // residual.stride
        following = (
            _encoding(encodings[number + 1], frames, height, width)
            if number + 1 < len(encodings)
            else torch.zeros(1, height, width, residual.leaving, dtype=torch.float64, device=weight.device)
        )
        blocks.append(_fold_block(residual, following, weight))

    scale, offset = _affine(cast(Normalised, stem[1]))
    stem_weight = scale[:, None] * _double(weight)[..., 0, 0, 0]
    # The encoding is a sum of one part per axis; what changes from frame to frame is the same all over the frame.
    still = offset + _encoding(encodings[0], 1, *size)[0]
    moving = _encoding(encodings[0], frames, 1, 1) - _encoding(encodings[0], 1, 1, 1)
    expand, expand_bias = _pointwise(residuals[0].conv_pw)
    shortcut_scale, _ = _affine(residuals[0].bn_sc)
    stride, leaving = residuals[0].stride, residuals[0].leaving
    constant = _double(blocks[0].constant)[:, 0]

    def shortcut(features: Tensor) -> Tensor:
        return shortcut_scale * repeated(features.movedim(-1, 1), leaving).movedim(1, -1)

    def like(values: Tensor) -> Tensor:
        return values.to(weight).contiguous()

    return FoldedCore(
        blocks=blocks,
        base=like(still @ expand.T + expand_bias),
        base_shortcut=like(shortcut(still[::stride, ::stride]) + constant[0]),
        video_weight=like(expand @ stem_weight[:, 0]),
        video_shortcut=like(shortcut(stem_weight[:, :1].T)[0]),
        drive=(like((expand @ stem_weight[:, 1:]).T), like((moving @ expand.T)[:, 0])),
        drive_shortcut=(
            like(shortcut(stem_weight[:, 1:].T)),
            like((shortcut(moving) + constant[:, :1, :1] - constant[:1, :1, :1])[:, 0]),
        ),
        place=place,
    )


def _fold_block(block: InvertedResidual, following: Tensor, like: Tensor) -> Block:
    expand, expand_bias = _pointwise(block.conv_pw)
    project, project_bias = _pointwise(block.conv_pwl)
    space, space_bias = _convolution(block.spat_covn_dw)
    time, time_bias = _convolution(block.temp_covn_dw)
    shortcut_scale, shortcut_offset = _affine(block.bn_sc)
    reduce, excite = block.se.conv_reduce, block.se.conv_expand

    def cast_to(values: Tensor) -> Tensor:
        return values.detach().to(like).contiguous()

    return Block(
        expand=cast_to(expand),
        expand_bias=cast_to(expand_bias),
        space=space[:, :, 0].to(like).contiguous(memory_format=torch.channels_last),
        space_bias=cast_to(space_bias),
        time=cast_to(time[:, 0, :, 0, 0].T),
        time_bias=cast_to(time_bias),
        squeeze=cast_to(reduce.weight[..., 0, 0, 0]),
        squeeze_bias=cast_to(cast(Tensor, reduce.bias)),
        excite=cast_to(excite.weight[..., 0, 0, 0]),
        excite_bias=cast_to(cast(Tensor, excite.bias)),
        project=cast_to(project),
        constant=cast_to(following[:, None] + project_bias + shortcut_offset),
        shortcut_scale=cast_to(shortcut_scale),
        stride=block.stride,
    )


def _encoding(encoding: PositionEncoding, *size: int) -> Tensor:
    return encoding.encoding(*size).movedim(0, -1).double()


def _pointwise(stage: nn.Sequential) -> tuple[Tensor, Tensor]:
    weight, bias = _convolution(stage)
    return weight[..., 0, 0, 0], bias


def _convolution(stage: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does the work of the batch norm behind it."""
    scale, offset = _affine(cast(Normalised, stage[1]))
    return scale[:, None, None, None, None] * _double(cast(nn.Conv3d, stage[0]).weight), offset


def _affine(normalised: Normalised) -> tuple[Tensor, Tensor]:
    """Scale and offset of a batch norm in evaluation."""
    norm = cast(nn.BatchNorm3d, normalised.bn)
    scale = _double(norm.weight) * (_double(cast(Tensor, norm.running_var)) + norm.eps).rsqrt()
    return scale, _double(norm.bias) - _double(cast(Tensor, norm.running_mean)) * scale


def _double(values: Tensor) -> Tensor:
    return values.detach().double()
