import pytest
import torch

from cinecortex.decoders import TrainingMean, fit_mean
from cinecortex.errors import BadData, WrongUse
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed


def test_the_mean_weighs_every_frame_alike(make_trial):
    dark, light = torch.zeros(3, 2, 4), torch.ones(1, 2, 4)
    light[0, 1, 2] = 0.6
    mean = fit_mean([make_trial(dark, torch.zeros(3, 2)), make_trial(light, torch.zeros(1, 2))])
    expected = torch.full((2, 4), 0.25)
    expected[1, 2] = 0.15
    torch.testing.assert_close(mean.image, expected)


def test_it_answers_with_the_picture_on_every_frame(make_trial):
    trial = make_trial(torch.rand(7, 2, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(7, 2))
    mean = fit_mean([trial])
    assert isinstance(mean, Inverter)
    answer = mean(trial.observe(), Seed(0))
    assert torch.equal(answer.movie, mean.image.expand(7, -1, -1))
    assert answer.frame_passes == 0


def test_it_does_not_look_at_the_response(make_trial):
    movie = torch.rand(7, 2, 4, generator=torch.Generator().manual_seed(0))
    quiet, loud = make_trial(movie, torch.zeros(7, 2)), make_trial(movie, torch.full((7, 2), 9.0))
    mean = fit_mean([quiet])
    assert torch.equal(mean(quiet.observe(), Seed(0)).movie, mean(loud.observe(), Seed(1)).movie)


def test_no_trials_are_refused():
    with pytest.raises(WrongUse, match="at least one training trial"):
        fit_mean([])


def test_movies_of_two_sizes_are_refused(make_trial):
    trials = [make_trial(torch.zeros(3, 2, 4), None, "a"), make_trial(torch.zeros(3, 4, 2), None, "b")]
    with pytest.raises(BadData, match=r"trial b .* 4x2 px .* 2x4 px"):
        fit_mean(trials)


def test_an_observation_of_another_size_is_refused(make_trial):
    trial = make_trial(torch.zeros(3, 2, 4), torch.zeros(3, 1))
    with pytest.raises(WrongUse, match="4x2 px"):
        TrainingMean(image=torch.zeros(4, 2))(trial.observe(), Seed(0))
