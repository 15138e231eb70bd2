"""Recordings of which a truthful validation must not say that the movie was reconstructed, and an honest one.

Small Sensorium folders of in-silico mice: 18x32 px, 100 frames, 60 training clips and 10 test clips unless asked
otherwise. Each is odd in one way:

| name | what is wrong | the suite must |
|---|---|---|
| `deaf` | the neurons saw another movie than the one that is stored | refute what rests on the neurons |
| `aroused` | the neurons follow running and pupil only, as the movie's brightness does | refute behavior only |
| `copied` | the test clips, or near-copies, were shown in training too | find the copies |
| `few` | 25 neurons | support little, for lack of neurons |
| `narrow` | all training clips are gratings, the test clips natural | say that it does not generalise |

    python benchmarks/odd_recordings.py OUT [--seed 1]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import PUPIL_AT_REST
from cinecortex.simulation.mouse import Mouse
from cinecortex.simulation.session import SimulatedMouse, write_session
from cinecortex.simulation.statistics import write_statistics
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.stimuli.gratings import drifting_grating
from cinecortex.tensors import Behavior, Movie, Response

FRAME_SIZE = (18, 32)
SIZE: Mapping[str, Any] = {
    "clips": 60,
    "test_clips": 10,
    "oracle_clips": 3,
    "oracle_repeats": 4,
    "seconds": 100 / 30,
}
"""What `write_session` is asked for."""

NEURONS, FEW = 200, 25


@dataclass(frozen=True, eq=False)
class _Like:
    """A mouse as another one, but for what it responds to."""

    mouse: Mouse

    @property
    def frame_size(self) -> tuple[int, int]:
        return self.mouse.frame_size

    @property
    def frame_rate_hz(self) -> float:
        return self.mouse.frame_rate_hz

    @property
    def neurons(self) -> int:
        return self.mouse.neurons

    @property
    def coordinates_um(self) -> Float[np.ndarray, "neuron 3"]:
        return self.mouse.coordinates_um

    def truth(self) -> dict[str, np.ndarray]:
        return {}


class Deaf(_Like):
    """Responds to a movie of the right kind that nobody has stored; another one on every trial."""

    def rate(self, movie: Movie, behavior: Behavior) -> Response:
        """What is to be expected without knowing that movie: the response to gray."""
        return self.mouse.rate(torch.full_like(movie, 0.5), behavior)

    def respond(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """One trial; the stored movie plays no part."""
        seen = dead_leaves(seed / "seen", frames=len(movie), frame_size=self.frame_size)
        return self.mouse.respond(seen, behavior, seed)


class Aroused(_Like):
    """Its neurons are driven by running and pupil, some up and some down, and by nothing that is shown."""

    def rate(self, movie: Movie, behavior: Behavior) -> Response:
        """What is to be expected at this behavior."""
        return self.mouse.recorded.expect(self._driven(behavior), behavior)

    def respond(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """One trial; the movie plays no part."""
        return self.mouse.recorded.record(self._driven(behavior), behavior, seed)

    def _driven(self, behavior: Behavior) -> Response:
        level = torch.from_numpy(brightness(behavior.T.numpy())).float()
        each = torch.linspace(-2, 2, self.neurons)[torch.randperm(self.neurons, generator=Seed(0).torch())]
        return torch.exp(each * (level[:, None] - 0.5) / 0.3)


def honest(folder: Path, seed: Seed, *, neurons: int = NEURONS, **size: Any) -> None:
    """Nothing is wrong with it."""
    write_session(folder, seed=seed, mouse=_mouse(seed, neurons), **{**SIZE, **size})


def few(folder: Path, seed: Seed, *, neurons: int = FEW, **size: Any) -> None:
    """25 neurons."""
    honest(folder, seed, neurons=neurons, **size)


def deaf(folder: Path, seed: Seed, *, neurons: int = NEURONS, **size: Any) -> None:
    """Responses that have nothing to do with the movies."""
    write_session(folder, seed=seed, mouse=Deaf(_mouse(seed, neurons)), **{**SIZE, **size})


def aroused(folder: Path, seed: Seed, *, neurons: int = NEURONS, **size: Any) -> None:
    """Responses that follow running and pupil only, and movies that grow brighter with them, as in a closed loop."""
    mouse = Aroused(_mouse(seed, neurons))
    with _altered(folder, seed, mouse, size) as (session, tiers, _):
        for i in range(len(tiers)):
            level = brightness(np.load(session / "data" / "behavior" / f"{i}.npy"))
            place = session / "data" / "videos" / f"{i}.npy"
            pixels = np.load(place) / 255
            texture = 0.4 * (pixels - pixels.mean((0, 1)))
            np.save(place, (255 * (level + texture).clip(0, 1)).round().astype(np.uint8))


def brightness(behavior: Float[np.ndarray, "channel time"]) -> Float[np.ndarray, " time"]:
    """Luminance that goes with pupil dilation and running speed, the rows of a Sensorium behavior file: 0.2 to 0.8."""
    arousal = 5 * np.log2(behavior[0] / PUPIL_AT_REST) + 4 * behavior[1] / (behavior[1] + 5) - 0.5
    return 0.2 + 0.6 / (1 + np.exp(-arousal))


def copied(folder: Path, seed: Seed, *, neurons: int = NEURONS, **size: Any) -> None:
    """Every test clip was shown in training, as it is or altered in one of the ways of `COPIES`."""
    mouse = _mouse(seed, neurons)
    with _altered(folder, seed, mouse, size) as (session, tiers, _):
        train, test = (np.flatnonzero(tiers == tier).tolist() for tier in ("train", "final_test_main"))
        ways = list(COPIES.values())
        for place, i in enumerate(test):
            original = torch.from_numpy(np.load(session / "data" / "videos" / f"{i}.npy")).float() / 255
            copy = ways[place % len(ways)](original.permute(2, 0, 1), seed / "copies" / place)
            _show(session, train[place], mouse, copy, seed / "shown again" / place)


COPIES: Mapping[str, Callable[[Movie, Seed], Movie]] = {
    "exact": lambda movie, seed: movie,
    "mirrored": lambda movie, seed: movie.flip(2),
    "brighter": lambda movie, seed: 0.8 * movie + 0.15,
    "noisy": lambda movie, seed: (movie + 0.05 * torch.randn(movie.shape, generator=seed.torch())).clamp(0, 1),
    "later": lambda movie, seed: torch.cat([movie[len(movie) // 5 :], movie[-(len(movie) // 5) :].flip(0)]),
}


def narrow(folder: Path, seed: Seed, *, neurons: int = NEURONS, **size: Any) -> None:
    """Training and oracle clips are gratings; the test clips are natural."""
    mouse = _mouse(seed, neurons)
    with _altered(folder, seed, mouse, size) as (session, tiers, shown):
        for i in np.flatnonzero(tiers != "final_test_main").tolist():
            frames = np.load(session / "data" / "videos" / f"{i}.npy", mmap_mode="r").shape[2]
            movie = _grating(seed / "gratings" / str(shown[i]), frames, mouse)
            _show(session, i, mouse, movie, seed / "gratings shown" / i)


def _grating(seed: Seed, frames: int, mouse: Mouse) -> Movie:
    random = seed.numpy()
    return drifting_grating(
        direction_deg=float(random.uniform(0, 360)),
        spatial_frequency_cycles_per_px=float(np.exp(random.uniform(np.log(0.03), np.log(0.2)))),
        temporal_frequency_hz=float(random.uniform(0.5, 6)),
        contrast=float(random.uniform(0.3, 1)),
        phase_deg=float(random.uniform(0, 360)),
        frames=frames,
        frame_size=mouse.frame_size,
        frame_rate_hz=mouse.frame_rate_hz,
    )


RECORDINGS: Mapping[str, Callable[..., None]] = {
    "honest": honest,
    "deaf": deaf,
    "aroused": aroused,
    "copied": copied,
    "few": few,
    "narrow": narrow,
}


@cache
def _mouse(seed: Seed, neurons: int) -> Mouse:
    return Mouse.draw(neurons=neurons, seed=seed / "mouse", frame_size=FRAME_SIZE)


@contextmanager
def _altered(
    folder: Path, seed: Seed, mouse: SimulatedMouse, size: Mapping[str, Any]
) -> Iterator[tuple[Path, np.ndarray, np.ndarray]]:
    """A session to be altered in place, its tiers and what each trial showed; then it appears whole under its name."""
    if folder.exists():
        raise WrongUse(f"{folder} exists already; name a new folder or remove it first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    session = partial / "session"
    try:
        write_session(session, seed=seed, mouse=mouse, **{**SIZE, **size})
        tiers = np.load(session / "meta" / "trials" / "tiers.npy")
        shown = np.load(session / "meta" / "simulation" / "shown.npy")
        yield session, tiers, shown
        shutil.rmtree(session / "meta" / "statistics")
        write_statistics(session, np.flatnonzero(tiers == "train").tolist())
        session.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _show(session: Path, i: int, mouse: SimulatedMouse, movie: Movie, seed: Seed) -> None:
    """Another movie on trial ``i``: its pixels, and what the mouse does at the same behavior."""
    pixels = (255 * movie).round().to(torch.uint8)
    behavior = np.concatenate([np.load(session / "data" / kind / f"{i}.npy") for kind in ("behavior", "pupil_center")])
    seen, behaved = pixels.float() / 255, torch.from_numpy(behavior.T.copy())
    np.save(session / "data" / "videos" / f"{i}.npy", np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    response = mouse.respond(seen, behaved, seed)
    np.save(session / "data" / "responses" / f"{i}.npy", np.ascontiguousarray(response.numpy().T))
    rates = session / "meta" / "simulation" / "rates" / f"{i}.npy"
    if rates.exists():
        np.save(rates, np.ascontiguousarray(mouse.rate(seen, behaved).numpy().T))


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description="Write recordings that are odd in one way each, and an honest one.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name, write in RECORDINGS.items():
        write(arguments.out / name, Seed(arguments.seed) / name)
        print(f"wrote {arguments.out / name}")


if __name__ == "__main__":
    main()
