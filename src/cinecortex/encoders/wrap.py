"""Bring your own network: any differentiable torch module from movie (and behavior) to rate becomes an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cinecortex.encoders.base import Encoder, ObservationModel
from cinecortex.encoders.self_check import check_encoder, sentence_of
from cinecortex.errors import WrongUse
from cinecortex.recording import Problem
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics
from cinecortex.tensors import Behaviors, Movies

Layout = Callable[[nn.Module, Movies, Behaviors], Any]
"""How to call a network: from the module, movies ``batch time height width`` and behaviors ``batch time channel`` to
rates ``batch time neuron``. `beside` and `as_channels` are two; a network that wants another order takes a function of
a line or two."""


def beside(module: nn.Module, movies: Movies, behaviors: Behaviors) -> Any:
    """``module(movies)``, or ``module(movies, behaviors)`` where there is behavior; rates ``batch time neuron``."""
    return module(movies, behaviors) if behaviors.shape[2] else module(movies)


def as_channels(module: nn.Module, movies: Movies, behaviors: Behaviors) -> Any:
    """``module(stack)``, with ``stack`` as ``batch channel time height width``; rates ``batch time neuron``.

    The movie is the first channel; each channel of behavior is one more, alike in all pixels of a frame, as networks
    made for the Sensorium 2023 competition take it (Turishcheva et al. 2023, arXiv:2305.19654).
    """
    spread = behaviors.transpose(1, 2)[..., None, None].expand(-1, -1, -1, *movies.shape[2:])
    return module(torch.cat([movies[:, None], spread], 1))


class NotAnEncoder(WrongUse):
    """A network does not keep the promises of an encoder; the sentence is that of the first problem.

    Attributes:
        problems: All that were found.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(sentence_of(problems[0]))


