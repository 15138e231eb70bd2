"""Write what an in-silico mouse was shown and answered as a Sensorium 2023 session folder, with the truth beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import draw_behavior
from cinecortex.simulation.mouse import Mouse
from cinecortex.simulation.statistics import write_statistics
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.stimuli.photographs import PHOTOGRAPHS, ego_motion, photograph
from cinecortex.tensors import Behavior, Movie, Response

Progress = Callable[[int, int], object]
"""Called with the number of trials done and their total."""


@runtime_checkable
class SimulatedMouse(Protocol):
    """Any animal that a session can be written of."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the movies it is shown."""
        ...

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second of movie, behavior and response."""
        ...

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        ...

    @property
    def coordinates_um(self) -> Float[np.ndarray, "neuron 3"]:
        """Position of each neuron in the tissue."""
        ...

    def rate(self, movie: Movie, behavior: Behavior) -> Response:
        """The expected response, without noise."""
        ...

    def respond(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        """One single trial."""
        ...

    def truth(self) -> dict[str, np.ndarray]:
        """What is true of each neuron, by name; first axis neurons."""
        ...


@dataclass(frozen=True)
class _Show:
    """One clip to be shown: its tier, its number there, and the photograph it shows (or None: dead leaves)."""

    tier: str
    number: int
    picture: str | None

    def movie(self, seed: Seed, *, frames: int, mouse: SimulatedMouse) -> UInt8[np.ndarray, "time height width"]:
        stream = seed / self.tier / self.number
        size, rate = mouse.frame_size, mouse.frame_rate_hz
        if self.picture is None:
            movie = dead_leaves(stream, frames=frames, frame_size=size, frame_rate_hz=rate)
        else:
            movie = ego_motion(photograph(self.picture), stream, frames=frames, frame_size=size, frame_rate_hz=rate)
        return (movie * 255).round().to(torch.uint8).numpy()


def write_session(
    folder: Path,
    *,
    seed: Seed,
    neurons: int = 1000,
    clips: int = 120,
    oracle_clips: int = 6,
    oracle_repeats: int = 8,
    test_clips: int = 10,
    seconds: float = 10.0,
    mouse: SimulatedMouse | None = None,
    progress: Progress | None = None,
) -> None:
    """Show clips to a mouse and write the session; the folder appears whole or not at all.

    A third of the clips are photographs under ego-motion, the others dead leaves. Each training clip is shown once
    (tier ``train``), each oracle clip ``oracle_repeats`` times (``oracle``), each test clip once
    (``final_test_main``); the tiers share neither clips nor photographs, and trials are shuffled. Beside the Sensorium
    files there are ``meta/cinecortex.json`` and, in ``meta/simulation``, the truth about each neuron, what each trial
    showed, and the noiseless rates of the oracle and test trials (``neuron time``, as responses are stored).

    Args:
        folder: Where to write; must not exist yet.
        seed: Same seed, same bits.
        neurons: Number of neurons of the mouse that is drawn when none is given.
        clips: Number of training clips.
        oracle_clips: Number of clips shown repeatedly.
        oracle_repeats: How often.
        test_clips: Number of clips held out.
        seconds: Duration of a clip.
        mouse: The animal; by default one drawn from ``seed``.
        progress: Called after each trial with the number done and their total.

    Raises:
        WrongUse: the folder exists, or there would be nothing to write.
    """
    if folder.exists():
        raise WrongUse(f"{folder} exists already; name a new folder or remove it first.")
    if min(clips, oracle_clips, oracle_repeats, test_clips) < 1 or seconds <= 0:
        raise WrongUse(
            f"a session needs at least one clip in each tier and some duration, not clips={clips}, oracle_clips="
            f"{oracle_clips}, oracle_repeats={oracle_repeats}, test_clips={test_clips}, seconds={seconds:g}."
        )
    animal = mouse if mouse is not None else Mouse.draw(neurons=neurons, seed=seed / "mouse")
    shows = _shows(seed, train=clips, oracle=oracle_clips, final_test_main=test_clips)
    trials = [show for show in shows for _ in range(oracle_repeats if show.tier == "oracle" else 1)]
    order = (seed / "order").numpy().permutation(len(trials))
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(partial, animal, [trials[i] for i in order], seed, seconds=seconds, progress=progress)
        partial.chmod(0o755)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # which is there only if something went wrong


def _shows(seed: Seed, **clips: int) -> list[_Show]:
    """The clips of each tier: every third a photograph, none of them in two tiers."""
    names = (seed / "photographs").numpy().permutation(PHOTOGRAPHS)
    pictures = {"final_test_main": names[:4], "oracle": names[4:7], "train": names[7:]}
    return [
        _Show(tier, number, str(pictures[tier][number // 3 % len(pictures[tier])]) if number % 3 == 2 else None)
        for tier, count in clips.items()
        for number in range(count)
    ]


def _write(
    folder: Path,
    mouse: SimulatedMouse,
    trials: list[_Show],
    seed: Seed,
    *,
    seconds: float,
    progress: Progress | None,
) -> None:
    for kind in ("videos", "responses", "behavior", "pupil_center"):
        (folder / "data" / kind).mkdir(parents=True)
    _write_meta(folder / "meta", mouse, trials, seed)
    frames = max(1, round(seconds * mouse.frame_rate_hz))
    repeated: dict[_Show, UInt8[np.ndarray, "time height width"]] = {}
    for i, show in enumerate(trials):
        pixels = repeated.get(show)
        if pixels is None:
            pixels = show.movie(seed / "clips", frames=frames, mouse=mouse)
        if show.tier == "oracle":
            repeated[show] = pixels
        _write_trial(folder, i, mouse, show, pixels, seed / "trials" / i)
        if progress is not None:
            progress(i + 1, len(trials))
    write_statistics(folder, [i for i, show in enumerate(trials) if show.tier == "train"])


def _write_trial(
    folder: Path,
    i: int,
    mouse: SimulatedMouse,
    show: _Show,
    pixels: UInt8[np.ndarray, "time height width"],
    seed: Seed,
) -> None:
    """One trial: the animal sees the pixels as they are stored."""
    movie = torch.from_numpy(pixels).float() / 255
    behavior = draw_behavior(len(movie), seed / "behavior", frame_rate_hz=mouse.frame_rate_hz)
    response = mouse.respond(movie, behavior, seed / "response")
    channels = behavior.numpy().T
    arrays = {
        "videos": pixels.transpose(1, 2, 0),
        "responses": response.numpy().T,
        "behavior": channels[:2],
        "pupil_center": channels[2:],
    }
    for kind, array in arrays.items():
        np.save(folder / "data" / kind / f"{i}.npy", np.ascontiguousarray(array))
    if show.tier != "train":
        rate = mouse.rate(movie, behavior).numpy().T
        np.save(folder / "meta" / "simulation" / "rates" / f"{i}.npy", np.ascontiguousarray(rate))


def _write_meta(meta: Path, mouse: SimulatedMouse, trials: list[_Show], seed: Seed) -> None:
    """Everything that is known before the first trial."""
    for name in ("neurons", "trials", "simulation/rates"):
        (meta / name).mkdir(parents=True)
    np.save(meta / "neurons" / "unit_ids.npy", np.arange(1, mouse.neurons + 1))
    np.save(meta / "neurons" / "cell_motor_coordinates.npy", mouse.coordinates_um)
    np.save(meta / "trials" / "tiers.npy", np.array([show.tier for show in trials]))
    np.save(
        meta / "simulation" / "shown.npy",
        np.array([f"{s.tier} {s.number}: {s.picture or 'dead leaves'}" for s in trials]),
    )
    for name, array in mouse.truth().items():
        np.save(meta / "simulation" / f"{name}.npy", array)
    facts = {
        "session_id": f"in-silico-{seed.root}",
        "species": "in-silico mouse",
        "subject": f"in-silico mouse {seed.root}",
        "simulated": "true",
        "response_unit": "deconvolved calcium activity (arbitrary unit)",
        "frame_rate_hz": mouse.frame_rate_hz,
    }
    (meta / "cinecortex.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
