"""Filtering along time, by FFT with its derivatives written out, or as a matrix for the short windows of `paper`.

Autograd differentiates a real FFT by a complex one of twice the size; the derivatives of a filter are filters again,
and cost no more than the forward pass. A window of a few dozen frames is filtered faster still by one small matrix per
neuron.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Signals = Float[Tensor, "group filter neuron batch time"]
Kernels = Float[Tensor, "group output filter neuron lag"]
Filtered = Float[Tensor, "group output neuron batch time"]

SHORT_FRAMES, MANY_SIGNALS = 64, 8
"""Signals of up to so many frames, in batches of at least so many, are filtered faster by matrices than by FFT."""


def filter_in_time(signals: Signals, kernels: Kernels, *, future: int = 0) -> Filtered:
    """``y_o(t) = sum over filters f and lags l of kernel_of(l) * x_f(t + future - l)``.

    The first and the last frame are repeated beyond the ends.

    Args:
        signals: What is filtered.
        kernels: Lag 0 is ``future`` frames ahead.
        future: How many frames ahead the filter looks; less than the number of lags.
    """
    if torch.is_autocast_enabled(signals.device.type):  # there are no Fourier transforms of half the digits
        signals, kernels = signals.float(), kernels.float()
    filtered: Tensor = _Filter.apply(signals, kernels, future)  # type: ignore[no-untyped-call]
    return filtered


def filter_by_matrix(signals: Signals, matrices: Float[Tensor, "group output filter neuron time time"]) -> Filtered:
    """The same by the matrices of `filter_matrices`: the faster way for many short signals and kernels that stay."""
    groups, outputs, filters = matrices.shape[:3]
    # Unbound and not indexed: the derivative of an index is a tensor of zeros as large as all signals, each time.
    parts = [group.unbind() for group in signals.unbind()]
    products = [
        _sum([torch.bmm(parts[group][f], matrices[group, output, f]) for f in range(filters)])
        for group in range(groups)
        for output in range(outputs)
    ]
    stacked = torch.stack(products)
    return stacked.reshape(groups, outputs, *stacked.shape[1:])


def filter_matrices(
    kernels: Kernels, time: int, *, future: int = 0
) -> Float[Tensor, "group output filter neuron time time"]:
    """For each neuron the matrix by which `filter_in_time` acts on a signal of ``time`` frames: frame in, frame out."""
    lags = kernels.shape[-1]
    frame = torch.arange(time, device=kernels.device)
    padded = torch.arange(time + lags - 1, device=kernels.device)
    lag = frame + lags - 1 - padded[:, None]  # of each padded frame to each frame that is asked for
    inside = (lag >= 0) & (lag < lags)
    spread = torch.where(inside, kernels[..., lag.clamp(0, lags - 1)], kernels.new_zeros(()))
    before = lags - 1 - future
    matrix = spread[..., before : before + time, :].clone()
    matrix[..., 0, :] += spread[..., :before, :].sum(-2)
    matrix[..., -1, :] += spread[..., before + time :, :].sum(-2)
    return matrix


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(signals: Tensor, kernels: Tensor, future: int) -> Tensor:
        padded, length = _padded(signals, kernels.shape[-1], future)
        spectrum, transfer = torch.fft.rfft(padded, n=length), torch.fft.rfft(kernels, n=length)
        return _apply(spectrum, transfer, kernels.shape[-1], padded.shape[-1], length)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        signals, kernels, ctx.future = inputs
        ctx.save_for_backward(signals, kernels)
        ctx.save_for_forward(signals, kernels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        signals, kernels = ctx.saved_tensors
        lags, time = kernels.shape[-1], signals.shape[-1]
        width = time + lags - 1
        length = _good_length(width)
        # Output t stands at padded frame t + lags - 1: there every lag overlaps the signal.
        shifted = torch.nn.functional.pad(gradient, (lags - 1, length - width))
        spectrum = torch.fft.rfft(shifted)
        to_signals = to_kernels = None
        if ctx.needs_input_grad[0]:
            back = torch.fft.rfft(kernels, n=length).conj()[..., None, :]
            mixed = _sum([spectrum[:, o, None] * back[:, o] for o in range(kernels.shape[1])])
            to_signals = _fold(torch.fft.irfft(mixed, n=length)[..., :width], lags, ctx.future)
        if ctx.needs_input_grad[1]:
            padded, _ = _padded(signals, lags, ctx.future)
            seen = torch.fft.rfft(padded, n=length).conj()
            crossed = torch.stack([(spectrum[:, o, None] * seen).sum(-2) for o in range(kernels.shape[1])], 1)
            to_kernels = torch.fft.irfft(crossed, n=length)[..., :lags]
        return to_signals, to_kernels, None

    @staticmethod
    def jvp(ctx: Any, signals_tangent: Tensor | None, kernels_tangent: Tensor | None, _: None) -> Tensor:
        signals, kernels = ctx.saved_tensors
        parts = []
        if signals_tangent is not None:
            parts.append(_Filter.forward(signals_tangent, kernels, ctx.future))
        if kernels_tangent is not None:
            parts.append(_Filter.forward(signals, kernels_tangent, ctx.future))
        return _sum(parts)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], signals: Tensor, kernels: Tensor, future: int
    ) -> tuple[Tensor, int]:
        """Mapped over signals, which then are just so many more; kernels are the same for all."""
        of_signals, of_kernels, _ = in_dims
        if of_kernels is not None or of_signals is None:
            raise RuntimeError("filters are mapped over signals only, not over kernels.")
        moved = signals.movedim(of_signals, 3)
        filtered: Tensor = _Filter.apply(moved.flatten(3, 4), kernels, future)  # type: ignore[no-untyped-call]
        return filtered.reshape(*filtered.shape[:3], *moved.shape[3:5], -1), 3


def _apply(spectrum: Tensor, transfer: Tensor, lags: int, width: int, length: int) -> Tensor:
    outputs = []
    for output in range(transfer.shape[1]):
        mixed = _sum([spectrum[:, f] * transfer[:, output, f, :, None] for f in range(transfer.shape[2])])
        # The first lags - 1 values are wrapped around by the FFT; they are just those that are not wanted.
        outputs.append(torch.fft.irfft(mixed, n=length)[..., lags - 1 : width])
    return torch.stack(outputs, 1)


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _padded(signals: Tensor, lags: int, future: int) -> tuple[Tensor, int]:
    before, time = lags - 1 - future, signals.shape[-1]
    padded = signals.new_empty(*signals.shape[:-1], time + lags - 1)
    padded[..., :before] = signals[..., :1]
    padded[..., before : before + time] = signals
    padded[..., before + time :] = signals[..., -1:]
    return padded, _good_length(time + lags - 1)


def _fold(padded: Tensor, lags: int, future: int) -> Tensor:
    """The transpose of `_padded`: what fell on the repeats belongs to the first and the last frame."""
    before = lags - 1 - future
    time = padded.shape[-1] - lags + 1
    signals = padded[..., before : before + time].clone()
    signals[..., 0] += padded[..., :before].sum(-1)
    signals[..., -1] += padded[..., before + time :].sum(-1)
    return signals


def _good_length(length: int) -> int:
    """The next multiple of 16: fast for the FFT."""
    return math.ceil(length / 16) * 16
