"""Draws from a prior that is known by its energy only: Hamiltonian Monte Carlo in the prior's coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cinecortex.inversion.priors import Whitened
from cinecortex.seeds import Seed
from cinecortex.tensors import Scalar

ACCEPTANCE = 0.8


def hamiltonian_draw(
    energy: Callable[[Whitened], Scalar],
    start: Whitened,
    seed: Seed,
    *,
    scale: Whitened | None = None,
    trajectories: int = 20,
) -> Whitened:
    """One draw from the density ``exp(-energy(z))``: the end of a Metropolis-adjusted Hamiltonian chain.

    Every trajectory lasts a quarter of the period of a standard normal coordinate, after which such a coordinate has
    forgotten where it was; coordinates in which the density is close to standard normal therefore need few. The first
    half of the trajectories also settles the step size; the second half keeps it, and leaves the density as it is.
    Draws are as good as the chain is long: the distance from the density is not known, and shrinks with the number of
    trajectories. The arithmetic is in double precision, as energies of some 1e5 nats are compared to within one.

    Args:
        energy: Minus the log density, up to a constant, differentiable.
        start: Where the chain begins; best near where the density has its mass.
        seed: Of momenta, step sizes and acceptances.
        scale: Spread of each coordinate under the density, where it is known to be far from 1. It shapes the path of
            the chain, not its density.
        trajectories: Length of the chain.

    Source: Neal 2011, Handbook of Markov Chain Monte Carlo, chapter 5.
    """
    random, uniform = seed.torch(), (seed / "uniform").numpy()
    unit = torch.ones_like(start, dtype=torch.float64) if scale is None else scale.double()
    position = start.detach().double() / unit

    def scaled(position: Tensor) -> Tensor:
        return energy(position * unit)

    value, gradient = _evaluate(scaled, position)
    log_step = math.log(position.numel() ** -0.25)
    for number in range(trajectories):
        momentum = torch.randn(position.shape, generator=random, dtype=torch.float64).to(position.device)
        # A step of random length: with a fixed one, a coordinate may come back to where it was again and again.
        step = min(math.exp(log_step), 1.0) * uniform.uniform(0.8, 1.2)
        total = value + 0.5 * float((momentum**2).sum())
        moved, new_value, slope = position, value, gradient
        for _ in range(max(1, round(0.5 * math.pi / step))):
            momentum = momentum - 0.5 * step * slope
            moved = moved + step * momentum
            new_value, slope = _evaluate(scaled, moved)
            momentum = momentum - 0.5 * step * slope
        change = total - new_value - 0.5 * float((momentum**2).sum())
        chance = math.exp(min(change, 0.0)) if math.isfinite(change) else 0.0
        if uniform.uniform() < chance:
            position, value, gradient = moved, new_value, slope
        if number < trajectories // 2:
            # Robbins & Monro: large corrections at first, then ever smaller ones.
            log_step += (chance - ACCEPTANCE) * 2 / math.sqrt(number + 1)
    return (position * unit).to(start.dtype)


def _evaluate(energy: Callable[[Tensor], Tensor], position: Tensor) -> tuple[float, Tensor]:
    with torch.enable_grad():
        asked = position.requires_grad_()
        value = energy(asked)
        (gradient,) = torch.autograd.grad(value, asked)
    position.requires_grad_(False)
    return float(value.detach()), gradient
