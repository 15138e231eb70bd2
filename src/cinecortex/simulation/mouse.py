"""The in-silico mouse: from a movie and a behavior to a rate, and to one noisy response after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import gaze_of
from cinecortex.simulation.cortex import Cortex
from cinecortex.simulation.recorded import Recorded
from cinecortex.simulation.retina import Thalamus
from cinecortex.simulation.tuning import Tuning, linear_tuning
from cinecortex.simulation.wiring import Plan
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.tensors import Behavior, Movie, Response


@dataclass(frozen=True, eq=False)
class Mouse:
    """A population of simple and complex cells of V1 under a two-photon microscope.

    Attributes:
        frame_size: Height and width of the movies it is shown.
        frame_rate_hz: Frames per second of movie, behavior and response.
        rf_center_px: Row and column of each receptive field when the gaze is centred, ``neuron 2``.
        is_complex: Which neurons are complex cells.
        tuning: What each neuron prefers.
        thalamus, cortex, recorded: The stages.
    """

    frame_size: tuple[int, int]
    frame_rate_hz: float
    rf_center_px: Float[np.ndarray, "neuron 2"]
    is_complex: np.ndarray
    tuning: Tuning
    thalamus: Thalamus
    cortex: Cortex
    recorded: Recorded

    @classmethod
    def draw(
        cls, *, neurons: int = 1000, seed: Seed, frame_size: tuple[int, int] = (36, 64), frame_rate_hz: float = 30.0
    ) -> Mouse:
        """A mouse of its own: every receptive field, gain and noise loading is drawn from ``seed``.

        Args:
            neurons: Number of neurons; half simple, half complex.
            seed: Same seed, same bits.
            frame_size: Height and width of the movies it will be shown, at least 8 px each.
            frame_rate_hz: Their frames per second, at least 16.

        Raises:
            WrongUse: no neurons, or a screen or frame rate too small to simulate.
        """
        if neurons < 1 or min(frame_size) < 8 or frame_rate_hz < 16:
            raise WrongUse(
                f"a mouse needs at least 1 neuron, 8x8 px and 16 Hz, not neurons={neurons}, frame_size={frame_size}, "
                f"frame_rate_hz={frame_rate_hz:g}."
            )
        thalamus = Thalamus.build(frame_size, frame_rate_hz)
        plan = Plan.draw(neurons, (seed / "plan").numpy(), frame_size)
        movies = [
            dead_leaves(seed / "development" / clip, frames=200, frame_size=frame_size, frame_rate_hz=frame_rate_hz)
            for clip in range(4)
        ]
        natural = torch.cat([thalamus(movie, torch.zeros(len(movie), 2)) for movie in movies])
        cortex = Cortex.build(
            plan, (seed / "wiring").numpy(), thalamus, natural, frame_size=frame_size, frame_rate_hz=frame_rate_hz
        )
        return cls(
            frame_size=frame_size,
            frame_rate_hz=frame_rate_hz,
            rf_center_px=plan.centre_px,
            is_complex=np.arange(neurons) >= plan.simple,
            tuning=linear_tuning(cortex, thalamus, frame_rate_hz),
            thalamus=thalamus,
            cortex=cortex,
            recorded=Recorded.draw(plan.centre_px, seed / "recording", frame_rate_hz=frame_rate_hz),
        )

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.rf_center_px)

    @property
    def coordinates_um(self) -> Float[np.ndarray, "neuron 3"]:
        """Position in the tissue; retinotopic."""
        return self.recorded.coordinates_um

    def rate(self, movie: Movie, behavior: Behavior) -> Response:
        """The response to be expected, without noise: over spikes, shared noise and scans, ``time neuron``.

        Its correlation with ``respond`` is the ceiling that any model of this mouse can reach on single trials.

        Raises:
            WrongUse: the movie or the behavior is not one this mouse can be given.
        """
        return self.recorded.expect(self._activity(movie, behavior), behavior)

    def respond(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """One single trial: non-negative deconvolved activity, ``time neuron``; same seed, same bits.

        Raises:
            WrongUse: the movie or the behavior is not one this mouse can be given.
        """
        return self.recorded.record(self._activity(movie, behavior), behavior, seed)

    def _activity(self, movie: Movie, behavior: Behavior) -> Response:
        if tuple(movie.shape[1:]) != self.frame_size or len(movie) != len(behavior) or len(movie) == 0:
            raise WrongUse(
                f"this mouse looks at movies of {self.frame_size[0]}x{self.frame_size[1]} px with a behavior for every "
                f"frame, not at a movie of {tuple(movie.shape)} with {len(behavior)} frames of behavior."
            )
        return self.cortex(self.thalamus(movie, gaze_of(behavior)))

    def truth(self) -> dict[str, np.ndarray]:
        """What is true of each neuron, as ``write_session`` stores it: name and array, first axis neurons."""
        return {
            "rf_center_px": self.rf_center_px,
            "orientation_deg": self.tuning.orientation_deg.numpy(),
            "direction_deg": self.tuning.direction_deg.numpy(),
            "spatial_frequency_cycles_per_px": self.tuning.spatial_frequency_cycles_per_px.numpy(),
            "temporal_frequency_hz": self.tuning.temporal_frequency_hz.numpy(),
            "orientation_selectivity": self.tuning.orientation_selectivity.numpy(),
            "direction_selectivity": self.tuning.direction_selectivity.numpy(),
            "is_complex": self.is_complex,
        }

    def __repr__(self) -> str:
        height, width = self.frame_size
        return (
            f"Mouse({self.neurons} neurons, {int(self.is_complex.sum())} complex, looks at {height}x{width} px at "
            f"{self.frame_rate_hz:g} Hz)"
        )
