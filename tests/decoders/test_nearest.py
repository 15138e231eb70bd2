import dataclasses

import numpy as np
import pytest
import torch

from cinecortex.decoders.nearest import fit_nearest
from cinecortex.errors import BadData, WrongUse
from cinecortex.seeds import Seed

SEED = Seed(0)


@pytest.fixture
def trials(world, rng):
    return world.trials(rng, 6, 45)


def noisy(trial, rng, spread=1.5):
    response = trial.response + spread * torch.from_numpy(rng.normal(size=trial.response.shape)).float()
    return dataclasses.replace(trial.observe(), response=response)


def test_a_clip_is_recognised_in_noise(trials, rng):
    nearest = fit_nearest(trials)
    for trial in trials:
        answer = nearest(noisy(trial, rng), SEED)
        assert torch.equal(answer.movie, trial.movie)
        assert f"trial {trial.trial_id}," in answer.ended


def test_likeness_is_the_correlation_of_stretches_around_the_training_mean(trials, rng):
    nearest = fit_nearest(trials, frames_per_stretch=10)
    observation = noisy(trials[2], rng)
    heard = torch.tensor([True, True, False, True, True, True])
    observation.response[3:7, 0] = torch.nan
    observation.response[10:20] = torch.nan
    pooled = np.concatenate([t.response.double().numpy() for t in trials])
    center, spread = pooled.mean(0), pooled.std(0)

    def stretches(response):
        scores = (response.double().numpy() - center) / spread
        means = [np.nanmean(scores[i : i + 10], axis=0) for i in range(0, 45, 10) if i != 10]
        return np.concatenate([mean[heard.numpy()] for mean in means])

    own = stretches(observation.response)
    expected = [
        own @ stretches(t.response) / np.linalg.norm(own) / np.linalg.norm(stretches(t.response)) for t in trials
    ]
    alike = nearest.likeness(dataclasses.replace(observation, heard=heard))
    np.testing.assert_allclose(alike, expected, atol=2e-3)  # summaries are of half precision


def test_the_weakest_answer_is_not_the_nearest_to_all(trials, make_trial, rng):
    """A distance would choose the trial whose responses hardly leave the mean."""
    faint = make_trial(torch.zeros(45, 3, 5), 3 + 0.01 * (trials[0].response - 3), "faint")
    observation = noisy(trials[4], rng, spread=2.0)  # shown again, and answered at a third of the gain
    observation = dataclasses.replace(observation, response=observation.response - 0.67 * (trials[4].response - 3))
    z = (observation.response - 3) / 2
    distances = {t.trial_id: float((z - (t.response - 3) / 2).norm()) for t in (*trials, faint)}
    assert min(distances, key=distances.__getitem__) == "faint"
    assert torch.equal(fit_nearest([*trials, faint])(observation, SEED).movie, trials[4].movie)


def test_what_an_unheard_neuron_did_does_not_matter(trials, rng):
    nearest = fit_nearest(trials)
    observation = noisy(trials[1], rng)
    misleading = observation.response.clone()
    misleading[:, :2] = 3 + 40 * (trials[5].response[:, :2] - 3)
    heard = torch.tensor([False, False, True, True, True, True])
    changed = dataclasses.replace(observation, response=misleading)
    assert torch.equal(nearest(changed, SEED).movie, trials[5].movie)
    silenced = nearest(changed.hearing(heard), SEED)
    assert torch.equal(silenced.movie, trials[1].movie)
    assert torch.equal(nearest.likeness(changed.hearing(heard)), nearest.likeness(observation.hearing(heard)))


def test_nothing_heard_is_the_mean_movie(trials):
    nearest = fit_nearest(trials)
    answer = nearest(trials[0].observe().hearing(torch.zeros(6, dtype=torch.bool)), SEED)
    assert torch.equal(answer.movie, nearest.image.expand(45, -1, -1))
    assert "nothing was heard" in answer.ended
    for trial in trials:
        trial.reader.recorded.fill_(2.0)
    assert torch.equal(fit_nearest(trials)(trials[0].observe(), SEED).movie, nearest.image.expand(45, -1, -1))


def test_clips_of_other_lengths_are_compared_where_they_overlap(world, trials, rng):
    long = world.trial(rng, 80, "long")
    nearest = fit_nearest([*trials, long])
    start = dataclasses.replace(noisy(long, rng), response=long.response[:20], behavior=torch.zeros(20, 0))
    assert torch.equal(nearest(start, SEED).movie, long.movie[:20])
    more = torch.cat([trials[3].response, torch.full((15, 6), 3.0)])
    beyond = nearest(dataclasses.replace(start, response=more, behavior=torch.zeros(60, 0)), SEED).movie
    assert torch.equal(beyond[:45], trials[3].movie)
    assert torch.equal(beyond[45:], nearest.image.expand(15, -1, -1))


@dataclasses.dataclass(frozen=True)
class Counting:
    """Counts how often its movie is read."""

    inner: object
    read: list

    def movie(self):
        self.read.append(1)
        return self.inner.movie()

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_one_movie_is_read_for_one_answer(trials):
    read = []
    counted = [dataclasses.replace(trial, reader=Counting(trial.reader, read)) for trial in trials]
    nearest = fit_nearest(counted)
    before = len(read)
    nearest(trials[0].observe(), SEED)
    assert (before, len(read)) == (6, 7)


def test_wrong_use_is_refused(trials, make_trial):
    with pytest.raises(WrongUse, match="at least one train trial"):
        fit_nearest([])
    with pytest.raises(BadData, match="no recorded response"):
        fit_nearest([*trials, make_trial(trials[0].movie, None, "odd")])
