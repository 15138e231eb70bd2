"""Surrogate activity that has the spectra and cross-correlations of the real one, and nothing else of it.

One random phase per frequency is added to that frequency in every neuron alike: power spectra stay as they are, and so
do cross-spectra, whose phases are differences in which what was added cancels (Prichard & Theiler 1994, Phys Rev Lett
73:951). What is left of a reconstruction from such activity rests on second-order statistics.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

Series = Float[Tensor, "frame neuron"]
Spectra = Complex[Tensor, "frequency neuron"]

LEAST_FRAMES = 4


def phase_randomised(
    observation: Observation, seed: Seed, *, non_negative: bool = True, iterations: int = 50
) -> Observation:
    """Responses with their power spectra and cross-spectra, and random phases. The behavior stays.

    Frames on which a heard neuron was not recorded are taken out, the rest is joined, randomised and put back: those
    frames are NaN for every neuron afterwards, and the spectra kept are those of the joined frames. Where an unheard
    neuron lacks a joined frame, its column is NaN.

    Sums of waves with random phases go below zero, which no rate does. Where no recorded response is negative and
    ``non_negative`` is set, each neuron is therefore given its own recorded values back, in the order of the surrogate,
    and the phases are adapted to that with one phase per frequency for all (the multivariate iteration of Schreiber &
    Schmitz 2000, Physica D 142:346, ending on the values). Then every neuron's values are kept exactly, and its spectra
    closely instead of exactly.

    Args:
        observation: What is changed.
        seed: Stream for the phases.
        non_negative: Keep the values where none is negative. Otherwise the spectra are exact; values may be negative.
        iterations: Rounds of the adaptation.

    Raises:
        WrongUse: fewer than four frames are recorded for every heard neuron.
    """
    response = observation.response
    frames = ~response[:, observation.heard].isnan().any(1)
    if int(frames.sum()) < LEAST_FRAMES:
        raise WrongUse(
            f"only {int(frames.sum())} frames were recorded for every heard neuron; a surrogate needs {LEAST_FRAMES}."
        )
    joined = response[frames].double()
    complete = ~joined.isnan().any(0)
    series = joined[:, complete]
    spectra = torch.fft.rfft(series, dim=0)
    surrogate = _series(_turned(spectra, len(series), seed), len(series))
    if non_negative and bool((series >= 0).all()):
        surrogate = _with_values(series, spectra, surrogate, iterations)
    changed = torch.full_like(response, torch.nan)
    changed[frames.nonzero(), complete.nonzero()[:, 0]] = surrogate.to(response.dtype)
    return replace(observation, response=changed)


def _turned(spectra: Spectra, frames: int, seed: Seed) -> Spectra:
    phases = 2 * torch.pi * torch.rand(len(spectra), 1, generator=seed.torch(), dtype=torch.float64)
    # The mean, and with an even number of frames the highest frequency, are real numbers and have no phase to turn.
    phases[0] = 0.0
    if frames % 2 == 0:
        phases[-1] = 0.0
    phases = phases.to(spectra.device)
    return spectra * torch.polar(torch.ones_like(phases), phases)


def _series(spectra: Spectra, frames: int) -> Series:
    series: Tensor = torch.fft.irfft(spectra, n=frames, dim=0)
    return series


def _with_values(series: Series, spectra: Spectra, surrogate: Series, iterations: int) -> Series:
    """Alternate between the values and the spectra, with one phase per frequency for all neurons; end on the values."""
    values = series.sort(0).values
    current = _ranked(surrogate, values)
    for _ in range(iterations):
        # The one phase that brings the real spectra nearest to the present ones, over all neurons together.
        shared = (torch.fft.rfft(current, dim=0) * spectra.conj()).sum(1, keepdim=True)
        turn = torch.polar(torch.ones_like(shared.real), shared.angle())
        following = _ranked(_series(spectra * turn, len(series)), values)
        if torch.equal(following, current):
            break
        current = following
    return current


def _ranked(order: Series, values: Series) -> Series:
    """The sorted values of each neuron, in the order of another series."""
    return torch.empty_like(values).scatter_(0, order.argsort(0), values)
