"""What the population is sensitive to: the diagonal of the Fisher information, over pixels and over frequencies."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cinecortex.encoders.base import Encoder
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.priors import Prior, Spectral
from cinecortex.inversion.problem import Problem
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import frequency_bins
from cinecortex.tensors import Mask


def typical_observation(encoder: Encoder, frames: int) -> Observation:
    """An observation that says nothing but which frames and neurons there are, with behavior at its training mean."""
    mean = encoder.behavior_at_rest
    return Observation(
        response=torch.zeros(frames, encoder.neurons),
        behavior=mean.detach().cpu().expand(frames, -1),
        behavior_channels=tuple(f"channel {i}" for i in range(len(mean))),
        frame_rate_hz=encoder.frame_rate_hz,
        frame_size=encoder.frame_size,
        heard=torch.ones(encoder.neurons, dtype=torch.bool),
    )


def fisher_probes(
    encoder: Encoder, likelihood: Likelihood, prior: Prior, *, frames: int, probes: int, seed: Seed
) -> Float[Tensor, "probe time height width"]:
    """Random vectors whose mean square is the diagonal of the pixel-space Fisher information ``J^T W J``.

    Linearised at typical movies, a fresh one per probe, with random signs over frames and neurons (Hutchinson 1989;
    Bekas et al. 2007, Appl Numer Math 57:1214). Typical are draws from the prior; where its coordinates are not
    whitened, so that a draw is costly (`Smooth`) or like no movie (`Flat`), and the encoder knows its training clips,
    draws from the spectral prior of those.
    """
    statistics = encoder.movie_statistics
    typical = Spectral.of(statistics) if statistics is not None and not prior.whitened else prior
    observation = typical_observation(encoder, frames)
    problem = Problem(encoder, likelihood, prior, observation)
    pulled = []
    for number in range(probes):
        own = seed / number
        movie = typical.draw(frames, encoder.frame_size, own / "movie").to(encoder.device, encoder.dtype)
        signs = torch.randint(0, 2, observation.response.shape, generator=(own / "signs").torch()) * 2.0 - 1.0
        pulled.append(problem.pull_back(movie, signs.to(movie)))
    return torch.stack(pulled)


def binned_fisher(
    encoder: Encoder, likelihood: Likelihood, prior: Prior, *, frames: int, probes: int = 4, bins: int = 15, seed: Seed
) -> Float[Tensor, "time height width"]:
    """Diagonal of the whitened Fisher information, averaged in bins of temporal and spatial frequency.

    The preconditioner of the descent is ``1 / (1 + this)``.
    """
    pulled = fisher_probes(encoder, likelihood, prior, frames=frames, probes=probes, seed=seed)
    square = torch.stack([prior.whiten(gradient) ** 2 for gradient in pulled]).mean(0)
    temporal, spatial = frequency_bins((frames, *encoder.frame_size), bins)
    index = (temporal[:, None, None] * bins + spatial[None]).flatten().to(square.device)
    total = torch.zeros(bins * bins, device=square.device, dtype=square.dtype).index_add_(0, index, square.flatten())
    count = torch.bincount(index, minlength=bins * bins).clamp_min(1)
    return (total / count)[index].reshape(square.shape)


def population_mask(
    encoder: Encoder, likelihood: Likelihood, prior: Prior, *, frames: int = 60, probes: int = 16, seed: Seed
) -> Mask:
    """Where the population can see, 0..1, from the encoder's own sensitivity.

    The square root of the Fisher information about each pixel (change of the population's response in units of its
    noise, per unit of luminance), summed over frames, blurred by one pixel and divided by its 95th percentile over the
    pixels above half of the maximum, so that a population that sees a small part of the screen is not penalised.
    """
    frames = max(frames, 2 * encoder.memory)
    pulled = fisher_probes(encoder, likelihood, prior, frames=frames, probes=probes, seed=seed)
    sensitivity = _blur((pulled**2).mean(0).mean(0).sqrt())
    peak = sensitivity[sensitivity >= 0.5 * sensitivity.max()].quantile(0.95)
    if float(peak) <= 0:
        return torch.zeros_like(sensitivity)
    return (sensitivity / peak).clamp(0, 1)


def _blur(picture: Tensor) -> Tensor:
    tap = torch.exp(-0.5 * torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], device=picture.device, dtype=picture.dtype) ** 2)
    kernel = torch.outer(tap, tap) / tap.sum() ** 2
    padded = functional.pad(
        picture[None, None], (2, 2, 2, 2), mode="replicate" if min(picture.shape) > 2 else "constant"
    )
    return functional.conv2d(padded, kernel[None, None])[0, 0]


def muted(observation: Observation) -> Observation:
    """The observation with no neuron heard; what an inverter then returns is its prior speaking."""
    return replace(observation, heard=torch.zeros_like(observation.heard))
