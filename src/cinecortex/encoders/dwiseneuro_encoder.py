"""DwiseNeuro bound to one session: an encoder of whole clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_fold import fold_core, fold_cortex
from cinecortex.encoders.dwiseneuro_folded import folds
from cinecortex.encoders.windows import Sliding
from cinecortex.errors import WrongUse
from cinecortex.tensors import Behaviors, Movies, Rates

INPUT_BEHAVIORS = ("pupil dilation", "running speed", "gaze x", "gaze y")
"""The network's behavior channels, in its order."""

_WHITE = 255.0
# Inner features of the first block, in numbers: beyond this many, more windows at once no longer help a processor.
_NUMBERS_AT_ONCE = 1 << 24
_WINDOWS_AT_ONCE_CUDA = 16
_WINDOWS_READ_AT_ONCE = 32


class DwiseNeuroEncoder(Encoder):
    """One animal's part of a `DwiseNeuroNetwork`; the encoders of several animals share the network.

    A movie of luminance 0..1 becomes video of 0..255 in the middle of a frame of zeros (an odd pixel more goes below
    and to the right). Windows of 16 alternate frames are predicted at every place of the clip, and a frame's rate is
    the mean over the windows that hold it (`Sliding`).

    The network is not causal: within a window every frame acts on every rate. The rate of frame ``t`` therefore rests
    on every second frame of ``t - 30 .. t + 30``, as far as the clip goes. ``memory`` counts those up to ``t``, 31, so
    that the first 30 rates, which fewer windows hold, are left out of fits and scores. Frames before the start or after
    the end of a clip are never made up, and a clip must have at least 32 frames.

    In evaluation the folded form of the network is used (see `dwiseneuro_folded`): the same numbers to rounding, much
    faster, with a gradient for the movie only. In training, with ``folded=False``, or where a gradient of the behavior
    is asked for, it is the network itself, with gradients for everything.

    Args:
        network: The network, of which this encoder holds a reference.
        index: Which of its animals.
        frame_size: Height and width of the movies, no larger than ``padded_size``.
        frame_rate_hz: Frames per second; the published weights expect 30.
        behavior_channels: Names of the behavior channels handed in. Those the network knows are found by name, others
            are ignored, and those it misses are filled in from ``behavior_mean``.
        padded_size: Height and width of the network's input.
        window_frames, window_step: Frames of a window and the distance between them.
        windows_at_once: Windows predicted together; None for a number that suits the machine.
        folded: Use the folded form in evaluation.
    """

    kind = "dwiseneuro"
    behavior_mean: Tensor
    """Typical behavior in the order of the network's channels, in raw units. Zero until a fit measures it: the
    published checkpoints do not say it."""

    def __init__(
        self,
        network: DwiseNeuroNetwork,
        index: int,
        *,
        frame_size: tuple[int, int] = (36, 64),
        frame_rate_hz: float = 30.0,
        behavior_channels: Sequence[str] = INPUT_BEHAVIORS,
        padded_size: tuple[int, int] = (64, 64),
        window_frames: int = 16,
        window_step: int = 2,
        windows_at_once: int | None = None,
        folded: bool = True,
    ) -> None:
        super().__init__()
        if frame_size[0] > padded_size[0] or frame_size[1] > padded_size[1]:
            raise WrongUse(
                f"movies of {frame_size[0]}x{frame_size[1]} px do not fit into the {padded_size[0]}x{padded_size[1]} "
                "px that the network sees; make them smaller first."
            )
        if network.settings["in_channels"] != 1 + len(INPUT_BEHAVIORS):
            raise WrongUse(
                f"the network takes {network.settings['in_channels']} channels; an encoder needs one of "
                f"{1 + len(INPUT_BEHAVIORS)}: video, {', '.join(INPUT_BEHAVIORS)}."
            )
        self.network, self.index = network, index
        self.frame_size, self.frame_rate_hz, self.padded_size = frame_size, frame_rate_hz, padded_size
        self.behavior_channels = tuple(behavior_channels)
        self.settings: dict[str, Any] = {
            "network": network.settings,
            "index": index,
            "frame_size": list(frame_size),
            "frame_rate_hz": frame_rate_hz,
            "behavior_channels": list(behavior_channels),
            "padded_size": list(padded_size),
            "window_frames": window_frames,
            "window_step": window_step,
        }
        self.windows = Sliding(window_frames, window_step)
        self.memory = self.windows.reach
        self.windows_at_once, self.folded = windows_at_once, folded
        top, left = ((whole - part) // 2 for whole, part in zip(padded_size, frame_size, strict=True))
        self.place = slice(top, top + frame_size[0]), slice(left, left + frame_size[1])
        self.register_buffer("behavior_mean", torch.zeros(len(INPUT_BEHAVIORS)))

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return int(self.network.settings["readout_outputs"][self.index])

    @property
    def behavior_at_rest(self) -> Float[Tensor, " channel"]:
        """Typical behavior, for the channels handed in; zero for those the network does not know."""
        known = dict(zip(INPUT_BEHAVIORS, self.behavior_mean, strict=True))
        zero = self.behavior_mean.new_zeros(())
        values = [known.get(name, zero) for name in self.behavior_channels]
        return torch.stack(values) if values else self.behavior_mean.new_zeros(0)

    def network_behaviors(self, behaviors: Behaviors) -> Float[Tensor, "batch time 4"]:
        """The network's four channels, in its order: those handed in, and the mean of those that were not."""
        columns = []
        for number, name in enumerate(INPUT_BEHAVIORS):
            if name in self.behavior_channels:
                columns.append(behaviors[..., self.behavior_channels.index(name)])
            else:
                columns.append(self.behavior_mean[number].to(behaviors).expand(behaviors.shape[:2]))
        return torch.stack(columns, -1)

    def network_inputs(
        self, videos: Float[Tensor, "window time height width"], behaviors: Float[Tensor, "window time 4"]
    ) -> Float[Tensor, "window 5 time _ _"]:
        """What the network takes: padded video and behavior of some windows, in raw units, as five channels."""
        rows, columns = self.place
        height, width = self.padded_size
        beside = (columns.start, width - columns.stop, rows.start, height - rows.stop)
        everywhere = behaviors.transpose(1, 2)[..., None, None].expand(-1, -1, -1, height, width)
        return torch.cat([functional.pad(videos, beside)[:, None], everywhere], 1)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses on every frame, in the unit of the recording.

        Raises:
            WrongUse: the movies have fewer frames than reach every frame with a window, 32 as published.
        """
        videos, channels = movies * _WHITE, self.network_behaviors(behaviors)
        # The folded form writes into memory of one number format, so the plain one serves mixed precision.
        mixed = torch.is_autocast_enabled(movies.device.type)
        folded = self.folded and not self.training and not channels.requires_grad and not mixed
        if folded and folds(self.network, self.padded_size):
            return self._folded(videos, channels)
        windows = Sliding(self.windows.frames, self.windows.step, self._at_once())
        return windows(self._plain, videos, channels)

    def _plain(self, videos: Tensor, behaviors: Tensor) -> Tensor:
        rates: Tensor = self.network(self.network_inputs(videos, behaviors), self.index)
        return rates.transpose(1, 2)

    def _folded(self, videos: Tensor, behaviors: Tensor) -> Tensor:
        core = fold_core(self.network, frames=self.windows.frames, size=self.padded_size, place=self.place)
        cortex = fold_cortex(self.network, self.index)
        at_once = self._at_once()

        def predict(windows: Tensor, moods: Tensor) -> Tensor:
            parts = zip(torch.split(windows, at_once), torch.split(moods, at_once), strict=True)
            averages = torch.cat([core(v.transpose(0, 1), m.transpose(0, 1)) for v, m in parts], 1).transpose(0, 1)
            if torch.is_grad_enabled():
                rates: Tensor = checkpoint(cortex, averages, use_reentrant=False)
                return rates
            return cortex(averages)

        together = max(_WINDOWS_READ_AT_ONCE, at_once)
        return Sliding(self.windows.frames, self.windows.step, together, checkpointed=False)(predict, videos, behaviors)

    def _at_once(self) -> int:
        if self.windows_at_once is not None:
            return self.windows_at_once
        if self.device.type == "cuda":
            return _WINDOWS_AT_ONCE_CUDA
        settings = self.network.settings
        inside = int(settings["core_features"][0]) * int(settings["expansion_ratio"])
        return max(1, _NUMBERS_AT_ONCE // (math.prod(self.padded_size) * self.windows.frames * inside))
