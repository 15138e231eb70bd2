"""Other movies, shown to an animal in silico."""

from __future__ import annotations

import torch
from tests.validation.methods import SIZE, trials

from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.animal import shown_to


class Eye:
    """Every pixel has its neuron."""

    def watch(self, movie: Movie, behavior: Behavior, seed: Seed) -> Response:
        assert len(movie) == len(behavior)
        return movie.flatten(1) + torch.randn(len(movie), movie[0].numel(), generator=seed.torch())


def test_a_trial_in_silico_is_a_trial_of_the_movie_that_was_shown():
    (trial,) = trials(1)
    movie = torch.rand(31, *SIZE, generator=Seed(1).torch())
    shown = shown_to(Eye(), trial, movie, name="noise", seed=Seed(2))
    assert torch.equal(shown.movie, movie)
    assert (shown.session_id, shown.trial_id, shown.tier) == ("a", "0, noise", "in silico")
    assert shown.clip_id != trial.clip_id
    seen = shown.observe()
    assert seen.frames == 31, "the behavior of 24 frames goes on"
    assert torch.equal(seen.response, shown.observe().response), "the same noise each time it is read"
    other = shown_to(Eye(), trial, movie, name="other noise", seed=Seed(2)).observe()
    assert not torch.equal(seen.response, other.response), "each its own noise"
    assert (seen.response - movie.flatten(1)).std() > 0.5
