"""What is seen best and what is left open, against dense eigenvectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.sparse.linalg import LinearOperator, eigsh
from tests.identifiability.linear_world import Dense, around, large, position, small

from cinecortex.identifiability.directions import left_open, seen_best
from cinecortex.identifiability.lanczos import lanczos, leading
from cinecortex.identifiability.metamers import damped
from cinecortex.seeds import Seed


def columns(vectors: torch.Tensor) -> np.ndarray:
    return vectors.flatten(1).numpy().T


def test_directions_are_the_eigenvectors_of_the_dense_matrices():
    world = small()
    dense, z = Dense.of(world), position(world)
    fisher = dense.rates.T @ dense.rates
    values, vectors = np.linalg.eigh(fisher)
    best = seen_best(around(world, z), 4, steps=30, tolerance=1e-6, seed=Seed(1))
    np.testing.assert_allclose(best.values, values[::-1][:4], rtol=1e-6)
    assert np.degrees(subspace_angles(columns(best.whitened), vectors[:, -4:])).max() < 0.01
    np.testing.assert_allclose(best.discriminability, values[::-1][:4] ** 0.5, rtol=1e-6)
    np.testing.assert_allclose(best.share, 1 - 1 / (1 + values[::-1][:4]), rtol=1e-6)
    np.testing.assert_allclose(columns(best.movies), dense.pixels(columns(best.whitened)), atol=1e-9)

    white = dense.whitened(np.eye(len(fisher)))
    covariance = dense.pixels(np.linalg.solve(np.eye(len(fisher)) + fisher, white))
    variances, patterns = np.linalg.eigh(covariance)
    unseen = left_open(around(world, z), 4, steps=30, tolerance=1e-6, iterations=400, seed=Seed(1))
    np.testing.assert_allclose(unseen.values, variances[::-1][:4], rtol=1e-5)
    assert np.degrees(subspace_angles(columns(unseen.movies), patterns[:, -4:])).max() < 0.1
    # One standard deviation of the prior along each: its length in whitened coordinates is 1.
    np.testing.assert_allclose(np.linalg.norm(columns(unseen.whitened), axis=0), 1, rtol=1e-9)
    seen = np.einsum("ik,ij,jk->k", columns(unseen.whitened), fisher, columns(unseen.whitened))
    np.testing.assert_allclose(np.square(unseen.discriminability), seen, rtol=1e-6)
    assert max(best.residuals) < 1e-5
    assert max(unseen.residuals) < 1e-4
    assert min(best.share) > max(unseen.share)


def test_directions_in_a_world_of_a_thousand_pixels_and_sixty_frames():
    world = large()
    dense, z = Dense.of(world), position(world)
    # F has the nonzero eigenvalues of the small matrix G G^T, and eigenvectors G^T u.
    values, vectors = np.linalg.eigh(dense.rates @ dense.rates.T)
    exact = dense.rates.T @ vectors[:, -3:]
    best = seen_best(around(world, z), 3, steps=40, tolerance=1e-4, seed=Seed(2))
    np.testing.assert_allclose(best.values, values[::-1][:3], rtol=1e-5)
    assert np.degrees(subspace_angles(columns(best.whitened), exact)).max() < 1

    gain = np.linalg.inv(np.eye(len(dense.rates)) + dense.rates @ dense.rates.T)

    def solved(pixels: np.ndarray) -> np.ndarray:
        white = dense.whitened(pixels.reshape(-1, 1))
        return dense.pixels(white - dense.rates.T @ (gain @ (dense.rates @ white)))

    operator = LinearOperator((z.numel(), z.numel()), matvec=solved, dtype=np.float64)
    variances, patterns = eigsh(operator, 3, v0=np.ones(z.numel()))
    unseen = left_open(around(world, z), 3, steps=12, tolerance=1e-3, iterations=200, seed=Seed(2))
    np.testing.assert_allclose(unseen.values, variances[::-1], rtol=1e-3)
    assert np.degrees(subspace_angles(columns(unseen.movies), patterns)).max() < 2


def test_residuals_tell_a_space_that_is_too_small():
    random = np.random.default_rng(0)
    matrix = torch.from_numpy(np.diag(1 / (1 + np.arange(120.0) / 40)))
    start = torch.from_numpy(random.standard_normal((3, 120, 1, 1)))

    def operator(vectors: torch.Tensor) -> torch.Tensor:
        return (vectors.flatten(1) @ matrix).reshape(vectors.shape)

    few = leading(operator, start, count=2, steps=2, tolerance=1e-8)
    many = leading(operator, start, count=2, steps=60, tolerance=1e-8)
    assert min(few.residuals) > 1e-2 > 1e-7 > max(many.residuals)
    assert few.applied == 6
    assert few.values[0] < many.values[0] == pytest.approx(1.0)


def test_a_krylov_space_filters_for_every_weight_and_knows_when_it_is_exhausted():
    world = small()
    dense, z = Dense.of(world), position(world)
    fisher = dense.rates.T @ dense.rates
    start = torch.from_numpy(np.random.default_rng(3).standard_normal((2, *z.shape)))
    known = lanczos(around(world, z).information, start, steps=z.numel())
    # The rates are 80 numbers: no space has more dimensions than that and its start's, but for what rounding adds.
    assert len(known.basis) < len(dense.rates) + 10
    for weight in (0.0, 0.3, 40.0):
        exact = np.linalg.solve(np.eye(len(fisher)) + weight * fisher, start.flatten(1).numpy().T)
        found = known.applied(lambda values, weight=weight: damped(values, weight))
        np.testing.assert_allclose(found.flatten(1).numpy().T, exact, atol=1e-5)
        seen = known.quadratic(lambda values, weight=weight: values * damped(values, weight) ** 2)
        np.testing.assert_allclose(seen, np.einsum("ik,ij,jk->k", exact, fisher, exact), rtol=1e-4)
