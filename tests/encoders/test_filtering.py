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
