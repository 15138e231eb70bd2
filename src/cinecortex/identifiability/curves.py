"""How information grows with the population, and falls with noise and with the strength of the prior.

All points of a curve are measured around one movie and with the same random probes, so that what lies between them is
known far better than each by itself. Bits and dimensions are traces of functions that rise with the Fisher information
as operators do (``log(1 + x)`` and ``x / (1 + x)`` are operator monotone: Loewner 1934, Math Z 38:177), so that for
any probe, not only on average, a neuron that is added takes nothing away. Neurons that are left out are unheard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.identifiability.extrapolation import Extrapolation, Quantity, extrapolate, scaled_spectrum, scatter_of
from cinecortex.identifiability.measure import measure_information
from cinecortex.information import Information
from cinecortex.inversion.likelihoods import Gaussian, Likelihood, Poisson, SharedGainPoisson
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.priors import Prior, Spectral, Whitened
from cinecortex.inversion.problem import BehaviorGiven
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Heard

Along = Literal["neurons", "noise", "prior"]
"""What changes along a curve: how many neurons are heard, by how much the noise variance or the prior's precision is
multiplied."""

FLOORS = (2.0, 4.0, 8.0)
"""How many times the measured population the least that it must give is worked out for."""


@runtime_checkable
class Measure(Protocol):
    """How information is measured; see `measure_information`."""

    def __call__(self, around: Linearised, *, probes: int = 4, steps: int = 30, seed: Seed) -> Information:
        """The information around one movie."""
        ...


@dataclass(frozen=True, eq=False)
class Clip:
    """What was recorded of a clip, and where rates are taken as linear.

    Attributes:
        clip_id: Its name.
        observation: What was recorded.
        position: A movie of the clip's contrast in the prior's coordinates. A most probable movie has too little
            contrast, and information around it is several times too high: see `Identified`.
    """

    clip_id: str
    observation: Observation
    position: Whitened


@dataclass(frozen=True, eq=False)
class Population:
    """Whose information is measured, and how.

    Attributes:
        encoder: Forward model.
        likelihood: How responses scatter.
        prior: A prior whose coordinates are white.
        behavior: What the encoder is told of the behavior.
        probes: Random vectors, the same at every point of a curve.
        steps: Of Lanczos for each.
        measure: How it is measured.
    """

    encoder: Encoder
    likelihood: Likelihood
    prior: Prior
    behavior: BehaviorGiven = "recorded"
    probes: int = 4
    steps: int = 30
    measure: Measure = measure_information

    def information(self, clip: Clip, *, seed: Seed) -> Information:
        """What all heard neurons say about a clip."""
        around = Linearised(
            self.encoder, self.likelihood, self.prior, clip.observation, clip.position, behavior=self.behavior
        )
        return self.measure(around, probes=self.probes, steps=self.steps, seed=seed)


@dataclass(frozen=True, eq=False)
class Curve:
    """Information about some clips at several points.

    Attributes:
        along: What changes from point to point.
        points: Number of neurons, or factor of the noise variance or of the prior's precision; rising.
        clips: Names of the clips.
        population: Number of neurons that subsets were drawn from.
        measured: What was measured of each clip, in each random order of the neurons, at each point.
    """

    along: Along
    points: tuple[float, ...]
    clips: tuple[str, ...]
    population: int
    measured: tuple[tuple[tuple[Information, ...], ...], ...]

    def values(self, quantity: Quantity = "bits") -> Float[np.ndarray, "clip order point"]:
        """One number of what was measured."""
        return self._read(quantity)

    def errors(self, quantity: Quantity = "bits") -> Float[np.ndarray, "clip order point"]:
        """Its Monte-Carlo standard errors, mostly common to all points and orders of a clip."""
        return self._read(f"{quantity}_error")

    def _read(self, name: str) -> Float[np.ndarray, "clip order point"]:
        return np.array([[[getattr(one, name) for one in order] for order in clip] for clip in self.measured])

    def means(self, quantity: Quantity = "bits") -> Float[np.ndarray, "point"]:
        """Mean over clips and orders."""
        means: np.ndarray = self.values(quantity).mean((0, 1))
        return means

    def mean_errors(self, quantity: Quantity = "bits") -> Float[np.ndarray, "point"]:
        """Monte-Carlo standard error of the mean: every clip has probes of its own, all orders of it have the same."""
        by_clip = self.errors(quantity).mean(1)
        errors: np.ndarray = np.sqrt((by_clip**2).sum(0)) / len(by_clip)
        return errors

    def extrapolated(self, quantity: Quantity = "bits", *, most: int | None = None, seed: Seed) -> Extrapolation:
        """Where the mean over clips goes with larger populations of the same kind.

        Args:
            quantity: What to extrapolate.
            most: Largest population to ask about; by default 64 times the largest that was measured.
            seed: For the draws.

        Raises:
            WrongUse: this is no curve over neurons, or it has fewer than 3 points.
        """
        if self.along != "neurons":
            raise WrongUse(
                f"a curve over {self.along} says nothing about larger populations; measure one over neurons."
            )
        sizes = [round(point) for point in self.points]
        by_order = self.values(quantity).mean(0)
        return extrapolate(
            sizes,
            self.means(quantity).tolist(),
            self.mean_errors(quantity).tolist(),
            quantity=quantity,
            scatter=scatter_of(sizes, by_order, population=self.population, quantity=quantity),
            orders=by_order.shape[0],
            floor=self._floor() if quantity == "bits" else ((), ()),
            most=most,
            seed=seed,
        )

    def _floor(self) -> tuple[list[int], list[float]]:
        """What larger populations give at least, from the spectra of the largest one that was measured."""
        last = [order[-1] for clip in self.measured for order in clip]
        least = [
            float(np.mean([scaled_spectrum(one.eigenvalues, one.counts, times) for one in last])) for times in FLOORS
        ]
        return [round(times * self.points[-1]) for times in FLOORS], least

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        measured = [[[one.to_json() for one in order] for order in clip] for clip in self.measured]
        return {
            "along": self.along,
            "points": list(self.points),
            "clips": list(self.clips),
            "population": self.population,
            "measured": measured,
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Curve:
        """What `to_json` gave."""
        measured = tuple(
            tuple(tuple(map(Information.from_json, order)) for order in clip) for clip in content["measured"]
        )
        return Curve(
            content["along"], tuple(content["points"]), tuple(content["clips"]), content["population"], measured
        )


def over_neurons(
    population: Population,
    clips: Sequence[Clip],
    sizes: Sequence[int],
    *,
    orders: int = 3,
    seed: Seed,
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """Information that nested random subsets of the neurons have.

    In every order of the neurons each subset holds the smaller ones, and orders are the same for all clips. Around one
    movie a neuron can only add: the Fisher information of independent neurons is the sum of theirs. (Under gains that
    neurons share, the gains are found from those that are heard, and may differ by a little.)

    Args:
        population: Whose information is measured.
        clips: About what; a movie that they have in common with the whole population.
        sizes: How many neurons, rising, none more than are heard in each clip.
        orders: Random orders of the neurons. Where all are heard they are the same, and measured once.
        seed: For orders and probes.
        progress: Told how many measurements are done, and of how many.

    Raises:
        WrongUse: no clip, a size that is not to be had, or sizes that do not rise.
    """
    heard = _heard_in_all(clips)
    wanted = list(sizes)
    if not wanted or wanted != sorted(set(wanted)) or not 1 <= wanted[0] <= wanted[-1] <= len(heard) or orders < 1:
        raise WrongUse(
            f"sizes {wanted} and {orders} orders: rising numbers of neurons are needed, up to the {len(heard)} that "
            "are heard in all clips, and 1 order at least."
        )
    ordered = [heard[torch.randperm(len(heard), generator=(seed / "order" / n).torch())] for n in range(orders)]

    def measure(clip: Clip, order: int, size: int) -> Information:
        some = _only(ordered[order][:size], clip.observation.heard)
        heard_by = replace(clip, observation=clip.observation.hearing(some))
        return population.information(heard_by, seed=seed / "probes" / clip.clip_id)

    def along(clip: Clip) -> Iterator[tuple[Information, ...]]:
        whole: dict[int, Information] = {}
        for order in range(orders):
            found = []
            for size in wanted:
                one = whole.get(size) or measure(clip, order, size)
                if size == len(heard):
                    whole[size] = one
                found.append(one)
                if progress is not None:
                    progress(len(done) * orders * len(wanted) + order * len(wanted) + len(found), total)
            yield tuple(found)

    done: list[tuple[tuple[Information, ...], ...]] = []
    total = len(clips) * orders * len(wanted)
    for clip in clips:
        done.append(tuple(along(clip)))
    return Curve("neurons", tuple(map(float, wanted)), _names(clips), len(heard), tuple(done))


def over_noise(population: Population, clips: Sequence[Clip], factors: Sequence[float], *, seed: Seed) -> Curve:
    """Information were the variance of all noise so many times what it is.

    Raises:
        WrongUse: no clip, a factor that is not above 0, or a likelihood whose noise is not known.
    """

    def changed(factor: float) -> tuple[Population, Callable[[Clip], Clip]]:
        return replace(population, likelihood=noisier(population.likelihood, factor)), lambda clip: clip

    return _over_factors("noise", clips, factors, changed, seed=seed)


def over_prior(population: Population, clips: Sequence[Clip], factors: Sequence[float], *, seed: Seed) -> Curve:
    """Information were the prior's precision so many times what it is, around the same movies.

    A prior of ``k`` times the precision divides the whitened Fisher information by ``k``, and so does noise of ``k``
    times the variance: `map` weighs its prior in that way (``prior_weight``). The curves differ only where neurons
    share gains, whose own prior stays as it is.

    Raises:
        WrongUse: no clip, a factor that is not above 0, or a prior that is not spectral.
    """
    prior = population.prior
    if not isinstance(prior, Spectral):
        raise WrongUse("only the spectral prior can be had in other strengths; measure the curve under that.")

    def changed(factor: float) -> tuple[Population, Callable[[Clip], Clip]]:
        stronger = prior.at_contrast(prior.contrast - math.log(factor) / 2)
        # The same movie lies further out where the prior is narrower.
        return replace(population, prior=stronger), lambda clip: replace(
            clip, position=clip.position * math.sqrt(factor)
        )

    return _over_factors("prior", clips, factors, changed, seed=seed)


def noisier(likelihood: Likelihood, factor: float) -> Likelihood:
    """The likelihood of responses whose noise has so many times the variance.

    Raises:
        WrongUse: the likelihood is not one whose variance is known.
    """
    if isinstance(likelihood, Gaussian):
        return replace(likelihood, variance=likelihood.variance * factor)
    if isinstance(likelihood, Poisson):
        return replace(likelihood, temper=likelihood.temper / factor)
    if isinstance(likelihood, SharedGainPoisson):
        return replace(likelihood, temper=likelihood.temper / factor)
    raise WrongUse(f"{type(likelihood).__name__} says nothing of its noise that could be multiplied.")


def _over_factors(
    along: Along,
    clips: Sequence[Clip],
    factors: Sequence[float],
    changed: Callable[[float], tuple[Population, Callable[[Clip], Clip]]],
    *,
    seed: Seed,
) -> Curve:
    heard = _heard_in_all(clips)
    if not factors or list(factors) != sorted(set(factors)) or not factors[0] > 0:
        raise WrongUse(f"factors {list(factors)}: rising numbers above 0 are needed.")
    measured = []
    for clip in clips:
        row = []
        for factor in factors:
            population, moved = changed(factor)
            row.append(population.information(moved(clip), seed=seed / "probes" / clip.clip_id))
        measured.append((tuple(row),))
    return Curve(along, tuple(map(float, factors)), _names(clips), len(heard), tuple(measured))


def _heard_in_all(clips: Sequence[Clip]) -> torch.Tensor:
    """Numbers of the neurons that are heard in every clip."""
    if not clips:
        raise WrongUse("a curve needs a clip to be measured on.")
    if len(set(_names(clips))) < len(clips):
        raise WrongUse("two clips of a curve have the same name.")
    heard = torch.stack([clip.observation.heard & clip.observation.response.isfinite().any(0) for clip in clips]).all(0)
    return heard.nonzero()[:, 0]


def _only(chosen: torch.Tensor, like: Heard) -> Heard:
    some = torch.zeros_like(like)
    some[chosen] = True
    return some


def _names(clips: Sequence[Clip]) -> tuple[str, ...]:
    return tuple(clip.clip_id for clip in clips)
