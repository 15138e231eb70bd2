"""log p(response | rate): how recorded responses scatter around what the encoder expects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import solveh_banded
from torch import Tensor

from cinecortex.encoders.base import ObservationModel, SharedGain
from cinecortex.inversion.curvature import Curvature
from cinecortex.tensors import Heard, PerNeuron, Response, Scalar


@runtime_checkable
class Likelihood(Protocol):
    """How responses scatter around rates."""

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, up to a constant that does not depend on the rate.

        Unheard neurons and entries of ``response`` that are NaN are left out of the sum.
        """
        ...

    def precision(self, rate: Response) -> Response:
        """Fisher information about the rate, per frame and neuron, where the rate is ``rate``."""
        ...

    def curvature(self, response: Response, rate: Response, heard: Heard) -> Curvature:
        """Fisher information about all rates together, zero where nothing is known."""
        ...

    def tilt(self, rate: Response, at: Response, slope: Response) -> Scalar:
        """A function of the rates whose derivative at ``at`` is ``slope``, in a form that leaves the energy bounded.

        Added to the log-likelihood it acts as a change of the responses would: a posterior draw is the answer to
        responses that scatter anew.
        """
        ...


def _known(response: Response, rate: Response, heard: Heard) -> tuple[Tensor, Response, Response]:
    """What counts, and response and rate with 1 in place of what does not: not even a NaN gets through from there."""
    known = torch.isfinite(response) & heard
    return (
        known,
        torch.where(known, response, torch.ones_like(response)),
        torch.where(known, rate, torch.ones_like(rate)),
    )


def _poisson_tilt(rate: Response, at: Response, slope: Response) -> Scalar:
    return (slope * at * torch.log(rate.clamp_min(1e-6))).sum()


@dataclass(frozen=True, eq=False)
class Poisson:
    """Poisson log-likelihood, tempered per neuron.

    ``sum of temper_n * (y log r - r)``, with ``temper_n = 1 / (dispersion_n * correlation_time_n)``: over-dispersed
    responses that repeat themselves from frame to frame count for as much as they tell, not for as many as they are.

    Attributes:
        temper: Weight per neuron, ``neuron``.
    """

    temper: PerNeuron

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, without the ``log y!`` term."""
        known, response, rate = _known(response, rate, heard)
        terms = response * torch.log(rate.clamp_min(1e-6)) - rate
        return (torch.where(known, terms, torch.zeros_like(terms)) * self.temper.to(rate)).sum()

    def precision(self, rate: Response) -> Response:
        """``temper / rate``."""
        return self.temper.to(rate) / rate.clamp_min(1e-6)

    def curvature(self, response: Response, rate: Response, heard: Heard) -> Curvature:
        """``temper / rate`` where a response is known."""
        known, _, rate = _known(response, rate, heard)
        return Curvature(torch.where(known, self.precision(rate), torch.zeros_like(rate)))

    def tilt(self, rate: Response, at: Response, slope: Response) -> Scalar:
        """``slope * at * log rate``: what other counts would add."""
        return _poisson_tilt(rate, at, slope)


@dataclass(frozen=True, eq=False)
class SharedGainPoisson:
    """Tempered Poisson log-likelihood under gains that the neurons share, which are found along with the movie.

    For every rate the most probable course of the gain factors ``f`` is found, and the value is that of ``Poisson`` at
    the rates ``r_n exp(l_n f)`` plus the log-density of ``f``. What one fluctuation does to all neurons at once then
    counts as one piece of evidence; neurons taken as independent would count it once each. The value is concave in
    ``f``, so Newton's method finds the one optimum.

    Attributes:
        temper: Weight per neuron, ``neuron``.
        shared_gain: Loadings and correlation times of the gain factors.
    """

    temper: PerNeuron
    shared_gain: SharedGain

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats at the most probable gains, without the ``log y!`` term."""
        known, response, rate = _known(response, rate, heard)
        temper = torch.where(known, self.temper.to(rate), torch.zeros_like(rate))
        # At the optimum the derivative by the factors is zero, so they may be held fixed when the rate's is taken.
        factors = self.factors(response, rate.detach(), temper)
        log_gain = factors @ self.shared_gain.loading.to(rate).T
        terms = response * (torch.log(rate.clamp_min(1e-6)) + log_gain) - rate * torch.exp(log_gain)
        terms = torch.where(known, terms, torch.zeros_like(terms))
        return (terms * temper).sum() - self._energy(factors)

    def precision(self, rate: Response) -> Response:
        """``temper / rate``: that of each neuron by itself."""
        return self.temper.to(rate) / rate.clamp_min(1e-6)

    def curvature(self, response: Response, rate: Response, heard: Heard) -> Curvature:
        """``temper * gain / rate`` at the most probable gains, less what the gains leave uncertain."""
        known, response, rate = _known(response, rate, heard)
        temper = torch.where(known, self.temper.to(rate), torch.zeros_like(rate))
        loading = self.shared_gain.loading.to(rate)
        gain = torch.exp(self.factors(response, rate, temper) @ loading.T)
        prior_bands = _precision_bands(len(rate), tuple(self.shared_gain.correlation_time.tolist()))
        own = temper * gain / rate.clamp_min(1e-6)
        return Curvature.with_shared_gains(own, rate[:, :, None] * loading, prior_bands)

    def tilt(self, rate: Response, at: Response, slope: Response) -> Scalar:
        """``slope * at * log rate``: what other counts would add."""
        return _poisson_tilt(rate, at, slope)

    def factors(
        self, response: Response, rate: Response, temper: Float[Tensor, "time neuron"]
    ) -> Float[Tensor, "time factor"]:
        """The most probable gain factors; ``temper`` is zero wherever ``response`` is not known."""
        loading = self.shared_gain.loading.to(rate)
        frames, count = len(rate), loading.shape[1]
        products = (loading[:, :, None] * loading[:, None, :]).flatten(1)
        prior = _precision_bands(frames, tuple(self.shared_gain.correlation_time.tolist()))
        factors, ungained, seen = rate.new_zeros(frames, count), temper * rate, (temper * response) @ loading
        for _ in range(30):
            expected = ungained * torch.exp(factors @ loading.T)
            slope = seen - expected @ loading - self._pull(factors)
            if not bool(torch.isfinite(slope).all()):
                break  # a rate that is out of all bounds: the value will say so, and a line search steps back
            curvature = (expected @ products).view(frames, count, count).double().cpu().numpy()
            bands = prior.copy()
            for row in range(count):
                for column in range(row, count):
                    # Upper bands: entry (i, j) of the matrix lies in row `last + i - j`, column j.
                    bands[row - column - 1, column::count] += curvature[:, row, column]
            step = solveh_banded(bands, slope.double().cpu().numpy().ravel()).reshape(frames, count)
            factors = factors + torch.from_numpy(step).to(factors).clamp(-1, 1)
            if np.abs(step).max() < 1e-5:
                break
        return factors

    def _energy(self, factors: Float[Tensor, "time factor"]) -> Tensor:
        return 0.5 * (factors * self._pull(factors)).sum()

    def _pull(self, factors: Float[Tensor, "time factor"]) -> Float[Tensor, "time factor"]:
        """The prior's precision times ``factors``: that of a first-order autoregression of unit variance."""
        time = self.shared_gain.correlation_time.to(factors)
        rho = (time - 1) / (time + 1)
        noise = 1 - rho**2
        if len(factors) == 1:
            return factors
        pulled = (1 + rho**2) / noise * factors
        pulled[0], pulled[-1] = factors[0] / noise, factors[-1] / noise
        pulled[1:] -= rho / noise * factors[:-1]
        pulled[:-1] -= rho / noise * factors[1:]
        return pulled


