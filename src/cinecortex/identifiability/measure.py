"""How much a population says about a movie: bits, dimensions, and the part of every frequency that is data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from cinecortex.errors import WrongUse
from cinecortex.identifiability.lanczos import Function, Krylov, lanczos, random_signs
from cinecortex.information import Band, Information
from cinecortex.inversion.linearised import Linearised
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import bin_edges, dct, frequency_bins

BANDS = 6
"""Bins of spatial and of temporal frequency, zero included: bands of about one and of about two octaves."""


def half_log2(values: np.ndarray) -> np.ndarray:
    """``log2(1 + x) / 2``: bits about a direction of this Fisher information."""
    bits: np.ndarray = np.log1p(values) / (2 * math.log(2))
    return bits


def determined(values: np.ndarray) -> np.ndarray:
    """``x / (1 + x)``: how much of a direction is data."""
    share: np.ndarray = values / (1 + values)
    return share


@dataclass(frozen=True)
class Estimate:
    """A mean over probes.

    Attributes:
        value: The mean.
        error: Its Monte-Carlo standard error.
        unresolved: How far it may be off because Lanczos was stopped, to either side.
    """

    value: float
    error: float
    unresolved: float


def measure_information(around: Linearised, *, probes: int = 4, steps: int = 30, seed: Seed) -> Information:
    """Bits, dimensions, spectrum and data share by stochastic Lanczos quadrature.

    All of it is Monte-Carlo, over probes of random signs; the errors are standard errors of that alone. That rates are
    taken as linear around one movie is not in them: choose the movie well (see `Identified`).

    Args:
        around: The posterior, rates taken as linear around one movie.
        probes: Random vectors, at least 2: the errors come from how they differ.
        steps: Of Lanczos for each; F is applied ``probes * steps`` times.
        seed: For the probes.

    Raises:
        WrongUse: there are less than 2 probes, or the prior's coordinates are not white.

    Source: Ubaru, Chen & Saad 2017, SIAM J Matrix Anal Appl 38:1075.
    """
    if probes < 2:
        raise WrongUse(f"{probes} probes cannot tell their own error; ask for at least 2.")
    if not around.prior.whitened:
        raise WrongUse("information is measured under a prior of white coordinates, such as the spectral one.")
    like = around.position
    krylov = lanczos(around.information, random_signs(probes, like, seed / "probes"), steps=steps)
    bits, dimensions = traced(krylov, half_log2), traced(krylov, determined)
    share, bands = _shares(around, krylov)
    values, counts = _spectrum(krylov)
    frames = len(like)
    return Information(
        bits=bits.value,
        bits_error=bits.error,
        dimensions=dimensions.value,
        dimensions_error=dimensions.error,
        eigenvalues=values,
        counts=counts,
        coordinates=like.numel(),
        neurons=int((around.curvature.own > 0).any(0).sum()),
        frames=frames,
        frame_rate_hz=float(around.encoder.frame_rate_hz),
        share=share[0],
        share_error=share[1],
        bands=bands,
        probes=probes,
    )


def traced(krylov: Krylov, function: Function) -> Estimate:
    """Trace of a function of the operator, from probes of random signs.

    The standard error does not come from how few probes happen to scatter but from what they say of the matrix
    ``A = f(F)``: the variance of one probe is ``2 (|A|^2 - sum of A_ii^2)``. ``|A v|^2`` is right about the first on
    average, and for two probes the sum of ``(v_i (A v)_i) (w_i (A w)_i)`` about the second. Both are sums over very
    many coordinates and known far better than a variance from four numbers.

    Args:
        krylov: From at least two probes of random signs.
        function: Of the eigenvalues; its even derivatives are negative and its odd ones positive.
    """
    above, below = krylov.quadratic(function), krylov.quadratic_from_below(function)
    applied = krylov.applied(function)
    probes = len(applied)
    local = (krylov.probes * applied).flatten(1).double()
    pairs = (float(local.sum(0).square().sum()) - float(local.square().sum())) / (probes * (probes - 1))
    whole = float(applied.double().square().sum()) / probes
    variance = max(2 * (whole - pairs), 0.0)
    return Estimate(
        value=float((above + below).mean()) / 2,
        error=math.sqrt(variance / probes),
        unresolved=float((above - below).mean()) / 2,
    )


def _shares(around: Linearised, krylov: Krylov) -> tuple[tuple[float, float], tuple[Band, ...]]:
    """Data share of the movie and of its bands, each with its standard error over probes.

    With B the map from white coordinates to the coefficients of the DCT, ``(B v)_i (B A v)_i`` is on average the
    variance that the data take from coefficient i, ``A = F (I + F)^-1``, and ``(B v)_i^2`` that of the prior, which
    under the spectral prior random signs know exactly.
    """
    prior = dct(around.pixels(krylov.probes)).double()
    taken = prior * dct(around.pixels(krylov.applied(determined))).double()
    prior = prior.square()
    _, frames, height, width = prior.shape
    temporal, spatial = frequency_bins((frames, height, width), BANDS)
    index = (temporal[:, None, None] * BANDS + spatial[None]).flatten().to(prior.device)

    def binned(each: torch.Tensor) -> np.ndarray:
        sums = each.new_zeros(len(each), BANDS * BANDS)
        return sums.index_add_(1, index, each.flatten(1)).cpu().numpy()

    in_bands, prior_in_bands = binned(taken), binned(prior)
    temporal_edges, spatial_edges = bin_edges(BANDS)
    bands = []
    for place in range(BANDS * BANDS):
        variance = float(prior_in_bands[:, place].mean())
        if variance <= 0:
            continue
        share, error = _ratio(in_bands[:, place], variance)
        bands.append(
            Band(
                spatial=spatial_edges[place % BANDS],
                temporal=temporal_edges[place // BANDS],
                share=share,
                share_error=error,
                prior_variance=variance / prior[0].numel(),
            )
        )
    return _ratio(in_bands.sum(1), float(prior_in_bands.sum(1).mean())), tuple(bands)


def _ratio(taken: np.ndarray, prior: float) -> tuple[float, float]:
    return float(taken.mean()) / prior, float(taken.std(ddof=1)) / math.sqrt(len(taken)) / prior


def _spectrum(krylov: Krylov) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Ritz values of all probes in falling order, and how many eigenvalues each stands for."""
    values, weights = krylov.values.ravel(), krylov.weights.ravel() / len(krylov.values)
    order = np.argsort(-values, kind="stable")
    return tuple(values[order].tolist()), tuple(weights[order].tolist())
