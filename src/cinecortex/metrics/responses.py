"""Rate against response: how well an encoder tells what each neuron did, and how well anything could.

A frame that was not recorded is NaN in the response and left out, neuron by neuron.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.correlation import correlate, standardised
from cinecortex.tensors import PerNeuron

AnyResponse = Float[Tensor, "_ _"]
Clips = AnyResponse | Sequence[AnyResponse]
"""One clip, or several of any length, ``time neuron``."""

Repeats = Float[Tensor, "repeat time neuron"]
"""Responses to presentations of the same movie, first frame to first frame."""

BURN_IN = 50


def response_correlation(rate: Clips, response: Clips, *, burn_in: int = BURN_IN) -> PerNeuron:
    """Pearson correlation over time of each neuron's rate with its recorded response.

    Over several clips all frames are taken together (one correlation per neuron, the convention of Sensorium 2023;
    Turishcheva et al. 2024), so that differences between clips count.

    Args:
        rate: What an encoder expects, one clip or several, ``time neuron``.
        response: What was recorded, in the same form.
        burn_in: Frames left out at the start of every clip.

    Returns:
        In [-1, 1]; 0 where the rate does not vary, NaN where the response does not (a silent neuron).

    Raises:
        WrongUse: sizes disagree, or no frame is left after the burn-in.
    """
    pairs = paired_clips(rate, response, burn_in)
    rates, responses = (torch.cat(side) for side in zip(*pairs, strict=True))
    return correlate(rates, responses, ~responses.isnan()).to(response_dtype(response))


def reliability(repeats: Repeats) -> PerNeuron:
    """Mean correlation over time between pairs of presentations of the same movie, per neuron.

    Args:
        repeats: At least two presentations. Of several clips, join them along time; leave out the frames that the
            encoder's score leaves out.

    Returns:
        In [-1, 1]; NaN for a neuron that was silent in all but one presentation.

    Raises:
        WrongUse: fewer than two presentations.
    """
    values, recorded = _repeated(repeats)
    unit, varies = standardised(values.transpose(0, 1), recorded[:, None])
    number = varies.sum(0)
    # |sum of unit vectors|^2 counts every pair twice and every vector with itself once.
    pairs = unit.sum(1).square().sum(0) - number
    return torch.where(number > 1, pairs / (number * (number - 1)).clamp(min=1), torch.nan).to(repeats.dtype)


def noise_ceiling(repeats: Repeats) -> PerNeuron:
    """Expected correlation of a neuron's true rate with one single presentation: what a perfect encoder would score.

    The square root of the explainable fraction of the variance over time, ``signal power / total power``, with the
    unbiased signal power ``(R Var(mean of R) - mean of Var) / (R - 1)`` of Sahani & Linden (NeurIPS 15, 2003). As a
    bound on correlations see Schoppe et al. (Front. Comput. Neurosci. 2016). The noise may be correlated in time but
    must be independent between presentations. An estimate below zero, which noise alone can give, is clipped to 0.

    Args:
        repeats: At least two presentations. Of several clips, join them along time; leave out the frames that the
            encoder's score leaves out.

    Returns:
        In [0, 1]; NaN for a silent neuron.

    Raises:
        WrongUse: fewer than two presentations.
    """
    values, recorded = _repeated(repeats)
    number = len(values)
    frames = recorded.sum(0)

    def variance(signal: Tensor) -> Tensor:
        mean = signal.sum(-2) / frames.clamp(min=1)
        return torch.where(recorded, signal - mean[..., None, :], 0.0).square().sum(-2) / (frames - 1).clamp(min=1)

    total = variance(values).mean(0)
    signal = (number * variance(values.mean(0)) - total) / (number - 1)
    fraction = (signal / total.masked_fill(total == 0, torch.nan)).clamp(0.0, 1.0)
    return fraction.sqrt().masked_fill(frames < 2, torch.nan).to(repeats.dtype)


def fraction_of_ceiling(correlation: PerNeuron, ceiling: PerNeuron, *, least_ceiling: float = 0.1) -> PerNeuron:
    """Each neuron's correlation as a fraction of its noise ceiling; 1 is a perfect encoder.

    A ratio is above 1 by chance about half of the time for a perfect encoder, so it is not clipped: summarise it over
    neurons by its median.

    Args:
        correlation: From `response_correlation`.
        ceiling: From `noise_ceiling`, on the same frames.
        least_ceiling: Neurons with a lower ceiling get NaN; dividing by noise says nothing.
    """
    return correlation / ceiling.where(ceiling >= least_ceiling, torch.nan)


def deviance_explained(rate: Clips, response: Clips, mean: PerNeuron, *, burn_in: int = BURN_IN) -> PerNeuron:
    """Share of the Poisson deviance of a constant rate that the encoder explains, per neuron.

    ``1 - D(rate) / D(mean)``: 0 for the mean response, 1 for a rate that equals every response. Unlike a correlation
    it is lowered by a wrong scale or offset.

    Args:
        rate: What an encoder expects, positive, one clip or several, ``time neuron``.
        response: What was recorded, in the same form; NaN frames are left out.
        mean: The constant rate it is held against, of training clips, ``neuron``.
        burn_in: Frames left out at the start of every clip.

    Returns:
        At most 1, negative where the mean response predicts better; NaN for a neuron that was not recorded, or whose
        responses all equal the mean.

    Raises:
        WrongUse: sizes disagree, or no frame is left after the burn-in.

    Source: Cameron & Windmeijer 1997, J. Econometrics 77:329.
    """
    clips = paired_clips(rate, response, burn_in)
    rates, responses = (torch.cat(side) for side in zip(*clips, strict=True))
    recorded = ~responses.isnan()
    known = torch.where(recorded, responses, 0.0)

    def deviance(expected: AnyResponse) -> PerNeuron:
        expected = expected.clamp_min(1e-12)
        terms = torch.xlogy(known, known / expected) - (known - expected)
        return torch.where(recorded, terms, 0.0).sum(0)

    constant = deviance(mean.double().expand_as(rates))
    share = 1 - deviance(rates) / constant.masked_fill(constant < 1e-9, torch.nan)
    return share.to(response_dtype(response))


def paired_clips(rate: Clips, response: Clips, burn_in: int) -> list[tuple[AnyResponse, AnyResponse]]:
    """Rates and responses clip by clip, without the burn-in, in double precision.

    Raises:
        WrongUse: sizes disagree, or no frame is left.
    """
    rates = [rate] if isinstance(rate, Tensor) else list(rate)
    responses = [response] if isinstance(response, Tensor) else list(response)
    if not rates or [r.shape for r in rates] != [r.shape for r in responses] or len({r.shape[1] for r in rates}) > 1:
        raise WrongUse(
            f"rate has clips of {_sizes(rates)} and response of {_sizes(responses)} (time x neuron); "
            "they must be the same clips of the same neurons."
        )
    if not all(0 <= burn_in < len(clip) for clip in rates):
        raise WrongUse(f"burn_in is {burn_in} frames but a clip has {min(map(len, rates))}; leave out fewer frames.")
    return [(a[burn_in:].double(), b[burn_in:].double()) for a, b in zip(rates, responses, strict=True)]


def response_dtype(response: Clips) -> torch.dtype:
    """The precision a result about these responses is given in; the sums behind it are in double precision."""
    return (response if isinstance(response, Tensor) else response[0]).dtype


def _repeated(repeats: Repeats) -> tuple[Float[Tensor, "repeat time neuron"], Tensor]:
    """Values with 0 on frames that some presentation lacks, and which frames all of them have."""
    if len(repeats) < 2:
        raise WrongUse(f"reliability needs at least two presentations of the same movie, not {len(repeats)}.")
    recorded = ~repeats.isnan().any(0)
    return torch.where(recorded, repeats.double(), 0.0), recorded


def _sizes(clips: Sequence[Tensor]) -> str:
    sizes = dict.fromkeys("x".join(map(str, clip.shape)) for clip in clips)
    return f"{len(clips)} x ({', '.join(sizes)})"
