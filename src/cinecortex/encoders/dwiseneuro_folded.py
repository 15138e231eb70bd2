"""DwiseNeuro in evaluation, arranged for speed: the same function of the movie as the network, exact to rounding.

What is done differently from the network, and why it is exact:

- Batch norms are linear in evaluation and are folded into the convolution before them.
- Stem, first position encoding and first expansion are linear in the video, and behavior is the same all over a frame.
  Together they are ``base(y, x) + drive(t) + weight * video(t, y, x)`` for every feature: no product of matrices.
- The gates of squeeze-and-excitation are folded into the projection after them where one window is seen at a time.
- Features are the last axis, so that pointwise layers are single products of matrices and the depthwise filter in time
  is one multiply-add per tap. Frames are expanded and filtered a few at a time, which keeps what is between in the
  cache; the memory of large arrays is taken once and used again.
- For the gradient nothing but the video is kept. Backwards, a window is evaluated once more and every layer leaves
  behind what its derivative needs.

What overlapping windows could share ends with the first expansion: the position encoding of the frame's number differs
between windows, a nonlinearity follows at once, and squeeze-and-excitation then mixes all frames of a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork, repeated

# Arrays of the inner features, in numbers: as many as stay in a processor's cache between one layer and the next.
_CACHED_NUMBERS = 1 << 21

Videos = Float[Tensor, "time window height width"]
Frames = Float[Tensor, "time window height width feature"]


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
    average = _silu_gradient(into_gate @ block.excite, kept.reduced) @ block.squeeze
    average = average / (time * inner[2] * inner[3])
    torch.addcmul(average[:, None, None].expand(inner), back, kept.gate[:, None, None], out=back)
    _silu_gradient(back, timed, out=back)
    height, width = kept.expanded.shape[2:4]
    for start, stop in block.chunks(tuple(kept.expanded.shape)):
        chunk = scratch.take("filtered back", (stop - start, *inner[1:]), timed).zero_()
        for weight, first, last, delay in block.taps(start, stop, time):
            chunk[first + delay - start : last + delay - start].addcmul_(back[first:last], weight)
        _silu_gradient(chunk, kept.filtered[start:stop], out=chunk)
        receive(start, stop, _spread_in_space(chunk, block, height, width), kept.expanded[start:stop])


def _filter_in_space(frames: Frames, block: Block) -> Frames:
    padding = block.space.shape[-1] // 2
    images = frames.flatten(0, 1).permute(0, 3, 1, 2)
    filtered = functional.conv2d(
        images, block.space, block.space_bias, stride=block.stride, padding=padding, groups=len(block.space)
    )
    return filtered.permute(0, 2, 3, 1).unflatten(0, frames.shape[:2])


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
    return spread.permute(0, 2, 3, 1).unflatten(0, frames.shape[:2])


def _silu(values: Tensor, out: Tensor) -> Tensor:
    return cast(Tensor, torch.ops.aten.silu.out(values, out=out))


def _silu_gradient(gradient: Tensor, values: Tensor, out: Tensor | None = None) -> Tensor:
    if out is None:
        out = torch.empty_like(gradient)
    return cast(Tensor, torch.ops.aten.silu_backward.grad_input(gradient, values, grad_input=out))


@dataclass(eq=False)
class FoldedCore:
    """Stem and blocks for windows of one size, all weights constant.

    Attributes:
        blocks: The inverted residuals.
        base: What the first expansion is where video and drive are zero, ``height width inside``.
        base_shortcut: The same of the first block's shortcut, ``height width leaving`` at the strided size.
        video_weight, video_shortcut: Weight of the video in both.
        drive, drive_shortcut: Weights of behavior in both, with those of the frame's number beside them.
        place: Rows and columns of the padded frame that hold the video.
    """

    blocks: list[Block]
    base: Tensor
    base_shortcut: Tensor
    video_weight: Tensor
    video_shortcut: Tensor
    drive: tuple[Tensor, Tensor]
    drive_shortcut: tuple[Tensor, Tensor]
    place: tuple[slice, slice]
    scratch: Scratch = field(default_factory=Scratch)

    def __call__(self, videos: Videos, behaviors: Float[Tensor, "time window channel"]) -> Tensor:
        """Average over the frame of what leaves the last block, ``time window feature``.

        The gradient reaches the videos and nothing else.
        """
        averages: Tensor = _Core.apply(videos, behaviors, self)  # type: ignore[no-untyped-call]
        return averages

    def run(self, videos: Tensor, behaviors: Tensor, *, keep: bool) -> tuple[Tensor, list[Kept]]:
        """The averages, and on request what every block leaves behind."""
        rows, columns = self.place
        first, stride = self.blocks[0], self.blocks[0].stride
        drive = (behaviors @ self.drive[0] + self.drive[1])[:, :, None, None]

        def expand(start: int, stop: int, out: Tensor) -> None:
            torch.add(self.base, drive[start:stop], out=out)
            out[:, :, rows, columns].addcmul_(videos[start:stop, ..., None], self.video_weight)

        shortcut = self.base_shortcut + (behaviors @ self.drive_shortcut[0] + self.drive_shortcut[1])[:, :, None, None]
        padded = videos.new_zeros(*videos.shape[:2], *self.base.shape[:2])
        padded[:, :, rows, columns] = videos
        shortcut.addcmul_(padded[:, :, ::stride, ::stride, None], self.video_shortcut)
        shape = tuple(padded.shape)
        frames, left = evaluate(first, expand, shape, shortcut, self.scratch, 0 if keep else None)
        kept = [left] if left is not None else []
        for number, block in enumerate(self.blocks[1:], start=1):
            frames, left = self._block(block, frames, number if keep else None)
            kept += [left] if left is not None else []
        return frames.mean((2, 3)), kept

    def _block(self, block: Block, frames: Frames, keep: int | None) -> tuple[Frames, Kept | None]:
        def expand(start: int, stop: int, out: Tensor) -> None:
            rows = frames[start:stop].flatten(0, 3)
            torch.addmm(block.expand_bias, rows, block.expand.T, out=out.view(len(rows), -1))

        nearest = frames[:, :, :: block.stride, :: block.stride]
        whole = repeated(nearest.movedim(-1, 1), len(block.project)).movedim(1, -1)
        shortcut = torch.addcmul(block.constant, whole, block.shortcut_scale)
        return evaluate(block, expand, tuple(frames.shape[:4]), shortcut.contiguous(), self.scratch, keep)

    def back(self, gradient: Float[Tensor, "time window feature"], kept: list[Kept]) -> Videos:
        """Gradient of the videos."""
        height, width = kept[-1].timed.shape[2:4]
        frames = (gradient / (height * width))[:, :, None, None].expand(-1, -1, height, width, -1).contiguous()
        for block, left in zip(self.blocks[:0:-1], kept[:0:-1], strict=True):
            frames = self._block_back(block, frames, left)
        return self._video_back(frames, kept[0])

    def _block_back(self, block: Block, gradient: Frames, kept: Kept) -> Frames:
        entering = block.expand.shape[1]
        into = gradient.new_empty(*kept.expanded.shape[:4], entering)

        def receive(start: int, stop: int, back: Tensor, expanded: Tensor) -> None:
            torch.mm(
                _silu_gradient(back, expanded, out=back).flatten(0, 3),
                block.expand,
                out=into[start:stop].view(-1, entering),
            )

        differentiate(block, gradient, kept, self.scratch, receive)
        nearest = into[:, :, :: block.stride, :: block.stride]
        for first in range(0, len(block.project), entering):
            part = slice(first, min(first + entering, len(block.project)))
            nearest[..., : part.stop - first].addcmul_(gradient[..., part], block.shortcut_scale[part])
        return into

    def _video_back(self, gradient: Frames, kept: Kept) -> Videos:
        rows, columns = self.place
        stride = self.blocks[0].stride
        into = gradient.new_empty(kept.expanded.shape[:4])

        def receive(start: int, stop: int, back: Tensor, expanded: Tensor) -> None:
            # The rows beside the video are constant: no gradient is needed there.
            felt = _silu_gradient(back[:, :, rows], expanded[:, :, rows])
            into[start:stop, :, rows] = felt @ self.video_weight

        differentiate(self.blocks[0], gradient, kept, self.scratch, receive)
        into[:, :, ::stride, ::stride] += gradient @ self.video_shortcut
        return into[:, :, rows, columns]


class _Core(torch.autograd.Function):
    """`FoldedCore.run`, evaluated once more when the gradient is asked for."""

    @staticmethod
    def forward(ctx: Any, videos: Tensor, behaviors: Tensor, core: FoldedCore) -> Tensor:
        ctx.save_for_backward(videos, behaviors)
        ctx.core = core
        return core.run(videos, behaviors, keep=False)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        core: FoldedCore = ctx.core
        _, kept = core.run(*ctx.saved_tensors, keep=True)
        return core.back(gradient.contiguous(), kept), None, None


def folds(network: DwiseNeuroNetwork, size: tuple[int, int]) -> bool:
    """Whether the strides divide this frame; where they do not, the nearest pixels are not evenly spaced."""
    total = math.prod(network.settings["spatial_strides"])
    return size[0] % total == 0 and size[1] % total == 0
