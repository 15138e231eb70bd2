"""`paper`: the published recipe, as the yardstick. Bauer, Margrie & Clopath, eLife 2026, RP105081."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cinecortex.encoders.altered import frames_passed
from cinecortex.encoders.base import Encoder
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.map import default_prior
from cinecortex.inversion.problem import BehaviorGiven, behavior_told, check_fits
from cinecortex.inversion.sensitivity import population_mask
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

WINDOW_FRAMES, STRIDE_FRAMES = 32, 8


class Paper:
    """The published inversion, in its published numbers.

    A gray movie is altered by gradient descent on the Poisson loss of windows of 32 frames at stride 8; the gradient
    of each window is divided by its norm and averaged over the windows that hold a frame; momentum 0.9 with bias
    correction and no second moment; step 1000 with 10 warm-up steps, on pixels of 0..255 and a gradient of unit norm;
    pixels are clipped to 0..255 after each step and only those with mask >= 0.5 change; the answers of several
    encoders are averaged (7 in the publication) and blurred by a Gaussian of sigma 0.5 in time and space.

    Args:
        encoders: The ensemble; one reconstruction per encoder is made and averaged.
        mask: Where the population can see; by default from the first encoder's sensitivity.
        steps: Gradient steps.
        step_size: Step in gray levels per unit of averaged, normalised gradient.
        mask_threshold: Pixels below it stay gray.
        sigma: Standard deviation of the final blur, in frames and pixels.
        behavior: What the encoders are told of the behavior: as recorded, or held at its training mean.
        watch: Called with (step, movie so far 0..1) at the first encoder, for studies of how quality depends on steps.
    """

    name = "paper"

    def __init__(
        self,
        *,
        encoders: tuple[Encoder, ...],
        mask: Mask | None = None,
        steps: int = 1000,
        step_size: float = 1000.0,
        mask_threshold: float = 0.5,
        sigma: float = 0.5,
        behavior: BehaviorGiven = "recorded",
        watch: Callable[[int, Movie], None] | None = None,
    ) -> None:
        self.encoders = tuple(encoder.eval().requires_grad_(False) for encoder in encoders)
        self._given_mask = mask
        self.steps, self.step_size, self.mask_threshold, self.sigma = steps, step_size, mask_threshold, sigma
        self.behavior: BehaviorGiven = behavior
        self.watch = watch

    @cached_property
    def mask(self) -> Mask:
        """Where pixels may change."""
        if self._given_mask is not None:
            return self._given_mask
        first = self.encoders[0]
        likelihood = Poisson(torch.ones(first.neurons))
        return population_mask(first, likelihood, default_prior(first), seed=Seed(0) / "mask")

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial. Nothing is drawn: the seed is not used.

        Raises:
            WrongUse: the observation does not fit the encoders.
        """
        began = time.perf_counter()
        movies, passes = [], 0
        for number, encoder in enumerate(self.encoders):
            check_fits(encoder, observation)
            descent = _Descent(encoder, observation, self.mask >= self.mask_threshold, self.step_size, self.behavior)
            for step in range(self.steps):
                descent.step(step)
                if self.watch is not None and number == 0:
                    self.watch(step + 1, (descent.movie / 255).cpu())
            movies.append(descent.movie.cpu() / 255)
            passes += self.steps * frames_passed(encoder, descent.frames_per_step)
        mean = torch.stack(movies).mean(0)
        blurred = torch.from_numpy(gaussian_filter(mean.numpy(), self.sigma)) if self.sigma > 0 else mean
        return Reconstruction(
            movie=blurred.clamp(0, 1),
            mask=self.mask.cpu(),
            ended=f"all {self.steps} steps were made",
            frame_passes=passes,
            seconds=time.perf_counter() - began,
        )


class _Descent:
    """The descent with one encoder, in gray levels 0..255."""

    def __init__(
        self, encoder: Encoder, observation: Observation, changes: Tensor, step_size: float, behavior: BehaviorGiven
    ) -> None:
        device, dtype = encoder.device, encoder.dtype
        frames = observation.frames
        self.encoder, self.step_size, self.changes = encoder, step_size, changes.to(device)
        window = min(WINDOW_FRAMES, frames)
        starts = list(range(0, frames - window + 1, STRIDE_FRAMES))
        if starts[-1] != frames - window:
            starts.append(frames - window)
        self.index = torch.tensor([[s + i for i in range(window)] for s in starts], device=device)
        self.frames_per_step = self.index.numel()
        self.cover = torch.bincount(self.index.flatten(), minlength=frames).to(dtype)
        known = torch.isfinite(observation.response) & observation.heard
        self.known = known.to(device)[self.index]
        self.response = torch.nan_to_num(observation.response.to(device, dtype))[self.index]
        self.behavior = behavior_told(encoder, observation, behavior).to(device, dtype)[self.index]
        self.movie = torch.full((frames, *observation.frame_size), 127.5, device=device, dtype=dtype)
        self.momentum = torch.zeros_like(self.movie)

    def step(self, number: int) -> None:
        gradient = self._gradient()
        self.momentum = 0.9 * self.momentum + 0.1 * gradient
        corrected = self.momentum / (1 - 0.9 ** (number + 1))
        warm = min(1.0, (number + 1) / 10)
        moved = self.movie - warm * self.step_size * corrected
        self.movie = torch.where(self.changes, moved.clamp(0, 255), self.movie)

    def _gradient(self) -> Tensor:
        windows = self.movie[self.index].requires_grad_()
        rates = self.encoder(windows / 255, self.behavior).clamp_min(1e-6)
        loss = torch.where(self.known, rates - self.response * torch.log(rates), torch.zeros_like(rates)).sum()
        (gradient,) = torch.autograd.grad(loss, windows)
        # The norm is of the whole window, as published; the mask is laid on the step.
        norm = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)
        gradient = gradient / norm[:, None, None, None]
        total = torch.zeros_like(self.movie).index_add_(0, self.index.flatten(), gradient.flatten(0, 1))
        return total / self.cover[:, None, None]
