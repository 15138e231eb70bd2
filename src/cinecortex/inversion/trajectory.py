"""One Metropolis transition along a Hamiltonian trajectory whose Gaussian part is followed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.inversion.descent import Energy

PerChain = Float[Tensor, " chain"]
Positions = Float[Tensor, "chain ..."]

Energies = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Energy in nats at every position, ``chain`` in double precision, and its gradient, ``chain ...``."""


def one_by_one(energy: Energy) -> Energies:
    """The energies of several positions by an energy of a single one."""

    def energies(positions: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [energy(position) for position in positions]
        values = torch.tensor([value for value, _ in pairs], dtype=torch.float64, device=positions.device)
        return values, torch.stack([gradient for _, gradient in pairs])

    return energies


@dataclass(frozen=True, eq=False)
class State:
    """Where the chains stand.

    Attributes:
        position: ``chain ...``.
        energy: Energy in nats there, ``chain``.
        gradient: Its gradient there, as ``position``.
    """

    position: Positions
    energy: PerChain
    gradient: Positions


@dataclass(frozen=True, eq=False)
class Reference:
    """A Gaussian that resembles the posterior; it shapes the proposals, and the chains are right whatever it is.

    Attributes:
        centre: Its mean, one position for all chains or one for each.
        precision: Its inverse variances, which are also the masses; broadcast against a position.
    """

    centre: Tensor
    precision: Tensor

    def velocity(self, like: Tensor, generator: torch.Generator) -> Positions:
        """Velocities at equilibrium, one for each chain of ``like``."""
        noise = torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)
        return noise / self.precision.sqrt()


def transition(
    energies: Energies, state: State, reference: Reference, *, angle: float, turns: int, generator: torch.Generator
) -> tuple[State, PerChain, Bool[Tensor, " chain"]]:
    """Draw a velocity, follow the trajectory, and accept or refuse its end.

    The energy is split into that of the reference, whose motion is a rotation about its centre, and the rest, which
    pulls at both ends of every turn. What the reference describes exactly (every direction in which the data say
    nothing) then costs no acceptance, however many dimensions it has. With one turn this is the Langevin proposal, by
    Crank and Nicolson's rule; with several it is hybrid Monte Carlo. The turn keeps volume and can be undone, so the
    acceptance makes it exact for any angle.

    Args:
        energies: Minus log density of what is sampled.
        state: Where the chains stand.
        reference: Mean and inverse variances of the Gaussian part.
        angle: Radians of one turn; a quarter circle forgets the start where the reference is exact.
        turns: Evaluations of the energy in one trajectory.
        generator: Source of randomness.

    Returns:
        The next state, the probability with which each chain was to accept, and which did.

    Sources: Cotter, Roberts, Stuart & White 2013, Stat Sci 28:424; Beskos, Pinski, Sanz-Serna & Stuart 2011, Stoch
    Proc Appl 121:2201; for one step as Langevin: Neal 2011, Handbook of MCMC, section 5.5.2.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    velocity = reference.velocity(state.position, generator)
    total = state.energy + _kinetic(velocity, reference)
    position, energy, gradient = state.position, state.energy, state.gradient
    for _ in range(turns):
        velocity = velocity - 0.5 * angle * _pull(position, gradient, reference)
        offset = position - reference.centre
        position = reference.centre + cosine * offset + sine * velocity
        velocity = cosine * velocity - sine * offset
        energy, gradient = energies(position)
        velocity = velocity - 0.5 * angle * _pull(position, gradient, reference)
    fall = total - energy - _kinetic(velocity, reference)
    # A trajectory that left all bounds is refused; an infinite fall can only come from such a one.
    probability = torch.where(fall.isfinite(), fall.clamp_max(0.0).exp(), 0.0)
    chance = torch.rand(probability.shape, generator=generator, dtype=probability.dtype, device=probability.device)
    accepted = chance < probability
    pick = accepted.reshape(-1, *[1] * (position.ndim - 1))
    following = State(
        position=torch.where(pick, position, state.position),
        energy=torch.where(accepted, energy, state.energy),
        gradient=torch.where(pick, gradient, state.gradient),
    )
    return following, probability, accepted


def _pull(position: Tensor, gradient: Tensor, reference: Reference) -> Tensor:
    """Acceleration that the reference does not explain."""
    return gradient / reference.precision - (position - reference.centre)


def _kinetic(velocity: Tensor, reference: Reference) -> Tensor:
    # In double precision: hundreds of thousands of squares are to be known to a fraction of a nat.
    return 0.5 * (reference.precision * velocity**2).flatten(1).sum(1, dtype=torch.float64)