@lru_cache(maxsize=8)
def _precision_bands(frames: int, correlation_times: tuple[float, ...]) -> np.ndarray:
    """Upper bands of the precision of several autoregressions, frame by frame, as `solveh_banded` reads them."""
    count = len(correlation_times)
    bands = np.zeros((count + 1, frames * count))
    for factor, time in enumerate(correlation_times):
        rho = (time - 1) / (time + 1)
        own = bands[count, factor::count]
        own[:] = (1 + rho**2) / (1 - rho**2)
        own[[0, -1]] = 1 / (1 - rho**2) if frames > 1 else 1.0
        bands[0, factor + count :: count] = -rho / (1 - rho**2)
    # A single frame has no neighbour, and scipy refuses a band that reaches beyond the matrix.
    return bands[-frames * count :]


def likelihood_of(model: ObservationModel) -> Poisson | SharedGainPoisson:
    """The likelihood that an encoder's measured observation model calls for."""
    if model.shared_gain is None:
        return Poisson(model.temper)
    return SharedGainPoisson(model.temper, model.shared_gain)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Independent Gaussian noise of a given variance per neuron.

    Attributes:
        variance: Noise variance, ``neuron``.
    """

    variance: PerNeuron

    def log_prob(self, response: Response, rate: Response, heard: Heard) -> Scalar:
        """Log-likelihood in nats, without the normalising constant."""
        _, response, rate = _known(response, rate, heard)
        return -0.5 * ((response - rate) ** 2 / self.variance.to(rate)).sum()

    def precision(self, rate: Response) -> Response:
        """``1 / variance``."""
        return (1 / self.variance.to(rate)).expand_as(rate)

    def curvature(self, response: Response, rate: Response, heard: Heard) -> Curvature:
        """``1 / variance`` where a response is known."""
        known, _, rate = _known(response, rate, heard)
        return Curvature(torch.where(known, self.precision(rate), torch.zeros_like(rate)))

    def tilt(self, rate: Response, at: Response, slope: Response) -> Scalar:
        """``slope * rate``: what other responses would add."""
        return (slope * rate).sum()
