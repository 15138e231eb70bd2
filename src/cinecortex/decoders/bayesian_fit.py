"""Fitting the Bayesian linear decoder: components, loadings whose size the evidence chooses, and shared noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.decoders.bayesian_linear import BayesianLinear, weigh
from cinecortex.decoders.lags import Lagging, bin_edges
from cinecortex.decoders.mean import fit_mean
from cinecortex.decoders.moments import Moments, Square, complete_pairs, sum_up
from cinecortex.decoders.scoring import score_linear, scored_pixels
from cinecortex.decoders.training import need_trials, recorded_response, response_statistics
from cinecortex.errors import WrongUse
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

Loading = Float[Tensor, "feature latent"]

CORRELATION_TIMES = (3.0, 10.0, 30.0, 100.0)
"""Frames that one independent frame stands for, as tried by default."""

FACTORS = (0, 30, 100)
"""Numbers of shared noise factors tried by default."""

_FLOOR = 1e-3
"""Least variance of a feature's own noise; that of a z-scored response is near 1."""


def fit_bayesian(
    train: Sequence[Trial],
    select: Sequence[Trial],
    *,
    lags: tuple[int, int] = (-2, 18),
    features: int = 4_000,
    components: int = 300,
    correlation_times: Sequence[float] = CORRELATION_TIMES,
    factors: Sequence[int] = FACTORS,
) -> BayesianLinear:
    """Fit the generative model to frames of which all features were recorded, and choose its settings on other clips.

    A loading is the regression of a feature on a component, shrunk towards 0 by a Gaussian prior whose variance, one
    for each component, maximises the evidence; components that the responses do not tell about are switched off by
    it, and that is how the rank is chosen. Neighbouring frames are not independent, so the evidence counts one frame
    in ``correlation_time``. What the loadings leave over is split by factor analysis into what is shared and what is
    each neuron's own. The correlation time is chosen first, at the middle number of factors, then the factors.

    Args:
        train: Trials to fit.
        select: Trials of other clips, to choose on: the highest movie correlation pooled over pixels, frames and clips.
        lags: First and last lag in frames; shortened to half the length of the shorter clips.
        features: About how many features (neurons times bins) to use; memory grows with its square.
        components: Most principal components.
        correlation_times: Correlation times to try, in frames.
        factors: Numbers of shared factors to try.

    Raises:
        WrongUse: no trials, nothing to try, or lags in the wrong order.
        BadData: a trial has no response, its shape is not that of the first, or no frame was recorded in full.

    Sources: MacKay 1992, Neural Comput 4:415 (evidence); Rubin & Thayer 1982, Psychometrika 47:69 (factor analysis).
    """
    need_trials("bayesian", train=train, select=select)
    if lags[0] > lags[1]:
        raise WrongUse(f"lags {lags} run backwards; give the first lag first.")
    if not correlation_times or not factors or min(correlation_times) < 1 or min(factors) < 0 or components < 1:
        raise WrongUse("give correlation times of at least 1, numbers of factors of at least 0, and some component.")
    ground = lay_ground(train, lags=lags, features=features, components=components)
    moments = sum_up(train, ground.lagging, ground.image, ground.basis).moments()
    seen = scored_pixels(ground.image)
    tried: dict[tuple[float, int], tuple[float, BayesianLinear]] = {}

    def attempt(time: float, count: int) -> float:
        if (time, count) not in tried:
            model = linear_model(ground, moments, time, count)
            tried[time, count] = _score(model, select, seen), model
        return tried[time, count][0]

    middle = sorted(factors)[len(factors) // 2]
    time = max(correlation_times, key=lambda time: attempt(time, middle))
    count = max(factors, key=lambda count: attempt(time, count))
    settings = tuple((f"correlation time {t:g}, {k} factors", score) for (t, k), (score, _) in tried.items())
    best = tried[time, count][1]
    return BayesianLinear(**{**vars(best), "settings": settings})


@dataclass(frozen=True, eq=False)
class Ground:
    """What is settled before responses are related to movies.

    Attributes:
        image: Mean training movie per pixel.
        basis: Principal components of the training movies, each times its standard deviation.
        rest: Variance per pixel that they leave out.
        lagging: How a response becomes features.
        frame_rate_hz: Frames per second.
    """

    image: Mask
    basis: Float[Tensor, "component pixel"]
    rest: Float[Tensor, "pixel"]
    lagging: Lagging
    frame_rate_hz: float


def lay_ground(train: Sequence[Trial], *, lags: tuple[int, int], features: int, components: int) -> Ground:
    """Mean picture and components of the training movies, and lag bins and z-scores of the responses."""
    image = fit_mean(train).image
    center, gain, _ = response_statistics(train)
    edges = bin_edges(_within(lags, train), max(1, features // len(center)))
    basis, rest = principal_components(train, image, components)
    return Ground(image, basis, rest, Lagging(edges=edges, center=center, gain=gain), train[0].frame_rate_hz)


def _within(lags: tuple[int, int], trials: Sequence[Trial]) -> tuple[int, int]:
    """Lags that leave half the frames of the shorter clips with every feature; of single images, lag 0."""
    lengths = sorted(len(recorded_response(trial)) for trial in trials)
    reach = lengths[len(lengths) // 4] // 2
    last = min(lags[1], max(lags[0], reach))
    return max(lags[0], last - reach), last


def principal_components(
    trials: Sequence[Trial], image: Mask, count: int
) -> tuple[Float[Tensor, "component pixel"], Float[Tensor, "pixel"]]:
    """Components of the movies around ``image``, each times its standard deviation, and the variance they leave out."""
    pixels, frames = image.numel(), 0
    total = torch.zeros(pixels, pixels, dtype=torch.float64)
    for trial in trials:
        deviation = (trial.movie - image).flatten(1)
        total += deviation.T @ deviation
        frames += len(deviation)
    values, vectors = torch.linalg.eigh(total / frames)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    # What one movie frame in a million could have made is rounding.
    kept = values > 1e-6 * values[0].clamp_min(1e-12)
    basis = (vectors[:, kept] * values[kept].sqrt()).T
    rest = (total.diagonal() / frames - basis.square().sum(0)).clamp_min(0.0)
    return basis.float(), rest.float()


def linear_model(ground: Ground, moments: Moments, correlation_time: float, factors: int) -> BayesianLinear:
    """The decoder that the moments of the training trials make, at one choice of settings."""
    loading, kept = evident_loading(moments, correlation_time)
    explained = loading @ moments.cross.T
    left = moments.feature - explained - explained.T + loading @ moments.score @ loading.T
    shared, noise = factor_analysis(left, factors, ground.lagging.neurons)
    dropped = ground.basis[~kept].square().sum(0)
    return BayesianLinear(
        image=ground.image,
        components=ground.basis[kept],
        rest=ground.rest + dropped,
        offset=moments.mean,
        loading=loading[:, kept],
        shared=shared,
        noise=noise,
        lagging=ground.lagging,
        frame_rate_hz=ground.frame_rate_hz,
    )


def evident_loading(moments: Moments, correlation_time: float) -> tuple[Loading, Tensor]:
    """Loadings under the prior that maximises the evidence, and which components it keeps.

    With ``b`` the least-squares loading of a feature on a component and ``s`` its squared standard error, the
    evidence is that of ``b ~ N(0, v + s)``; ``v``, one for each component, is found by expectation and maximisation.
    """
    frames = max(moments.frames / correlation_time, 1.0)
    ridge = 1e-6 * torch.eye(len(moments.score)).to(moments.score)
    inverse = torch.linalg.inv(moments.score + ridge)
    least_squares = moments.cross @ inverse
    left = moments.feature.diagonal() - (least_squares * moments.cross).sum(1)
    error = left.clamp_min(_FLOOR)[:, None] * inverse.diagonal() / frames
    variance = (least_squares.square() - error).mean(0).clamp_min(1e-3 * error.mean(0))
    for _ in range(50):
        shrink = variance / (variance + error)
        variance = ((shrink * least_squares).square() + shrink * error).mean(0)
    # A component whose loadings are all but certainly none is left to the prior of the movie.
    kept = variance > 1e-2 * error.mean(0)
    return torch.where(kept, shrink * least_squares, 0.0), kept


def factor_analysis(
    covariance: Square, factors: int, neurons: int, iterations: int = 40
) -> tuple[Float[Tensor, "feature factor"], Float[Tensor, "neuron bin bin"]]:
    """Split a covariance of features into ``shared shared^T`` and one block per neuron, by maximum likelihood.

    Features are ordered bin by bin, neurons within a bin.
    """
    factors = min(factors, len(covariance) // 2)
    known = torch.ones(len(covariance), dtype=torch.bool)
    shared = torch.randn(len(covariance), factors, generator=Seed(0).torch()).to(covariance)
    for _ in range(3 if factors else 0):  # the leading subspace, near enough to start from
        shared, _ = torch.linalg.qr(covariance @ shared)
    shared = shared * (shared * (covariance @ shared)).sum(0).clamp_min(0.0).sqrt()
    noise = _own(covariance, shared, shared, neurons)
    for _ in range(iterations if factors else 0):
        weighed = weigh(shared, noise, known)
        inner = torch.linalg.inv(torch.eye(factors).to(shared) + shared.T @ weighed)
        expect = weighed @ inner  # feature factor: the transpose of what gives the factors from the features
        spread = covariance @ expect
        second = torch.eye(factors).to(shared) - expect.T @ shared + expect.T @ spread
        shared = torch.linalg.solve(second, spread, left=False)
        noise = _own(covariance, shared, spread, neurons)
    return shared, noise


def _own(covariance: Square, one: Loading, other: Loading, neurons: int) -> Float[Tensor, "neuron bin bin"]:
    """The blocks of ``covariance - one other^T``, one for each neuron, kept away from singular."""
    bins = len(covariance) // neurons
    blocks = covariance.reshape(bins, neurons, bins, neurons).diagonal(dim1=1, dim2=3).permute(2, 0, 1)
    common = torch.einsum("bnr,cnr->nbc", *(part.reshape(bins, neurons, -1) for part in (one, other)))
    left = blocks - common
    values, vectors = torch.linalg.eigh((left + left.transpose(1, 2)) / 2)
    bounded: Tensor = (vectors * values.clamp_min(_FLOOR)[:, None]) @ vectors.transpose(1, 2)
    return bounded


def _score(model: BayesianLinear, select: Sequence[Trial], seen: Tensor) -> float:
    everything = torch.ones(model.lagging.features, dtype=torch.bool)
    weights = model.solve(everything)[0] @ model.components[:, seen]
    pairs = ((f - model.offset, p) for f, p in complete_pairs(select, model.lagging, model.image))
    return score_linear(pairs, model.image, seen, weights)
