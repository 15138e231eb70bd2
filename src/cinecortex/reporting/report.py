"""One page from what one or several validations left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cinecortex.errors import WrongUse
from cinecortex.exports.csv_table import csv_text
from cinecortex.metrics.movies import THRESHOLDS
from cinecortex.report import Figure, Headline, Page, ScoreRow, figures, write_page
from cinecortex.report.write import LIMIT_BYTES
from cinecortex.reporting.cards import card
from cinecortex.reporting.clips import SCORE, clip_views, data_share
from cinecortex.reporting.compared import compose_comparison
from cinecortex.reporting.facts import NOTES, SHARE_NOTE, encoder_facts, provenance, recording_facts
from cinecortex.reporting.gathered import JUDGED, Gathered, gather
from cinecortex.study import MASK_THRESHOLD

METRICS = (SCORE, "frame correlation", "structural similarity", "full-field movie correlation")


def report(
    folders: Sequence[Path], out: Path, *, baseline: str | None = None, limit_bytes: int = LIMIT_BYTES
) -> tuple[Path, Page]:
    """Lay out what validations left on one page.

    Args:
        folders: What `validate` or a study wrote; several are put beside each other on the same clips.
        out: The HTML file.
        baseline: Which other method is shown beside the judged one; None for the best known.
        limit_bytes: How heavy the page may be; clips that do not fit lie in a folder beside it.

    Returns:
        The file and what is on it.

    Raises:
        BadData: a folder holds no findings, or they cannot be read.
        WrongUse: ``out`` cannot be written, or nobody answered as ``baseline``.
    """
    if out.exists() and not _is_page(out):
        raise WrongUse(f"{out} exists and is no report; choose another name, it would be overwritten.")
    page = compose(gather(folders), baseline=baseline)
    return write_page(out, page, limit_bytes=limit_bytes), page


def _is_page(path: Path) -> bool:
    """Whether a file says that a report wrote it."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b'<meta name="generator" content="cinecortex' in file.read(4096)


def compose(gathered: Sequence[Gathered], *, baseline: str | None = None) -> Page:
    """What is on the page: of one validation everything, of several what can be compared.

    Raises:
        WrongUse: there is none, or nobody answered as ``baseline``.
    """
    if not gathered:
        raise WrongUse("there is nothing to report; name a folder that cinecortex validate or run wrote.")
    known = {name for one in gathered for name in one.baselines}
    if baseline is not None and baseline not in known:
        raise WrongUse(f"--baseline {baseline!r} gave no answer there; choose one of {', '.join(sorted(known))}.")
    return _compose_one(gathered[0], baseline) if len(gathered) == 1 else compose_comparison(gathered, baseline)


def _compose_one(one: Gathered, baseline: str | None) -> Page:
    content = one.found.content
    verdict, more = _first_sentence(content["summary"]["sentence"])
    clips = clip_views(one, baseline=baseline)
    shares = any(data_share(shown) is not None for shown in one.exhibit.trials)
    return Page(
        title=f"{one.recording['session_id']}: {len(one.recording['judged'])} clips reconstructed by {one.method}",
        verdict=verdict,
        more=more,
        verdict_word=content["summary"]["verdict"],
        simulated=one.simulated,
        clips=clips,
        clip_order=f"random (seed {content['seed']}), drawn without regard to the scores",
        headline=_headline(one),
        recording=recording_facts(one),
        encoder=encoder_facts(one),
        scores=score_rows(one),
        figures=_figures(one),
        findings=tuple(card(finding) for finding in one.found.findings),
        provenance=provenance(one) | {"report by": "cinecortex report"},
        notes=(*NOTES, *((SHARE_NOTE,) if shares else (_UNMEASURED,))),
        scored_pixels=one.exhibit.mask >= MASK_THRESHOLD if clips else None,
        downloads={"findings.json": json.dumps(dict(content), indent=1), "findings.csv": csv_text(one.found)},
        consent=str(one.recording.get("consent", "")),
    )


def _first_sentence(text: str) -> tuple[str, str]:
    """The sentence that carries the verdict, and the rest."""
    first, stop, rest = text.partition(". ")
    return first + stop.strip(), rest


_UNMEASURED = "How much of every pixel is data was not measured in this run: no movie is faded."


def _headline(one: Gathered) -> Headline | None:
    if JUDGED not in one.scores:
        return None
    unseen = sum(shown.unseen for shown in one.exhibit.trials)
    of = "unseen clips" if unseen == len(one.exhibit.trials) else f"clips, {unseen} of them unseen"
    return Headline(f"mean {SCORE} of {one.method}, {of}, inside the mask", one.scores[JUDGED].interval(SCORE))


def score_rows(one: Gathered) -> tuple[ScoreRow, ...]:
    """The score table of one validation: what was judged, what it is held against, and the controls."""
    return tuple(
        ScoreRow(
            score.method,
            {metric: score.interval(metric) for metric in METRICS},
            score.frame_passes,
            score.seconds,
            "judged" if name == JUDGED else "another method" if name in one.baselines else "control",
        )
        for name, score in one.scores.items()
    )


def _figures(one: Gathered) -> tuple[Figure, ...]:
    if not one.scores:
        return ()
    trials = [shown.trial_id for shown in one.exhibit.trials]
    by_clip, over = {}, {}
    for score in one.scores.values():
        found = {clip.trial_id: clip.values[SCORE] for clip in score.clips}
        by_clip[score.method] = [found.get(trial, float("nan")) for trial in trials]
        over[score.method] = [
            sum(values) / len(values) for values in zip(*(clip.over_masks for clip in score.clips), strict=True)
        ]
    means = {score.method: score.interval(SCORE) for score in one.scores.values()}
    return (
        Figure(
            "Every clip, every method",
            "Each point is one clip; a thin line follows it from method to method. Diamonds: mean with 95 % interval.",
            figures.scores_by_clip(by_clip, metric=SCORE, means=means),
        ),
        Figure(
            "No threshold was picked",
            "Mean movie correlation over the least mask weight of the pixels counted; the full field is at the left.",
            figures.scores_by_mask(THRESHOLDS, over, metric=SCORE),
        ),
        Figure(
            "Where the population can see",
            "Mask weight per pixel, from the encoder's sensitivity; scores count the pixels inside the line.",
            figures.mask_picture(one.exhibit.mask, one.exhibit.mask >= MASK_THRESHOLD),
        ),
    )
