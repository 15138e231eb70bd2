"""Markov chains: their warm-up, in which the step is found, and the draws that are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.inversion.trajectory import Energies, Positions, Reference, State, transition
from cinecortex.seeds import Seed

QUARTER = math.pi / 2
"""Radians after which the reference's motion has forgotten where it began; no turn and no trajectory is longer."""

FIRST_ANGLE = 0.3
"""Radians of the first turn of a warm-up."""

LANGEVIN_ACCEPTANCE, HAMILTONIAN_ACCEPTANCE = 0.574, 0.8
"""The acceptance at which a single turn, and a trajectory of several, travel about farthest for their cost.

Sources: Roberts & Rosenthal 1998, J R Stat Soc B 60:255; Betancourt, Byrne & Girolami 2014, arXiv 1411.6669.
"""


@dataclass(frozen=True)
class DualAveraging:
    """The angle of a turn, found so that a given share of the proposals is accepted.

    Attributes:
        target: The share.
        count: Transitions seen so far.
        missed: Running mean of target minus acceptance.
        log_angle: Log of the angle to try next.
        log_average: Running mean of the log angles tried, late ones counting more; what the warm-up ends with.

    Source: Hoffman & Gelman 2014, JMLR 15:1593, section 3.2 and algorithm 5.
    """

    target: float
    count: int = 0
    missed: float = 0.0
    log_angle: float = math.log(FIRST_ANGLE)
    log_average: float = 0.0

    def after(self, acceptance: float) -> DualAveraging:
        """What is known after one more transition, accepted with this probability on average over the chains."""
        count = self.count + 1
        share = 1 / (count + 10)
        missed = (1 - share) * self.missed + share * (self.target - acceptance)
        log_angle = min(math.log(10 * FIRST_ANGLE) - math.sqrt(count) / 0.05 * missed, math.log(QUARTER))
        weight = count**-0.75
        log_average = weight * log_angle + (1 - weight) * self.log_average
        return replace(self, count=count, missed=missed, log_angle=log_angle, log_average=log_average)


@dataclass(frozen=True, eq=False)
class Draws:
    """What the chains brought back.

    Attributes:
        values: What was kept of every kept position, ``chain draw ...``.
        energy: Energy there in nats, ``chain draw``.
        acceptance: Mean acceptance probability after the warm-up.
        angle: Radians of one turn after the warm-up.
        evaluations: How many times the energy of a single position was computed, the warm-up counted.
    """

    values: Float[Tensor, "chain draw ..."]
    energy: Float[Tensor, "chain draw"]
    acceptance: float
    angle: float
    evaluations: int


def run_chains(
    energies: Energies,
    start: Positions,
    reference: Reference,
    *,
    draws: int,
    seed: Seed,
    path: float = QUARTER,
    warm_up: int = 300,
    thin: int = 1,
    keep: Callable[[Tensor], Tensor] | None = None,
) -> Draws:
    """Sample ``exp(-energy)`` by several chains at once; they share the step and nothing else.

    Args:
        energies: Minus log density in nats, up to a constant, and its gradient.
        start: First position of every chain, ``chain ...``; wider apart than the posterior, so that R-hat can tell.
        reference: Gaussian that shapes the proposals.
        draws: Positions kept of every chain.
        seed: Stream for everything drawn.
        path: Radians of a whole trajectory, on average. 0 makes every trajectory a single turn: Langevin. Otherwise
            Hamiltonian.
        warm_up: Transitions that serve to find the step, and are not kept.
        thin: One position in this many is kept.
        keep: What to keep of the positions, ``chain ...`` to ``chain ...``; by default themselves.

    Raises:
        WrongUse: the energy at a start is not finite, or a number that must be positive is not.
    """
    if min(len(start), draws, warm_up, thin) < 1:
        raise WrongUse("chains need at least one start, one draw, one transition of warm-up and thin of at least 1.")
    generator = (seed / "chains").torch(start.device)
    energy, gradient = energies(start)
    if not bool(energy.isfinite().all()):
        raise WrongUse("the energy at the start of a chain is not finite; start where the likelihood is above zero.")
    state, evaluations = State(start, energy, gradient), len(start)
    step = DualAveraging(target=HAMILTONIAN_ACCEPTANCE if path > 0 else LANGEVIN_ACCEPTANCE)
    for _ in range(warm_up):
        angle = math.exp(step.log_angle)
        turns = _turns(path, angle, generator)
        state, probability, _ = transition(energies, state, reference, angle=angle, turns=turns, generator=generator)
        step = step.after(float(probability.mean()))
        evaluations += turns * len(start)
    angle = math.exp(step.log_average)
    kept, kept_energy, accepted = [], [], 0.0
    for number in range(draws * thin):
        turns = _turns(path, angle, generator)
        state, probability, _ = transition(energies, state, reference, angle=angle, turns=turns, generator=generator)
        accepted += float(probability.mean())
        evaluations += turns * len(start)
        if (number + 1) % thin == 0:
            kept.append(state.position if keep is None else keep(state.position))
            kept_energy.append(state.energy)
    return Draws(
        values=torch.stack(kept, 1),
        energy=torch.stack(kept_energy, 1).cpu(),
        acceptance=accepted / (draws * thin),
        angle=angle,
        evaluations=evaluations,
    )


def _turns(path: float, angle: float, generator: torch.Generator) -> int:
    """How many turns make a trajectory: ``path / angle`` on average, uniform from 1 on.

    Of one length, trajectories would bring some direction back to where it began time and again (Neal 2011, section
    5.4.2). Bounded, so that a warm-up that tries a tiny angle is not caught in one endless trajectory.
    """
    mean = min(max(1, round(path / angle)), 64)
    return 1 + int(torch.randint(2 * mean - 1, (), generator=generator, device=generator.device)) if mean > 1 else 1
