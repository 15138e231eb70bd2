"""Which check catches which wrong method: the whole suite, on every method there is, in the tiny world.

``python -m tests.validation.table`` writes ``docs/validation-table.md`` anew. A check comes from the suite, a wrong
method from `WRONG`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    "hallucinator": ("shows a training clip picked at random", methods.hallucinator),
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
"""Those whose encoder was fitted together with another session, in which the test clips were shown."""
TOLD = "leakage.clips"
"""The check that knows it only because the encoder says so."""


def all_findings() -> dict[str, dict[str, Finding]]:
    """What every check says of every method, by name of the method, the honest one first, and by check."""
    shown, honest = tiny.judged(), tiny.subject()
    checks, leaked = tiny.checks(honest), tiny.checks(tiny.leaked(honest))
    asking = {name: check.ask(shown) for name, check in checks.items()}
    # What needs no reconstruction says the same of every method that has the same encoder.
    silent = {name: checks[name].judge(shown, {}) for name, asked in asking.items() if not asked}
    asked = {question: observation for of_one in asking.values() for question, observation in of_one.items()}
    others = _answers({q: seen for q, seen in asked.items() if q.method != JUDGED}, methods.honest)
    told = {}
    for name, method in {HONEST: methods.honest, **{name: method for name, (_, method) in WRONG.items()}}.items():
        given = {**others, **_answers({q: seen for q, seen in asked.items() if q.method == JUDGED}, method)}
        told[name] = {check: silent.get(check) or checks[check].judge(shown, given) for check in checks}
        if name in MEMORISED:
            told[name][TOLD] = leaked[TOLD].judge(shown, {})
    return told


def summary(findings: Mapping[str, Finding]) -> Summary:
    """What the suite says of a method on the whole."""
    return summarise(corrected(list(findings.values())), SUITE, method="it", clips=tiny.CLIPS, missing={})


def page(told: Mapping[str, Mapping[str, Finding]]) -> str:
    """The page of the documentation."""
    names = list(told)
    rows = [
        f"| `{entry.id}`{' *' * entry.sinks} | "
        + " | ".join(_cell(told[name][entry.id].verdict) for name in names)
        + " |"
        for entry in SUITE
    ]
    caught = [str(sum(one.verdict == "refuted" for one in told[name].values())) for name in names]
    lines = [
        "# Which check catches which wrong method",
        "",
        "The whole suite on methods that are wrong in one way each, in a world where every pixel has three neurons of",
        f"its own, on {tiny.CLIPS} clips. Written by `python -m tests.validation.table`; the tests fail where this page",
        "is stale, where a check of the suite is missing, where a wrong method is caught by fewer than two checks, and",
        "where the honest one is caught by any or not supported by all.",
        "",
        "| name | what it does |",
        "|---|---|",
        f"| {HONEST} | reads every pixel from its neurons |",
        *(f"| {name} | {what} |" for name, (what, _) in WRONG.items()),
        "",
        "Empty cells are `supported`. That a check supports a wrong method says only that it asks for something else.",
        "A refuted check marked with * sinks the claim that the movie comes from the neurons. The last row is the",
        "verdict of the summary, with all p-values corrected for the number of questions.",
        "",
        f"Of all methods that have memorised clips (the {_and(MEMORISED, names)}) the encoder says that it was fitted",
        f"to another session, in which the test clips were shown: `{TOLD}` refutes them by that. Each is refuted by at",
        "least two checks besides, which need nobody to say so.",
        "",
        "A frame leaker is wrong only where there are many more pictures than it has memorised. On frames of 4x5 pixels",
        "some stored frame is like any frame that could be shown, so that it does read them, coarsely; hence frames of",
        f"{tiny.FRAME[0]}x{tiny.FRAME[1]} here.",
        "",
        f"| check | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        *rows,
        f"| refuted by | {' | '.join(caught)} |",
        f"| summary | {' | '.join(summary(told[name]).verdict for name in names)} |",
        "",
    ]
    return "\n".join(lines)


def _answers(asked: Asked, method: Method) -> Answers:
    """What a study would hand back of these questions."""
    ask = by_pixel(asking_others(method))
    return {question: Reconstruction(ask(question, seen), ended="tested") for question, seen in asked.items()}


def _and(some: frozenset[str], order: list[str]) -> str:
    *most, last = [name for name in order if name in some]
    return f"{', '.join(most)} and {last}"


def _cell(verdict: str) -> str:
    return "" if verdict == "supported" else verdict


if __name__ == "__main__":
    PAGE.write_text(page(all_findings()), encoding="utf-8")
    print(f"wrote {PAGE}")
