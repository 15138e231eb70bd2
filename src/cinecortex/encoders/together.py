"""Training one DwiseNeuro on several animals at once; it can be killed after any step and goes on to the same weights.

Nothing random has a memory: which windows a step sees and what is dropped in it are functions of the seed and the
step's number, so the state is weights, their average, the moments of the optimizer, and a number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn

from cinecortex.data import Split
from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import INPUT_BEHAVIORS, DwiseNeuroEncoder
from cinecortex.encoders.dwiseneuro_layers import Readout
from cinecortex.encoders.fit import Fitted, correlations
from cinecortex.encoders.recipe import DwiseNeuro, Recipe, response_unit
from cinecortex.encoders.sampling import Part, Windows
from cinecortex.encoders.unfinished import (
    load_state,
    moments_of,
    prefixed,
    restore_moments,
    save_state,
    state_exists,
    under,
    weights_of,
)
from cinecortex.errors import BadData
from cinecortex.recording import Recording
from cinecortex.seeds import Seed

Progress = Callable[[int, int, str], None]


def fit_together(
    recordings: Sequence[Recording],
    parts: Mapping[str, Split],
    architecture: DwiseNeuro,
    recipe: Recipe,
    seed: Seed,
    *,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, tuple[DwiseNeuroEncoder, Fitted]]:
    """Train a network on all sessions; keep the average weights of the epoch that scores best on the select trials.

    Args:
        recordings: The sessions.
        parts: What each is trained and selected on, by ``session_id``.
        architecture: The network.
        recipe: How to train it.
        seed: Draws weights, windows and what is dropped.
        state: Folder for the state of an unfinished training.
        resume: Go on from ``state`` where it exists.
        progress: Told after every epoch.

    Returns:
        The encoder of each session, all of one network, and how the training went.

    Raises:
        BadData: a session has no trial as long as a window, or the loss became infinite.
    """
    training = Training(recordings, parts, architecture, recipe, seed)
    if resume and state is not None and state_exists(state):
        training.load(state)
    while training.step < training.steps:
        epoch = training.step // recipe.steps_per_epoch
        training.run(min((epoch + 1) * recipe.steps_per_epoch, training.steps), state)
        training.finish_epoch(epoch + 1)
        training.save(state)
        if progress is not None:
            row = training.history[-1]
            message = f"loss {row['loss']:.4g}, select correlation {row['select']:.3f}"
            progress(epoch + 1, recipe.epochs, message)
    training.average.load_state_dict(training.best)
    best = max(training.history, key=lambda row: row["select"])
    ended = f"all {recipe.epochs} epochs were run; the weights are the average after epoch {best['epoch']}"
    fitted = Fitted(tuple(training.history), ended)
    return {encoder_id: (encoder, fitted) for encoder_id, encoder in training.encoders.items()}


class _ByAnimal(nn.Module):
    """The network as it is trained: one pass for the windows of all animals, each read out by its own readout."""

    def __init__(self, network: DwiseNeuroNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor, counts: tuple[int, ...]) -> list[Tensor]:
        """Rates of each animal, ``window neuron time``; an animal without windows has none."""
        features = torch.split(self.network.shared(inputs), list(counts))
        return [
            readout(own) if len(own) else own.new_empty(0, cast(Readout, readout).neurons, own.shape[2])
            for readout, own in zip(self.network.readouts, features, strict=True)
        ]


@dataclass(eq=False)
class _Running:
    """What is summed over the steps of an epoch; it is part of the state."""

    loss: float = 0.0
    steps: int = 0


@dataclass(eq=False)
class Training:
    """The state of a training and all that it is made with."""

    recordings: Sequence[Recording]
    parts: Mapping[str, Split]
    architecture: DwiseNeuro
    recipe: Recipe
    seed: Seed
    step: int = 0
    history: list[dict[str, float | int]] = field(default_factory=list)
    running: _Running = field(default_factory=_Running)

    def __post_init__(self) -> None:
        own = [self.parts[recording.session_id] for recording in self.recordings]
        # Several processes see windows without one animal or another, whose readout then has no gradient there.
        self.accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
        self.network = self.architecture.build([part.train for part in own], self.seed / "weights")
        self.average = self.architecture.build([part.train for part in own], self.seed / "weights")
        self.average.to(self.accelerator.device)
        size = self.architecture.input_size(self.recordings)
        self.encoders = {
            recording.session_id: self._bound(index, recording, size) for index, recording in enumerate(self.recordings)
        }
        self.best = weights_of(self.average)
        self.windows = Windows(
            list(self.encoders.values()), [part.train for part in own], self.recipe, self.seed / "windows"
        )
        unit, decay = response_unit(self.network), self.recipe.weight_decay
        shared = [p for name, p in self.network.named_parameters() if not name.startswith("readouts.")]
        groups = [
            {"params": shared, "unit": 1.0, "weight_decay": decay},
            # AdamW decays by the product of learning rate and weight decay; it is to be the same everywhere.
            {"params": list(self.network.readouts.parameters()), "unit": unit, "weight_decay": decay / unit},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate)
        self.trained, self.optimizer = self.accelerator.prepare(_ByAnimal(self.network), optimizer)

    def _bound(self, index: int, recording: Recording, size: tuple[int, int]) -> DwiseNeuroEncoder:
        encoder = DwiseNeuroEncoder(
            self.average,
            index,
            frame_size=recording.frame_size,
            frame_rate_hz=recording.frame_rate_hz,
            behavior_channels=recording.behavior_channels,
            padded_size=size,
            window_frames=self.recipe.window_frames,
            window_step=self.recipe.frame_step,
        )
        # A channel that this animal lacks stays at zero.
        for number, name in enumerate(recording.behavior_channels):
            if name in INPUT_BEHAVIORS:
                trials = self.parts[recording.session_id].train
                mean = torch.stack([trial.behavior[:, number].mean() for trial in trials]).mean()
                encoder.behavior_mean[INPUT_BEHAVIORS.index(name)] = mean
        return encoder.eval()

    @property
    def steps(self) -> int:
        """Steps of the optimizer in the whole training."""
        return self.recipe.epochs * self.recipe.steps_per_epoch

    def run(self, until: int, state: Path | None) -> None:
        """Steps of the optimizer up to a number of them; the state is written now and then."""
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        self.trained.train()
        for step, parts in self.windows.ahead(range(self.step, until), share=slice(rank, None, processes)):
            self.running.loss += self.descend(step, parts)
            self.running.steps += 1
            self.step = step + 1
            if self.step % self.recipe.steps_between_saves == 0 and self.step < until:
                self.save(state)

    def descend(self, step: int, parts: Sequence[Part]) -> float:
        """One step of the optimizer on the parts of a batch; the loss per window."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["unit"] * self.recipe.learning_rate_at(step)
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        windows = sum(len(part.inputs) for part in parts)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            together: AbstractContextManager[Any] = nullcontext() if last else self.accelerator.no_sync(self.trained)
            with together, _noise(self.seed / "noise" / step / number / self.accelerator.process_index):
                loss = self._loss(part) / windows
                self.accelerator.backward(loss)
            total += float(loss.detach())
        self.optimizer.step()
        _follow(self.average, self.network, self.recipe.ema_decay_at(step))
        if not math.isfinite(total):
            raise BadData("the loss became infinite or not a number; look at the responses with `cinecortex inspect`.")
        return total

    def _loss(self, part: Part) -> Tensor:
        """Poisson negative log-likelihood without its constant term, summed over windows, neurons and frames."""
        device = self.accelerator.device
        precise = not self.recipe.mixed_precision or device.type == "cpu"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=not precise):
            rates = self.trained(part.inputs.to(device, non_blocking=True), part.counts)
        total = torch.zeros((), device=device)
        for rate, recorded in zip(rates, part.responses, strict=True):
            response = recorded.to(device, non_blocking=True)
            known = torch.isfinite(response)
            terms = rate.float() - response.nan_to_num() * torch.log(rate.float() + 1e-8)
            total = total + torch.where(known, terms, 0.0).sum()
        return total

    def finish_epoch(self, epoch: int) -> None:
        """Score the average weights on the select trials and keep the best."""
        scores = {}
        for recording in self.recordings:
            trials = self.parts[recording.session_id].select[: self.recipe.select_trials]
            score = correlations(self.encoders[recording.session_id], trials).nanmean()
            scores[f"select {recording.session_id}"] = float(score)
        mean = sum(scores.values()) / len(scores)
        if all(mean > row["select"] for row in self.history):
            self.best = weights_of(self.average)
        loss = self.running.loss / max(1, self.running.steps)
        rate = self.recipe.learning_rate_at(max(0, self.step - 1))
        self.history.append({"epoch": epoch, "loss": loss, "select": mean, **scores, "learning_rate": rate})
        self.running = _Running()

    def save(self, folder: Path | None) -> None:
        """Write all of the state."""
        if folder is None or not self.accelerator.is_main_process:
            return
        tensors = prefixed("now.", weights_of(self.network)) | prefixed("average.", weights_of(self.average))
        tensors |= prefixed("best.", self.best) | prefixed("adam.", moments_of(self.optimizer))
        content = {
            "step": self.step,
            "history": self.history,
            "running": asdict(self.running),
            "recipe": asdict(self.recipe),
        }
        save_state(folder, f"step{self.step}", tensors, content)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            BadData: it was written by a training with another recipe, or is damaged.
        """
        content, tensors = load_state(folder)
        if content["recipe"] != json.loads(json.dumps(asdict(self.recipe))):
            raise BadData(f"{folder} was written by a training with another recipe; leave out --resume.")
        self.network.load_state_dict(under(tensors, "now."))
        self.average.load_state_dict(under(tensors, "average."))
        self.best = under(tensors, "best.")
        restore_moments(self.optimizer, under(tensors, "adam."))
        self.step, self.history = content["step"], content["history"]
        self.running = _Running(**content["running"])


@contextmanager
def _noise(seed: Seed) -> Iterator[None]:
    """What is dropped here depends on this seed only, and random numbers outside do not notice."""
    with torch.random.fork_rng():
        torch.manual_seed(seed.integer())
        yield


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average a little towards the weights, running statistics of batch norm included."""
    current = network.state_dict()
    with torch.no_grad():
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name].to(value), 1 - decay)
            else:
                value.copy_(current[name])
