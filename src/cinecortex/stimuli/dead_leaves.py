"""Dead leaves: occluding shapes of power-law size in smooth motion, which have the statistics of natural movies.

The model is that of Lee, Mumford & Huang, "Occlusion models for natural images", International Journal of Computer
Vision 41 (2001): with radii distributed as ``r^-3`` the picture is nearly scale invariant, hence its 1/f spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.motion import jumps, wander
from cinecortex.tensors import Movie

Canvas = Float[np.ndarray, "time height width"]
PerFrame = Float[np.ndarray, " time"]


def dead_leaves(
    seed: Seed,
    *,
    frames: int = 300,
    frame_size: tuple[int, int] = (36, 64),
    frame_rate_hz: float = 30.0,
    leaves: int = 110,
    radius_px: tuple[float, float] = (1.35, 24.0),
    cuts_per_second: float = 0.05,
) -> Movie:
    """A movie of leaves that drift, turn and hide one another, seen by a moving camera.

    Mean luminance, contrast and speed differ between seeds as they do between natural clips.

    Args:
        seed: The stream this clip is drawn from; same seed, same bits.
        frames: Number of frames.
        frame_size: Height and width in pixels.
        frame_rate_hz: Frames per second.
        leaves: Shapes in a scene; those further back are mostly hidden.
        radius_px: Smallest and largest radius; the density of radii falls as ``r^-3``.
        cuts_per_second: Mean number of scene cuts per second.

    Returns:
        Luminance 0..1, ``time height width``.

    Raises:
        WrongUse: a size that cannot be painted.
    """
    if frames < 1 or min(frame_size) < 1 or leaves < 1 or not 0 < radius_px[0] < radius_px[1]:
        raise WrongUse(
            f"dead leaves need at least one frame, pixel and leaf and rising radii, not frames={frames}, "
            f"frame_size={frame_size}, leaves={leaves}, radius_px={radius_px}."
        )
    generator = seed.numpy()
    light = _Light.draw(generator)
    # A cut is a new scene under the same light.
    cuts = np.flatnonzero(generator.random(frames) < cuts_per_second / frame_rate_hz)
    edges = sorted({0, *map(int, cuts), frames})
    movie = np.empty((frames, *frame_size), dtype=np.float32)
    for first, last in pairwise(edges):
        _paint_scene(
            movie[first:last], generator, light=light, leaves=leaves, radius_px=radius_px, frame_rate_hz=frame_rate_hz
        )
    return torch.from_numpy(np.clip(movie, 0.0, 1.0, out=movie))


@dataclass(frozen=True)
class _Light:
    """Luminance of things in one clip: normal in log odds, so that none is blacker than black."""

    mean: float
    spread: float

    @classmethod
    def draw(cls, generator: np.random.Generator) -> _Light:
        return cls(mean=float(generator.normal(-0.3, 0.6)), spread=float(np.exp(generator.normal(0.0, 0.45))))

    def luminance(self, generator: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
        odds = self.mean + self.spread * generator.standard_normal(shape)
        return (1 / (1 + np.exp(-odds))).astype(np.float32)


def _paint_scene(
    canvas: Canvas,
    generator: np.random.Generator,
    *,
    light: _Light,
    leaves: int,
    radius_px: tuple[float, float],
    frame_rate_hz: float,
) -> None:
    """Paint one uncut scene on ``canvas``, from the back to the front."""
    frames, height, width = canvas.shape
    sky = light.luminance(generator, 2)
    canvas[:] = np.linspace(sky[0], sky[1], height, dtype=np.float32)[:, None]
    speed = float(np.exp(generator.normal(np.log(6.0), 0.7)))
    moving = partial(wander, generator, frames=frames, frame_rate_hz=frame_rate_hz)
    camera = moving(speed=speed, time_constant_s=1.5)[:, 0]
    camera = camera + jumps(generator, frames=frames, frame_rate_hz=frame_rate_hz, per_second=0.3, size=4.0)
    own = moving(speed=0.5 * speed, time_constant_s=1.0, paths=leaves)
    turn = moving(speed=0.4, time_constant_s=1.0, paths=leaves)[..., 0]
    radii = _radii(generator, leaves, radius_px, (height, width))
    for leaf in range(leaves):
        nearness = 0.4 + 0.9 * leaf / leaves  # things in front cross the field of view faster
        path = own[:, leaf] + nearness * camera
        angle = generator.uniform(0, np.pi) + turn[:, leaf]
        _paint_leaf(canvas, generator, light=light, radius=float(radii[leaf]), path=path, angle=angle)


def _radii(
    generator: np.random.Generator, leaves: int, bounds: tuple[float, float], frame_size: tuple[int, int]
) -> Float[np.ndarray, " leaves"]:
    """Radii of the leaves that touch the frame: large ones do so from further away."""
    radius = np.geomspace(*bounds, 400)
    density = radius**-3 * (frame_size[0] + 2 * radius) * (frame_size[1] + 2 * radius) * radius
    cumulative = np.cumsum(density)
    return np.asarray(np.interp(generator.random(leaves) * cumulative[-1], cumulative, radius))


def _paint_leaf(
    canvas: Canvas,
    generator: np.random.Generator,
    *,
    light: _Light,
    radius: float,
    path: Float[np.ndarray, "time 2"],
    angle: PerFrame,
) -> None:
    """Paint one shape in all frames at once, each within its bounding box."""
    _, height, width = canvas.shape
    stretch = float(np.exp(generator.uniform(-0.5, 0.5)))
    half = (radius * stretch, radius / stretch)
    boxy = generator.random() < 0.4
    reach = int(np.ceil(np.hypot(*half) if boxy else max(half))) + 1
    # A leaf that has left on one side comes back on the other, out of sight, in another shade.
    period = np.array([height + 2 * reach + 1, width + 2 * reach + 1])
    laps, place = np.divmod(path + generator.random(2) * period, period)
    shades = light.luminance(generator, 16)
    shade = shades[(laps[:, 0] + 5 * laps[:, 1]).astype(int) % 16]
    row, column = (place - reach).astype(np.float32).T
    slope, wave, pitch = _texture(generator, radius, float(shades.std()))

    box_height, box_width = min(2 * reach + 1, height), min(2 * reach + 1, width)
    top = np.clip(np.rint(row) - reach, 0, height - box_height).astype(np.int64)
    left = np.clip(np.rint(column) - reach, 0, width - box_width).astype(np.int64)
    down = (top[:, None] + np.arange(box_height) - row[:, None]).astype(np.float32)
    across = (left[:, None] + np.arange(box_width) - column[:, None]).astype(np.float32)
    cosine, sine = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
    along = (down * sine)[:, :, None] + (across * cosine)[:, None, :]
    beside = (down * cosine)[:, :, None] - (across * sine)[:, None, :]

    paint = slope * along
    paint += shade[:, None, None]
    if wave:
        paint += wave * np.sin(pitch * beside)
    cover = _cover(along, beside, half, boxy=boxy)
    if (box_height, box_width) == (height, width):
        paint -= canvas
        paint *= cover
        canvas += paint
        return
    pixels = canvas.reshape(-1)  # a view: a scene is a block of whole frames
    corner = np.arange(len(path)) * (height * width) + top * width + left
    inside = (np.arange(box_height) * width)[:, None] + np.arange(box_width)
    index = corner[:, None, None] + inside
    below = pixels.take(index)
    paint -= below
    paint *= cover
    below += paint
    pixels[index] = below


def _texture(generator: np.random.Generator, radius: float, spread: float) -> tuple[np.float32, float, np.float32]:
    """Shading across a leaf (luminance per px), height of its stripes and their pitch (radians per px)."""
    slope = np.float32(generator.normal(0, 0.5 * spread / radius))
    striped = radius > 3 and generator.random() < 0.4
    wave = np.float32(generator.uniform(0.2, 0.8) * spread) if striped else np.float32(0)
    return slope, float(wave), np.float32(2 * np.pi / generator.uniform(3.0, 8.0))


def _cover(along: Canvas, beside: Canvas, half: tuple[float, float], *, boxy: bool) -> Canvas:
    """How much of each pixel lies inside the shape: 1 inside, 0 outside, a ramp of one pixel at the edge.

    Overwrites both coordinates: most of the time of painting goes into touching memory.
    """
    long, short = np.float32(half[0]), np.float32(half[1])
    if boxy:
        np.subtract(long, np.abs(along, out=along), out=along)
        np.subtract(short, np.abs(beside, out=beside), out=beside)
        inside = np.minimum(along, beside, out=along)
    else:
        along *= 1 / long
        along *= along
        beside *= 1 / short
        beside *= beside
        along += beside
        inside = np.subtract(1, np.sqrt(along, out=along), out=along)
        inside *= np.sqrt(long * short)
    inside += np.float32(0.5)
    cover: Canvas = np.clip(inside, 0, 1, out=inside)
    return cover
