"""Families of movies that hardly any training set holds, each made to fit the screen of a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import phase_scrambled
from cinecortex.stimuli.dots import moving_dots
from cinecortex.stimuli.gratings import drifting_grating
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.stimuli.photographs import PHOTOGRAPHS, Picture, ego_motion, photograph
from cinecortex.stimuli.static import held_still
from cinecortex.tensors import Movie

Family = Callable[[Movie, float, Seed], Movie]
"""A movie of the family with the size and length of a clip, at a frame rate. The same seed gives the same movie."""

SCENES = tuple(name for name in PHOTOGRAPHS if name not in ("hubble_deep_field", "immunohistochemistry", "retina"))
"""Photographs of what can be seen without an instrument."""


def drifting_gratings(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """A grating of any direction, of two to six cycles along the frame, drifting at 0.5 to 3 Hz."""
    random = seed.numpy()
    return drifting_grating(
        direction_deg=float(random.uniform(0, 360)),
        spatial_frequency_cycles_per_px=min(0.25, float(random.uniform(2, 6)) / max(_size(clip))),
        temporal_frequency_hz=min(float(random.uniform(0.5, 3)), frame_rate_hz / 4),
        phase_deg=float(random.uniform(0, 360)),
        frames=len(clip),
        frame_size=_size(clip),
        frame_rate_hz=frame_rate_hz,
    )


def noise(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """Gaussian noise, smooth over a sixteenth of the frame and a tenth of a second."""
    return gaussian_noise(
        seed,
        length_px=max(_size(clip)) / 16,
        length_s=0.1,
        frames=len(clip),
        frame_size=_size(clip),
        frame_rate_hz=frame_rate_hz,
    )


def dots(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """Bright and dark dots, three in four of which go one way."""
    longer = max(_size(clip))
    return moving_dots(
        seed,
        dots=16,
        radius_px=max(1.0, longer / 20),
        speed_px_per_s=longer / 4,
        direction_deg=float((seed / "direction").numpy().uniform(0, 360)),
        coherence=0.75,
        frames=len(clip),
        frame_size=_size(clip),
        frame_rate_hz=frame_rate_hz,
    )


def phases_scrambled(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """The clip with its spectrum and luminances, and no content."""
    return phase_scrambled(clip, seed)


def still_pictures(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """A part of a photograph that does not move."""
    glimpse = ego_motion(_scene(seed), seed, frames=1, frame_size=_size(clip), frame_rate_hz=frame_rate_hz)
    return held_still(glimpse[0], frames=len(clip))


def moving_photographs(clip: Movie, frame_rate_hz: float, seed: Seed) -> Movie:
    """A photograph as an eye sees it that moves."""
    return ego_motion(_scene(seed), seed, frames=len(clip), frame_size=_size(clip), frame_rate_hz=frame_rate_hz)


FAMILIES: Mapping[str, Family] = {
    "drifting gratings": drifting_gratings,
    "noise": noise,
    "moving dots": dots,
    "phases scrambled": phases_scrambled,
    "still pictures": still_pictures,
    "moving photographs": moving_photographs,
}
"""By name."""


def _scene(seed: Seed) -> Picture:
    return photograph(SCENES[int((seed / "scene").numpy().integers(len(SCENES)))])


def _size(clip: Movie) -> tuple[int, int]:
    _, height, width = clip.shape
    return height, width
