"""A network so small that it trains in a second, two animals to train it on, and a command that does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.encoders.gabor_cells import GaborCells

from cinecortex.data import load
from cinecortex.encoders.checkpoint import save_model
from cinecortex.encoders.recipe import DwiseNeuro, Recipe
from cinecortex.encoders.train import fit_model
from cinecortex.recording import Recording
from cinecortex.seeds import Seed

SIZE = (8, 8)
NETWORK = DwiseNeuro(
    core_features=(8, 8), spatial_strides=(1, 2), expansion_ratio=4, cortex_features=(16, 32), softplus_beta=1.0
)
RECIPE = Recipe(
    epochs=3,
    warmup_epochs=1,
    samples_per_epoch=24,
    batch_size=6,
    accumulation=2,
    window_frames=4,
    steps_between_saves=2,
)


def write_animal(folder: Path, *, neurons: int, seed: int, trials: int = 4, frames: int = 24) -> Path:
    """A Sensorium session folder of a few Gabor cells on a small screen."""
    cells = GaborCells.make(neurons, size=SIZE, seed=seed)
    for name in ("videos", "responses", "behavior", "pupil_center"):
        (folder / "data" / name).mkdir(parents=True)
    for name in ("trials", "neurons"):
        (folder / "meta" / name).mkdir(parents=True)
    for number in range(trials):
        random = np.random.default_rng([seed, number])
        movie = cells.movie(random, frames)
        np.save(folder / "data" / "videos" / f"{number}.npy", (movie.transpose(1, 2, 0) * 255).round().astype(np.uint8))
        np.save(folder / "data" / "responses" / f"{number}.npy", random.poisson(cells.rate(movie)).T.astype(np.float32))
        for name in ("behavior", "pupil_center"):
            np.save(folder / "data" / name / f"{number}.npy", random.standard_normal((2, frames)).astype(np.float32))
    np.save(folder / "meta" / "trials" / "tiers.npy", np.array(["train"] * trials))
    np.save(folder / "meta" / "neurons" / "unit_ids.npy", np.arange(neurons))
    return folder


def animals(folder: Path) -> list[Recording]:
    """Two animals of 3 and 4 neurons, written where they are not yet."""
    paths = [folder / "first", folder / "second"]
    for seed, path in enumerate(paths):
        if not path.exists():
            write_animal(path, neurons=3 + seed, seed=seed)
    return [load(path) for path in paths]


def train_small(
    folder: Path, out: Path, *, resume: bool = False, progress: Callable[[int, int, str], None] | None = None
) -> None:
    """Train on the animals and write the encoder."""
    state = out.with_suffix(".unfinished")
    model = fit_model(
        animals(folder), NETWORK, settings=RECIPE, seed=Seed(3), folds=4, state=state, resume=resume, progress=progress
    )
    save_model(model, out)


if __name__ == "__main__":
    train_small(Path(sys.argv[1]), Path(sys.argv[2]), progress=lambda *told: print(*told, flush=True))
