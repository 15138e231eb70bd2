"""Simulation-based calibration: do draws mean what they say when everything that was assumed is true?

A movie is drawn from the prior, responses are simulated from the encoder, the whole inversion draws from the posterior
that it claims, and the true movie is ranked among the draws by one number of each, such as a pixel. Where the draws are
draws from the posterior every rank is equally likely, whatever the number (Talts, Betancourt, Simpson, Vehtari &
Gelman 2018, arXiv:1804.06788).

A number of the movie alone cannot tell posterior from prior draws: both give uniform ranks. One that looks at the
responses too, the log-likelihood first of all, can (Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari
2023, Bayesian Analysis).

What comes out speaks for the inversion and its arithmetic. Whether encoder, prior and noise are those of the animal is
another question, which recorded clips must answer: see ``docs/calibration.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.errors import WrongUse
from cinecortex.finding import Verdict
from cinecortex.identifiability.rank_verdict import LIKELIHOOD, Uniformity, judged, sentence_of, uniformities
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.priors import Prior
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie, Movies, PerNeuron, Response

Values = Float[Tensor, "batch"]
Quantity = Callable[[Movies, Observation], Values]
"""One number for every movie, which may look at the responses too."""
Respond = Callable[[Response, Seed], Response]
"""Responses around a rate, ``time neuron``."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class SimulationBased:
    """Ranks of true movies among draws.

    Attributes:
        ranks: By quantity: how many draws were below the truth, one number for each simulation.
        draws: How many draws each truth was ranked among.
        simulations: How many movies were drawn and inverted.
        tests: By quantity: p-values and what the histogram looks like.
        verdict: ``refuted`` where a corrected p is below `rank_verdict.ALPHA`, ``undecided`` where that is not so and
            there were fewer than `rank_verdict.LEAST` simulations, ``supported`` otherwise.
        sentence: The same in words, with the quantity that shows it most.
    """

    ranks: Mapping[str, tuple[int, ...]]
    draws: int
    simulations: int
    tests: Mapping[str, Uniformity]
    verdict: Verdict
    sentence: str

    @property
    def p(self) -> dict[str, float]:
        """By quantity, corrected for the number of quantities and tests."""
        return {name: test.p for name, test in self.tests.items()}


def simulation_based_calibration(
    inverter: Inverter,
    *,
    encoder: Encoder,
    prior: Prior,
    respond: Respond,
    template: Observation,
    quantities: Mapping[str, Quantity],
    seed: Seed,
    simulations: int = 200,
    draws: int = 31,
    thin: int = 1,
    progress: Progress | None = None,
) -> SimulationBased:
    """Rank movies drawn from the prior among the draws of an inverter.

    Args:
        inverter: Keeps its draws (``keep=True`` of `Sample`); its own prior, encoder and likelihood are what is tested.
        encoder: What responds.
        prior: Where true movies come from.
        respond: How responses scatter around the encoder's rate.
        template: Behavior, frame rate, frame size, neurons and number of frames come from here.
        quantities: What to rank by; see `standard_quantities`.
        seed: Root of all that is random.
        simulations: How many movies.
        draws: Draws that each is ranked among. One less than a number with many divisors suits the bins.
        thin: Take every so-manieth draw only: draws of a chain that follow each other are alike, and ranks among them
            pile up at both ends even where the chain is right.
        progress: Told of every simulation.

    Raises:
        WrongUse: there is nothing to rank by or no simulation, or the inverter keeps too few draws.
    """
    if not quantities or simulations < 1 or draws < 1 or thin < 1:
        raise WrongUse("calibration by simulation needs a quantity, a simulation and a draw; ask for one of each.")
    ranks: dict[str, list[int]] = {name: [] for name in quantities}
    for number in range(simulations):
        own = seed / "simulation" / number
        truth = prior.draw(template.frames, template.frame_size, own / "movie").to(encoder.device, encoder.dtype)
        observation = simulated(truth, encoder=encoder, respond=respond, template=template, seed=own / "response")
        kept = _draws(inverter, observation, own / "inversion", draws, thin).to(truth)
        for name, quantity in quantities.items():
            true, *others = quantity(torch.cat([truth[None], kept]), observation).tolist()
            ranks[name].append(_rank(true, others, own / "ties" / name))
        if progress is not None:
            progress(number + 1, simulations, f"simulation {number + 1}")
    tests = uniformities(ranks, draws=draws)
    verdict = judged(tests, simulations)
    return SimulationBased(
        ranks={name: tuple(found) for name, found in ranks.items()},
        draws=draws,
        simulations=simulations,
        tests=tests,
        verdict=verdict,
        sentence=sentence_of(tests, verdict, simulations=simulations),
    )


