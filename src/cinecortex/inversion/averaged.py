"""Several inverters asked one after another, and their movies averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cinecortex.errors import WrongUse
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed


class Averaged:
    """The mean of several reconstructions, as the publication averages those of seven encoders.

    What the inverters disagree on is ``model_std``. An average over members of an ensemble can also be taken of their
    rates or of their gradients, in one descent: see `MAP`. That one asks for a movie that suits all members at once;
    this one takes out what each member's descent got wrong by itself.

    Args:
        inverters: At least one, such as one `MAP` for each encoder of an ensemble.

    Raises:
        WrongUse: there is none.
    """

    def __init__(self, inverters: Sequence[Inverter]) -> None:
        if not inverters:
            raise WrongUse("an average needs at least one inverter.")
        self.inverters = tuple(inverters)

    @property
    def name(self) -> str:
        """That of the first."""
        return self.inverters[0].name

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial; the first inverter gets ``seed`` itself, the others streams of their own."""
        seeds = (seed if not number else seed / "member" / number for number in range(len(self.inverters)))
        answers = [invert(observation, own) for invert, own in zip(self.inverters, seeds, strict=True)]
        movies = torch.stack([answer.movie for answer in answers])
        masks = [answer.mask for answer in answers if answer.mask is not None]
        energies = [answer.energy for answer in answers if answer.energy is not None]
        return Reconstruction(
            movie=movies.mean(0),
            ended="; ".join(dict.fromkeys(answer.ended for answer in answers)),
            mask=torch.stack(masks).mean(0) if masks else None,
            energy=sum(energies) / len(energies) if energies else None,
            frame_passes=sum(answer.frame_passes for answer in answers),
            seconds=sum(answer.seconds for answer in answers),
            model_std=movies.std(0) if len(answers) > 1 else None,
        )
