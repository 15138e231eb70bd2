"""A small session, an encoder of it, and methods that are nobody's encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cinecortex.data import load
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.train import fit_model
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Recording
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session


class Painter:
    """Gray, whatever was said."""

    name = "painter"

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        self.asked += 1
        return Reconstruction(torch.full((observation.frames, *observation.frame_size), 0.5), ended="painted")


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validating") / "mouse"
    small = {"neurons": 20, "oracle_clips": 2, "oracle_repeats": 2, "test_clips": 6, "seconds": 2.0}
    write_session(folder, seed=Seed(3), clips=9, **small)
    return folder


@pytest.fixture(scope="session")
def recording(session: Path) -> Recording:
    return load(session)


@pytest.fixture(scope="session")
def model(recording: Recording) -> Model:
    settings = FitSettings(epochs=1, patience=1)
    return fit_model([recording], LinearNonlinearSettings(), settings=settings, seed=Seed(0), folds=3)
