"""DwiseNeuro before it knows a recording, and the published recipe to train it.

Source: the winning solution of Sensorium 2023 (lRomul/sensorium), whose settings are the defaults here; what differs
is said beside the setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.evaluation import mean_response
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import PerNeuron

_SMALL_FRAME = 32
_PUBLISHED_INPUT = (64, 64)
_PUBLISHED_BETA = 0.07


@dataclass(frozen=True)
class DwiseNeuro:
    """DwiseNeuro, before it knows a recording.

    Attributes:
        width: Scales the features of every layer, rounded to a multiple of 8; 1 is the published size.
        core_features, spatial_strides: Features that enter each block of the core, and its stride.
        expansion_ratio: Features inside a block over features that enter it.
        cortex_features: Features of the pointwise layers after the spatial average.
        groups: Groups of the pointwise layers of cortex and readouts.
        softplus_beta: Sharpness of the softplus that makes rates positive; it has the unit of one over a response. None
            for the published 0.07 where responses are of about the size of the published recordings (a typical
            standard deviation of 1.4 to 140), otherwise one over their standard deviation.
        drop_rate, drop_path_rate: What is dropped in training.
        padded_size: Height and width of the network's input; None for the published 64 x 64, or, where no side of the
            frame is above 32 pixels, for the frame itself up to a multiple of 8.
    """

    width: float = 1.0
    core_features: tuple[int, ...] = (64, 64, 64, 64, 128, 128, 128, 256, 256)
    spatial_strides: tuple[int, ...] = (2, 1, 1, 1, 2, 1, 1, 2, 1)
    expansion_ratio: int = 6
    cortex_features: tuple[int, ...] = (1024, 2048, 4096)
    groups: int = 2
    softplus_beta: float | None = None
    drop_rate: float = 0.4
    drop_path_rate: float = 0.1
    padded_size: tuple[int, int] | None = None

    def build(self, trials: Sequence[Sequence[Trial]], seed: Seed) -> DwiseNeuroNetwork:
        """A network with a readout for each population, started at random but for the biases of the readouts.

        Those begin at the mean responses of the training trials; published weights began at zero and had to travel.
        The weights of the readouts are drawn in the unit of the response (see `response_unit`).

        Args:
            trials: Training trials of each session.
            seed: Draws the weights.
        """
        means = [mean_response(own) for own in trials]
        # Layers draw weights when they are made; these are drawn again below, and nobody else is to notice.
        with torch.random.fork_rng(devices=[]):
            network = DwiseNeuroNetwork(
                [len(mean) for mean in means],
                core_features=[self._scaled(features) for features in self.core_features],
                spatial_strides=self.spatial_strides,
                expansion_ratio=self.expansion_ratio,
                cortex_features=[self._scaled(features) for features in self.cortex_features],
                groups=self.groups,
                softplus_beta=self.softplus_beta or _sharpness(trials),
                drop_rate=self.drop_rate,
                drop_path_rate=self.drop_path_rate,
            )
        initialise(network, seed)
        for readout, mean in zip(network.readouts, means, strict=True):
            _begin_at(readout, mean, response_unit(network))
        return network

    def input_size(self, recordings: Sequence[Recording]) -> tuple[int, int]:
        """Height and width that frames are padded to, the same for all sessions."""
        if self.padded_size is not None:
            return self.padded_size
        height = max(recording.frame_size[0] for recording in recordings)
        width = max(recording.frame_size[1] for recording in recordings)
        if max(height, width) > _SMALL_FRAME:
            return max(height, _PUBLISHED_INPUT[0]), max(width, _PUBLISHED_INPUT[1])
        return math.ceil(height / 8) * 8, math.ceil(width / 8) * 8

    def _scaled(self, features: int) -> int:
        return max(8, round(self.width * features / 8) * 8)


@dataclass(frozen=True)
class Recipe:
    """How DwiseNeuro is trained.

    Attributes:
        epochs: Of which the first ``warmup_epochs`` raise the learning rate from 0; the others lower it along a cosine.
        warmup_epochs: As above.
        samples_per_epoch: Windows in an epoch, of all animals together.
        batch_size: Windows in a step, dealt evenly to the animals.
        accumulation: Into how many parts a batch is divided, one after another; batch norm sees a part.
        learning_rate: Peak. 2.4e-3 is what was published for batches of 32.
        final_fraction: The learning rate at the end, of the peak.
        weight_decay: Of AdamW.
        ema_decay: Of the moving average of the weights, which is what is scored and kept. It begins lower, at
            ``(1 + step) / (10 + step)``, so that a short training is not an average with its start.
        cutmix_probability: How often a rectangle of a window is replaced by that of another window of the same animal;
            the responses are mixed in proportion to its area.
        cutmix_alpha: The area is drawn from Beta(alpha, alpha).
        window_frames, frame_step: A window has this many frames, this far apart.
        mixed_precision: bfloat16 where it is computed fast: on an accelerator.
        select_trials: Most trials of each session to score on after an epoch; None for all.
        steps_between_saves: The state is written after this many steps and after every epoch.
        readers: Threads that read ahead.
    """

    epochs: int = 21
    warmup_epochs: int = 3
    samples_per_epoch: int = 72_000
    batch_size: int = 32
    accumulation: int = 1
    learning_rate: float = 2.4e-3
    final_fraction: float = 0.01
    weight_decay: float = 0.05
    ema_decay: float = 0.999
    cutmix_probability: float = 0.5
    cutmix_alpha: float = 1.0
    window_frames: int = 16
    frame_step: int = 2
    mixed_precision: bool = True
    select_trials: int | None = None
    steps_between_saves: int = 200
    readers: int = 2

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer in an epoch."""
        return max(1, self.samples_per_epoch // self.batch_size)

    @property
    def span(self) -> int:
        """Frames from the first to the last of a window, both counted."""
        return (self.window_frames - 1) * self.frame_step + 1

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = min(self.warmup_epochs, self.epochs - 1) * self.steps_per_epoch
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.epochs * self.steps_per_epoch - warm)
        falling = 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * (self.final_fraction + (1 - self.final_fraction) * falling)

    def ema_decay_at(self, step: int) -> float:
        """Decay of the moving average after a step, counted from 0."""
        return min(self.ema_decay, (1 + step) / (10 + step))


