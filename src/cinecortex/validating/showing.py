"""What of a validation a report shows: the judged answer beside those that it is held against."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cinecortex.data.shown import SHOWN, order_of_clips, write_exhibit
from cinecortex.identifiability.identified import Identified
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask
from cinecortex.validation.check import INTACT, JUDGED, Answers, Asked, Question
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.scoring import Scoring

CONTROLS = tuple(check.id.split(".")[-1] for check in (NoNeurons, NeuronsShuffled))


def asked_to_show(trials: Sequence[Trial], *, measured: int, seed: Seed) -> Asked:
    """What a report shows even where no check asks for it.

    Args:
        trials: Those that are judged.
        measured: Of how many whole clips it is measured how much of each pixel is data: those shown first.
        seed: Root of everything random.
    """
    asked = {Question.of(trial): trial.observe() for trial in trials}
    first = [trials[place] for place in order_of_clips(len(trials), seed)[:measured]]
    return asked | {Question.of(trial, method=Identified.name): trial.observe() for trial in first}


def keep_shown(
    out: Path,
    trials: Sequence[Trial],
    answers: Answers,
    *,
    methods: Sequence[str],
    mask: Mask,
    seen: Collection[str],
    attrs: Mapping[str, Any],
) -> Path:
    """Keep beside the findings what their report shows, of whatever was answered.

    Args:
        out: Folder of the findings.
        trials: Those that were judged.
        answers: To all questions.
        methods: Others that may have been asked, such as baselines.
        mask: Where scores count.
        seen: Identity of the clips that were fitted to.
        attrs: Facts for every result.
    """
    wanted = {"judged": (INTACT, JUDGED)}
    wanted |= {control: (control, JUDGED) for control in CONTROLS}
    wanted |= {method: (INTACT, method) for method in methods}
    found: dict[str, dict[str, Reconstruction]] = {}
    for name, (control, method) in wanted.items():
        for trial in trials:
            answer = answers.get(Question.of(trial, control, method=method))
            if answer is not None:
                found.setdefault(name, {})[trial.trial_id] = answer
    burn_in = Scoring(mask=mask).burn_in
    return write_exhibit(out / SHOWN, trials, found, mask=mask, burn_in=burn_in, seen=seen, attrs=attrs)
