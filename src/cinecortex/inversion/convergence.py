"""Have the chains converged, and how many independent draws are theirs worth?

Both are computed on ranks, so that no quantity needs a mean or a variance, and on half chains, so that a chain that
drifts disagrees with itself.

Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021, Bayesian Analysis 16:667.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import rankdata
from torch import Tensor

from cinecortex.errors import WrongUse

ChainDraws = Float[Tensor, "chain draw *quantity"]


def r_hat(draws: ChainDraws) -> Float[Tensor, "*quantity"]:
    """Potential scale reduction, of location and of scale whichever is larger; 1 where all chains agree.

    The larger of split R-hat on normalised ranks and of the same on the distance from the median (equations 2 to 4 and
    section 4.2). Vehtari and others trust a single quantity below 1.01.

    Args:
        draws: One or more chains of at least four draws.

    Returns:
        At least about 1; without bound where chains stand still apart, NaN where all stand still together or a draw is
        NaN.

    Raises:
        WrongUse: there are fewer than four draws in a chain.
    """
    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return _as(draws, np.maximum(_plain_r_hat(_normal_scores(halves)), _plain_r_hat(_normal_scores(folded))))


def effective_draws(draws: ChainDraws) -> Float[Tensor, "*quantity"]:
    """Bulk effective sample size: how many independent draws tell as much about the middle of the distribution.

    ``chains * draws / (1 + 2 * sum of the autocorrelation)`` on the normalised ranks of half chains, the sum cut by
    Geyer's initial monotone sequence (equations 10 to 13). It may exceed the number of draws where neighbours are
    anticorrelated; it is capped at that number times its log10, as there.

    Args:
        draws: One or more chains of at least four draws.

    Returns:
        Above zero; NaN where nothing varies or a draw is NaN.

    Raises:
        WrongUse: there are fewer than four draws in a chain.
    """
    scores = _normal_scores(_halves(draws))
    return _as(draws, _effective(scores))


def effective_for_mean(draws: ChainDraws) -> Float[Tensor, "*quantity"]:
    """As `effective_draws`, on the values themselves: ``std / sqrt(this)`` is the Monte-Carlo error of the mean."""
    return _as(draws, _effective(_halves(draws)))


def _as(draws: ChainDraws, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values)).to(draws.device)


def _halves(draws: ChainDraws) -> np.ndarray:
    """Half chains, ``chain draw quantity...``, in double precision; of an odd number the middle draw is left out."""
    count = draws.shape[1]
    if count < 4:
        raise WrongUse(f"a chain of {count} draws cannot be judged; keep at least 4.")
    values = draws.detach().double().cpu().numpy()
    return np.concatenate([values[:, : count // 2], values[:, count - count // 2 :]])


def _normal_scores(halves: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks over all chains, ties sharing their mean rank (equation 14)."""
    flat = halves.reshape(halves.shape[0] * halves.shape[1], -1)
    ranks = rankdata(flat, axis=0)
    scores = ndtri((ranks - 0.375) / (len(flat) + 0.25))
    scores = np.where(np.isnan(flat), np.nan, scores)
    return scores.reshape(halves.shape)


def _spreads(halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance within chains, and the variance of the mixture that they make together."""
    draws = halves.shape[1]
    within = halves.var(1, ddof=1).mean(0)
    return within, within * (draws - 1) / draws + halves.mean(1).var(0, ddof=1)


def _plain_r_hat(halves: np.ndarray) -> np.ndarray:
    within, together = _spreads(halves)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(together / within))


def _effective(halves: np.ndarray) -> np.ndarray:
    chains, draws = halves.shape[:2]
    total = chains * draws
    within, together = _spreads(halves)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Autocorrelation of the mixture: what the chains disagree on counts as correlation at every lag.
        correlation = 1 - (within - _autocovariance(halves)) / together
    pairs = correlation[: draws // 2 * 2].reshape(draws // 2, 2, *correlation.shape[1:]).sum(1)
    # Sums of neighbouring lags are positive and fall; from the first that is not, the estimate is noise.
    positive = np.logical_and.accumulate(pairs > 0, axis=0)
    falling = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    time = 2 * falling.sum(0) - 1
    effective = total / np.maximum(time, 1 / np.log10(total))
    return np.where(np.isfinite(together) & (together > 0), effective, np.nan)


def _autocovariance(halves: np.ndarray) -> np.ndarray:
    """Mean over chains of the autocovariance, ``lag quantity...``, scaled so that lag 0 is the unbiased variance."""
    draws = halves.shape[1]
    centred = halves - halves.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * draws, axis=1)) ** 2
    covariance = np.fft.irfft(power, axis=1)[:, :draws]
    return np.asarray(covariance.mean(0) / (draws - 1))
