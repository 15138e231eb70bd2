"""Fitting an encoder to a recording: epochs over training clips, early stopping on select clips, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from cinecortex.encoders.base import Encoder
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
from cinecortex.metrics.responses import response_correlation
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import PerNeuron, Rates, Response

Clip = tuple[Tensor, Tensor, Tensor]
"""Movie, behavior and response of one trial; not named by shape, as clips of a sequence differ in length."""
Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)`` after every epoch."""

FRAMES_PER_STEP = 600
STEPS_PER_EPOCH = 50


@dataclass(frozen=True)
class FitSettings:
    """How to descend.

    Attributes:
        epochs: Most epochs to run.
        patience: Stop when the select score has not risen for this many epochs.
        clips_per_step: Clips in one step of the optimizer; None for as many as `clips_in_a_step` says.
        learning_rate: Peak learning rate of Adam; it falls to a twentieth along a cosine.
    """

    epochs: int = 10
    patience: int = 6
    clips_per_step: int | None = None
    learning_rate: float = 1.5e-2


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit leaves beside the weights: the learning curve, as data."""

    history: tuple[dict[str, float | int], ...]
    ended: str


class TrialClips(Sequence[Clip]):
    """Trials as clips, read from their files at every access, so that memory does not grow with their number."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = list(trials)

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return TrialClips(self._trials[index])
        trial = self._trials[index]
        response = trial.response
        if response is None:
            raise BadData(f"trial {trial.trial_id} of session {trial.session_id} has no response to fit to.")
        return trial.movie, trial.behavior, response


