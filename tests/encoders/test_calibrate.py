"""What `calibrate` refuses before it measures anything. What it measures is tested where weights are imported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.encoders.small_training import SIZE, write_animal

from cinecortex.data import load
from cinecortex.encoders.calibrate import calibrate
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Recording

NEURONS, FRAMES = 3, 70


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Recording:
    folder = write_animal(tmp_path_factory.mktemp("animal") / "a", neurons=NEURONS, seed=0, trials=4, frames=FRAMES)
    np.save(folder / "meta/trials/tiers.npy", np.array(["train", "train", "oracle", "final_test_main"]))
    # Withheld responses are zeros or absent; here they are absent.
    (folder / "data/responses/3.npy").unlink()
    return load(folder)


def model(recording: Recording, size: tuple[int, int] = SIZE) -> Model:
    encoder = LinearNonlinear(0.01 * torch.ones(NEURONS, 2, *size), torch.zeros(NEURONS))
    assert encoder.frame_rate_hz == recording.frame_rate_hz
    return Model({recording.session_id: encoder}, {"kind": "linear_nonlinear", "fitted": []})


def test_what_fits_is_measured(recording):
    measured = calibrate(model(recording), recording, recording.tier("oracle"))
    assert measured.session(recording.session_id).observation_model is not None


def test_frames_of_another_size(recording):
    sees = (SIZE[0], SIZE[1] + 1)
    with pytest.raises(BadData, match=r"8x8 px, but the encoder .* sees 8x9 px; give the recording"):
        calibrate(model(recording, sees), recording, recording.tier("oracle"))


def test_another_frame_rate(recording):
    faster = replace(recording, frame_rate_hz=60.0)
    with pytest.raises(BadData, match=r"runs at 60 Hz, but the encoder .* at 30 Hz; give the recording"):
        calibrate(model(recording), faster, faster.tier("oracle"))


def test_no_tier_train(recording):
    untrained = replace(recording, trials=recording.tier("oracle", "final_test_main"))
    with pytest.raises(BadData, match="no trial of tier train"):
        calibrate(model(recording), untrained, recording.tier("oracle"))


def test_no_trial_with_a_response(recording):
    (withheld,) = recording.tier("final_test_main")
    assert withheld.response is None
    for trials in ((), (withheld,)):
        with pytest.raises(WrongUse, match="no trial with a response"):
            calibrate(model(recording), recording, trials)


def test_refusals_leave_the_model_alone(recording):
    kept = model(recording)
    with pytest.raises(WrongUse):
        calibrate(kept, recording, recording.tier("train"))
    assert kept.session(recording.session_id).movie_statistics is None
