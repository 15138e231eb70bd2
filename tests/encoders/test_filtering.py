"""Filtering along time: by FFT, by matrices, and by numpy's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cinecortex.encoders.filtering import filter_by_matrix, filter_in_time, filter_matrices


@pytest.mark.parametrize(("lags", "future"), [(16, 0), (12, 3), (5, 4), (1, 0)])
def test_both_ways_equal_a_convolution_with_the_ends_repeated(lags: int, future: int) -> None:
    random = np.random.default_rng(3)
    signals, kernels = random.standard_normal((2, 2, 3, 4, 9)), random.standard_normal((2, 3, 2, 3, lags))
    padded = np.pad(signals, ((0, 0),) * 4 + ((lags - 1 - future, future),), mode="edge")
    expected = np.zeros((2, 3, 3, 4, 9))
    for group, output, neuron, batch in np.ndindex(2, 3, 3, 4):
        for f in range(2):
            signal, kernel = padded[group, f, neuron, batch], kernels[group, output, f, neuron]
            expected[group, output, neuron, batch] += np.convolve(signal, kernel, mode="valid")

    x, k = torch.from_numpy(signals), torch.from_numpy(kernels)
    np.testing.assert_allclose(filter_in_time(x, k, future=future), expected, atol=1e-12)
    np.testing.assert_allclose(filter_by_matrix(x, filter_matrices(k, 9, future=future)), expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's own making, in forward mode
def test_mapped_over_signals_is_one_after_the_other() -> None:
    random = torch.Generator().manual_seed(5)
    signals = torch.randn(6, 2, 2, 3, 4, 9, generator=random, dtype=torch.float64)
    kernels = torch.randn(2, 3, 2, 3, 5, generator=random, dtype=torch.float64)

    def filtered(signal: torch.Tensor) -> torch.Tensor:
        return filter_in_time(signal, kernels, future=2)

    expected = torch.stack([filtered(signal) for signal in signals])
    torch.testing.assert_close(torch.func.vmap(filtered)(signals), expected)
    last = torch.func.vmap(filtered, in_dims=-1)(signals.movedim(0, -1))
    torch.testing.assert_close(last, expected)
    # Filters are linear: their change is the filter of the change.
    changed = torch.func.vmap(lambda change: torch.func.jvp(filtered, (signals[0],), (change,))[1])(signals)
    torch.testing.assert_close(changed, expected)


def test_mapped_over_kernels_is_refused() -> None:
    signals, kernels = torch.ones(1, 1, 2, 1, 8), torch.ones(4, 1, 1, 1, 2, 3)
    with pytest.raises(RuntimeError, match="over signals only"):
        torch.func.vmap(lambda kernel: filter_in_time(signals, kernel))(kernels)
