"""What one validation left behind, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from cinecortex import study
from cinecortex.data.findings import FINDINGS, Findings, read_findings
from cinecortex.data.shown import SHOWN, Exhibit, read_exhibit
from cinecortex.errors import BadData
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons

JUDGED = "judged"
NO_NEURONS, SHUFFLED = (check.id.split(".")[-1] for check in (NoNeurons, NeuronsShuffled))
MEASURED, DRAWN = "information", "sample"


@dataclass(frozen=True, eq=False)
class Gathered:
    """One validation.

    Attributes:
        label: Which one it is, for people: unlike those of the others on the page.
        found: The findings.
        exhibit: The movies; no trial where none were kept.
    """

    label: str
    found: Findings
    exhibit: Exhibit

    @property
    def recording(self) -> dict[str, Any]:
        """What the findings say of the recording."""
        return dict(self.found.content["recording"])

    @property
    def method(self) -> str:
        """Who was judged."""
        return str(self.found.content["method"]["name"])

    @property
    def simulated(self) -> bool:
        """Whether the animal is a simulation."""
        return bool(self.recording["simulated"])

    @property
    def seed(self) -> Seed:
        """Root of everything random in it."""
        return Seed(int(self.found.content["seed"]))

    def results(self, name: str) -> list[tuple[Trial, Reconstruction]]:
        """The trials that have an answer of this name, with it."""
        return [(shown.trial, shown.answers[name]) for shown in self.exhibit.trials if name in shown.answers]

    def called(self, name: str) -> str:
        """An answer's name for people."""
        told = {JUDGED: self.method, NO_NEURONS: "no neuron heard", SHUFFLED: "neurons shuffled"}
        return told.get(name, name)

    @cached_property
    def scores(self) -> dict[str, study.MethodScores]:
        """How every answer scores that could be compared with the movie shown, by its name."""
        names = (JUDGED, *self.baselines, SHUFFLED, NO_NEURONS)
        exhibit = self.exhibit
        return {
            name: study.score_results(self.called(name), results, mask=exhibit.mask, burn_in=exhibit.burn_in)
            for name in names
            if (results := self.results(name))
        }

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the answers that others gave, the best known first."""
        there = {name for shown in self.exhibit.trials for name in shown.answers}
        return tuple(sorted(there - {JUDGED, NO_NEURONS, SHUFFLED, MEASURED, DRAWN}, key=_familiar))


def _familiar(name: str) -> tuple[int, str]:
    known = ("ridge", "convolutional", "bayesian", "nearest", "mean")
    return known.index(name) if name in known else len(known), name


def gather(folders: Sequence[Path]) -> tuple[Gathered, ...]:
    """Read what validations left: of each folder its own findings, or those of the folders in it (a study's sessions).

    Raises:
        BadData: a folder holds no findings, or they cannot be read.
    """
    found = [place for folder in folders for place in _places(folder)]
    names = _labels(found)
    return tuple(
        Gathered(name, read_findings(place), _exhibit(place / SHOWN)) for name, place in zip(names, found, strict=True)
    )


def _exhibit(folder: Path) -> Exhibit:
    return read_exhibit(folder) if folder.exists() else Exhibit((), torch.zeros(0, 0), 0)


def _places(folder: Path) -> list[Path]:
    if (folder / FINDINGS).exists():
        return [folder]
    within = sorted(place.parent for place in folder.glob(f"*/{FINDINGS}"))
    if not within:
        raise BadData(f"{folder} holds no {FINDINGS}; name a folder that cinecortex validate or run wrote.")
    return within


def _labels(places: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    resolved = [place.resolve().parts for place in places]
    depth = 1
    while len({parts[-depth:] for parts in resolved}) < len(resolved) and depth < max(map(len, resolved)):
        depth += 1
    return ["/".join(parts[-depth:]) for parts in resolved]
