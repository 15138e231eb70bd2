"""Which check catches which wrong method: every check there is, on every method there is, in the tiny world.

``python -m tests.validation.table`` writes ``docs/validation-table.md`` anew. A check is added to `checks`, a wrong
method to `WRONG`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.validation import methods
from tests.validation.methods import TRAINING, Method, asking_others, trials

from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.seeds import Seed
from cinecortex.validation.baselines import Baselines
from cinecortex.validation.behavior_only import BehaviorOnly
from cinecortex.validation.check import Check
from cinecortex.validation.identification import Identification
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.phase_randomised_check import PhaseRandomised
from cinecortex.validation.prior_sensitivity import PriorSensitivity
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.time_shifted import TimeShifted
from cinecortex.validation.trials_swapped import TrialsSwapped

PAGE = Path(__file__).parents[2] / "docs" / "validation-table.md"
SEED, SCORING = Seed(5), Scoring(burn_in=4)
PRIORS = {"map, smooth": "a smooth prior", "map, half the weight": "half the prior's weight"}
CLIPS = 12

HONEST = "honest"
WRONG: Mapping[str, tuple[str, Method]] = {
    "mean": ("paints mean luminance", methods.mean_painter),
    "hallucinator": ("shows a movie of the right kind that was not shown", methods.hallucinator),
    "copier": ("shows the training clip whose responses are most alike", methods.nearest_copier),
    "behavior reader": ("has memorised the test clips, tells from behavior which it was", methods.behavior_reader),
    "leaker": ("has memorised the test clips, tells from mean responses which it was", methods.leaker),
    "sum follower": ("follows what all neurons share", methods.sum_follower),
    "texture": ("adds a texture of its own", methods.texture_adder),
    "timeless": ("one picture for the whole clip", methods.ignores_time),
}
"""Name in the table, what it does, and the method."""


def checks() -> tuple[Check, ...]:
    """Every check, as it is made for the tiny world."""
    train = trials(len(TRAINING), first=TRAINING.start)
    return (
        NoNeurons(SEED, SCORING),
        NeuronsShuffled(SEED, SCORING),
        TimeShifted(6, SEED, SCORING),
        TrialsSwapped(SEED, SCORING),
        PhaseRandomised(SEED, SCORING),
        BehaviorOnly(train, SEED, SCORING),
        Identification(SEED, SCORING),
        Baselines(SEED, SCORING),
        PriorSensitivity(PRIORS, SEED, SCORING),
    )


def all_findings() -> dict[str, dict[str, Finding]]:
    """What every check says of every method, by name of the method, the honest one first, and by check."""
    asking, shown = checks(), trials(CLIPS)
    asked = {question: observation for check in asking for question, observation in check.ask(shown).items()}
    told = {}
    for name, method in {HONEST: methods.honest, **{name: method for name, (_, method) in WRONG.items()}}.items():
        ask = asking_others(method)
        given = {question: Reconstruction(ask(question, seen), ended="tested") for question, seen in asked.items()}
        told[name] = {check.id: check.judge(shown, given) for check in asking}
    return told


def page(told: Mapping[str, Mapping[str, Finding]]) -> str:
    """The page of the documentation."""
    names = list(told)
    rows = [
        f"| `{check}` | " + " | ".join(_cell(told[name][check].verdict) for name in names) + " |"
        for check in told[HONEST]
    ]
    caught = [str(sum(one.verdict == "refuted" for one in told[name].values())) for name in names]
    lines = [
        "# Which check catches which wrong method",
        "",
        "Every check on methods that are wrong in one way each, in a world where every pixel has its own neuron, on",
        f"{CLIPS} clips. Written by `python -m tests.validation.table`; the tests fail where this page is stale, where",
        "a wrong method is caught by fewer than two checks, and where the honest one is caught by any.",
        "",
        "| name | what it does |",
        "|---|---|",
        f"| {HONEST} | reads every pixel from its neuron |",
        *(f"| {name} | {what} |" for name, (what, _) in WRONG.items()),
        "",
        "Empty cells are `supported`. That a check supports a wrong method says only that it asks for something else.",
        "",
        f"| check | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        *rows,
        f"| refuted by | {' | '.join(caught)} |",
        "",
    ]
    return "\n".join(lines)


def _cell(verdict: str) -> str:
    return "" if verdict == "supported" else verdict


if __name__ == "__main__":
    PAGE.write_text(page(all_findings()), encoding="utf-8")
    print(f"wrote {PAGE}")
