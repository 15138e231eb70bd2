"""An inverted residual of DwiseNeuro in evaluation, and its derivative: see `dwiseneuro_folded`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# Arrays of the inner features, in numbers: as many as stay in a processor's cache between one layer and the next.
_CACHED_NUMBERS = 1 << 19

Frames = Float[Tensor, "_ window _ _ _"]  # of some frames; sizes and features differ from layer to layer


@dataclass(frozen=True, eq=False)
class Block:
    """An inverted residual in evaluation. Sizes are as the network's; ``constant`` also holds the next encoding."""

    expand: Tensor  # inside entering
    expand_bias: Tensor
    space: Tensor  # inside 1 kernel kernel
    space_bias: Tensor
    time: Tensor  # kernel inside
    time_bias: Tensor
    squeeze: Tensor  # reduced inside
    squeeze_bias: Tensor
    excite: Tensor  # inside reduced
    excite_bias: Tensor
    project: Tensor  # leaving inside
    constant: Tensor  # time 1 height width leaving
    shortcut_scale: Tensor  # leaving
    stride: int

    def chunks(self, shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Ranges of frames that are expanded and filtered together."""
        time, numbers = shape[0], math.prod(shape[1:4]) * len(self.expand)
        step = time if self.expand.is_cuda else max(1, min(time, _CACHED_NUMBERS // numbers))
        for start in range(0, time, step):
            yield start, min(start + step, time)

    def taps(self, start: int, stop: int, time: int) -> Iterator[tuple[Tensor, int, int, int]]:
        """For every tap in time: its weights, the range of output frames that input frames reach, and its delay."""
        for number, weight in enumerate(self.time):
            delay = number - len(self.time) // 2
            first, last = max(start - delay, 0), min(stop - delay, time)
            if first < last:
                yield weight, first, last, delay


@dataclass(eq=False)
class Scratch:
    """Memory that is taken once and used again; what a name held before is lost when the name is asked for again."""

    held: dict[str, Tensor] = field(default_factory=dict)

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An array of this shape with any content."""
        numbers = math.prod(shape)
        if name not in self.held or self.held[name].numel() < numbers:
            self.held[name] = like.new_empty(numbers)
        return self.held[name][:numbers].view(shape)


@dataclass(eq=False)
class Kept:
    """What a block leaves behind for its derivative: its inputs to each nonlinearity, and its gates."""

    expanded: Tensor
    filtered: Tensor
    timed: Tensor
    reduced: Tensor
    gate: Tensor


def evaluate(
    block: Block,
    expand: Callable[[int, int, Tensor], object],
    shape: tuple[int, ...],
    shortcut: Frames,
    scratch: Scratch,
    keep: int | None,
) -> tuple[Frames, Kept | None]:
    """One block: ``expand(start, stop, out)`` fills in the expanded frames, ``shortcut`` is already scaled.

    ``shape`` is that of the input without features; ``keep`` is a number of the block under which to keep what its
    derivative needs.
    """
    time, windows, height, width = shape
    inside = len(block.expand)
    inner = (time, windows, *shortcut.shape[2:4], inside)
    tag = "" if keep is None else str(keep)
    expanded = scratch.take("expanded" + tag, (time, windows, height, width, inside) if tag else (0,), shortcut)
    filtered = scratch.take("filtered" + tag, inner if tag else (0,), shortcut)
    timed = scratch.take("timed" + tag, inner, shortcut).copy_(block.time_bias)
    for start, stop in block.chunks(shape):
        chunk = (stop - start, windows, height, width, inside)
        before = expanded[start:stop] if tag else scratch.take("chunk", chunk, shortcut)
        expand(start, stop, before)
        active = _silu(before, scratch.take("active", chunk, shortcut) if tag else before)
        after = _filter_in_space(active, block)
        if tag:
            filtered[start:stop].copy_(after)
        functional.silu(after, inplace=True)
        for weight, first, last, delay in block.taps(start, stop, time):
            timed[first:last].addcmul_(after[first + delay - start : last + delay - start], weight)
    active = _silu(timed, scratch.take("gated", inner, shortcut) if tag else timed)
    reduced = functional.linear(active.mean((0, 2, 3)), block.squeeze, block.squeeze_bias)
    gate = torch.sigmoid(functional.linear(functional.silu(reduced), block.excite, block.excite_bias))
    if windows == 1:
        projection = block.project * gate
    else:
        projection = block.project
        active.mul_(gate[:, None, None])
    leaving = torch.addmm(shortcut.flatten(0, 3), active.flatten(0, 3), projection.T).view_as(shortcut)
    return leaving, Kept(expanded, filtered, timed, reduced, gate) if tag else None


def differentiate(
    block: Block, gradient: Frames, kept: Kept, scratch: Scratch, receive: Callable[[int, int, Tensor, Tensor], object]
) -> None:
    """Hand the gradient of the activated expansion to ``receive(start, stop, gradient, expanded)``, chunk by chunk."""
    timed, time = kept.timed, len(kept.timed)
    inner = tuple(timed.shape)
    back = scratch.take("back", inner, timed)
    torch.mm(gradient.flatten(0, 3), block.project, out=back.flatten(0, 3))
    active = _silu(timed, scratch.take("gated", inner, timed))
    into_gate = torch.mul(active, back, out=active).sum((0, 2, 3)) * kept.gate * (1 - kept.gate)
    average = silu_gradient(into_gate @ block.excite, kept.reduced) @ block.squeeze
    average = average / (time * inner[2] * inner[3])
    torch.addcmul(average[:, None, None].expand(inner), back, kept.gate[:, None, None], out=back)
    silu_gradient(back, timed, out=back)
    height, width = kept.expanded.shape[2:4]
    for start, stop in block.chunks(tuple(kept.expanded.shape)):
        chunk = scratch.take("filtered back", (stop - start, *inner[1:]), timed).zero_()
        for weight, first, last, delay in block.taps(start, stop, time):
            chunk[first + delay - start : last + delay - start].addcmul_(back[first:last], weight)
        silu_gradient(chunk, kept.filtered[start:stop], out=chunk)
        receive(start, stop, _spread_in_space(chunk, block, height, width), kept.expanded[start:stop])


def _filter_in_space(frames: Frames, block: Block) -> Frames:
    padding = block.space.shape[-1] // 2
    images = frames.flatten(0, 1).permute(0, 3, 1, 2)
    filtered = functional.conv2d(
        images, block.space, block.space_bias, stride=block.stride, padding=padding, groups=len(block.space)
    )
    return filtered.permute(0, 2, 3, 1).view(*frames.shape[:2], *filtered.shape[2:], -1)


def _spread_in_space(frames: Frames, block: Block, height: int, width: int) -> Frames:
    """The transpose of `_filter_in_space`."""
    kernel, padding = block.space.shape[-1], block.space.shape[-1] // 2
    rows, columns = ((n - 1) * block.stride - 2 * padding + kernel for n in frames.shape[2:4])
    images = frames.flatten(0, 1).permute(0, 3, 1, 2)
    spread = functional.conv_transpose2d(
        images,
        block.space,
        stride=block.stride,
        padding=padding,
        output_padding=(height - rows, width - columns),
        groups=len(block.space),
    )
    return spread.permute(0, 2, 3, 1).view(*frames.shape[:2], height, width, -1)


def _silu(values: Tensor, out: Tensor) -> Tensor:
    return cast(Tensor, torch.ops.aten.silu.out(values, out=out))


def silu_gradient(gradient: Tensor, values: Tensor, out: Tensor | None = None) -> Tensor:
    """Gradient of the SiLU at ``values``; ``out`` may be ``gradient`` itself."""
    if out is None:
        out = torch.empty_like(gradient)
    return cast(Tensor, torch.ops.aten.silu_backward.grad_input(gradient, values, grad_input=out))