class Wrapped(Encoder):
    """A torch module as an encoder; made by `wrap`, which says what the arguments mean."""

    kind = "wrapped"
    rest: Tensor

    def __init__(
        self,
        module: nn.Module,
        *,
        neurons: int,
        frame_size: tuple[int, int],
        frame_rate_hz: float,
        memory: int,
        behavior_channels: tuple[str, ...],
        behavior_at_rest: tuple[float, ...],
        causal: bool,
        luminance: tuple[float, float],
        layout: Layout,
    ) -> None:
        super().__init__()
        self.module = module
        self.frame_size, self.frame_rate_hz, self.memory, self.causal = frame_size, frame_rate_hz, memory, causal
        self.behavior_channels = behavior_channels
        self.settings = {
            "module": type(module).__qualname__,
            "neurons": neurons,
            "frame_size": list(frame_size),
            "frame_rate_hz": frame_rate_hz,
            "memory": memory,
            "behavior_channels": list(behavior_channels),
            "behavior_at_rest": list(behavior_at_rest),
            "causal": causal,
            "luminance": list(luminance),
            "layout": getattr(layout, "__qualname__", type(layout).__qualname__),
        }
        self._neurons, self._luminance, self._layout = neurons, luminance, layout
        weight = next((t for t in [*module.parameters(), *module.buffers()] if t.is_floating_point()), torch.zeros(()))
        self.register_buffer("rest", torch.tensor(behavior_at_rest).to(weight))

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self._neurons

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        """The behavior that was named as typical."""
        return self.rest

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return self.rest.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the module."""
        return self.rest.dtype

    def forward(self, movies: Movies, behaviors: Behaviors) -> Any:  # what comes back is for the self-check to judge
        """Expected responses, in the unit that the module was trained on.

        Raises:
            WrongUse: the behavior has other channels than the module was wrapped for.
        """
        if behaviors.shape[2] != len(self.behavior_channels):
            raise WrongUse(
                f"this network was wrapped for {len(self.behavior_channels)} behavior channels "
                f"({', '.join(self.behavior_channels) or 'none'}), but is given {behaviors.shape[2]}; name them in "
                "wrap(behavior_channels=...)."
            )
        black, white = self._luminance
        scaled = movies if (black, white) == (0.0, 1.0) else black + (white - black) * movies
        return self._layout(self.module, scaled, behaviors)

    def __repr__(self) -> str:
        height, width = self.frame_size
        return (
            f"Wrapped({type(self.module).__qualname__}: {self.neurons} neurons, {height}x{width} px at "
            f"{self.frame_rate_hz:g} Hz, memory {self.memory} frames{', causal' if self.causal else ''})"
        )


def wrap(
    module: nn.Module,
    *,
    neurons: int,
    frame_size: tuple[int, int],
    memory: int,
    frame_rate_hz: float = 30.0,
    behavior_channels: Sequence[str] = (),
    behavior_at_rest: Sequence[float] | None = None,
    causal: bool = False,
    luminance: tuple[float, float] = (0.0, 1.0),
    layout: Layout = beside,
    observation_model: ObservationModel | None = None,
    movie_statistics: MovieStatistics | None = None,
    check: bool = True,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
) -> Wrapped:
    """Turn a differentiable torch module from movie (and behavior) to rate into an encoder.

    The module is not copied. It is put into evaluation mode, and its weights stay yours to save: an encoder folder
    cannot hold the code of a network.

    Args:
        module: The network.
        neurons: How many neurons it predicts.
        frame_size: Height and width of the movies it takes, in pixels.
        memory: A rate depends on at most this many frames up to and including its own. For convolutions in time it is
            one more than the sum of (kernel - 1) x dilation, counting the part that looks back.
        frame_rate_hz: Frames per second of the movies it takes.
        behavior_channels: Names of the behavior channels it takes, in their order; none for a network without.
        behavior_at_rest: Typical behavior, one number per channel, in the unit it was trained on; zeros by default.
        causal: Whether it promises that no rate depends on a later frame.
        luminance: What the network calls black and white: ``(0, 1)``, ``(0, 255)``, or ``((0 - mean) / std, (255 -
            mean) / std)`` for standardised pixels.
        layout: How to call it: `beside`, `as_channels`, or a function of your own.
        observation_model: How responses scatter around the rates; `measure_observation_model` measures it.
        movie_statistics: Statistics of training clips, of which the prior is made; `measure_movies` measures them.
        check: Whether to ask the network whether it is what it claims to be (see `check_encoder`).
        seed: Where the movies of the check come from.

    Returns:
        The encoder, in evaluation mode.

    Raises:
        NotAnEncoder: the check found something.
        WrongUse: the arguments contradict each other.
    """
    channels = tuple(behavior_channels)
    rest = tuple(float(v) for v in behavior_at_rest) if behavior_at_rest is not None else (0.0,) * len(channels)
    if len(rest) != len(channels):
        raise WrongUse(
            f"behavior_at_rest has {len(rest)} numbers for {len(channels)} behavior channels; give one for each."
        )
    if min(neurons, memory, *frame_size) < 1 or not frame_rate_hz > 0:
        raise WrongUse(
            f"an encoder has a neuron, a pixel, a frame of memory and a frame rate, not neurons={neurons}, frame_size="
            f"{frame_size}, memory={memory}, frame_rate_hz={frame_rate_hz:g}."
        )
    if luminance[0] == luminance[1]:
        raise WrongUse(f"luminance={luminance} makes black and white alike; give what the network calls each of them.")
    encoder = Wrapped(
        module,
        neurons=neurons,
        frame_size=frame_size,
        frame_rate_hz=frame_rate_hz,
        memory=memory,
        behavior_channels=channels,
        behavior_at_rest=rest,
        causal=causal,
        luminance=luminance,
        layout=layout,
    ).eval()
    encoder.observation_model, encoder.movie_statistics = observation_model, movie_statistics
    if check:
        found = check_encoder(encoder, seed=seed)
        if found:
            raise NotAnEncoder(found)
    return encoder
