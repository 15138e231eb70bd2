"""Which check catches which wrong method: the whole suite, on every method there is, in the tiny world.

``python -m tests.validation.table`` writes ``docs/validation-table.md`` anew. A check comes from the suite, a wrong
method from `WRONG`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.validation import methods, tiny
from tests.validation.methods import Method, asking_others
from tests.validation.populations import by_pixel

from cinecortex.finding import Finding
from cinecortex.reconstruction import Reconstruction
from cinecortex.validation.check import JUDGED, Answers, Asked
from cinecortex.validation.suite import SUITE
from cinecortex.validation.summary import Summary, corrected, summarise

PAGE = Path(__file__).parents[2] / "docs" / "validation-table.md"

HONEST = "honest"
WRONG: Mapping[str, tuple[str, Method]] = {
    "mean": ("paints mean luminance", methods.mean_painter),
    "hallucinator": ("shows a training clip picked at random", methods.random_training_clip),
    "copier": ("shows the training clip whose responses are most alike", methods.nearest_copier),
    "behavior reader": ("has memorised the test clips, tells from behavior which it was", methods.behavior_reader),
    "leaker": ("has memorised the test clips, tells from mean responses which it was", methods.leaker),
    "course leaker": ("has memorised the test clips, tells from all responses which it was", methods.course_leaker),
    "frame leaker": (
        "has memorised all clips, shows for every frame the one whose responses are most alike",
        methods.frame_leaker,
    ),
    "sum follower": ("follows what all neurons share", methods.sum_follower),
    "texture": ("looks sharp: adds a texture of its own", methods.texture_adder),
    "timeless": ("one picture for the whole clip", methods.ignores_time),
}
"""Name in the table, what it does, and the method."""

MEMORISED = frozenset({"behavior reader", "leaker", "course leaker", "frame leaker"})
"""Those whose encoder was fitted to the test trials too."""
TOLD = ("leakage.clips", "leakage.alignment")
"""The checks that are told so by the encoder; all others must find it out."""


Told = dict[str, dict[str, Finding]]
"""What every check says of every method, by name of the method, the honest one first, and by check."""


def method_by_method() -> Iterator[tuple[str, dict[str, Finding]]]:
    """The name of every method and what every check says of it, in their order."""
    shown, honest = tiny.judged(), tiny.subject()
    checks, leaked = tiny.checks(honest), tiny.checks(tiny.leaked(honest))
    confessed = {name: leaked[name].judge(shown, {}) for name in TOLD}
    asking = {name: check.ask(shown) for name, check in checks.items()}
    # What needs no reconstruction says the same of every method that has the same encoder.
    silent = {name: checks[name].judge(shown, {}) for name, asked in asking.items() if not asked}
    asked = {question: observation for of_one in asking.values() for question, observation in of_one.items()}
    others = _answers({q: seen for q, seen in asked.items() if q.method != JUDGED}, methods.honest)
    for name, method in {HONEST: methods.honest, **{name: method for name, (_, method) in WRONG.items()}}.items():
        given = {**others, **_answers({q: seen for q, seen in asked.items() if q.method == JUDGED}, method)}
        known = silent | (confessed if name in MEMORISED else {})
        yield name, {check: known.get(check) or checks[check].judge(shown, given) for check in checks}


def summary(findings: Mapping[str, Finding]) -> Summary:
    """What the suite says of a method on the whole."""
    return summarise(corrected(list(findings.values()), SUITE), SUITE, method="it", clips=tiny.CLIPS, missing={})


def untold(told: Told, name: str) -> dict[str, Finding]:
    """What is found of a method where its encoder keeps to itself what it was fitted to."""
    return told[name] | {check: told[HONEST][check] for check in TOLD}


def page(told: Told) -> str:
    """The page of the documentation."""
    names = list(told)
    rows = [
        f"| `{entry.id}`{(' ' + entry.marks).rstrip()} | "
        + " | ".join(_cell(told[name][entry.id].verdict) for name in names)
        + " |"
        for entry in SUITE
    ]
    caught = [str(sum(one.verdict == "refuted" for one in told[name].values())) for name in names]
    lines = [
        "# Which check catches which wrong method",
        "",
        "The whole suite on methods that are wrong in one way each, in a world where every pixel has three neurons of",
        f"its own, on {tiny.CLIPS} clips. Written by `python -m tests.validation.table`. The tests fail where it is",
        "stale or lacks a check of the suite, where a wrong method is caught by fewer than two checks, and where the",
        "honest one is not supported by all.",
        "",
        "| name | what it does |",
        "|---|---|",
        f"| {HONEST} | reads every pixel from its neurons |",
        *(f"| {name} | {what} |" for name, (what, _) in WRONG.items()),
        "",
        "Empty cells are `supported`. That a check supports a wrong method says only that it asks for something else.",
        "A refuted check marked with * or ** sinks the claim that the movie comes from the neurons, and that claim is",
        "made only where all those marked with ** are supported.",
        "",
        "A method that has memorised test clips was fitted to the test trials too. The first two checks are told so",
        "by its encoder; to all others it makes no difference. `summary, untold` is the verdict where the encoder",
        "keeps that to itself: two checks at least still refute it. But that a frame leaker follows the activity is",
        "true, and no check that would sink the claim refutes it then; it gives itself away by movies that it has not",
        "memorised.",
        "",
        "A frame leaker is wrong only where there are many more pictures than it has memorised. On frames of 4x5",
        "pixels, as in the tests of single checks, some stored one is like any that could be shown: it reads them, if",
        f"coarsely. Hence frames of {tiny.FRAME[0]}x{tiny.FRAME[1]} here.",
        "",
        f"| check | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        *rows,
        f"| refuted by | {' | '.join(caught)} |",
        f"| summary | {' | '.join(summary(told[name]).verdict for name in names)} |",
        f"| summary, untold | {' | '.join(summary(untold(told, name)).verdict for name in names)} |",
        "",
    ]
    return "\n".join(lines)


def _answers(asked: Asked, method: Method) -> Answers:
    """What a study would hand back of these questions."""
    ask = by_pixel(asking_others(method))
    return {question: Reconstruction(ask(question, seen), ended="tested") for question, seen in asked.items()}


def _cell(verdict: str) -> str:
    return "" if verdict == "supported" else verdict


if __name__ == "__main__":
    PAGE.write_text(page(dict(method_by_method())), encoding="utf-8")
    print(f"wrote {PAGE}")