def simulated(movie: Movie, *, encoder: Encoder, respond: Respond, template: Observation, seed: Seed) -> Observation:
    """What would have been observed, had this movie been shown."""
    with torch.no_grad(), evaluating(encoder):
        told = template.behavior.to(encoder.device, encoder.dtype)[None]
        rate = encoder(movie[None].to(encoder.device, encoder.dtype), told)[0]
    return replace(template, response=respond(rate, seed).to(template.response))


@dataclass(frozen=True, eq=False)
class GaussianNoise:
    """Independent Gaussian noise around the rate: the likelihood `Gaussian`, from which it is exact.

    Attributes:
        variance: Per neuron.
    """

    variance: PerNeuron

    def __call__(self, rate: Response, seed: Seed) -> Response:
        """Responses around this rate."""
        noise = torch.randn(rate.shape, generator=seed.torch(), dtype=torch.float64)
        return rate + noise.to(rate) * self.variance.to(rate).sqrt()


def standard_quantities(
    encoder: Encoder,
    likelihood: Likelihood,
    prior: Prior,
    *,
    frames: int,
    seed: Seed,
    pixels: int = 3,
    directions: int = 3,
) -> dict[str, Quantity]:
    """What to rank by unless something better is known.

    Random pixels; projections on random directions, which are movies drawn from the prior, so that they have the
    frequencies that movies have; contrast; log prior; and log-likelihood, the one that looks at the responses.

    Args:
        encoder: What responds.
        likelihood: How responses scatter; that of the simulation, whatever the inverter believes.
        prior: Where true movies come from.
        frames: Length of the movies.
        seed: Stream for pixels and directions.
        pixels: How many.
        directions: How many.
    """
    height, width = encoder.frame_size
    random = (seed / "pixels").numpy()
    found: dict[str, Quantity] = {}
    for flat in random.choice(frames * height * width, size=pixels, replace=False).tolist():
        frame, rest = divmod(flat, height * width)
        found[f"pixel {rest // width}, {rest % width} of frame {frame}"] = _Pixel(flat)
    for number in range(directions):
        first, second = (prior.draw(frames, (height, width), seed / "direction" / number / k) for k in (0, 1))
        found[f"direction {number + 1}"] = _Projection(first - second)
    found["contrast"] = lambda movies, _: movies.flatten(1).std(1)
    found["log prior"] = lambda movies, _: torch.stack([prior.log_density(movie) for movie in movies])
    found[LIKELIHOOD] = _LogLikelihood(encoder, likelihood)
    return found


@dataclass(frozen=True, eq=False)
class _Pixel:
    place: int

    def __call__(self, movies: Movies, observation: Observation) -> Values:
        return movies.flatten(1)[:, self.place]


@dataclass(frozen=True, eq=False)
class _Projection:
    direction: Movie

    def __call__(self, movies: Movies, observation: Observation) -> Values:
        return movies.flatten(1) @ self.direction.to(movies).flatten()


@dataclass(frozen=True, eq=False)
class _LogLikelihood:
    encoder: Encoder
    likelihood: Likelihood

    def __call__(self, movies: Movies, observation: Observation) -> Values:
        settled = self.encoder.settled(movies.shape[1])
        response = observation.response.to(movies)[settled]
        told = observation.behavior.to(movies)[None]
        with torch.no_grad(), evaluating(self.encoder):
            # One after another: the draws of a whole clip at once would fill the memory.
            rates = [self.encoder(movie[None], told)[0][settled] for movie in movies]
        return torch.stack([self.likelihood.log_prob(response, rate, observation.heard) for rate in rates])


def _draws(inverter: Inverter, observation: Observation, seed: Seed, draws: int, thin: int) -> Movies:
    samples = inverter(observation, seed).samples
    kept = 0 if samples is None else len(samples)
    if samples is None or kept < draws * thin:
        raise WrongUse(
            f"{inverter.name} keeps {kept} draws, and {draws * thin} are needed; have it draw more and keep them."
        )
    return samples[: draws * thin : thin]


def _rank(true: float, others: list[float], seed: Seed) -> int:
    """How many are below; among equals any place is as likely."""
    below, equal = sum(other < true for other in others), sum(other == true for other in others)
    return below + int(seed.numpy().integers(equal + 1)) if equal else below
