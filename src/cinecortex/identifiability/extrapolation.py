"""From a measured curve to populations that nobody has recorded, and back: how many neurons would it take?

What is known of any such curve: it rises, it never rises faster than the population (the first neurons add most), and
it goes on rising. Written over the logarithm of the population its local slope, ``d log(bits) / d log(neurons)``,
therefore lies between 0 and 1. It begins at 1, when neurons have nothing in common, and falls as they come to repeat
each other: for ``bits = w log2(1 + l N)``, the fastest fall there is, the log-odds of the slope lose between 0.3 and
0.7 per doubling; for a power law they lose nothing; sums of such terms lie in between, but for sums of very unlike
ones. How that goes on beyond the largest population is what nobody can know, and what the interval is for.

The log-odds of the slope are a random walk with an unknown drift. Prior and measurement are Gaussian in it up to the
squashing function, so that the posterior is found by Gauss-Newton and drawn from (Laplace's approximation).

Of the data share it is the odds, ``share / (1 - share)``, whose slope lies between 0 and 1: with ``v`` the share of
one direction, ``l N / (1 + l N)``, the slope of the log-odds is ``E[v (1 - v)] / (E[v] (1 - E[v]))``. It goes to 0
where the population is blind to some of the movie, and back to 1 where it sees everything in the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, ndtr

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed

Quantity = Literal["bits", "dimensions", "share"]

LEVEL = 0.9
DRAWS = 4000
STEPS_PER_DOUBLING = 4
FIRST_SLOPE = (1.5, 1.5)
"""Mean and standard deviation of the log-odds of the first slope: 0.82, and from 0.5 to 0.95."""
DRIFT = (-0.3, 0.2)
"""Of what they gain per doubling, by the two extremes: losses of 0 and 0.7."""
DRIFT_OF_SHARES = (0.0, 0.3)
"""The same of shares: a loss where the population is blind to part of the movie, a gain where it sees all at last."""
WALK = 0.25
"""Standard deviation of what a doubling adds to that at random."""
COMMON = 0.9
"""How much of the variance of a Monte-Carlo error points of one curve share, being measured with the same probes."""
ROUNDING = 2e-3
"""Relative error that every point is taken to have besides."""


@dataclass(frozen=True)
class Prediction:
    """What a population of this size is expected to give.

    Attributes:
        neurons: Size of the population.
        value: Median.
        low, high: Ends of the interval.
        level: Its coverage.
    """

    neurons: int
    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Needed:
    """How many neurons a value takes.

    Attributes:
        target: The value.
        neurons: Median; None where it is not reached by the largest population that is looked at, and the smallest
            that was measured where that is enough.
        low, high: Ends of the interval, in the same way.
        level: Coverage of the interval.
        sentence: The same in words.
    """

    target: float
    neurons: int | None
    low: int | None
    high: int | None
    level: float
    sentence: str


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """Curves that a measurement leaves possible.

    Attributes:
        quantity: What they are of.
        doublings: Binary logarithms of population sizes, rising.
        curves: Draws of the logarithm of the expected value at each (of the odds for shares).
        scatter: Relative variance of the value of a single neuron: a population of N scatters around what is expected
            by ``scatter / N``.
        measured: Smallest and largest population that was measured.
        noise: Standard normal numbers, one for each draw.
    """

    quantity: Quantity
    doublings: Float[np.ndarray, "size"]
    curves: Float[np.ndarray, "draw size"]
    scatter: float
    measured: tuple[int, int]
    noise: Float[np.ndarray, "draw"]

    @property
    def most(self) -> int:
        """The largest population that can be asked about."""
        return round(2 ** float(self.doublings[-1]))

    def at(self, neurons: int, *, level: float = LEVEL) -> Prediction:
        """What a population of this size is expected to give.

        The interval holds what is not known of the curve, Monte-Carlo error, and which neurons happen to be recorded.

        Raises:
            WrongUse: it is smaller than any that was measured, or larger than `most`.
        """
        if not self.measured[0] <= neurons <= self.most:
            raise WrongUse(f"{neurons} neurons: between {self.measured[0]} and {self.most} can be asked about.")
        drawn = self.curves @ _reading(self.doublings, np.log2([neurons]))[0]
        drawn = drawn + math.sqrt(self.scatter / neurons) * self.noise
        low, value, high = np.quantile(_value(drawn, self.quantity), _tails(level))
        return Prediction(neurons, float(value), float(low), float(high), level)

    def needed(self, target: float, *, level: float = LEVEL) -> Needed:
        """How many neurons it takes to reach a value.

        Raises:
            WrongUse: the target is no value that the quantity can have.
        """
        if not target > 0 or (self.quantity == "share" and not target < 1):
            raise WrongUse(f"a target of {target:g} {self.quantity} makes no sense; it must be possible and above 0.")
        goal = float(_transformed(np.array([target]), self.quantity)[0])
        reached = np.array([_crossing(self.doublings, curve, goal) for curve in self.curves])
        # The order of draws is all that quantiles need: those that never get there come last.
        ends = np.quantile(reached, _tails(level), method="nearest")
        low, middle, high = (None if math.isinf(end) else round(2**end) for end in ends.tolist())
        return Needed(target, middle, low, high, level, self._sentence(target, low, middle, high, level))

    def _sentence(self, target: float, low: int | None, middle: int | None, high: int | None, level: float) -> str:
        what = f"a data share of {target:g}" if self.quantity == "share" else f"{target:g} {self.quantity}"
        least, most = self.measured[0], self.most
        if middle is None:
            return f"{what[0].upper()}{what[1:]} is not reached with up to {most:,} neurons" + (
                "." if low is None else f", or with {low:,} at the very least ({level:.0%} interval)."
            )
        if middle <= least:
            return f"The smallest population that was measured, {least:,} neurons, is enough for {what}."
        first = f"{low:,}" if low is not None and low > least else f"{least:,} or fewer"
        span = f"{first} to {high:,}" if high is not None else f"{first} to more than {most:,}"
        beyond = "" if middle <= self.measured[1] else ", more than were measured"
        return f"About {middle:,} neurons ({level:.0%} interval {span}) give {what}{beyond}."


def extrapolate(
    neurons: Sequence[int],
    values: Sequence[float],
    errors: Sequence[float],
    *,
    quantity: Quantity = "bits",
    scatter: float = 0.0,
    orders: int = 1,
    floor: tuple[Sequence[int], Sequence[float]] = ((), ()),
    most: int | None = None,
    seed: Seed,
) -> Extrapolation:
    """Every curve that goes with what was measured, weighted by how plausible it is.

    Args:
        neurons: Sizes of the populations, rising.
        values: What was measured of each, mean over random orders of neurons (and over clips).
        errors: Their Monte-Carlo standard errors, measured with common probes.
        quantity: What the values are; that of a share lies below 1.
        scatter: Relative variance of the value of one neuron (of the odds for shares; see `scatter_of`): which
            neurons were recorded at all.
        orders: Random orders of neurons that the values are means over.
        floor: Populations and values that they reach at least in expectation (see `scaled_spectrum`).
        most: Largest population to ask about; by default 64 times the largest that was measured.
        seed: For the draws.

    Raises:
        WrongUse: there are fewer than 3 points, they do not rise in neurons, or a value is not one.
    """
    sizes, found = np.asarray(neurons, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if len(sizes) < 3 or len(sizes) != len(found) or len(found) != len(errors) or bool((np.diff(sizes) <= 0).any()):
        raise WrongUse("a curve is extrapolated from 3 populations at least, the smaller first, each with its error.")
    if not bool(((found > 0) & np.isfinite(found)).all()) or (quantity == "share" and bool((found >= 1).any())):
        raise WrongUse("a curve is extrapolated from values above 0, and of shares below 1.")
    last = float(sizes[-1])
    far = max(most or 64 * round(last), round(last) + 1)
    grid = _grid(math.log2(sizes[0]), math.log2(far))
    measured = _transformed(found, quantity)
    relative = np.asarray(errors, dtype=np.float64) / found / (1 - found if quantity == "share" else 1.0)
    noise = _covariance(sizes, relative, scatter, orders)
    random = seed.numpy()
    drift = DRIFT_OF_SHARES if quantity == "share" else DRIFT
    curves = _drawn(grid, np.log2(sizes), measured, noise, drift, random)
    curves = _above(curves, grid, floor, quantity, float(relative[-1]) + math.sqrt(scatter / last), random)
    return Extrapolation(
        quantity, grid, curves, scatter, (round(sizes[0]), round(last)), random.standard_normal(len(curves))
    )


def scaled_spectrum(eigenvalues: Sequence[float], counts: Sequence[float], times: float) -> float:
    """Bits if a population grew by a factor and its new neurons saw only what the old ones see.

    In expectation over neurons the true value is never below: ``log det(I + F)`` is concave, so that of the mean of
    ``I + r F_1 .. I + r F_r``, which is ``I + F_1 + .. + F_r``, is no less than the mean of theirs (Jensen).
    """
    return float((np.asarray(counts) * np.log2(1 + times * np.asarray(eigenvalues))).sum() / 2)


def scatter_of(
    neurons: Sequence[int], values: Float[np.ndarray, "order size"], *, population: int, quantity: Quantity = "bits"
) -> float:
    """Relative variance of the value of one neuron, from how random subsets of one population differ.

    Were values sums of what each neuron gives, the mean over ``n`` of ``N`` drawn without putting back would have the
    variance ``scatter (1 / n - 1 / N)``. Values that level off scatter less, so that this errs to the safe side.

    Args:
        neurons: Sizes of the subsets.
        values: Of every random order of neurons at each size.
        population: Number of neurons the subsets were drawn from.
        quantity: What the values are.

    Returns:
        The mean over sizes below the population; 0 with one order, from which nothing can be told.
    """
    logs = _transformed(np.asarray(values, dtype=np.float64), quantity)
    if len(logs) < 2:
        return 0.0
    expected = np.array([1 / size - 1 / population for size in neurons])
    below = expected > 0
    return float((logs.var(0, ddof=1)[below] / expected[below]).mean()) if bool(below.any()) else 0.0


def _grid(first: float, last: float) -> Float[np.ndarray, "size"]:
    return np.linspace(first, last, max(2, math.ceil((last - first) * STEPS_PER_DOUBLING) + 1))


def _reading(grid: Float[np.ndarray, "size"], places: Float[np.ndarray, "point"]) -> Float[np.ndarray, "point size"]:
    """Reads a curve off between the places of its grid: linear interpolation, as a matrix."""
    matrix: np.ndarray = np.array([np.interp(places, grid, unit) for unit in np.eye(len(grid))]).T
    return matrix


def _transformed(values: Float[np.ndarray, "*any"], quantity: Quantity) -> Float[np.ndarray, "*any"]:
    transformed: np.ndarray = logit(values) if quantity == "share" else np.log(values)
    return transformed


def _value(logs: Float[np.ndarray, "*any"], quantity: Quantity) -> Float[np.ndarray, "*any"]:
    value: np.ndarray = expit(logs) if quantity == "share" else np.exp(logs)
    return value


def _tails(level: float) -> tuple[float, float, float]:
    if not 0 < level < 1:
        raise WrongUse(f"level is {level:g}; a coverage lies between 0 and 1.")
    return (1 - level) / 2, 0.5, (1 + level) / 2


def _covariance(
    sizes: Float[np.ndarray, "point"], relative: Float[np.ndarray, "point"], scatter: float, orders: int
) -> Float[np.ndarray, "point point"]:
    """Of what was measured around the curve of the population that the neurons come from."""
    probes = np.outer(relative, relative) * (COMMON + (1 - COMMON) * np.eye(len(sizes)))
    # The larger subset of a nested pair holds the smaller: what the larger has by chance, the smaller has too. All
    # share what the population has that they were drawn from.
    larger = np.maximum.outer(sizes, sizes)
    neurons = scatter * ((1 / larger - 1 / sizes[-1]) / orders + 1 / sizes[-1])
    covariance: np.ndarray = probes + neurons + ROUNDING**2 * np.eye(len(sizes))
    return covariance


def _drawn(
    grid: Float[np.ndarray, "size"],
    places: Float[np.ndarray, "point"],
    measured: Float[np.ndarray, "point"],
    noise: Float[np.ndarray, "point point"],
    drift: tuple[float, float],
    random: np.random.Generator,
) -> Float[np.ndarray, "draw size"]:
    """Draws from Laplace's approximation of the posterior over curves.

    The parameters, standard normal a priori, are: where the curve starts, its first slope, the drift of the slope's
    log-odds, and what each step of the walk adds.
    """
    step = grid[1] - grid[0]
    steps = len(grid) - 1
    walked = WALK * math.sqrt(step) * np.tri(steps, steps, -1)
    slopes = np.column_stack([np.full(steps, FIRST_SLOPE[1]), drift[1] * step * np.arange(steps), walked])
    centre = FIRST_SLOPE[0] + drift[0] * step * np.arange(steps)
    summed = np.vstack([np.zeros(steps), np.tri(steps)]) * step * math.log(2)
    read = _reading(grid, places)
    inverse = np.linalg.inv(noise)
    wide = 5.0

    def curve(parameters: Float[np.ndarray, "*draw parameter"]) -> Float[np.ndarray, "*draw size"]:
        rises = expit(centre + parameters[..., 1:] @ slopes.T)
        risen: np.ndarray = measured[0] + wide * parameters[..., :1] + rises @ summed.T
        return risen

    def derivative(parameters: Float[np.ndarray, "parameter"]) -> Float[np.ndarray, "point parameter"]:
        rises = expit(centre + slopes @ parameters[1:])
        inner = summed @ ((rises * (1 - rises))[:, None] * slopes)
        changes: np.ndarray = read @ np.column_stack([np.full(len(grid), wide), inner])
        return changes

    def misfit(parameters: Float[np.ndarray, "parameter"]) -> float:
        off = measured - read @ curve(parameters)
        return float(off @ inverse @ off + parameters @ parameters) / 2

    found = np.zeros(1 + slopes.shape[1])
    for _ in range(50):
        jacobian = derivative(found)
        precision = np.eye(len(found)) + jacobian.T @ inverse @ jacobian
        downhill = jacobian.T @ inverse @ (measured - read @ curve(found)) - found
        move = np.linalg.solve(precision, downhill)
        # Gauss-Newton may overshoot where the squashing function is flat.
        size = next((s for s in (1.0, 0.5, 0.25, 0.1) if misfit(found + s * move) < misfit(found)), 0.0)
        found = found + size * move
        if size == 0.0 or float(np.abs(size * move).max()) < 1e-6:
            break
    jacobian = derivative(found)
    factor = np.linalg.cholesky(np.eye(len(found)) + jacobian.T @ inverse @ jacobian)
    drawn = found + np.linalg.solve(factor.T, random.standard_normal((len(found), DRAWS))).T
    return curve(drawn)


def _above(
    curves: Float[np.ndarray, "draw size"],
    grid: Float[np.ndarray, "size"],
    floor: tuple[Sequence[int], Sequence[float]],
    quantity: Quantity,
    error: float,
    random: np.random.Generator,
) -> Float[np.ndarray, "draw size"]:
    """The draws again, the less often the further they lie below what is reached at least."""
    if not floor[0]:
        return curves
    least = _transformed(np.asarray(floor[1], dtype=np.float64), quantity)
    reached = curves @ _reading(grid, np.log2(floor[0])).T
    weight = ndtr((reached - least) / max(error, ROUNDING)).min(1)
    if float(weight.sum()) < 1e-9:
        return curves  # A floor that no curve reaches says that it, or the curve, is wrong; the interval stays honest.
    return curves[random.choice(len(curves), len(curves), p=weight / weight.sum())]


def _crossing(doublings: Float[np.ndarray, "size"], curve: Float[np.ndarray, "size"], goal: float) -> float:
    """Where a rising curve reaches the goal; infinity where it does not, the first place where it has before."""
    if curve[-1] < goal:
        return math.inf
    return float(np.interp(goal, curve, doublings))
