"""How recorded responses scatter around the rate: the two numbers that temper the likelihood of each neuron.

Both are measured on clips held out from the fit; see `cinecortex.encoders.base.ObservationModel` for their use.
"""

import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.responses import BURN_IN, AnyResponse, Clips, paired_clips, response_dtype
from cinecortex.tensors import PerNeuron


def dispersion(rate: Clips, response: Clips, *, burn_in: int = BURN_IN) -> PerNeuron:
    """Residual variance over rate: 1 for Poisson counts, more for anything noisier.

    ``sum (y - r)^2 / sum r`` over all frames. When the variance is dispersion times rate, as the tempered Poisson
    likelihood assumes, this is unbiased, and unlike the mean of ``(y - r)^2 / r`` it cannot be carried away by a few
    frames with a rate near zero. What the encoder gets wrong counts as noise, as it must for the inversion.

    Args:
        rate: What the encoder expects on held-out clips, positive, ``time neuron`` each.
        response: What was recorded; NaN frames are left out.
        burn_in: Frames left out at the start of every clip.

    Returns:
        Positive; NaN for a neuron without a recorded frame.

    Raises:
        WrongUse: sizes disagree, no frame is left, or a rate is zero or negative.
    """
    clips = _positive(rate, response, burn_in)
    squares = rates = torch.zeros_like(clips[0][0][0])
    for r, y in clips:
        recorded = ~y.isnan()
        squares = squares + torch.where(recorded, y - r, 0.0).square().sum(0)
        rates = rates + torch.where(recorded, r, 0.0).sum(0)
    return (squares / rates).to(response_dtype(response))


def correlation_time(rate: Clips, response: Clips, *, burn_in: int = BURN_IN, longest: int = 60) -> PerNeuron:
    """Number of frames that share one independent piece of noise: ``1 + 2 * sum of the residual autocorrelation``.

    Of the residual ``(y - r) / sqrt(r)`` less its mean over all clips. The autocovariance of each lag is the mean of
    all pairs of frames within clips, so clips are averaged by their length and no pair spans two clips. The sum ends
    before the first lag that is not positive (the initial positive sequence; Geyer, Stat. Sci. 1992), because later
    lags add noise only; on little data this rule overestimates.

    Args:
        rate: What the encoder expects on held-out clips, positive, ``time neuron`` each.
        response: What was recorded; pairs with a NaN frame are left out.
        burn_in: Frames left out at the start of every clip.
        longest: Last lag that may enter the sum, in frames.

    Returns:
        At least 1, in frames; 1 for a neuron without residuals.

    Raises:
        WrongUse: sizes disagree, no frame is left, or a rate is zero or negative.
    """
    clips = _positive(rate, response, burn_in)
    # A residual divided by almost nothing would speak for the whole recording.
    floor = torch.cat([r for r, _ in clips]).mean(0) / 100
    residuals = [(y - r) / r.clamp(min=floor).sqrt() for r, y in clips]
    mean = torch.cat(residuals).nanmean(0)
    recorded = [~e.isnan() for e in residuals]
    centred = [torch.where(k, e - mean, 0.0) for e, k in zip(residuals, recorded, strict=True)]

    def autocovariance(lag: int) -> PerNeuron:
        products = sum((e[lag:] * e[: len(e) - lag]).sum(0) for e in centred if len(e) > lag)
        pairs = sum((k[lag:] & k[: len(k) - lag]).sum(0) for k in recorded if len(k) > lag)
        return torch.as_tensor(products / torch.as_tensor(pairs).clamp(min=1))

    variance = autocovariance(0)
    total, going_on = torch.zeros_like(variance), variance > 0
    for lag in range(1, min(longest, max(map(len, centred)) - 1) + 1):
        correlation = autocovariance(lag) / variance.masked_fill(variance == 0, 1.0)
        going_on = going_on & (correlation > 0)
        if not going_on.any():
            break
        total = total + torch.where(going_on, correlation, 0.0)
    return (1.0 + 2.0 * total).to(response_dtype(response))


def _positive(rate: Clips, response: Clips, burn_in: int) -> list[tuple[AnyResponse, AnyResponse]]:
    clips = paired_clips(rate, response, burn_in)
    if not all(bool((r > 0).all()) for r, _ in clips):
        raise WrongUse("a rate is zero, negative or NaN; residuals need the positive rates of an encoder.")
    return clips
