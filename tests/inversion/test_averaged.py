"""The average of inverters: movies and masks are averaged, costs added, disagreement kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from tests.worlds import LinearWorld

from cinecortex.errors import WrongUse
from cinecortex.inversion.averaged import Averaged
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed

SHAPE = (3, 2, 2)
OBSERVATION = LinearWorld.make(Seed(0), frames=3, size=(2, 2), neurons=2).observation


@dataclass
class Says:
    level: float
    name: str = "says"
    heard: list[Seed] = field(default_factory=list)

    def __call__(self, observation: object, seed: Seed) -> Reconstruction:
        self.heard.append(seed)
        mask = torch.full(SHAPE[1:], self.level)
        return Reconstruction(
            torch.full(SHAPE, self.level), "done", mask=mask, energy=10 * self.level, frame_passes=7, seconds=2.0
        )


def test_movies_are_averaged_and_costs_added():
    inverters = [Says(0.2), Says(0.4), Says(0.9)]
    answer = Averaged(inverters)(OBSERVATION, Seed(5))
    torch.testing.assert_close(answer.movie, torch.full(SHAPE, 0.5))
    torch.testing.assert_close(answer.mask, torch.full(SHAPE[1:], 0.5))
    torch.testing.assert_close(answer.model_std, torch.full(SHAPE, 0.13**0.5))  # (0.09 + 0.01 + 0.16) / 2
    assert (answer.frame_passes, answer.seconds, answer.ended) == (21, 6.0, "done")
    assert answer.energy == pytest.approx(5.0)
    seeds = [str(one.heard[0]) for one in inverters]
    assert seeds[0] == str(Seed(5))
    assert len(set(seeds)) == 3


def test_one_alone_is_itself_and_none_is_refused():
    assert Averaged([Says(0.3)])(OBSERVATION, Seed(0)).model_std is None
    with pytest.raises(WrongUse, match="at least one inverter"):
        Averaged([])
