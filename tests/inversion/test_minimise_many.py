"""Many descents side by side against the same descents one by one."""

import math

import numpy as np
import torch
from tests.inversion.test_descent import of, quadratic, rosenbrock

from cinecortex.inversion.descent import minimise, minimise_many

FUNCTIONS = [quadratic()[0], rosenbrock, quadratic(1e4)[0], lambda x: (x**2).sum() + 2, lambda x: (x**4).sum()]


def together(singles, batches=None):
    """Energies that ask each problem's own function, so that every bit is what it would be alone."""

    def energies(positions, indices):
        if batches is not None:
            batches.append(list(indices))
        found = [singles[index](position) for index, position in zip(indices, positions, strict=True)]
        return torch.tensor([value for value, _ in found], dtype=torch.float64), torch.stack([g for _, g in found])

    return energies


def starts():
    start = torch.from_numpy(np.random.default_rng(3).standard_normal((len(FUNCTIONS), 20)))
    start[3] = 0.0  # at rest already
    return start


def test_each_problem_is_solved_as_it_would_be_alone_to_the_last_bit():
    singles, batches = [of(function) for function in FUNCTIONS], []
    options = {"inverse_hessian": torch.linspace(0.5, 2.0, 20).double(), "evaluations": 90, "tolerance_nats": 1e-6}
    found = minimise_many(together(singles, batches), starts(), **options)
    alone = [minimise(single, start, **options) for single, start in zip(singles, starts(), strict=True)]
    for one, other in zip(found, alone, strict=True):
        assert torch.equal(one.position, other.position)
        assert (one.energy, one.trace, one.ended) == (other.energy, other.trace, other.ended)
        assert one.evaluations == other.evaluations
    # The problems are different enough for the case to say something, and those that have ended are not asked again.
    assert len({one.evaluations for one in found}) >= 4
    for number, one in enumerate(found):
        assert one.evaluations == sum(number in batch for batch in batches)
        assert all(number in batch for batch in batches[: one.evaluations])
    assert found[3].ended == "the gradient vanished"


def test_a_problem_that_fails_does_not_disturb_its_neighbours():
    singles = [of(quadratic()[0]), lambda x: (math.nan, x * math.nan), of(rosenbrock)]
    start = starts()[:3]
    found = minimise_many(together(singles), start, evaluations=40, tolerance_nats=0.0)
    assert found[1].ended == "the gradient is not a number"
    for number in (0, 2):
        alone = minimise(singles[number], start[number], evaluations=40, tolerance_nats=0.0)
        assert torch.equal(found[number].position, alone.position)


def test_the_start_is_not_touched_and_no_problem_is_no_answer():
    start = torch.full((2, 3, 4), 5.0, dtype=torch.float64)
    found = minimise_many(together([of(lambda x: (x**2).sum())] * 2), start, tolerance_nats=1e-12)
    assert bool((start == 5.0).all())
    assert [one.position.shape for one in found] == [(3, 4)] * 2
    assert minimise_many(together([]), start[:0]) == []