def initialise(network: DwiseNeuroNetwork, seed: Seed) -> None:
    """Draw the weights of all convolutions from a normal distribution that keeps the variance backwards; biases at 0.

    Source: He et al. 2015 (arXiv:1502.01852), by the number of outputs of each group.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv1d | nn.Conv3d):
            outputs = math.prod(module.kernel_size) * module.out_channels // module.groups
            drawn = torch.randn(module.weight.shape, generator=(seed / name).torch())
            with torch.no_grad():
                module.weight.copy_(drawn * math.sqrt(2 / outputs))
                if module.bias is not None:
                    module.bias.zero_()


def _sharpness(trials: Sequence[Sequence[Trial]]) -> float:
    deviations = []
    for own in trials:
        responses = [trial.response for trial in own[:8]]
        deviations.append(torch.cat([r.nan_to_num() for r in responses if r is not None]).std(0))
    typical = float(torch.cat(deviations).median())
    return _PUBLISHED_BETA if 0.1 <= _PUBLISHED_BETA * typical <= 10 or typical == 0 else 1 / typical


def response_unit(network: DwiseNeuroNetwork) -> float:
    """The unit of the responses, of that of the published recordings: what everything in a readout is proportional to.

    A softplus of sharpness ``beta / u`` at ``u`` times the drive is ``u`` times the softplus of sharpness ``beta``. A
    readout whose weights and whose learning rate are both ``u`` times as large is therefore trained, by an optimizer
    that ignores the scale of a gradient as Adam does, as the published one would be on responses divided by ``u``.
    """
    return _PUBLISHED_BETA / float(str(network.settings["softplus_beta"]))


def _begin_at(readout: nn.Module, mean: PerNeuron, unit: float) -> None:
    beta, bias = float(readout.softplus_beta), readout.layer[1].bias  # type: ignore[arg-type, index, union-attr]
    weight = readout.layer[1].weight  # type: ignore[index, union-attr]
    drive = beta * mean.clamp_min(1e-3 / beta)
    with torch.no_grad():
        weight.mul_(unit)
        bias[: len(mean)] = (drive + torch.log(-torch.expm1(-drive))) / beta  # the inverse of the softplus
