"""What may be claimed and what may not, in one paragraph of plain words, from all findings together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cinecortex.finding import Finding, Verdict
from cinecortex.metrics.holm import holm
from cinecortex.validation.entry import Entry
from cinecortex.validation.suite import SUITE

ALPHA = 0.05


@dataclass(frozen=True)
class Summary:
    """The verdict on a method.

    Attributes:
        verdict: ``refuted`` where a check that sinks the claim was, ``supported`` where all were supported that are
            essential to it, ``undecided`` otherwise.
        sentence: What may and what may not be claimed.
    """

    verdict: Verdict
    sentence: str


def corrected(findings: Sequence[Finding], entries: Sequence[Entry], *, alpha: float = ALPHA) -> tuple[Finding, ...]:
    """The findings with their p-values corrected for the number of questions (Holm 1979, Scand J Stat 6:65).

    The main claim is made only where every check that is essential to it supports it. All of them at once are supported
    by chance no more often than any one alone, so these verdicts need no correction (an intersection-union test: Berger
    1982, Technometrics 24:295). Each of the others is a claim of its own: one that is supported alone, and not as one
    among so many, is undecided. Refutations rest on intervals and stay.

    Args:
        findings: What was found.
        entries: The places of the checks in the suite.
        alpha: How often a suite may claim one of the others by chance.
    """
    essential = {entry.id for entry in entries if entry.essential}
    every = _adjusted(findings)
    others = _adjusted([finding for finding in findings if finding.id not in essential])
    return tuple(_judged(finding, every, others, alpha) for finding in findings)


def _adjusted(findings: Sequence[Finding]) -> dict[str, float]:
    return holm({finding.id: finding.p for finding in findings if finding.p is not None})


def _judged(finding: Finding, every: Mapping[str, float], others: Mapping[str, float], alpha: float) -> Finding:
    if finding.p is None:
        return finding
    found = replace(finding, data={**finding.data, "p_holm": every[finding.id], "questions": len(every)})
    p = others.get(finding.id, 0.0)
    if finding.verdict != "supported" or p <= alpha:
        return found
    note = (
        f"Supported by its own interval, but one of {len(others)} such claims is to be expected by chance with a p of "
        f"{finding.p:.2g} (Holm: {p:.2g}); more clips would decide."
    )
    return replace(found, verdict="undecided", notes=" ".join(filter(None, (note, finding.notes))))


def summarise(
    findings: Sequence[Finding], entries: Sequence[Entry], *, method: str, clips: int, missing: Mapping[str, str]
) -> Summary:
    """One verdict and one paragraph.

    Args:
        findings: What was found, corrected.
        entries: The checks that were to be asked.
        method: Who was judged.
        clips: On how many clips.
        missing: Why a check was not asked, by its id.
    """
    verdicts = {finding.id: finding.verdict for finding in findings}
    by: dict[str, list[Entry]] = {"supported": [], "refuted": [], "undecided": []}
    for entry in entries:
        by[verdicts.get(entry.id, "undecided")].append(entry)
    sunk = [entry for entry in by["refuted"] if entry.sinks]
    open_questions = [entry for entry in by["undecided"] if entry.essential]
    asked = [entry for entry in entries if entry.essential]
    on = f"on {clips} clip{'s' * (clips != 1)}"
    if sunk:
        verdict: Verdict = "refuted"
        first = f"It may not be claimed that {method} reads the movie from the neurons ({on}): not {_that(sunk)}."
    elif open_questions or not asked:
        verdict = "undecided"
        first = (
            f"Whether {method} reads the movie from the neurons is open ({on}): it was not decided "
            f"{_that(open_questions, word='whether') if asked else 'by any check that was asked'}."
        )
    else:
        verdict = "supported"
        first = f"{on.capitalize()}, it may be claimed that {method} reads the movie from the neurons: {_that(asked)}."
    limits = [entry for entry in by["refuted"] if not entry.sinks]
    rest = [entry for entry in by["undecided"] if not entry.essential and entry.id not in missing]
    more = [entry for entry in by["supported"] if not entry.essential or verdict != "supported"]
    sentences = [first]
    if more:
        sentences.append(f"{'Also' if verdict == 'supported' else 'What holds'}: {_that(more)}.")
    if limits:
        sentences.append(f"It may not be claimed {_that(limits)}.")
    if rest:
        sentences.append(f"Undecided: {_that(rest, word='whether')}.")
    unasked = sum(entry.sinks for entry in SUITE if entry not in entries)
    if unasked:
        sentences.append(f"{unasked} more checks could sink this and were left out.")
    if missing:
        sentences.append(f"Not asked: {'; '.join(f'{name} ({why})' for name, why in missing.items())}.")
    return Summary(verdict, " ".join(sentences))


def _that(entries: Sequence[Entry], *, word: str = "that") -> str:
    return ", ".join(f"{word} {entry.states}" for entry in entries)
