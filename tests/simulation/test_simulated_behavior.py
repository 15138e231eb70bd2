import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import BEHAVIOR_CHANNELS, draw_behavior, gaze_of, resting_behavior
from cinecortex.simulation.drift import drift


@pytest.fixture(scope="module")
def behavior() -> np.ndarray:
    return torch.cat([draw_behavior(600, Seed(0) / i) for i in range(100)]).numpy()


def test_units_and_ranges(behavior: np.ndarray) -> None:
    pupil, running, gaze_x, gaze_y = behavior.T
    assert len(BEHAVIOR_CHANNELS) == 4
    assert pupil.min() > 5
    assert running.min() == 0
    assert 0.2 < (running > 0.5).mean() < 0.6
    assert 5 < np.percentile(running, 95) < 40
    for gaze in (gaze_x, gaze_y):
        assert gaze.mean() == pytest.approx(0, abs=0.15)
        assert 0.6 < gaze.std() < 1.3


def test_pupil_and_running_go_together(behavior: np.ndarray) -> None:
    assert 0.4 < np.corrcoef(behavior[:, 0], behavior[:, 1])[0, 1] < 0.95
    assert abs(np.corrcoef(behavior[:, 0], behavior[:, 2])[0, 1]) < 0.15


def test_it_is_slow_but_for_saccades() -> None:
    step = draw_behavior(3000, Seed(1)).diff(dim=0).abs()
    assert float(step[:, 0].max()) < 3
    gaze = step[:, 2]
    assert float(gaze.max()) > 5 * float(gaze.median())


def test_a_seed_is_a_behavior() -> None:
    assert torch.equal(draw_behavior(50, Seed(3)), draw_behavior(50, Seed(3)))
    assert not torch.equal(draw_behavior(50, Seed(3)), draw_behavior(50, Seed(4)))


def test_channels_are_checked() -> None:
    assert torch.equal(gaze_of(resting_behavior(3)), torch.zeros(3, 2))
    with pytest.raises(WrongUse, match="not 2"):
        gaze_of(resting_behavior(3)[:, :2])


def test_drift_is_stationary_with_the_memory_asked_for() -> None:
    paths = drift(np.random.default_rng(0), frames=200, frame_rate_hz=20.0, time_constant_s=1.0, paths=5000)
    assert paths.var(1) == pytest.approx(1, abs=0.12)
    assert (paths[:-20] * paths[20:]).mean() == pytest.approx(np.exp(-1), abs=0.02)
