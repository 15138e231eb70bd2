"""The recordings and encoders that benchmarks share; made where they are missing."""

from __future__ import annotations

from pathlib import Path

from cinecortex.data import load
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.train import fit_model
from cinecortex.recording import Recording
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session

SEED = Seed(0)
NEURONS = 1000
"""Of the demo's mouse, whose folders are called ``mouse`` and ``encoder``."""


def prepare(folder: Path, neurons: int = NEURONS, *, clips: int = 120) -> tuple[Recording, Model]:
    """The demo's recording and encoder, made exactly as `cinecortex demo` makes them; or those of a larger mouse."""
    suffix = "" if neurons == NEURONS else str(neurons)
    mouse, encoder = folder / f"mouse{suffix}", folder / f"encoder{suffix}"
    if not mouse.exists():
        write_session(mouse, seed=SEED / "simulate", neurons=neurons, clips=clips)
    recording = load(mouse)
    if not encoder.exists():
        save_model(fit_model([recording], seed=SEED / "fit"), encoder)
    return recording, load_model(encoder)
