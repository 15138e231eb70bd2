"""Photographs that come with scikit-image, seen by a moving eye: natural textures without a download."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import torch
from jaxtyping import Float
from skimage import color, data, transform

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.motion import jumps, wander
from cinecortex.tensors import Movie

Picture = Float[np.ndarray, "rows columns"]

# Within scikit-image's wheel, and of the world rather than of ink (no text, diagrams or binary silhouettes). Of the
# motorcycle's stereo pair only the left picture: the right one is a near-copy.
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "moon", "motorcycle", "retina", "rocket",
)  # fmt: skip
"""Names of the photographs, in alphabetical order."""


@cache
def photograph(name: str) -> Picture:
    """One photograph in gray, luminance 0..1, ``rows columns`` as large as it is shipped.

    Args:
        name: One of ``PHOTOGRAPHS``.

    Raises:
        WrongUse: there is no photograph of that name.
    """
    if name not in PHOTOGRAPHS:
        raise WrongUse(f"there is no photograph {name!r}; the photographs are {', '.join(PHOTOGRAPHS)}.")
    shipped = getattr(data, "stereo_motorcycle" if name == "motorcycle" else name)()
    picture = np.asarray(shipped[0] if name == "motorcycle" else shipped)
    gray = np.ascontiguousarray(color.rgb2gray(picture) if picture.ndim == 3 else picture / 255, dtype=np.float32)
    gray.setflags(write=False)
    return gray


def ego_motion(
    picture: Picture,
    seed: Seed,
    *,
    frames: int = 300,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
) -> Movie:
    """What an eye sees that wanders over a picture: pan, zoom, a little roll, and jumps between fixations.

    The picture goes on as its mirror image beyond its border. How much of it is seen at once, its contrast and how
    fast the eye moves differ between seeds.

    Args:
        picture: Luminance 0..1, ``rows columns``, at least 2x2.
        seed: The stream this clip is drawn from; same seed, same bits.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.

    Returns:
        Luminance 0..1, ``time height width``.

    Raises:
        WrongUse: a picture or a size that cannot be shown.
    """
    if frames < 1 or min(frame_size) < 1 or min(picture.shape) < 2:
        raise WrongUse(
            f"ego-motion needs a picture of 2x2 or more and at least one frame and pixel, not a picture of "
            f"{picture.shape}, frames={frames}, frame_size={frame_size}."
        )
    generator = seed.numpy()
    scene = torch.from_numpy(_light(_at_scale(picture, generator, frame_size), generator))
    sight = _line_of_sight(generator, frames=frames, frame_size=frame_size, frame_rate_hz=frame_rate_hz)
    # grid_sample wants (x, y) in -1..1 of the scene.
    size = torch.tensor([scene.shape[1], scene.shape[0]], dtype=torch.float32)
    grid = (sight + torch.from_numpy(generator.random(2).astype(np.float32)) * size) * (2 / size) - 1
    movie = torch.nn.functional.grid_sample(
        scene.expand(frames, 1, *scene.shape), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return movie[:, 0].clamp(0.0, 1.0)


def _at_scale(
    picture: Picture, generator: np.random.Generator, frame_size: tuple[int, int]
) -> Float[np.ndarray, "_ _"]:
    """The picture at a size of which the frame shows 30 to 70 % along the tighter side (never enlarged)."""
    share = generator.uniform(0.3, 0.7)
    scale = min(1.0, max(frame_size[0] / picture.shape[0], frame_size[1] / picture.shape[1]) / share)
    rows, columns = (max(2, round(length * scale)) for length in picture.shape)
    scene = transform.resize(picture, (rows, columns), order=1, anti_aliasing=True)  # type: ignore[no-untyped-call]
    return np.asarray(scene, dtype=np.float32)


def _light(scene: Picture, generator: np.random.Generator) -> Picture:
    """The scene in another light: its contrast about another mean, as natural clips differ."""
    contrast = np.exp(generator.normal(0.0, 0.3))
    mean = scene.mean()
    lit = np.clip(mean + generator.normal(0, 0.08), 0.1, 0.9) + contrast * (scene - mean)
    return np.asarray(lit, dtype=np.float32)


def _line_of_sight(
    generator: np.random.Generator, *, frames: int, frame_size: tuple[int, int], frame_rate_hz: float
) -> Float[torch.Tensor, "time height width 2"]:
    """Where in the scene (x, y, in its pixels, from the centre of gaze) each pixel of each frame looks."""
    height, width = frame_size
    moving = partial(wander, generator, frames=frames, frame_rate_hz=frame_rate_hz)
    speed = float(np.exp(generator.normal(np.log(7.0), 0.6)))
    centre = moving(speed=speed, time_constant_s=1.0)[:, 0]
    centre = centre + jumps(generator, frames=frames, frame_rate_hz=frame_rate_hz, per_second=0.6, size=6.0)
    slow = moving(speed=1.0, time_constant_s=1.5)[:, 0]
    # Zoom only magnifies, so that no detail finer than a pixel is ever sampled.
    zoom = np.exp(-0.25 - 0.25 * np.sin(0.5 * slow[:, 0] + generator.uniform(0, 2 * np.pi)))
    roll = 0.15 * np.sin(slow[:, 1])
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    cosine, sine = (zoom * np.cos(roll))[:, None, None], (zoom * np.sin(roll))[:, None, None]
    sight = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1) + centre[:, None, None, :]
    return torch.from_numpy(sight.astype(np.float32))