def clips_in_a_step(clips: int, frames: int) -> int:
    """How many clips a step takes: two, or more where clips are short and many, such as single images.

    Two clips of ten seconds are 600 frames, and a gradient of fewer is noisy. But an epoch keeps at least 50 steps, or
    a short recording would be descended on too seldom.

    Args:
        clips: Training clips.
        frames: Frames of a clip.
    """
    return max(2, min(math.ceil(FRAMES_PER_STEP / frames), clips // STEPS_PER_EPOCH))


def poisson_loss(rates: Rates, responses: Rates) -> Tensor:
    """Mean Poisson negative log-likelihood over recorded entries, without its constant term.

    Each neuron is divided by its mean response, so that busy neurons do not drown the quiet ones.
    """
    known = torch.isfinite(responses)
    responses = torch.where(known, responses, torch.zeros_like(responses))
    loss = torch.where(known, rates - responses * torch.log(rates), torch.zeros_like(rates))
    return loss.sum() / known.sum().clamp_min(1)


def fit_population(
    encoder: Encoder,
    train: Sequence[Trial],
    select: Sequence[Trial],
    *,
    settings: FitSettings,
    seed: Seed,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Fitted:
    """Descend on the Poisson loss of the training clips; keep the weights of the best epoch on the select clips.

    Args:
        encoder: Started already; changed in place.
        train: Trials with responses to descend on.
        select: Trials with responses to score on; no clip may be in both.
        settings: How to descend.
        seed: Orders the clips.
        state: Folder that holds the state after every epoch; a killed fit loses at most one.
        resume: Go on from ``state`` where it exists.
        progress: Told after every epoch.

    Returns:
        The learning curve and how the fit ended.
    """
    # The first clip stands for all: where lengths differ, they seldom do by much.
    at_once = settings.clips_per_step or clips_in_a_step(len(train), len(train[0].movie))
    descent = _Descent(encoder, settings, len(train), at_once)
    if resume and state is not None and state_exists(state):
        descent.load(state)
    while not descent.ended:
        order = torch.randperm(len(train), generator=(seed / "epoch" / descent.epoch).torch()).tolist()
        loss = descent.run_epoch(TrialClips([train[i] for i in order]))
        score = float(correlations(encoder, select).nanmean())
        descent.finish_epoch(loss, score)
        if state is not None:
            descent.save(state)
        if progress is not None:
            progress(descent.epoch, settings.epochs, f"select correlation {score:.3f}")
    encoder.load_state_dict(descent.best)
    return Fitted(tuple(descent.history), descent.ended)


class _Descent:
    """The state of a fit: all of it is saved after every epoch."""

    def __init__(self, encoder: Encoder, settings: FitSettings, clips: int, at_once: int) -> None:
        self.settings, self.clips, self.at_once = settings, clips, at_once
        self.accelerator = Accelerator()
        self.encoder = self.accelerator.prepare(encoder)
        self.optimizer = torch.optim.Adam(encoder.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
        self.epoch, self.history = 0, list[dict[str, float | int]]()
        self.best = weights_of(encoder)

    @property
    def ended(self) -> str:
        scores = [row["select"] for row in self.history]
        if self.epoch >= self.settings.epochs:
            return f"all {self.epoch} epochs were run"
        since = len(scores) - 1 - scores.index(max(scores)) if scores else 0
        if since >= self.settings.patience:
            return f"the select score did not rise for {since} epochs (of {self.epoch})"
        return ""

    def run_epoch(self, clips: TrialClips) -> float:
        steps = math.ceil(len(clips) / self.at_once)
        total, device = 0.0, self.accelerator.device
        self.encoder.train()
        for step, (movies, behaviors, responses) in enumerate(batches(clips, self.at_once)):
            self._set_learning_rate(self.epoch + step / steps)
            self.optimizer.zero_grad(set_to_none=True)
            with self.accelerator.autocast():
                rates = self.encoder(movies.to(device), behaviors.to(device))
                settled = self.encoder.settled(movies.shape[1])
                loss = poisson_loss(rates[:, settled], responses.to(device)[:, settled])
            self.accelerator.backward(loss)
            self.optimizer.step()
            total += float(loss.detach())
        return total / steps

    def _set_learning_rate(self, epoch: float) -> None:
        warm = min(1.0, (epoch + 0.02) / 0.2)
        fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * epoch / self.settings.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * warm * fall

    def finish_epoch(self, loss: float, score: float) -> None:
        if not math.isfinite(loss):
            raise BadData("the loss became infinite or not a number; look at the responses with `cinecortex inspect`.")
        if all(score > row["select"] for row in self.history):
            self.best = weights_of(self.encoder)
        self.epoch += 1
        self.history.append({"epoch": self.epoch, "loss": loss, "select": score})

    def save(self, folder: Path) -> None:
        tensors = prefixed("now.", weights_of(self.encoder)) | prefixed("best.", self.best)
        tensors |= prefixed("adam.", moments_of(self.optimizer))
        content = {"epoch": self.epoch, "history": self.history, "settings": asdict(self.settings), "clips": self.clips}
        save_state(folder, f"epoch{self.epoch}", tensors, content)

    def load(self, folder: Path) -> None:
        content, tensors = load_state(folder)
        if content["settings"] != asdict(self.settings) or content["clips"] != self.clips:
            raise BadData(f"{folder} was written by a fit with other settings or clips; leave out --resume.")
        self.encoder.load_state_dict(under(tensors, "now."))
        self.best = under(tensors, "best.")
        restore_moments(self.optimizer, under(tensors, "adam."))
        self.epoch, self.history = content["epoch"], content["history"]


def batches(clips: Sequence[Clip], size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Stack clips into batches, cut to the shortest of each; the next batch is read while this one is used."""

    def read(first: int) -> tuple[Tensor, Tensor, Tensor]:
        group = [clips[i] for i in range(first, min(first + size, len(clips)))]
        frames = min(movie.shape[0] for movie, _, _ in group)
        movies, behaviors, responses = zip(*group, strict=True)
        return (
            torch.stack([movie[:frames] for movie in movies]),
            torch.stack([behavior[:frames] for behavior in behaviors]),
            torch.stack([response[:frames] for response in responses]),
        )

    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, 0)
        for first in range(0, len(clips), size):
            batch = ahead.result()
            if first + size < len(clips):
                ahead = reader.submit(read, first + size)
            yield batch


def predictions(encoder: Encoder, trials: Sequence[Trial]) -> Iterator[tuple[Response, Response]]:
    """Rate and response of every trial, settled frames only."""
    encoder.eval()
    with torch.no_grad():
        for movie, behavior, response in TrialClips(trials):
            rate = encoder(movie[None].to(encoder.device), behavior[None].to(encoder.device))[0].cpu()
            settled = encoder.settled(len(movie))
            yield rate[settled], response[settled]


def correlations(encoder: Encoder, trials: Sequence[Trial]) -> PerNeuron:
    """Single-trial correlation of rate and response over the settled frames of all trials, per neuron."""
    pairs = list(predictions(encoder, trials))
    rate, response = torch.cat([r for r, _ in pairs]), torch.cat([y for _, y in pairs])
    return response_correlation(rate, response, burn_in=0)
