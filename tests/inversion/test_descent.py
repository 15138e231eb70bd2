import math

import numpy as np
import pytest
import scipy.optimize
import torch

from cinecortex.inversion.descent import minimise


def of(function, counter=None):
    """Energy and gradient of a torch function of one tensor."""

    def energy(position):
        if counter is not None:
            counter.append(position.clone())
        at = position.detach().requires_grad_()
        value = function(at)
        (gradient,) = torch.autograd.grad(value, at)
        return float(value.detach()), gradient

    return energy


def quadratic(condition: float = 30.0, size: int = 20):
    random = np.random.default_rng(0)
    axes, _ = np.linalg.qr(random.standard_normal((size, size)))
    hessian = torch.from_numpy(axes @ np.diag(np.geomspace(1, condition, size)) @ axes.T)
    minimum = torch.from_numpy(random.standard_normal(size))
    return (lambda x: 0.5 * (x - minimum) @ hessian @ (x - minimum) - 3.0), minimum


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def test_the_minimum_of_a_quadratic_is_found():
    function, minimum = quadratic()
    found = minimise(of(function), torch.zeros(20, dtype=torch.float64), evaluations=300, tolerance_nats=1e-13)
    torch.testing.assert_close(found.position, minimum, atol=1e-5, rtol=0)
    assert found.energy == pytest.approx(-3.0, abs=1e-10)


def test_the_minimum_of_the_rosenbrock_valley_is_found():
    start = torch.tensor([-1.2, 1.0, -0.5, 2.0], dtype=torch.float64)
    found = minimise(of(rosenbrock), start, evaluations=500, tolerance_nats=1e-14)
    torch.testing.assert_close(found.position, torch.ones(4, dtype=torch.float64), atol=1e-5, rtol=0)


def test_the_shape_of_the_start_is_kept_and_the_start_is_not_touched():
    start = torch.full((2, 3, 4), 5.0, dtype=torch.float64)
    found = minimise(of(lambda x: (x**2).sum()), start, tolerance_nats=1e-12)
    assert found.position.shape == (2, 3, 4)
    assert bool((start == 5.0).all())


def test_the_energy_falls_at_every_step_and_belongs_to_the_position():
    function, _ = quadratic(1e4)
    calls = []
    found = minimise(of(function, calls), torch.zeros(20, dtype=torch.float64), evaluations=60)
    assert all(after < before for before, after in zip(found.trace, found.trace[1:], strict=False))
    assert found.energy == found.trace[-1] == pytest.approx(float(function(found.position)))
    assert found.evaluations == len(calls) <= 60


def test_half_of_the_first_step_is_tried_and_the_whole_of_the_others():
    # The diagonal is right: the whole step would end the descent at once, and the second one does.
    calls, scale = [], torch.from_numpy(np.geomspace(1, 100, 20))
    energy = of(lambda x: 0.5 * (scale * (x - 1) ** 2).sum(), calls)
    found = minimise(energy, torch.zeros(20, dtype=torch.float64), inverse_hessian=1 / scale, tolerance_nats=1e-9)
    torch.testing.assert_close(calls[1], torch.full((20,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(calls[2], torch.ones(20, dtype=torch.float64))
    assert found.energy == pytest.approx(0.0, abs=1e-12)


def test_a_right_preconditioner_saves_evaluations():
    scale = torch.from_numpy(np.geomspace(1, 1e4, 200))
    target = torch.from_numpy(np.random.default_rng(1).standard_normal(200))
    energy = of(lambda x: 0.5 * (scale * (x - target) ** 2).sum())
    start = torch.zeros(200, dtype=torch.float64)
    plain = minimise(energy, start, evaluations=2000, tolerance_nats=1e-6)
    helped = minimise(energy, start, inverse_hessian=1 / scale, evaluations=2000, tolerance_nats=1e-6)
    assert helped.energy < 1e-6
    assert helped.evaluations < 10 < 5 * helped.evaluations < plain.evaluations


@pytest.mark.parametrize(
    ("function", "start"),
    [
        (quadratic(1e3)[0], torch.zeros(20)),
        (quadratic(1e4)[0], torch.zeros(20)),
        (rosenbrock, torch.tensor([-1.2, 1.0] * 10)),
    ],
    ids=["quadratic", "ill-conditioned quadratic", "rosenbrock"],
)
def test_it_needs_no_more_evaluations_than_a_reference(function, start):
    energy, start = of(function), start.double()
    found = minimise(energy, start, evaluations=5000, tolerance_nats=1e-8)
    reference = scipy.optimize.minimize(
        lambda x: tuple(map(np.asarray, energy(torch.from_numpy(x)))),
        start.numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxcor": 12, "ftol": 0, "gtol": 1e-5, "maxfun": 5000, "maxiter": 5000},
    )
    assert found.energy == pytest.approx(reference.fun, abs=1e-6)
    # The reference ends on the gradient, this on the energy: hence the slack.
    assert found.evaluations < 1.25 * reference.nfev


def test_history_serves():
    function, _ = quadratic(1e3)
    start = torch.zeros(20, dtype=torch.float64)
    long, short = (
        minimise(of(function), start, evaluations=3000, tolerance_nats=1e-8, history=history) for history in (12, 1)
    )
    assert long.evaluations < short.evaluations


def test_it_ends_converged():
    function, _ = quadratic()
    found = minimise(of(function), torch.zeros(20, dtype=torch.float64), tolerance_nats=0.25, window=3)
    assert found.ended == "converged: 3 steps lowered the energy by less than 0.25 nats"
    assert found.trace[-4] - found.trace[-1] < 0.25
    assert found.trace[-5] - found.trace[-2] >= 0.25


def test_it_ends_at_the_limit():
    found = minimise(of(rosenbrock), torch.zeros(6, dtype=torch.float64), evaluations=7, tolerance_nats=0.0)
    assert found.ended == "stopped at the limit of 7 evaluations"
    assert found.evaluations == 7


def test_it_ends_where_the_gradient_vanished():
    found = minimise(of(lambda x: (x**2).sum() + 2), torch.zeros(3))
    assert (found.ended, found.evaluations, found.energy) == ("the gradient vanished", 1, 2.0)


def test_it_ends_where_no_step_helps():
    # A gradient that points the wrong way.
    found = minimise(lambda x: (float((x**2).sum()), -2 * x), torch.ones(3, dtype=torch.float64))
    assert found.ended == "no step lowers the energy any more"
    assert torch.equal(found.position, torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("outside", [math.inf, math.nan, -math.inf])
def test_energies_that_are_not_finite_are_stepped_back_from(outside):
    def barrier(x):
        value = 40 * x.sum() - 0.01 * torch.log((1 - x**2).clamp_min(1e-300)).sum()
        return value if bool((x.abs() < 1).all()) else value * 0 + outside

    start = torch.full((2,), 0.5, dtype=torch.float64)
    found = minimise(of(barrier), start, evaluations=200, tolerance_nats=1e-10)
    assert math.isfinite(found.energy)
    # The derivative 40 + 0.02 x / (1 - x^2) vanishes where 40 x^2 - 0.02 x - 40 does.
    root = (0.02 - math.sqrt(0.02**2 + 4 * 40**2)) / 80
    torch.testing.assert_close(found.position, torch.full_like(start, root), atol=1e-4, rtol=0)
    assert bool((found.position.abs() < 1).all())


def test_a_start_without_a_finite_gradient_is_said_to_be_one():
    found = minimise(lambda x: (math.nan, x * math.nan), torch.ones(3))
    assert found.ended == "the gradient is not a number"
