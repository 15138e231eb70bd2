"""A mouse made by other rules: a random convolutional network, without Gabors, simple cells or complex cells.

An encoder that shines on ``Mouse`` alone may only have learnt how ``Mouse`` is made. This one has two layers of random
heavy-tailed filters in space and time, rectification, local maxima and local divisive normalisation, and random sparse
readouts. It shares with ``Mouse`` what no encoder tries to invert: arousal, noise and the microscope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import gaze_of
from cinecortex.simulation.recorded import Recorded
from cinecortex.simulation.retina import GRAY, look
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.tensors import Behavior, Movie, PerNeuron, Response

_FIRST, _SECOND = 10, 24  # channels
_KERNEL_PX = 7
_TAPS_S = 0.3
_READ = 6  # channels that one neuron reads


@dataclass(frozen=True, eq=False)
class OtherMouse:
    """A population that reads a random network.

    Attributes:
        frame_size: Height and width of the movies it is shown.
        frame_rate_hz: Frames per second of movie, behavior and response.
        rf_center_px: Row and column that each neuron reads, ``neuron 2``.
        space: First layer's filters, ``channel 1 row column``.
        time: First layer's impulse responses, ``channel tap``, oldest tap first.
        mix: Second layer's filters, ``channel channel row column``.
        place: Each neuron's place on the second layer's grid, flattened.
        weights: What each neuron reads there, ``neuron channel``.
        threshold, gain: Of each neuron's output.
        recorded: How it is recorded.
    """

    frame_size: tuple[int, int]
    frame_rate_hz: float
    rf_center_px: Float[np.ndarray, "neuron 2"]
    space: Float[Tensor, "first 1 row column"]
    time: Float[Tensor, "first tap"]
    mix: Float[Tensor, "second first 3 3"]
    place: Tensor
    weights: Float[Tensor, "neuron second"]
    threshold: PerNeuron
    gain: PerNeuron
    recorded: Recorded

    @classmethod
    def draw(
        cls, *, neurons: int = 300, seed: Seed, frame_size: tuple[int, int] = (36, 64), frame_rate_hz: float = 30.0
    ) -> OtherMouse:
        """A network and a population of its own, drawn from ``seed``.

        Raises:
            WrongUse: no neurons, or a screen too small for the network.
        """
        if neurons < 1 or min(frame_size) < 16 or frame_rate_hz < 16:
            raise WrongUse(
                f"this mouse needs at least 1 neuron, 16x16 px and 16 Hz, not neurons={neurons}, "
                f"frame_size={frame_size}, frame_rate_hz={frame_rate_hz:g}."
            )
        generator = (seed / "network").numpy()
        rows, columns = (length // 4 for length in frame_size)
        # A rectangle over the middle of the screen: three fifths of its width and height.
        row = generator.integers(round(0.15 * rows), round(0.85 * rows), neurons)
        column = generator.integers(round(0.15 * columns), round(0.85 * columns), neurons)
        center = np.stack([4.0 * row + 1.5, 4.0 * column + 1.5], axis=1)
        raw = cls(
            frame_size=frame_size,
            frame_rate_hz=frame_rate_hz,
            rf_center_px=center,
            space=_filters(generator, (_FIRST, 1, _KERNEL_PX, _KERNEL_PX)),
            time=_impulses(generator, frame_rate_hz),
            mix=_filters(generator, (_SECOND, _FIRST, 3, 3)),
            place=torch.from_numpy(row * columns + column),
            weights=_readout(generator, neurons),
            threshold=torch.zeros(neurons),
            gain=torch.ones(neurons),
            recorded=Recorded.draw(center, seed / "recording", frame_rate_hz=frame_rate_hz),
        )
        return raw._settle(seed / "development")

    def _settle(self, seed: Seed) -> OtherMouse:
        """Thresholds at the median of natural input, mean activity in natural movies one."""
        size, rate = self.frame_size, self.frame_rate_hz
        movies = [dead_leaves(seed / i, frames=120, frame_size=size, frame_rate_hz=rate) for i in range(4)]
        read = torch.cat([self._read(movie - GRAY) for movie in movies])
        settled = replace(self, threshold=read.median(0).values)
        return replace(settled, gain=1 / (read - settled.threshold).relu().mean(0).clamp_min(1e-6))

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.rf_center_px)

    @property
    def coordinates_um(self) -> Float[np.ndarray, "neuron 3"]:
        """Position in the tissue; retinotopic."""
        return self.recorded.coordinates_um

    def rate(self, movie: Movie, behavior: Behavior) -> Response:
        """The response to be expected, without noise, ``time neuron``.

        Raises:
            WrongUse: the movie or the behavior is not one this mouse can be given.
        """
        return self.recorded.expect(self._activity(movie, behavior), behavior)

    def respond(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """One single trial, ``time neuron``; same seed, same bits.

        Raises:
            WrongUse: the movie or the behavior is not one this mouse can be given.
        """
        return self.recorded.record(self._activity(movie, behavior), behavior, seed)

    def truth(self) -> dict[str, np.ndarray]:
        """What is true of each neuron: where it reads. It has no orientation to state."""
        return {"rf_center_px": self.rf_center_px}

    def _activity(self, movie: Movie, behavior: Behavior) -> Response:
        if tuple(movie.shape[1:]) != self.frame_size or len(movie) != len(behavior) or len(movie) == 0:
            raise WrongUse(
                f"this mouse looks at movies of {self.frame_size[0]}x{self.frame_size[1]} px with a behavior for every "
                f"frame, not at a movie of {tuple(movie.shape)} with {len(behavior)} frames of behavior."
            )
        return (self._read(look(movie - GRAY, gaze_of(behavior))) - self.threshold).relu() * self.gain

    def _read(self, image: Movie) -> Response:
        """Both layers and the readout, up to the threshold."""
        first = functional.conv2d(image[:, None], self.space, stride=2, padding=_KERNEL_PX // 2)
        taps = self.time.shape[1]
        series = functional.pad(first.flatten(2).permute(2, 1, 0), (taps - 1, 0))  # place channel time
        series = functional.conv1d(series, self.time[:, None], groups=_FIRST)
        first = series.permute(2, 1, 0).reshape(first.shape).relu()
        local = functional.avg_pool2d(first.mean(1, keepdim=True), 5, stride=1, padding=2)
        second = functional.conv2d(first / (0.05 + local), self.mix, padding=1).relu()
        second = functional.max_pool2d(second, 2).flatten(2)
        return torch.einsum("tcn,nc->tn", second[:, :, self.place], self.weights)

    def __repr__(self) -> str:
        height, width = self.frame_size
        return f"OtherMouse({self.neurons} neurons, looks at {height}x{width} px at {self.frame_rate_hz:g} Hz)"


def _filters(generator: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """Heavy-tailed random filters (Student's t, three degrees of freedom), balanced, of unit norm."""
    drawn = torch.from_numpy(generator.standard_t(3, shape).astype(np.float32))
    if shape[-1] > 3:  # a little smooth, as wiring is
        drawn = functional.avg_pool2d(functional.pad(drawn, (1, 1, 1, 1)), 3, stride=1)
    drawn = drawn - 0.8 * drawn.mean(dim=(-2, -1), keepdim=True)
    norms: Tensor = drawn.flatten(1).pow(2).sum(1).sqrt()
    return drawn / norms[:, None, None, None]


def _impulses(generator: np.random.Generator, frame_rate_hz: float) -> Float[Tensor, "first tap"]:
    """Random impulse responses that rise and fade within ``_TAPS_S``, oldest tap first."""
    age_s = np.arange(round(_TAPS_S * frame_rate_hz))[::-1] / frame_rate_hz
    window = (age_s + 0.01) * np.exp(-age_s / 0.05)
    drawn = window * (1 + generator.standard_t(3, (_FIRST, len(age_s))))
    return torch.from_numpy((drawn / np.abs(drawn).sum(1, keepdims=True)).astype(np.float32))


def _readout(generator: np.random.Generator, neurons: int) -> Float[Tensor, "neuron second"]:
    """Sparse heavy-tailed weights on a few channels each, excitation outweighing inhibition."""
    weights = np.abs(generator.standard_t(3, (neurons, _SECOND))) * generator.choice([1, 1, -1], (neurons, _SECOND))
    read = generator.random((neurons, _SECOND)).argsort(1) < _READ
    return torch.from_numpy((weights * read).astype(np.float32))
