"""Masks: where on the screen a population can see. Three sources, one shape: ``height width``, 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from skimage.io import imread
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.errors import BadData, WrongUse
from cinecortex.inversion.sensitivity import population_mask
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

sensitivity = population_mask
"""From the encoder alone: the diagonal of the Fisher information in pixel space."""

WINDOW_FRAMES, KERNEL_PX = 32, 7


def trained_transparency(
    encoder: Encoder,
    trials: Sequence[Trial],
    *,
    steps: int = 1000,
    step_size: float = 10.0,
    sigma_px: float = 5.0,
    pull: bool = False,
    seed: Seed,
) -> Mask:
    """The published mask: which pixels must be shown right for the encoder to explain the recorded responses.

    One opacity per pixel starts near 0. At each step 32 frames of a training clip are laid over those of another one,
    ``mask * movie + (1 - mask) * other movie`` with the mask clipped to 0..1, and the mask moves against the gradient
    of the mean squared difference between predicted and recorded responses: the gradient over the 32 masks of the
    window is divided by its norm, averaged over frames, blurred, and multiplied by the step size. Pixels nobody looks
    at make no difference and stay transparent. The result is clipped to 0..1; the publication lets pixels change where
    it is at least 0.5 and scores where it is 1.

    Source: Bauer, Margrie & Clopath 2026, eLife RP105081, after their published script for these masks. The paper's own
    words on it were not at hand. Known differences: the script takes frames 50 to 81 of each clip, here the stretch is
    random; it divides by the norm of the gradient over movie, mask and behavior together, here by that of the mask, so
    that a step of the same size goes further; it works on frames padded to 64x64 px; and it starts each frame of the
    window from other noise and keeps the first frame's mask. It holds, but does not use, a factor ``1 - mean(mask)`` on
    the predicted responses that makes opacity dear; it is had with ``pull``.

    Args:
        encoder: Forward model of the population.
        trials: Training trials with recorded responses, of two clips at least.
        steps: Gradient steps.
        step_size: Step in units of opacity per unit of averaged gradient.
        sigma_px: Standard deviation of the blur of each step, in pixels; cut off at 7 px as published.
        pull: Whether predicted responses are multiplied by ``1 - mean(mask)``.
        seed: Of the first mask and of the stretches shown.

    Raises:
        WrongUse: there are fewer than two trials with a recorded response.
    """
    usable = [trial for trial in trials if trial.response is not None]
    if len(usable) < 2:
        raise WrongUse("a mask is trained on two trials with recorded responses or more: hand in training trials.")
    random = seed.numpy()
    mask = torch.from_numpy(random.uniform(0, 0.05, encoder.frame_size)).to(encoder.device, encoder.dtype)
    with evaluating(encoder):
        for _ in range(steps):
            shown, other = (usable[i] for i in random.choice(len(usable), 2, replace=False))
            gradient = _transparency_gradient(encoder, mask, shown, other, pull=pull, random=random)
            mask = mask - step_size * _blurred(gradient, sigma_px)
    return mask.clamp(0, 1).cpu()


def _transparency_gradient(
    encoder: Encoder, mask: Mask, shown: Trial, other: Trial, *, pull: bool, random: np.random.Generator
) -> Mask:
    """Gradient of the squared error by the opacity of each frame, of unit norm, averaged over frames."""
    response, movie, behind = shown.response, shown.movie, other.movie
    assert response is not None  # noqa: S101  (trials without were left out)
    window = min(WINDOW_FRAMES, len(movie), len(behind))
    first, under = (int(random.integers(0, length - window + 1)) for length in (len(movie), len(behind)))
    stretch = slice(first, first + window)
    movie, behind = (part.to(mask) for part in (movie[stretch], behind[under : under + window]))
    masks = mask.expand(window, -1, -1).clone().requires_grad_()
    opacity = masks.clamp(0, 1)
    rate = encoder((opacity * movie + (1 - opacity) * behind)[None], shown.behavior[stretch].to(mask)[None])[0]
    if pull:
        rate = rate * (1 - masks.mean())
    settled = encoder.settled(window)
    recorded = response[stretch].to(mask)[settled]
    known = torch.isfinite(recorded)
    error = torch.where(known, rate[settled] - torch.nan_to_num(recorded), torch.zeros_like(recorded))
    (gradient,) = torch.autograd.grad((error**2).sum() / known.sum().clamp_min(1), masks)
    unit: Tensor = gradient / (gradient.norm() + 1e-6)
    return unit.mean(0)


def _blurred(picture: Mask, sigma_px: float) -> Mask:
    blurred: np.ndarray = picture.detach().cpu().numpy()
    if sigma_px > 0:
        for axis in (0, 1):
            blurred = gaussian_filter1d(blurred, sigma_px, axis=axis, mode="mirror", radius=KERNEL_PX)
    return torch.from_numpy(blurred).to(picture)


def given(path: Path, frame_size: tuple[int, int]) -> Mask:
    """A mask from a file: a NumPy array ``height width`` of 0..1, or a gray picture from black (0) to white (1).

    Args:
        path: A ``.npy`` file, or a picture of any common format.
        frame_size: Height and width that the mask must have.

    Raises:
        BadData: the file cannot be read, is of another size, or leaves 0..1.
    """
    mask = _array(path) if path.suffix == ".npy" else _picture(path)
    if mask.shape != frame_size:
        found, wanted = ("x".join(str(length) for length in size) for size in (mask.shape, frame_size))
        raise BadData(f"{path} is a mask of {found} px, but the movies are of {wanted} px: resize or crop it.")
    if not np.isfinite(mask).all():
        raise BadData(f"{path} has pixels that are not numbers: set them to 0 where nothing is seen.")
    if mask.min() < 0 or mask.max() > 1:
        raise BadData(
            f"{path} runs from {mask.min():g} to {mask.max():g}, but a mask runs from 0 to 1: clip or rescale it."
        )
    return torch.from_numpy(mask.astype(np.float32))


def _array(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise BadData(f"{path} does not exist: name the file that holds the mask.") from None
    except (ValueError, EOFError, OSError) as error:
        raise BadData(f"{path} is not a readable NumPy .npy array of numbers: export the mask again.") from error
    if not isinstance(loaded, np.ndarray) or loaded.dtype.kind not in "buif":
        raise BadData(f"{path} does not hold a plain array of numbers: export the mask again.")
    return loaded.astype(np.float64)


def _picture(path: Path) -> np.ndarray:
    try:
        picture = np.asarray(imread(path))
    except FileNotFoundError:
        raise BadData(f"{path} does not exist: name the file that holds the mask.") from None
    except (ValueError, OSError, SyntaxError) as error:
        raise BadData(
            f"{path} is not a readable picture: save the mask as a gray PNG or a NumPy .npy array."
        ) from error
    if picture.dtype.kind not in "bu":
        return picture.astype(np.float64)
    top = 1 if picture.dtype.kind == "b" else np.iinfo(picture.dtype).max
    if picture.ndim == 3:
        color, opacity = (picture[..., :-1], picture[..., -1:]) if picture.shape[2] in (2, 4) else (picture, None)
        if (opacity is not None and (opacity != top).any()) or (color != color[..., :1]).any():
            raise BadData(f"{path} has colors or transparency, of which a mask has none: save it as a gray picture.")
        picture = color[..., 0]
    return picture / top
