"""The movies of a report, with what was recorded on the same frames."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.ndimage import uniform_filter
from torch import Tensor

from cinecortex.data.shown import Shown, order_of_clips
from cinecortex.metrics.movies import frame_correlation, motion_energy
from cinecortex.reconstruction import Reconstruction
from cinecortex.report import ClipView, Panel, Raster, Trace
from cinecortex.reporting.gathered import DRAWN, JUDGED, MEASURED, NO_NEURONS, SHUFFLED, Gathered
from cinecortex.tensors import Mask, Movie

SCORE = "movie correlation"
PUBLISHED = "paper"
"""The yardstick, shown wherever it was asked."""
POOLED = (9, 3, 3)
"""Frames, rows and columns that data share and its standard deviation are averaged over, to be looked at."""
QUANTILE = 0.995
"""Of the standard deviation, what is drawn as white: single pixels beyond it do not darken all others."""


def clip_views(gathered: Gathered, *, baseline: str | None, group: str = "") -> tuple[ClipView, ...]:
    """Every clip of one validation, in random order.

    Args:
        gathered: One validation.
        baseline: Which other method is shown beside the judged one; None for the first there is.
        group: What they belong to in the clip chooser.
    """
    exhibit = gathered.exhibit
    order = order_of_clips(len(exhibit.trials), gathered.seed)
    other = baseline if baseline is not None else next(iter(gathered.baselines), None)
    top = _top([spread for shown in exhibit.trials if (spread := _spread(shown)) is not None])
    return tuple(
        _view(gathered, exhibit.trials[place], f"Clip {number}", other, top, group)
        for number, place in enumerate(order, 1)
    )


def _view(gathered: Gathered, shown: Shown, label: str, baseline: str | None, top: float, group: str) -> ClipView:
    mask, burn_in = gathered.exhibit.mask, min(gathered.exhibit.burn_in, len(shown.movie) // 2)
    traced = [name for name in (JUDGED, baseline, NO_NEURONS) if name is not None and name in shown.answers]
    traces = [
        Trace(
            gathered.called(name), "frame correlation", _frames(shown.answers[name].movie, shown.movie, mask, burn_in)
        )
        for name in traced
    ]
    traces += [
        Trace(who, "motion energy", _moved(movie, mask))
        for who, movie in (("true movie", shown.movie), *_judged_movie(gathered, shown))
    ]
    return ClipView(
        clip_label=label,
        trial_id=shown.trial_id,
        unseen=shown.unseen,
        panels=tuple(_panels(gathered, shown, baseline, top)),
        burn_in_frames=burn_in,
        frame_rate_hz=shown.frame_rate_hz,
        scores=clip_scores(gathered, shown.trial_id),
        score_name=SCORE,
        traces=(*traces, *recorded_traces(shown)),
        raster=recorded_raster(shown),
        group=group,
    )


def clip_scores(gathered: Gathered, trial_id: str) -> dict[str, float]:
    """What every answer to a trial scored, by its name for people."""
    return {
        score.method: clip.values[SCORE]
        for score in gathered.scores.values()
        for clip in score.clips
        if clip.trial_id == trial_id
    }


def true_panel(shown: Shown) -> Panel:
    """What was on the screen."""
    return Panel("True movie", shown.movie, "what was on the screen", true_movie=True)


def _panels(gathered: Gathered, shown: Shown, baseline: str | None, top: float) -> list[Panel]:
    panels, answers = [true_panel(shown)], shown.answers
    share, spread = data_share(shown), _spread(shown)
    if JUDGED in answers:
        movie = answers[JUDGED].movie
        panels.append(Panel(f"Reconstruction ({gathered.method})", movie, "from the responses"))
        if share is not None:
            note = "gray where the data share is low: there the algorithm speaks, not the neurons"
            panels.append(Panel("Reconstruction, faded", movie, note, share=share))
    if spread is not None:
        panels.append(Panel("Posterior standard deviation", spread, "how unsure every pixel is", top=top))
    if NO_NEURONS in answers:
        panels.append(Panel("Without any neuron", answers[NO_NEURONS].movie, "what the method says by itself"))
    if SHUFFLED in answers:
        panels.append(Panel("Neurons shuffled", answers[SHUFFLED].movie, "every response handed to another neuron"))
    if baseline is not None and baseline in answers:
        panels.append(Panel(f"Baseline ({baseline})", answers[baseline].movie, "another method, same responses"))
    if PUBLISHED in answers and baseline != PUBLISHED:
        panels.append(Panel(f"Published recipe ({PUBLISHED})", answers[PUBLISHED].movie, "as published, one encoder"))
    return panels


def data_share(shown: Shown) -> Movie | None:
    """How much of every pixel is data, 0..1, by whoever measured it; None where nobody did."""
    for name in (JUDGED, MEASURED):
        share = shown.answers[name].data_share if name in shown.answers else None
        if share is not None:
            return _pooled(share).clamp(0, 1)
    return None


def _spread(shown: Shown) -> Movie | None:
    """Standard deviation of every pixel, by whoever knows it best."""
    for name in (JUDGED, DRAWN, MEASURED):
        spread = shown.answers[name].std if name in shown.answers else None
        if spread is not None:
            return _pooled(spread.square()).sqrt() if name == MEASURED else spread
    return None


def _pooled(movie: Movie) -> Movie:
    """The mean over the pixels and frames around each: a few draws tell little of a pixel, and much of a patch."""
    return torch.from_numpy(uniform_filter(movie.numpy(), size=POOLED, mode="nearest"))


def _top(spreads: Sequence[Movie]) -> float:
    """What is drawn as white: two digits of a high quantile, the same for all clips."""
    if not spreads:
        return 1.0
    highest = max(float(torch.quantile(spread[::10].flatten().double(), QUANTILE)) for spread in spreads)
    return max(0.01, math.ceil(100 * round(highest, 5)) / 100)


def _judged_movie(gathered: Gathered, shown: Shown) -> list[tuple[str, Movie]]:
    answer: Reconstruction | None = shown.answers.get(JUDGED)
    return [] if answer is None else [(gathered.method, answer.movie)]


def _frames(guess: Movie, truth: Movie, mask: Mask, burn_in: int) -> Tensor:
    values = frame_correlation(guess, truth, mask=mask, burn_in=0).frames.float()
    values[:burn_in] = torch.nan
    return values


def _moved(movie: Movie, mask: Mask) -> Tensor:
    """Root mean square change from the frame before, in luminance; of the first frame not known."""
    return torch.cat([torch.full((1,), torch.nan), motion_energy(movie, mask=mask).sqrt().float()])


def recorded_traces(shown: Shown) -> list[Trace]:
    """Behavior and the population's mean response."""
    traces = [Trace("", name, shown.behavior[:, place].float()) for place, name in enumerate(shown.behavior_channels)]
    if not bool(shown.mean_response.isnan().all()):
        traces.append(Trace("", "mean response of the population", shown.mean_response.float()))
    return traces


def recorded_raster(shown: Shown) -> Raster | None:
    """Population activity, or None where none is known."""
    if not shown.activity.shape[1]:
        return None
    note = f"{shown.activity.shape[1]} neurons in their order, each from its least to its strongest response"
    return Raster("population activity", torch.from_numpy(shown.activity.copy()), note)
