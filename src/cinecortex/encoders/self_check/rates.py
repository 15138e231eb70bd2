"""Are the rates what a rate may be, and do they depend on what they may depend on."""

from __future__ import annotations

import torch

from cinecortex.encoders.self_check.calling import call
from cinecortex.encoders.self_check.probe import Probe
from cinecortex.recording import Problem
from cinecortex.stimuli.spectrum import dct, inverse_dct
from cinecortex.tensors import Rates


def finite(probe: Probe, rates: Rates) -> Problem | None:
    """Rates that are infinite or not a number, of noise movies or in front of a uniform screen."""
    if not bool(torch.isfinite(rates).all()):
        share = 1 - float(torch.isfinite(rates).float().mean())
        return Problem(
            "rates",
            f"Rates of noise movies are not finite ({100 * share:.3g} % of them).",
            "Look for a division by zero, a logarithm of zero or weights that were never trained.",
        )
    if not bool(torch.isfinite(_at_uniform_screens(probe)).all()):
        return Problem(
            "rates",
            "Rates of a uniform screen (gray, black or white) are not finite.",
            "Guard divisions by the contrast of the movie with a small constant.",
        )
    return None


def negative(probe: Probe, rates: Rates) -> Problem | None:
    """Rates below zero, of noise movies or in front of a uniform screen."""
    lowest = min(float(rates.min()), float(_at_uniform_screens(probe).min()))
    if lowest >= 0:
        return None
    return Problem(
        "rates",
        f"Rates are negative (down to {lowest:.3g}).",
        "End the network with softplus or with elu + 1, or wrap it with check=False where responses are negative too.",
    )


def _at_uniform_screens(probe: Probe) -> Rates:
    levels = torch.tensor([0.5, 0.0, 1.0]).to(probe.movies)
    screens = levels[:, None, None, None].expand(3, probe.frames, *probe.encoder.frame_size)
    return probe.rates(screens.contiguous(), probe.behaviors[:1].expand(3, -1, -1).contiguous())


def repeatable(probe: Probe, rates: Rates) -> Problem | None:
    """The same question twice, and two answers."""
    if not any(probe.differs(probe.rates(probe.movies), rates) for _ in range(2)):
        return None
    return Problem(
        "repeats",
        "The same movie gives other rates when it is shown again, in evaluation mode.",
        "Turn off dropout and sampling when not self.training, and keep no state between calls.",
    )


def alone(probe: Probe, rates: Rates) -> Problem | None:
    """A movie whose rates depend on the company it is shown in."""
    one_by_one = []
    for movie, behavior in zip(probe.movies, probe.behaviors, strict=True):
        answer = call(probe.encoder, movie[None].clone(), behavior[None])
        if isinstance(answer, Problem):  # such as a squeeze() that takes the batch of one for no batch
            return answer
        one_by_one.append(answer)
    if not probe.differs(torch.cat(one_by_one), rates):
        return None
    return Problem(
        "batch",
        "A movie gives other rates in a batch than alone.",
        "Normalise with running statistics (batch norm in evaluation mode) and not over the batch.",
    )


def foresees(probe: Probe) -> Problem | None:
    """Rates of an encoder that claims to be causal, and depend on later frames."""
    if not probe.encoder.causal:
        return None
    intact, middle = probe.rates(probe.movies), probe.frames // 2
    # At three neighbouring frames, or the borders of a network that works in blocks might hide it.
    for first in (middle, middle + 1, middle + 3):
        changed = torch.cat([probe.movies[:, :first], probe.other[:, first:]], 1)
        if probe.differs(probe.rates(changed)[:, :first], intact[:, :first]):
            return Problem(
                "causality",
                "Later frames change earlier rates, though causal=True was claimed.",
                "Pad convolutions in time on the past side only, or wrap the network with causal=False.",
            )
    return None


def remembers(probe: Probe) -> Problem | None:
    """Rates that depend on frames older than the memory that was claimed."""
    memory, last = probe.encoder.memory, 5
    first = probe.frames - last - memory + 1  # the oldest frame that the last rates may rest on
    changed = torch.cat([probe.other[:, :first], probe.movies[:, first:]], 1)
    if not probe.differs(probe.rates(changed)[:, -last:], probe.rates(probe.movies)[:, -last:]):
        return None
    return Problem(
        "memory",
        f"Rates depend on frames older than memory={memory} frames.",
        "Claim a longer memory, and normalise over no more of the movie than that.",
    )


def resolves_more(probe: Probe) -> Problem | None:
    """Rates that depend on finer detail than was claimed; a descent would never look for it."""
    resolution, frame_size = probe.encoder.resolution, probe.encoder.frame_size
    if resolution == frame_size:
        return None
    coarsest = inverse_dct(dct(probe.movies, coarsest=resolution), frame_size=frame_size)
    if not probe.differs(probe.rates(coarsest), probe.rates(probe.movies)):
        return None
    return Problem(
        "resolution",
        f"Rates depend on finer detail than resolution={resolution}.",
        "Claim more coefficients, or leave the resolution at the frame size.",
    )


def ignores_the_movie(probe: Probe, rates: Rates) -> Problem | None:
    """Rates that are to the last bit the same for other movies."""
    if not torch.equal(probe.rates(probe.other), rates):
        return None
    return Problem(
        "movie",
        "Every movie gives the same rates.",
        "Check that the layout hands the movie on and that the weights were loaded.",
    )
