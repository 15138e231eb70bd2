"""Lanczos against dense eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.identifiability.lanczos import lanczos, random_signs
from cinecortex.identifiability.measure import determined, half_log2
from cinecortex.seeds import Seed

SHAPE = (3, 4, 5)
SIZE = 60


def dense(rank: int, *, top: float = 1e3) -> np.ndarray:
    random = np.random.default_rng(rank)
    vectors = np.linalg.qr(random.standard_normal((SIZE, SIZE)))[0][:, :rank]
    return (vectors * np.geomspace(0.01, top, rank)) @ vectors.T


def operator(matrix: np.ndarray, dtype: torch.dtype = torch.float64):
    given = torch.from_numpy(matrix).to(dtype)
    return lambda vectors: (vectors.flatten(1) @ given).reshape(vectors.shape)


def function_of(matrix: np.ndarray, function) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * function(values.clip(0))) @ vectors.T


@pytest.mark.parametrize("function", [half_log2, determined])
@pytest.mark.parametrize("rank", [0, 5, 40])
def test_a_space_that_is_exhausted_gives_the_exact_answer(rank, function):
    matrix = dense(rank)
    probes = random_signs(3, torch.zeros(SHAPE, dtype=torch.float64), Seed(1))
    krylov = lanczos(operator(matrix), probes, steps=SIZE)
    assert len(krylov.basis) == rank + 1, "the null space is one more direction"
    exact = function_of(matrix, function)
    flat = probes.flatten(1).numpy()
    expected = np.einsum("di,ij,dj->d", flat, exact, flat)
    np.testing.assert_allclose(krylov.quadratic(function), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(krylov.quadratic_from_below(function), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(krylov.applied(function).flatten(1).numpy(), flat @ exact, atol=1e-6)
    np.testing.assert_allclose(krylov.weights.sum(1), SIZE)
    if not rank:
        assert (krylov.quadratic(function) == 0).all()


def test_the_truth_lies_between_the_two_quadratures():
    matrix = dense(40)
    probes = random_signs(8, torch.zeros(SHAPE, dtype=torch.float64), Seed(2))
    flat = probes.flatten(1).numpy()
    widths = []
    for steps in (2, 4, 8, 16):
        krylov = lanczos(operator(matrix), probes, steps=steps)
        for function in (half_log2, determined):
            expected = np.einsum("di,ij,dj->d", flat, function_of(matrix, function), flat)
            above, below = krylov.quadratic(function), krylov.quadratic_from_below(function)
            assert (below <= expected + 1e-9).all()
            assert (expected <= above + 1e-9).all()
        widths.append((above - below).max())
    assert widths == sorted(widths, reverse=True)


def test_probes_whose_spaces_end_at_different_steps_do_not_disturb_each_other():
    matrix = np.diag(np.r_[np.full(10, 7.0), np.linspace(1, 50, 50)])
    few = torch.zeros(SHAPE, dtype=torch.float64)
    few.view(-1)[:10] = 1.0
    many = torch.ones(SHAPE, dtype=torch.float64)
    krylov = lanczos(operator(matrix), torch.stack([few, many]), steps=SIZE)
    np.testing.assert_allclose(krylov.quadratic(half_log2)[0], 10 * np.log2(8) / 2)
    np.testing.assert_allclose(krylov.quadratic(half_log2)[1], np.log2(1 + np.diag(matrix)).sum() / 2)


def test_vectors_stay_orthogonal_in_single_precision():
    # Without making every vector orthogonal to all before it, the largest value is found over and over.
    matrix = dense(SIZE, top=1e6)
    probes = random_signs(2, torch.zeros(SHAPE), Seed(3))
    krylov = lanczos(operator(matrix, torch.float32), probes, steps=40)
    for probe in krylov.basis.transpose(0, 1).flatten(2):
        np.testing.assert_allclose((probe @ probe.T).numpy(), np.eye(len(probe)), atol=2e-6)
    assert krylov.diagonal.dtype == np.float64
    assert (np.sort(krylov.values)[:, -2] < 0.9e6).all(), "the largest value once"


def test_no_step_is_refused():
    with pytest.raises(WrongUse, match="at least 1"):
        lanczos(operator(dense(3)), torch.ones(1, *SHAPE, dtype=torch.float64), steps=0)
