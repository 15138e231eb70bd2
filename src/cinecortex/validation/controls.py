"""Controls: functions from Observation to Observation, each of which destroys one thing and keeps the rest.

Every control takes the observation and a `Seed`. One that needs more takes it by keyword, and is made ready with
``functools.partial(time_shifted, frames=40)``. What a control does to a method's answer says what the answer rests on.
Surrogates of the activity with its spectra are in `phase_randomised`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior

Control = Callable[[Observation, Seed], Observation]
"""A changed observation. The same observation and seed give the same change."""


def no_neurons(observation: Observation, seed: Seed) -> Observation:
    """No neuron is heard: what comes back is the prior speaking.

    Destroys all that the neurons said. Keeps behavior, length and frame size.
    """
    return observation.hearing(torch.zeros_like(observation.heard))


def neurons_shuffled(observation: Observation, seed: Seed) -> Observation:
    """Every response is handed to another neuron; what is shared by all of them (such as contrast) stays.

    Destroys who said what. Keeps every response as it was in time, how they correlate, their sum, and how many are
    heard. A response takes its being heard along.

    Raises:
        WrongUse: there are fewer than two neurons to shuffle.
    """
    neurons = observation.response.shape[1]
    if neurons < 2:
        raise WrongUse(f"neurons cannot be shuffled where there are {neurons}; leave this control out.")
    # A single random cycle: of a random permutation one neuron, on average, would keep its own response.
    cycle = torch.randperm(neurons, generator=seed.torch())
    order = torch.empty_like(cycle)
    order[cycle] = cycle.roll(1)
    return replace(observation, response=observation.response[:, order], heard=observation.heard[order])


def time_shifted(observation: Observation, seed: Seed, *, frames: int) -> Observation:
    """Responses come ``frames`` later, and those from the end of the trial at its start.

    Destroys when it was said. Keeps every neuron's values, their order but for one seam, and how neurons correlate. The
    behavior stays where it was. For the shift to matter it must be longer than the encoder's memory in both
    directions, since a roll by all but a few frames is a roll backwards by those few.

    Args:
        observation: What is changed.
        seed: Not used.
        frames: How much later, from 1 to one less than the trial has.

    Raises:
        WrongUse: ``frames`` is out of that range.
    """
    if not 0 < frames < observation.frames:
        raise WrongUse(f"a trial of {observation.frames} frames cannot be shifted by {frames}; shift by fewer.")
    return replace(observation, response=observation.response.roll(frames, 0))


def trials_swapped(observation: Observation, seed: Seed, *, other: Observation) -> Observation:
    """What the neurons did on another trial, and everything else of this one.

    Destroys what the responses have to do with this trial. Keeps its length and behavior, and the responses of the
    other trial as they were, from its start: cut where the other is longer, not recorded (NaN) where it is shorter. A
    neuron is heard where both trials hear it.

    Args:
        observation: What is changed.
        seed: Not used.
        other: Where the responses come from, of the same neurons.

    Raises:
        WrongUse: the other trial has other neurons.
    """
    if other.heard.shape != observation.heard.shape:
        raise WrongUse(
            f"trials of {len(observation.heard)} and of {len(other.heard)} neurons cannot be swapped; take both from "
            "one session."
        )
    response = torch.full_like(observation.response, torch.nan)
    common = min(observation.frames, other.frames)
    response[:common] = other.response[:common]
    return replace(observation, response=response, heard=observation.heard & other.heard)


def behavior_swapped(observation: Observation, seed: Seed, *, other: Observation) -> Observation:
    """What the neurons did on this trial, and how the animal behaved on another.

    Destroys what behavior tells about this trial. Keeps the responses, and the other's behavior from its start. Where
    the other trial is shorter its behavior goes on back and forth, since an encoder needs a number for every frame and
    a jump would be a movement that no animal makes.

    Args:
        observation: What is changed.
        seed: Not used.
        other: Where the behavior comes from, with the same channels.

    Raises:
        WrongUse: the channels differ.
    """
    if other.behavior_channels != observation.behavior_channels:
        raise WrongUse(
            f"behavior with channels {list(observation.behavior_channels)} cannot be swapped for one with "
            f"{list(other.behavior_channels)}; take both trials from one recording."
        )
    return replace(observation, behavior=at_length(other.behavior, observation.frames))


def neurons_halved(observation: Observation, seed: Seed) -> tuple[Observation, Observation]:
    """Two observations, each from one random half of the neurons that are heard; one half may have one more.

    Not a control by itself: one half is inverted and the other is what the answer must predict. The same seed gives the
    same halves for every trial that hears the same neurons.

    Raises:
        WrongUse: fewer than two neurons are heard.
    """
    heard = observation.heard.nonzero()[:, 0]
    if len(heard) < 2:
        raise WrongUse(f"{len(heard)} neurons are heard; it takes two to make halves.")
    order = heard[torch.randperm(len(heard), generator=seed.torch()).to(heard.device)]
    first = torch.zeros_like(observation.heard)
    first[order[: (len(order) + 1) // 2]] = True
    return observation.hearing(first), observation.hearing(~first)


def block_order(frames: int, *, block: int, seed: Seed) -> Int[Tensor, "frame"]:
    """Which frame comes where when a trial is cut into blocks of ``block`` frames and the blocks are permuted.

    ``movie[order]`` and ``response[order]`` are scrambled alike. The last block is shorter where the blocks do not fill
    the trial. Blocks are dealt out again until they are not all where they were.

    Raises:
        WrongUse: there are fewer than two blocks.
    """
    if block < 1 or block >= frames:
        raise WrongUse(f"{frames} frames do not hold two blocks of {block}; make the blocks at least 1 and shorter.")
    blocks = [torch.arange(start, min(start + block, frames)) for start in range(0, frames, block)]
    random = seed.torch()
    while True:
        dealt = torch.randperm(len(blocks), generator=random).tolist()
        if dealt != sorted(dealt):
            return torch.cat([blocks[number] for number in dealt])


def blocks_scrambled(observation: Observation, seed: Seed, *, block: int) -> Observation:
    """The trial in blocks of ``block`` frames, in another order: that of `block_order` with the same seed.

    Destroys what spans more than a block. Keeps what happens within one: responses and behavior go together.

    Raises:
        WrongUse: the trial has fewer than two blocks.
    """
    order = block_order(observation.frames, block=block, seed=seed).to(observation.response.device)
    return replace(observation, response=observation.response[order], behavior=observation.behavior[order])


def time_reversed(observation: Observation, seed: Seed) -> Observation:
    """The trial backwards: responses and behavior together.

    Destroys the direction of time. Keeps every frame, power spectra and correlations. Done twice it is undone.
    """
    return replace(observation, response=observation.response.flip(0), behavior=observation.behavior.flip(0))


def response_noise(observation: Observation, seed: Seed, *, share: float) -> Observation:
    """Of each neuron's recorded frames, a random share has its values dealt out anew among themselves.

    Destroys the timing of that share: a neuron's correlation with what it did falls to ``1 - share`` on average, and
    at 1 nothing is left. Keeps every neuron's values exactly, so that none becomes negative or larger than any
    recorded. The noise is independent from neuron to neuron and from frame to frame.

    Args:
        observation: What is changed.
        seed: Stream for the noise.
        share: 0 changes nothing, 1 all frames.

    Raises:
        WrongUse: ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise WrongUse(f"share is {share:g}; it lies between 0 and 1.")
    random = seed.torch()
    rows = observation.response.T.clone()
    for row in rows:
        where = (~row.isnan()).nonzero()[:, 0]
        picked = where[torch.randperm(len(where), generator=random)[: round(share * len(where))].to(where.device)]
        row[picked] = row[picked[torch.randperm(len(picked), generator=random).to(where.device)]]
    return replace(observation, response=rows.T.contiguous())


def at_length(behavior: Behavior, frames: int) -> Float[Tensor, "frame channel"]:
    """The behavior from its start, back and forth as often as it takes."""
    there_and_back = torch.cat([behavior, behavior[1:-1].flip(0)])
    return there_and_back[torch.arange(frames, device=behavior.device) % len(there_and_back)]
