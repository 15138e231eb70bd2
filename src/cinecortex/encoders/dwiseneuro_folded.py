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
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_block import (
    Block,
    Frames,
    Kept,
    Scratch,
    differentiate,
    evaluate,
    silu_gradient,
)
from cinecortex.encoders.dwiseneuro_layers import repeated

Videos = Float[Tensor, "time window height width"]


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
                silu_gradient(back, expanded, out=back).flatten(0, 3),
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
            felt = silu_gradient(back[:, :, rows], expanded[:, :, rows])
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
    total = int(math.prod(network.settings["spatial_strides"]))
    return size[0] % total == 0 and size[1] % total == 0
