from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.encoders.small_training import NETWORK, RECIPE, SIZE, animals

from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.sampling import Cut, Place, Sample, Windows
from cinecortex.errors import BadData
from cinecortex.recording import Recording
from cinecortex.seeds import Seed


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Recording]:
    return animals(tmp_path_factory.mktemp("animals"))


def windows_of(recordings, recipe=RECIPE, seed=0) -> Windows:
    network = NETWORK.build([recording.trials for recording in recordings], Seed(0))
    encoders = [
        DwiseNeuroEncoder(network, i, frame_size=SIZE, padded_size=(12, 10), window_frames=4)
        for i in range(len(recordings))
    ]
    return Windows(encoders, [recording.trials for recording in recordings], recipe, Seed(seed))


def expected(recording: Recording, place: Place) -> tuple[torch.Tensor, torch.Tensor]:
    """The window by reading the whole trial."""
    trial, frames = recording.trials[place.trial], slice(place.first, place.first + 7, 2)
    inputs = torch.zeros(5, 4, 12, 10)
    inputs[0, :, 2:10, 1:9] = trial.movie[frames] * 255
    inputs[1:] = trial.behavior[frames].T[:, :, None, None]
    return inputs, trial.response[frames].T


def test_a_window_is_every_second_frame_in_raw_units(recordings):
    windows = windows_of(recordings)
    samples = [Sample(1, Place(2, 5), None), Sample(0, Place(0, 17), None), Sample(1, Place(0, 0), None)]
    part = windows.read(samples)
    assert part.counts == (1, 2)
    for row, (animal, place) in enumerate([(0, Place(0, 17)), (1, Place(2, 5)), (1, Place(0, 0))]):
        inputs, response = expected(recordings[animal], place)
        torch.testing.assert_close(part.inputs[row], inputs)
        torch.testing.assert_close(part.responses[animal][row - animal], response)


def test_a_cut_takes_pixels_behavior_and_responses_of_its_area(recordings):
    windows = windows_of(recordings)
    cut = Cut(Place(3, 2), rows=(3, 9), columns=(0, 5))
    part = windows.read([Sample(0, Place(1, 4), cut)])
    (inputs, response), (other, other_response) = (expected(recordings[0], p) for p in (Place(1, 4), Place(3, 2)))
    inside = torch.zeros(12, 10, dtype=torch.bool)
    inside[3:9, 0:5] = True
    torch.testing.assert_close(part.inputs[0], torch.where(inside, other, inputs))
    share = float(inside.double().mean())
    torch.testing.assert_close(part.responses[0][0], (1 - share) * response + share * other_response)
    assert part.counts == (1, 0)
    assert part.responses[1].shape == (0, 4, 4)


def test_a_plan_depends_on_the_seed_and_the_step_only(recordings):
    windows, again, other = windows_of(recordings), windows_of(recordings), windows_of(recordings, seed=1)
    plans = [windows.plan(step) for step in range(20)]
    assert [again.plan(step) for step in reversed(range(20))][::-1] == plans
    assert other.plan(0) != plans[0]
    assert len({tuple(plan) for plan in plans}) == 20


def test_plans_cover_what_they_should(recordings):
    windows = windows_of(recordings, replace(RECIPE, batch_size=5))
    samples = [sample for step in range(400) for sample in windows.plan(step)]
    assert [sample.animal for sample in samples] == [0, 1] * 1000
    places = np.array([(sample.place.trial, sample.place.first) for sample in samples])
    assert set(places[:, 0]) == {0, 1, 2, 3}
    assert set(places[:, 1]) == set(range(24 - 7 + 1))
    cuts = [sample.cut for sample in samples if sample.cut is not None]
    assert 0.45 < len(cuts) / len(samples) < 0.55
    # Beta(1, 1): sides are the root of a uniform number, cut off at the border.
    tall = [c.rows[1] - c.rows[0] for c in cuts]
    assert 0 <= min(tall) <= 3
    assert max(tall) >= 10
    assert all(0 <= c.columns[0] <= c.columns[1] <= 10 and 0 <= c.rows[0] <= c.rows[1] <= 12 for c in cuts)
    assert not any(sample.cut for sample in windows_of(recordings, replace(RECIPE, cutmix_probability=0.0)).plan(0))


def test_reading_ahead_changes_nothing(recordings):
    windows = windows_of(recordings)
    for (step, parts), number in zip(windows.ahead(range(3, 9)), range(3, 9), strict=True):
        assert step == number
        plan = windows.plan(step)
        for part, samples in zip(parts, (plan[0::2], plan[1::2]), strict=True):
            assert torch.equal(part.inputs, windows.read(samples).inputs)


def test_processes_share_a_batch_between_them(recordings):
    windows = windows_of(recordings, replace(RECIPE, accumulation=1))
    shares = [next(windows.ahead(range(1), share=slice(rank, None, 2)))[1][0] for rank in range(2)]
    whole = next(windows.ahead(range(1)))[1][0]
    together = torch.cat([share.inputs for share in shares])
    assert sorted(together.flatten(1).sum(1).tolist()) == pytest.approx(sorted(whole.inputs.flatten(1).sum(1).tolist()))


def test_trials_shorter_than_a_window_are_left_out_and_none_is_bad_data(recordings):
    long = replace(RECIPE, window_frames=13)  # spans 25 of 24 frames
    with pytest.raises(BadData, match="session first has no training trial of 25 frames"):
        windows_of(recordings, long)
