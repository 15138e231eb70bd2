"""Calibration asks select clips, inside the mask after the first second, and refuses what cannot be calibrated."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from tests.in_memory import InMemory

from cinecortex import methods
from cinecortex.errors import WrongUse
from cinecortex.metrics.recalibration import fit_calibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed

FRAMES, SIZE = 80, (4, 5)
MASK = torch.ones(SIZE).index_fill(0, torch.tensor([0]), 0.4)


def trial(number: int) -> Trial:
    movie = torch.rand(FRAMES, *SIZE, generator=(Seed(1) / number).torch())
    return Trial(str(number), "s", "train", 30.0, SIZE, (), InMemory(movie, movie.flatten(1)))


@dataclass
class Shrinks:
    """Reads the movie out of the responses, halves its contrast and errs; outside of what counts it is far off."""

    std: float | None = 0.1
    mask: torch.Tensor | None = field(default_factory=lambda: MASK)
    name: str = "shrinks"
    asked: list[Seed] = field(default_factory=list)

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        self.asked.append(seed)
        movie = 0.5 + 0.5 * (observation.response.unflatten(1, SIZE) - 0.5)
        movie = movie + 0.05 * torch.randn(movie.shape, generator=Seed(2).torch())
        movie[:30], movie[:, 0] = 9.0, 9.0
        std = None if self.std is None else torch.full_like(movie, self.std)
        return Reconstruction(movie, "done", mask=self.mask, std=std)


def test_what_is_measured_is_inside_the_mask_after_the_first_second():
    trials, told = [trial(number) for number in range(6)], []
    dear, cheap = Shrinks(), Shrinks(std=0.2)
    found = methods.calibrated(
        dear, trials, seed=Seed(3), measured_by=cheap, progress=lambda *words: told.append(words)
    )
    assert (found.inverter, found.name, dear.asked) == (dear, "shrinks", [])
    assert [str(seed) for seed in cheap.asked] == [str(Seed(3) / t.trial_id) for t in trials]
    assert told[-1] == (6, 6, "trial 5")
    movies = [cheap(t.observe(), Seed(0)).movie[30:, 1:] for t in trials]
    errors = [t.movie[30:, 1:] - movie for t, movie in zip(trials, movies, strict=True)]
    known = fit_calibration(errors, [torch.full_like(error, 0.2) for error in errors], movies=movies)
    assert found.recalibration.to_json() == pytest.approx(known.to_json(), rel=1e-5)
    assert found.recalibration.gain == pytest.approx(1.8, abs=0.1)  # 2, less for the noise that it would blow up
    answer, raw = found(trials[0].observe(), Seed(0)), dear(trials[0].observe(), Seed(0))
    expected = known.apply(raw)
    torch.testing.assert_close(answer.movie, expected.movie)
    torch.testing.assert_close(answer.std, expected.std)


@pytest.mark.parametrize(
    ("inverter", "clips", "sentence"),
    [
        (Shrinks(std=None), 2, "shrinks gives no standard deviation and mask to calibrate"),
        (Shrinks(mask=None), 2, "shrinks gives no standard deviation and mask to calibrate"),
        (Shrinks(mask=0.49 * torch.ones(SIZE)), 2, "no pixel is inside the mask: there is nothing to calibrate on"),
        (Shrinks(), 0, "there is no error to calibrate with"),
    ],
    ids=["no spread", "no mask", "empty mask", "no clip"],
)
def test_what_cannot_be_calibrated_is_refused(inverter, clips, sentence):
    with pytest.raises(WrongUse, match=sentence):
        methods.calibrated(inverter, [trial(number) for number in range(clips)], seed=Seed(0))
