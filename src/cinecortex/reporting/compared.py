"""Several methods or recordings on one page, on the same clips."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch

from cinecortex.data.shown import Shown, order_of_clips
from cinecortex.exports.csv_table import csv_text
from cinecortex.finding import Finding
from cinecortex.metrics import bootstrap_mean
from cinecortex.metrics.movies import frame_correlation
from cinecortex.report import ClipView, Figure, Page, Panel, ScoreRow, Trace, VerdictTable, figures
from cinecortex.report.page import Verdicts
from cinecortex.reporting.cards import STATES
from cinecortex.reporting.clips import SCORE, clip_views, data_share, recorded_raster, recorded_traces, true_panel
from cinecortex.reporting.facts import NOTES, recording_facts
from cinecortex.reporting.gathered import JUDGED, Gathered
from cinecortex.seeds import Seed

Shared = Mapping[str, list[tuple[str, Gathered, Shown]]]


def compose_comparison(gathered: Sequence[Gathered], baseline: str | None) -> Page:
    """Verdicts side by side, scores on the clips that all have, and every clip with all its reconstructions.

    Args:
        gathered: Two validations or more.
        baseline: Which other method is shown on clips that only one of them has.
    """
    names = _names(gathered)
    shared = _shared(gathered, names)
    common = [clip for clip, seen in shared.items() if len(seen) == len(gathered)]
    simulated = [one.simulated for one in gathered]
    first = gathered[0]
    return Page(
        title=f"{len(gathered)} validations: {', '.join(names)}",
        verdict=" ".join(
            f"{name}: {one.found.content['summary']['verdict']}." for name, one in zip(names, gathered, strict=True)
        ),
        simulated=any(simulated),
        clips=(*_together(gathered, shared), *_alone(gathered, names, shared, baseline)),
        clip_order=f"random (seed {first.found.content['seed']}), drawn without regard to the scores",
        recording=_facts(gathered, names),
        scores=_rows(gathered, names, shared, common),
        figures=_figures(names, shared, common),
        verdicts=_table(gathered, names),
        provenance={name: _origin(one) for name, one in zip(names, gathered, strict=True)}
        | {"report by": "cinecortex report"},
        notes=(_on_what(common, len(gathered)), *NOTES),
        downloads={
            f"{name.replace('/', '-')}.{end}": text
            for name, one in zip(names, gathered, strict=True)
            for end, text in (("json", json.dumps(dict(one.found.content), indent=1)), ("csv", csv_text(one.found)))
        },
        consent=" ".join(dict.fromkeys(str(one.recording.get("consent", "")) for one in gathered)).strip(),
    )


def _names(gathered: Sequence[Gathered]) -> list[str]:
    """By method where that tells them apart, else by session too, else by folder."""
    for name in (
        lambda one: one.method,
        lambda one: str(one.recording["session_id"]),
        lambda one: f"{one.method} on {one.recording['session_id']}",
    ):
        names = [name(one) for one in gathered]
        if len(set(names)) == len(names):
            return names
    return [one.label for one in gathered]


def _shared(gathered: Sequence[Gathered], names: Sequence[str]) -> Shared:
    """Clips that several have in the same size, and who: one trial of each."""
    seen: dict[str, list[tuple[str, Gathered, Shown]]] = {}
    for name, one in zip(names, gathered, strict=True):
        for shown in one.exhibit.trials:
            held = seen.setdefault(shown.clip_id, [])
            if JUDGED in shown.answers and name not in {other for other, _, _ in held}:
                held.append((name, one, shown))
    return {clip: held for clip, held in seen.items() if len(held) > 1}


def _together(gathered: Sequence[Gathered], shared: Shared) -> list[ClipView]:
    clips = list(shared.items())
    order = order_of_clips(len(clips), gathered[0].seed)
    return [_side_by_side(f"Clip {number}", clips[place][1]) for number, place in enumerate(order, 1)]


def _side_by_side(label: str, held: Sequence[tuple[str, Gathered, Shown]]) -> ClipView:
    _, _, first = held[0]
    panels, traces, scores = [true_panel(first)], [], {}
    for name, one, shown in held:
        answer = shown.answers[JUDGED].movie
        panels.append(Panel(name, answer, _note(one), share=None))
        share = data_share(shown)
        if share is not None:
            panels.append(Panel(f"{name}, faded", answer, "gray where the data share is low", share=share))
        scores[name] = next(clip.values[SCORE] for clip in one.scores[JUDGED].clips if clip.trial_id == shown.trial_id)
        traces.append(Trace(name, "frame correlation", _frames(one, shown)))
    _, one, _ = held[0]
    same = len({one.recording["fingerprint"] for _, one, _ in held}) == 1
    return ClipView(
        clip_label=label,
        trial_id=first.trial_id,
        unseen=all(shown.unseen for _, _, shown in held),
        panels=tuple(panels),
        burn_in_frames=min(one.exhibit.burn_in, len(first.movie) // 2),
        frame_rate_hz=first.frame_rate_hz,
        scores=scores,
        score_name=SCORE,
        # What was recorded is the same for all only where the recording is.
        traces=(*traces, *(recorded_traces(first) if same else ())),
        raster=recorded_raster(first) if same else None,
        group="clips of several" if len(held) > 1 else "",
    )


def _frames(one: Gathered, shown: Shown) -> torch.Tensor:
    burn_in = min(one.exhibit.burn_in, len(shown.movie) // 2)
    values = frame_correlation(shown.answers[JUDGED].movie, shown.movie, mask=one.exhibit.mask, burn_in=0)
    frames = values.frames.float()
    frames[:burn_in] = torch.nan
    return frames


def _note(one: Gathered) -> str:
    return f"{one.recording['neurons']:,} neurons of {one.recording['session_id']}"


def _alone(gathered: Sequence[Gathered], names: Sequence[str], shared: Shared, baseline: str | None) -> list[ClipView]:
    """Clips that only one of them has, each in the group of whoever has it."""
    views = []
    for name, one in zip(names, gathered, strict=True):
        trials = {shown.trial_id: shown for shown in one.exhibit.trials}
        other = baseline if baseline in one.baselines else None
        for view in clip_views(one, baseline=other, group=name):
            held = shared.get(trials[view.trial_id].clip_id, ())
            if view.trial_id not in {shown.trial_id for _, who, shown in held if who is one}:
                views.append(view)
    return views


def _rows(
    gathered: Sequence[Gathered], names: Sequence[str], shared: Shared, common: Sequence[str]
) -> tuple[ScoreRow, ...]:
    rows = []
    for name, one in zip(names, gathered, strict=True):
        score = one.scores.get(JUDGED)
        if score is None:
            continue
        own = {shown.trial_id for clip in common for who, _, shown in shared[clip] if who == name}
        clips = [clip for clip in score.clips if clip.trial_id in own or not common]
        metrics = {
            metric: bootstrap_mean([clip.values[metric] for clip in clips], seed=Seed(0) / "bootstrap")
            for metric in (SCORE, "frame correlation", "structural similarity", "full-field movie correlation")
        }
        rows.append(ScoreRow(name, metrics, score.frame_passes, score.seconds, _note(one)))
    return tuple(rows)


def _figures(names: Sequence[str], shared: Shared, common: Sequence[str]) -> tuple[Figure, ...]:
    if not common:
        return ()
    by_clip: dict[str, list[float]] = {name: [] for name in names}
    for clip in common:
        for name, one, shown in shared[clip]:
            found = next(each.values[SCORE] for each in one.scores[JUDGED].clips if each.trial_id == shown.trial_id)
            by_clip[name].append(found)
    means = {name: bootstrap_mean(values, seed=Seed(0) / "bootstrap") for name, values in by_clip.items()}
    return (
        Figure(
            "The same clips",
            "Each point is one clip that all have; a thin line follows it. Diamonds: mean with 95 % interval.",
            figures.scores_by_clip(by_clip, metric=SCORE, means=means),
        ),
    )


def _table(gathered: Sequence[Gathered], names: Sequence[str]) -> VerdictTable:
    findings: dict[str, dict[str, Finding]] = {}
    for name, one in zip(names, gathered, strict=True):
        for finding in one.found.findings:
            findings.setdefault(finding.id, {})[name] = finding
    known = [entry for entry in STATES if entry in findings]
    order = [*known, *(each for each in findings if each not in known)]
    rows = tuple(
        Verdicts(each, next(iter(findings[each].values())).claim, tuple(findings[each].get(name) for name in names))
        for each in order
    )
    return VerdictTable(tuple(names), rows)


def _facts(gathered: Sequence[Gathered], names: Sequence[str]) -> dict[str, str]:
    """What all have in common, and what sets them apart by name."""
    told = [recording_facts(one) for one in gathered]
    keys = list(dict.fromkeys(key for facts in told for key in facts))
    found = {}
    for key in keys:
        values = [facts.get(key, "unknown") for facts in told]
        same = len(set(values)) == 1
        found[key] = values[0] if same else "; ".join(f"{n}: {v}" for n, v in zip(names, values, strict=True))
    return found


def _origin(one: Gathered) -> str:
    content = one.found.content
    return (
        f"recording {content['recording']['fingerprint']}, encoder {content['encoder']['fingerprint']}, method "
        f"{content['method']['fingerprint']}, seed {content['seed']}{', simulated animal' if one.simulated else ''}"
    )


def _on_what(common: Sequence[str], number: int) -> str:
    if not common:
        return (
            f"No clip was judged in all {number} validations: their scores are of different clips; do not compare them."
        )
    return f"Scores are of the {len(common)} clips that all {number} validations have."
