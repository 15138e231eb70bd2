"""Does the observation model's spread match what is left unexplained on clips it was not measured on?

The model says that a response has mean ``r`` and variance ``dispersion * r``: a Poisson count of mean
``r / dispersion``, times the dispersion. Real responses are not counts, so its distribution is read in between them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.metrics.responses import BURN_IN, Clips, paired_clips, response_dtype
from cinecortex.tensors import PerNeuron

LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted against realised spread, ``neuron`` each.

    Attributes:
        spread_ratio: Realised over predicted residual variance; 1 is right, more is a model too sure of itself.
        score_spread: Standard deviation about zero of ``(response - rate) / sqrt(dispersion * rate)``; 1 is right. A
            few frames with a rate near zero weigh more here than in ``spread_ratio``.
        coverage: Share of the responses inside the central 90 % of the predicted distribution; 0.9 is right.
        block_ratio: As ``spread_ratio``, for sums over blocks of frames, predicted with the correlation time; it tells
            whether the temper counts independent evidence rightly. Of blocks a few correlation times long it is
            expected a little below 1.
    """

    spread_ratio: PerNeuron
    score_spread: PerNeuron
    coverage: PerNeuron
    block_ratio: PerNeuron


def calibration(
    rate: Clips,
    response: Clips,
    dispersion: PerNeuron,
    correlation_time: PerNeuron,
    *,
    burn_in: int = BURN_IN,
    block_frames: int = 60,
) -> Calibration:
    """Hold the observation model against responses.

    Args:
        rate: What the encoder expects, positive, one clip or several, ``time neuron``.
        response: What was recorded, in the same form; NaN frames are left out. Below zero counts as zero where a
            distribution is asked for.
        dispersion: Residual variance over rate, as the model has it.
        correlation_time: Frames that share one independent piece of noise, as the model has it.
        burn_in: Frames left out at the start of every clip.
        block_frames: Length of the blocks; of shorter clips, their length.

    Returns:
        NaN for a neuron without a recorded frame; ``block_ratio`` also for one without a whole block.

    Raises:
        WrongUse: sizes disagree, or no frame is left.
    """
    clips = paired_clips(rate, response, burn_in)
    spread, time = dispersion.double(), correlation_time.double()
    block = min(block_frames, *(len(r) for r, _ in clips))
    zero = torch.zeros_like(spread)
    squares, predicted, scores, inside, count, blocks, block_predicted = (zero.clone() for _ in range(7))
    for r, y in clips:
        recorded = ~y.isnan()
        residual = torch.where(recorded, y - r, 0.0)
        expected = torch.where(recorded, r * spread, 0.0)
        squares += residual.square().sum(0)
        predicted += expected.sum(0)
        scores += torch.where(recorded, residual.square() / (r * spread), 0.0).sum(0)
        inside += torch.where(recorded, _inside(r / spread, y.nan_to_num().clamp_min(0) / spread), 0.0).sum(0)
        count += recorded.sum(0)
        whole = len(r) // block * block
        complete = recorded[:whole].reshape(-1, block, recorded.shape[1]).all(1)
        sums, variances = (
            side[:whole].reshape(-1, block, side.shape[1]).sum(1) * complete for side in (residual, expected)
        )
        blocks += sums.square().sum(0)
        block_predicted += variances.sum(0) * time
    known = count.masked_fill(count == 0, torch.nan)
    dtype = response_dtype(response)
    return Calibration(
        spread_ratio=(squares / predicted.masked_fill(count == 0, torch.nan)).to(dtype),
        score_spread=(scores / known).sqrt().to(dtype),
        coverage=(inside / known).to(dtype),
        block_ratio=(blocks / block_predicted.masked_fill(block_predicted == 0, torch.nan)).to(dtype),
    )


def _inside(mean: Float[Tensor, "*any"], count: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """How much of each count lies inside the central interval of a Poisson distribution of this mean.

    A count owns the stretch of probability from ``P(less)`` to ``P(up to it)``; the share of the stretch inside the
    central interval is counted, which makes the coverage exact for counts (Czado, Gneiting & Held 2009, Biometrics
    65:1254). The two ends are incomplete gamma functions of the count and so known between counts too.
    """
    up_to = torch.special.gammaincc(count + 1, mean)
    less = torch.where(count > 0, torch.special.gammaincc(count.clamp_min(1e-12), mean), 0.0)
    low, high = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    overlap = (up_to.clamp(low, high) - less.clamp(low, high)).clamp_min(0.0)
    stretch = up_to - less
    # Far out in a tail both ends round to the same number.
    return torch.where(stretch > 1e-12, overlap / stretch.clamp_min(1e-12), ((less > low) & (less < high)).double())
