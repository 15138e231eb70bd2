"""`information`: the most probable movie, with how much of it is data."""

from __future__ import annotations

import time

import torch

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.identifiability.measure import measure_information
from cinecortex.identifiability.share import DataShare, data_share
from cinecortex.information import Information
from cinecortex.inversion.likelihoods import Likelihood
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Prior, Spectral, Whitened
from cinecortex.inversion.problem import BehaviorGiven
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

ITERATIONS, TOLERANCE = 12, 3e-3
"""Of conjugate gradients, for draws."""
CHAIN = 2
"""Draws one after another, each from the curvature around the one before; the first from that around the movie."""


class Identified:
    """The answer of `MAP` with ``information``, ``data_share`` and ``std``: what the neurons say about this clip.

    Rates are taken as linear around a movie. Around the most probable one they would be wrong in one direction: it
    lacks the contrast that the responses leave open, a population seems the more sensitive the less contrast there is
    (Poisson noise is small where rates are, and divisive normalisation lets go), and the information comes out several
    times too high. The movie is therefore a draw from the posterior: the most probable movie with all that is left
    open filled in as the prior has it. Its contrast is right by construction, wherever that of the prior is, and no
    truth goes into it. The first draw comes from the curvature at the most probable movie and a second one from the
    curvature at the first; what is measured is measured around the second. docs/results/information.md has what the
    choice is worth.

    Of an `Ensemble` the mean rate is what `MAP` inverts, and it is the mean rate whose information is measured: the
    posterior is the one that the movie is the mode of.

    Args:
        encoder: Forward model of the population, or an ensemble.
        likelihood: How responses scatter; by default as the encoder's observation model says.
        prior: The spectral prior; by default that of the encoder's training clips.
        probes: Random vectors for bits, dimensions and bands.
        steps: Of Lanczos for each.
        draws: Made-up inferences for the data share of pixels.
        evaluations: See `MAP`.
        tolerance_nats: See `MAP`.
        mask: See `MAP`.
        behavior: See `MAP`.

    Raises:
        WrongUse: the prior is another than the spectral one.
    """

    name = "information"

    def __init__(
        self,
        *,
        encoder: Encoder,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
        probes: int = 4,
        steps: int = 30,
        draws: int = 16,
        evaluations: int = 100,
        tolerance_nats: float = 0.5,
        mask: Mask | None = None,
        behavior: BehaviorGiven = "recorded",
    ) -> None:
        self._map = MAP(
            encoder=encoder,
            likelihood=likelihood,
            prior=prior,
            evaluations=evaluations,
            tolerance_nats=tolerance_nats,
            mask=mask,
            behavior=behavior,
        )
        if not isinstance(self._map.prior, Spectral):
            raise WrongUse("how much of a pixel is data can be told under the spectral prior only.")
        self.probes, self.steps, self.draws = probes, steps, draws

    @property
    def mask(self) -> Mask:
        """Where the population can see."""
        return self._map.mask

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial, and measure how much of it is data.

        Raises:
            WrongUse: the observation does not fit the encoder.
            OutOfMemory: not even a stretch of the clip fits into memory.
        """
        began = time.perf_counter()
        best = self._map.most_probable(observation, seed)
        at_draw, passes = self._around_a_draw(observation, best.position, seed)
        information = measure_information(at_draw, probes=self.probes, steps=self.steps, seed=seed / "information")
        share = self._share(at_draw, observation.frames, seed)
        how = "" if at_draw.forward_mode else ", derivatives by central differences"
        return Reconstruction(
            movie=self._map.prior.movie(best.position).clamp(0, 1).cpu(),
            ended=f"{best.ended}; measured around a posterior draw: {_words(information, share)}{how}",
            mask=self.mask.cpu(),
            energy=best.energy,
            frame_passes=best.frame_passes + passes + observation.frames * (2 * at_draw.applied + self.draws),
            seconds=time.perf_counter() - began,
            std=share.posterior_variance.sqrt(),
            data_share=share.movie,
            information=information,
        )

    def around_a_draw(self, observation: Observation, seed: Seed) -> Linearised:
        """The posterior, rates taken as linear around a draw from it: where `information` is measured.

        Raises:
            WrongUse: the observation does not fit the encoder.
            OutOfMemory: not even a stretch of the clip fits into memory.
        """
        return self._around_a_draw(observation, self._map.most_probable(observation, seed).position, seed)[0]

    def _around_a_draw(self, observation: Observation, z: Whitened, seed: Seed) -> tuple[Linearised, int]:
        applied, around = 0, self._around(observation, z)
        for number in range(CHAIN):
            own = seed / "draw" / number
            noise = torch.randn(1, *z.shape, generator=(own / "prior").torch(), dtype=z.dtype).to(z.device)
            solved = around.solve(
                noise + around.pulled_back(around.curvature.draw(1, own / "data")),
                preconditioner=self._map.inverse_hessian(observation.frames),
                iterations=ITERATIONS,
                tolerance=TOLERANCE,
            )
            applied += around.applied
            around = self._around(observation, z + solved.vectors[0])
        return around, observation.frames * (2 * applied + CHAIN)

    def _around(self, observation: Observation, z: Whitened) -> Linearised:
        inverter = self._map
        return Linearised(
            inverter.encoder, inverter.likelihood, inverter.prior, observation, z, behavior=inverter.behavior
        )

    def _share(self, around: Linearised, frames: int, seed: Seed) -> DataShare:
        return data_share(
            around,
            draws=self.draws,
            preconditioner=self._map.inverse_hessian(frames),
            iterations=ITERATIONS,
            tolerance=TOLERANCE,
            seed=seed / "data share",
        )


def _words(information: Information, share: DataShare) -> str:
    whole = share.within()
    return (
        f"{information.bits:.0f} bits +- {information.bits_error:.0f} from {information.probes} probes, data share "
        f"{whole.value:.3f} +- {whole.error:.3f} from {len(share.taken)} made-up inferences"
    )
