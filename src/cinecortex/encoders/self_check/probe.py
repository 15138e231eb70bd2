"""The network under question, the noise movies it is shown, and how large a difference of rates counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.seeds import Seed
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.tensors import Behaviors, Movies, PerNeuron, Rates

_TOLERANCE = 1e-3
"""Share of a rate's range over the probing movies below which a change of it is taken for rounding."""


@dataclass(eq=False)
class Probe:
    """An encoder and the noise it is asked about; the tolerance follows from its first answer."""

    encoder: Encoder
    movies: Movies
    behaviors: Behaviors
    tolerance: PerNeuron
    seed: Seed

    @staticmethod
    def draw(encoder: Encoder, seed: Seed) -> Probe:
        """Movies twice as long as the memory and more; no two of their axes are of one length with the neurons."""
        batch = 3 if encoder.neurons != 3 else 4
        frames = 2 * encoder.memory + 32
        frames += 1 if frames in (batch, encoder.neurons) else 0
        movies = torch.stack([_noise(encoder, frames, seed / number) for number in range(batch)])
        rest = encoder.behavior_at_rest.detach().to(encoder.device, encoder.dtype)
        wander = torch.randn(batch, frames, len(rest), generator=(seed / "behavior").torch()).to(rest)
        behaviors = rest + 0.1 * (1 + rest.abs()) * wander
        return Probe(encoder, movies, behaviors, torch.zeros(encoder.neurons), seed)

    @property
    def frames(self) -> int:
        """Length of the movies."""
        return self.movies.shape[1]

    @property
    def other(self) -> Movies:
        """The same movies in another order: a change of every frame as large as movies differ."""
        return self.movies.roll(1, 0)

    @torch.no_grad()
    def rates(self, movies: Movies, behaviors: Behaviors | None = None) -> Rates:
        """Rates without a graph; with the behavior of the probe where none is given."""
        rates: Rates = self.encoder(movies, self.behaviors if behaviors is None else behaviors)
        return rates

    def differs(self, one: Tensor, other: Tensor) -> bool:
        """Whether any rate differs by more than rounding."""
        return bool(((one - other).abs() > self.tolerance).any())


def _noise(encoder: Encoder, frames: int, seed: Seed) -> Float[Tensor, "time height width"]:
    movie = gaussian_noise(
        seed,
        length_px=1.5,
        std=0.2,
        frames=frames,
        frame_size=encoder.frame_size,
        frame_rate_hz=encoder.frame_rate_hz,
    )
    return movie.to(encoder.device, encoder.dtype)


def tolerance_of(rates: Rates) -> PerNeuron:
    """How large a difference of each neuron's rate is taken for rounding."""
    spread = rates.amax((0, 1)) - rates.amin((0, 1))
    rounding = 30 * torch.finfo(rates.dtype).eps * rates.abs().amax((0, 1))
    # A neuron that hardly moves inherits the rounding of those around it.
    return _TOLERANCE * torch.maximum(spread, 0.01 * spread.median()) + rounding
