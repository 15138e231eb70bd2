"""The convolutional decoder: a small network, trained on the same trials, that refines the linear answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cinecortex.decoders.bayesian_linear import BayesianLinear
from cinecortex.decoders.energies import Described, DescribedMask, Layout
from cinecortex.decoders.lags import Lagging
from cinecortex.decoders.stored import read_decoder, write_decoder
from cinecortex.decoders.training import refuse_strangers
from cinecortex.errors import BadData
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

Inputs = Float[Tensor, "batch time channel row column"]
"""What the network sees of a stretch: the linear answer on its grid, how sure it is, and the energies."""

_LINEAR = ("image", "components", "rest", "offset", "loading", "shared", "noise", "center", "gain")


@dataclass(frozen=True)
class Shape:
    """The shape of the network.

    Attributes:
        channels: Channels of every hidden layer.
        taps: Frames that a layer mixes, centred on its own.
        blocks: How often mixing in time and convolving in space alternate.
    """

    channels: int = 24
    taps: int = 7
    blocks: int = 3


class Refiner(nn.Module):
    """What to add to the linear answer.

    Each block mixes a few frames at every place of the grid (one matrix product) and then neighbouring places (3x3
    convolutions), both as residuals; a bias for each place lets it know where on the screen it is. The last layer
    begins at zero, so that the network begins as the linear decoder.

    Args:
        layout: Grid and energies of the movies.
        shape: Shape of the network.
    """

    def __init__(self, layout: Layout, shape: Shape) -> None:
        super().__init__()
        self.layout, self.shape = layout, shape
        channels, fine = shape.channels, layout.coarse**2
        self.place = nn.Parameter(torch.zeros(channels, *layout.grid))
        self.enter = nn.Conv2d(2 * fine + layout.maps, channels, 3, padding=1)
        self.mix = nn.ModuleList(nn.Linear(shape.taps * channels, channels) for _ in range(shape.blocks))
        self.spread = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(shape.blocks))
        self.leave = nn.Conv2d(channels, fine, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch time height width"]:
        """The correction, in the unit of the first inputs."""
        batch, frames = inputs.shape[:2]
        # Channels last in memory, where both products and convolutions are fastest on a CPU.
        hidden = inputs.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        hidden = functional.silu(self.enter(hidden) + self.place)
        for mix, spread in zip(self.mix, self.spread, strict=True):
            mixed = functional.silu(mix(self._around(hidden, batch, frames)))
            hidden = hidden + mixed.reshape(batch * frames, *self.layout.grid, -1).permute(0, 3, 1, 2)
            hidden = hidden + functional.silu(spread(hidden))
        height, width = self.layout.frame_size
        fine = functional.pixel_shuffle(self.leave(hidden), self.layout.coarse)[:, 0, :height, :width]
        return fine.reshape(batch, frames, height, width)

    def _around(self, hidden: Tensor, batch: int, frames: int) -> Tensor:
        """Every frame with its neighbours in time, zeros beyond the ends, as rows of a matrix product."""
        taps = self.shape.taps
        rows = hidden.permute(0, 2, 3, 1).reshape(batch, frames, math.prod(self.layout.grid), -1)
        rows = functional.pad(rows, (0, 0, 0, 0, taps // 2, (taps - 1) // 2))
        return torch.cat([rows[:, lag : lag + frames] for lag in range(taps)], dim=-1)


@dataclass(frozen=True, eq=False)
class Scale:
    """What inputs are divided by.

    Attributes:
        movie: Standard deviation of the training movies around their mean picture.
        energy: Standard deviation of their energies.
    """

    movie: float
    energy: float


def make_inputs(
    deviation: Described, spread: DescribedMask, layout: Layout, scale: Scale
) -> Float[Tensor, "time channel row column"]:
    """What the network sees of one answer of the linear decoder.

    Args:
        deviation: Posterior mean of movie and energies, minus the training mean.
        spread: Posterior standard deviation of movie and energies, averaged over frames.
        layout: Where movie and energies lie.
        scale: What they are divided by.
    """
    fine, (height, width) = layout.coarse, layout.frame_size
    missing = (0, -width % fine, 0, -height % fine)
    pictures = [layout.picture(part)[:, None] / scale.movie for part in (deviation, spread[None])]
    mean, std = (functional.pixel_unshuffle(functional.pad(p, missing, mode="replicate"), fine) for p in pictures)
    energy = layout.energies(deviation) / scale.energy
    rows, columns = layout.grid
    energy = energy.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :rows, :columns]
    return torch.cat([mean, std.expand(len(mean), -1, -1, -1), energy], dim=1)


@dataclass(frozen=True, eq=False)
class Convolutional:
    """A linear decoder of the movie and its energies, and a network that makes a picture of both.

    The first stage is `BayesianLinear` fitted to movies that carry their local contrast energies (`Layout`): the
    response of a complex cell says how much contrast there is, not where it is light. Its posterior leaves unheard
    neurons and lost frames out exactly. The second stage is a `Refiner`; it has been trained on answers of linear
    decoders that had not seen the clip, with some neurons unheard, so it knows how far such answers can be trusted.

    Attributes:
        linear: The first stage.
        refiner: The second stage.
        scale: What its inputs are divided by.
        history: Score on the select trials before training and after every epoch.
        ended: How training ended.
    """

    linear: BayesianLinear
    refiner: Refiner
    scale: Scale
    history: tuple[float, ...]
    ended: str

    @property
    def name(self) -> str:
        """``convolutional``."""
        return "convolutional"

    @property
    def image(self) -> Mask:
        """Mean training movie per pixel."""
        return self.linear.image[: self.refiner.layout.frame_size[0]]

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Decode one trial. Nothing is drawn: the seed is not used.

        Raises:
            WrongUse: the observation has another number of neurons, frame size or frame rate.
        """
        began = time.perf_counter()
        refuse_strangers(
            self.name,
            observation,
            neurons=self.linear.lagging.neurons,
            image=self.image,
            frame_rate_hz=self.linear.frame_rate_hz,
        )
        if not (observation.heard & observation.response.isfinite().any(0)).any():
            movie = self.image.expand(observation.frames, -1, -1).clone()
            return Reconstruction(movie, "nothing was heard: mean of the training movies", seconds=0.0)
        deviation, spread = linear_answer(self.linear, observation)
        movie = self.image + self.refine(deviation, spread)
        ended = f"network applied, trained until {self.ended}"
        return Reconstruction(movie.clamp(0.0, 1.0), ended, seconds=time.perf_counter() - began)

    def refine(self, deviation: Described, spread: DescribedMask) -> Movie:
        """The movie minus the training mean, from an answer of the linear stage."""
        layout = self.refiner.layout
        device = self.refiner.place.device
        with torch.no_grad():
            inputs = make_inputs(deviation, spread, layout, self.scale).to(device)
            correction: Tensor = self.refiner(inputs[None])[0].cpu()
        return layout.picture(deviation) + self.scale.movie * correction

    def save(self, folder: Path) -> None:
        """Write ``decoder.json`` and ``weights.safetensors`` into a folder, which is made when it is not there."""
        held = {**vars(self.linear), "center": self.linear.lagging.center, "gain": self.linear.lagging.gain}
        tensors = {name: held[name] for name in _LINEAR}
        tensors |= {f"refiner.{name}": tensor for name, tensor in self.refiner.state_dict().items()}
        facts = {
            "edges": list(self.linear.lagging.edges),
            "frame_rate_hz": self.linear.frame_rate_hz,
            "frame_size": list(self.refiner.layout.frame_size),
            "shape": vars(self.refiner.shape),
            "scale": vars(self.scale),
            "history": list(self.history),
            "ended": self.ended,
        }
        write_decoder(folder, kind=self.name, facts=facts, tensors=tensors)

    @staticmethod
    def load(folder: Path) -> Convolutional:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Raises:
            BadData: a file is missing, damaged, or not that of a convolutional decoder.
        """
        facts, tensors = read_decoder(folder, kind="convolutional", tensors=_LINEAR)
        try:
            return _restored(facts, tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadData(
                f"{folder}/decoder.json does not describe the weights beside it; fit the decoder again."
            ) from error


def _restored(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Convolutional:
    height, width = (int(side) for side in facts["frame_size"])
    refiner = Refiner(Layout((height, width)), Shape(**facts["shape"]))
    refiner.load_state_dict({n.removeprefix("refiner."): t for n, t in tensors.items() if n.startswith("refiner.")})
    edges = tuple(int(edge) for edge in facts["edges"])
    lagging = Lagging(edges=edges, center=tensors["center"], gain=tensors["gain"])
    own: dict[str, Any] = {name: tensors[name] for name in _LINEAR if name not in ("center", "gain")}
    linear = BayesianLinear(**own, lagging=lagging, frame_rate_hz=float(facts["frame_rate_hz"]))
    if linear.loading.shape != (lagging.features, len(linear.components)):
        raise ValueError("the loadings do not fit the lags")
    return Convolutional(
        linear=linear,
        refiner=refiner.eval().requires_grad_(False),
        scale=Scale(**facts["scale"]),
        history=tuple(float(score) for score in facts["history"]),
        ended=str(facts["ended"]),
    )


def linear_answer(linear: BayesianLinear, observation: Observation) -> tuple[Described, DescribedMask]:
    """Posterior mean of movie and energies minus the training mean, and standard deviation averaged over frames."""
    size = (linear.image.shape[0], linear.image.shape[1])
    mean, std = linear.infer(replace(observation, frame_size=size))
    return mean - linear.image, std.mean(0)
