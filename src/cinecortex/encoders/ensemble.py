"""Several encoders of one population, asked together: their mean rate, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.tensors import Behaviors, Movies, Rates


class Ensemble(Encoder):
    """The mean rate of its members, which may be of different architectures.

    Args:
        members: At least one encoder; all of the same population, frame size and frame rate.

    Raises:
        WrongUse: there is no member, or members differ in their neurons, frame size, frame rate or behavior.
    """

    kind = "ensemble"

    def __init__(self, members: Sequence[Encoder]) -> None:
        super().__init__()
        if not members:
            raise WrongUse("an ensemble needs at least one encoder.")
        first = members[0]
        for number, member in enumerate(members):
            for name in ("neurons", "frame_size", "frame_rate_hz"):
                if getattr(member, name) != getattr(first, name):
                    raise WrongUse(
                        f"member {number} of the ensemble has {name} {getattr(member, name)}, member 0 has "
                        f"{getattr(first, name)}; only encoders of one population can be averaged."
                    )
        if len({len(rest) for rest in self._at_rest(members)}) > 1:
            raise WrongUse("the members of the ensemble were told different numbers of behavior channels.")
        self._members = nn.ModuleList(members)
        self.frame_size, self.frame_rate_hz = first.frame_size, first.frame_rate_hz
        self.memory = max(member.memory for member in members)
        self.settings = {"members": [{"kind": member.kind, **member.settings} for member in members]}

    @property
    def members(self) -> tuple[Encoder, ...]:
        """The encoders whose rates are averaged."""
        return tuple(cast(Encoder, member) for member in self._members)

    @property
    def neurons(self) -> int:
        """Number of neurons predicted."""
        return self.members[0].neurons

    @property
    def resolution(self) -> tuple[int, int]:
        """The finest of the members, along each axis."""
        rows, columns = zip(*(member.resolution for member in self.members), strict=True)
        return max(rows), max(columns)

    @property
    def behavior_at_rest(self) -> Float[Tensor, "channel"]:
        """Mean over the members that are told behavior; empty where none is."""
        told = self._at_rest(self.members)
        return torch.stack(told).mean(0) if told else torch.zeros(0, device=self.device)

    @staticmethod
    def _at_rest(members: Sequence[Encoder]) -> list[Tensor]:
        return [member.behavior_at_rest for member in members if len(member.behavior_at_rest)]

    def rates(self, movies: Movies, behaviors: Behaviors) -> Float[Tensor, "member batch time neuron"]:
        """What each member expects, in the unit of the recording."""
        return torch.stack([member(movies, behaviors) for member in self.members])

    def disagreement(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Standard deviation of the members' rates about their mean, unbiased in the variance; NaN for one member."""
        return self.rates(movies, behaviors).std(0)

    def forward(self, movies: Movies, behaviors: Behaviors) -> Rates:
        """Expected responses on every frame of every movie, in the unit of the recording."""
        # Summed one by one, so that no more than one member's rates are held beside the sum when nothing is descended.
        total: Tensor = self.members[0](movies, behaviors)
        for member in self.members[1:]:
            total = total + member(movies, behaviors)
        return total / len(self.members)
