"""Questions answered: each distinct observation inverted once, by whoever is asked, from what is kept where it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cinecortex.encoders.base import Encoder
from cinecortex.errors import CinecortexError
from cinecortex.execution.cache import Answer, Cache
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.execution.machines import Machines
from cinecortex.execution.mapping import Task
from cinecortex.execution.plan import Finished, Plan, carry_out, make_plan
from cinecortex.information import Information
from cinecortex.inversion.map import MAP
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask
from cinecortex.validating.panel import Panelist, encoder_fingerprint
from cinecortex.validation.check import JUDGED, Asked, Question

Tell = Callable[[str], None]
Progress = Callable[[int, int, str], None]
_MOVIES = ("movie", "mask", "std", "lower", "upper", "data_std", "model_std", "samples", "data_share")


@dataclass(frozen=True, eq=False)
class Asking:
    """One question on its way to whoever answers it."""

    method: str
    observation: Observation
    seed: Seed


@dataclass(frozen=True, eq=False)
class Ask:
    """What workers run."""

    inverters: Mapping[str, Inverter]

    def __call__(self, asking: Asking) -> Answer:
        """Invert one observation."""
        return to_answer(self.inverters[asking.method](asking.observation, asking.seed))


@dataclass(frozen=True, eq=False)
class Answering:
    """How questions become answers.

    Attributes:
        panel: Who answers, by the name that questions have for them.
        folder: Where answers are kept, addressed by all that went in.
        machines: Where inversions run.
        tell: Told the plan before it begins.
        progress: Told of every inversion.
    """

    panel: Mapping[str, Panelist]
    folder: Path
    machines: Machines
    tell: Tell
    progress: Progress

    def __call__(self, asked: Asked, seed: Seed) -> dict[Question, Reconstruction]:
        """Answer every question.

        A trial has the same seed under every control, so that a method that does not listen gives itself away.

        Raises:
            CinecortexError: some inversions failed; the others are kept.
        """
        cache = Cache(self.folder, tell=self.tell)
        identities = {name: fingerprint(panelist.identity) for name, panelist in self.panel.items()}
        tasks = {question: self._task(question, seen, identities, seed) for question, seen in asked.items()}
        plan = make_plan(tasks.values(), cache, noun="inversion")
        if plan.missing:
            ask = Ask(self._inverters(plan))
            if plan.estimate_seconds(self.machines) is None:
                # Nobody knows yet how long one takes: one is made, and then the plan can be told.
                first = Plan(1, (), plan.missing[:1], noun=plan.noun)
                _all_done(carry_out(first, ask, cache=cache, machines=Machines(threads=1)))
                plan = make_plan(tasks.values(), cache, noun=plan.noun)
            self.tell(plan.sentence(self.machines))
            finished = carry_out(plan, ask, cache=cache, machines=self.machines, progress=self.progress)
            self.tell(finished.sentence)
            _all_done(finished)
        elif tasks:
            self.tell(plan.sentence())
        return {question: from_answer(_kept(cache, task)) for question, task in tasks.items()}

    def _task(self, question: Question, seen: Observation, identities: Mapping[str, str], seed: Seed) -> Task[Asking]:
        stream = seed / "invert" / question.session_id / question.trial_id
        content = dict(vars(seen))
        key = fingerprint({"method": identities[question.method], "observation": content, "seed": stream})
        who = f", {self.panel[question.method].name}" if question.method != JUDGED else ""
        name = f"trial {question.trial_id} ({question.control}{who})"
        kind = f"{self.panel[question.method].name}, {seen.frames} frames"
        return Task(key, name, Asking(question.method, seen, stream), kind)

    def _inverters(self, plan: Plan[Asking]) -> dict[str, Inverter]:
        """Those who still have something to answer; decoders are fitted here."""
        asked = sorted({task.argument.method for task in plan.missing})
        for name in asked:
            if name != JUDGED:
                self.tell(f"preparing {self.panel[name].name}")
        return {name: self.panel[name].make() for name in asked}


def population_mask(encoder: Encoder, folder: Path) -> Mask:
    """Where the population can see, by the sensitivity of the encoder; computed once."""
    cache, key = Cache(folder), fingerprint({"mask of": encoder_fingerprint(encoder)})
    kept = cache.read(key)
    if kept is None:
        kept = Answer({"mask": MAP(encoder=encoder).mask.cpu().numpy()})
        cache.write(key, kept)
    return torch.from_numpy(np.array(kept.arrays["mask"]))


def to_answer(found: Reconstruction) -> Answer:
    """A reconstruction as it is kept."""
    arrays = {name: getattr(found, name) for name in _MOVIES if getattr(found, name) is not None}
    facts: dict[str, Any] = {
        "ended": found.ended,
        "energy": found.energy,
        "frame_passes": found.frame_passes,
        "took": found.seconds,
    }
    if found.information is not None:
        facts["information"] = found.information.to_json()
    return Answer({name: array.detach().cpu().numpy() for name, array in arrays.items()}, facts)


def from_answer(kept: Answer) -> Reconstruction:
    """What was kept, as the reconstruction that it was."""
    movies = {name: torch.from_numpy(np.array(array)) for name, array in kept.arrays.items()}
    measured = kept.facts.get("information")
    return Reconstruction(
        ended=str(kept.facts["ended"]),
        energy=kept.facts["energy"],
        frame_passes=int(kept.facts["frame_passes"]),
        seconds=float(kept.facts["took"]),
        information=None if measured is None else Information.from_json(measured),
        **movies,
    )


def _kept(cache: Cache, task: Task[Asking]) -> Answer:
    kept = cache.read(task.key)
    if kept is None:
        raise CinecortexError(f"the answer to {task.name} was lost from {cache.folder}; run it again.")
    return kept


def _all_done(finished: Finished) -> None:
    if finished.failed:
        first = finished.failed[0]
        raise CinecortexError(
            f"{len(finished.failed)} inversions failed, such as {first.sentence} What did not fail is kept; "
            "mend that and run it again."
        )
