"""Errors of a known standard deviation."""

from __future__ import annotations

import numpy as np
import torch

SHAPE = (30, 40, 50)


def gaussian_world(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Truth, mean and the right standard deviation; both vary from pixel to pixel."""
    random = np.random.default_rng(seed)
    mean, std = random.uniform(0, 1, SHAPE), random.uniform(0.05, 0.3, SHAPE)
    truth = mean + std * random.standard_normal(SHAPE)
    return torch.from_numpy(truth), torch.from_numpy(mean), torch.from_numpy(std)
